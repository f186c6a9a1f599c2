package mcp

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync"
)

// An EventStore keeps the events of streams, so that a client can resume one. This module's own
// handlers keep them by themselves, within limits: the type is for hosts that have stores for
// transports of other packages. Its methods may be called from any goroutine.
type EventStore interface {
	// Open prepares for the events of a stream.
	Open(ctx context.Context, sessionID, streamID string) error

	// Append adds an event to a stream.
	Append(ctx context.Context, sessionID, streamID string, data []byte) error

	// After yields the events after the one with the index, which counts from 0. If one of them is
	// no longer there, it yields only an error, which wraps [ErrEventsPurged].
	After(ctx context.Context, sessionID, streamID string, index int) iter.Seq2[[]byte, error]

	// SessionClosed says that the streams of a session are not needed any more.
	SessionClosed(ctx context.Context, sessionID string) error
}

// ErrEventsPurged is the error for events that an [EventStore] has dropped.
var ErrEventsPurged = errors.New("mcp: events purged")

// eventOverhead is what an event costs apart from its data.
const eventOverhead = 64

// defaultStoreBytes is the default limit of a [MemoryEventStore].
const defaultStoreBytes = 10 << 20

// MemoryEventStoreOptions configure a [MemoryEventStore].
type MemoryEventStoreOptions struct{}

// A MemoryEventStore is an [EventStore] in memory. Beyond its limit it drops the events that are
// the oldest of all.
type MemoryEventStore struct {
	mu       sync.Mutex // guards the rest
	limit    int
	size     int
	sessions map[string]map[string]*storedStream
	order    []*storedStream // one entry for each event, the oldest first; nil for a closed one
}

// A storedStream is a stream of which the first events may be gone.
type storedStream struct {
	first  int // index of events[0]
	events [][]byte
	closed bool
}

// NewMemoryEventStore returns an empty store with the default limit, 10 MiB.
func NewMemoryEventStore(*MemoryEventStoreOptions) *MemoryEventStore {
	return &MemoryEventStore{limit: defaultStoreBytes, sessions: make(map[string]map[string]*storedStream)}
}

// MaxBytes returns the limit for all events together: their data, and 64 bytes for each.
func (s *MemoryEventStore) MaxBytes() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.limit
}

// SetMaxBytes sets that limit; 0 means the default. It panics if n is negative.
func (s *MemoryEventStore) SetMaxBytes(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case n < 0:
		panic("mcp: SetMaxBytes: a negative limit")
	case n == 0:
		n = defaultStoreBytes
	}
	s.limit = n
	s.purge()
}

// Open implements [EventStore].
func (s *MemoryEventStore) Open(_ context.Context, sessionID, streamID string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stream(sessionID, streamID)
	return nil
}

// stream returns a stream, which it adds if there is none.
func (s *MemoryEventStore) stream(sessionID, streamID string) *storedStream {
	streams := s.sessions[sessionID]
	if streams == nil {
		streams = make(map[string]*storedStream)
		s.sessions[sessionID] = streams
	}
	st := streams[streamID]
	if st == nil {
		st = new(storedStream)
		streams[streamID] = st
	}
	return st
}

// Append implements [EventStore]. It copies data.
func (s *MemoryEventStore) Append(_ context.Context, sessionID, streamID string, data []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.stream(sessionID, streamID)
	st.events = append(st.events, slices.Clone(data))
	s.order = append(s.order, st)
	s.size += len(data) + eventOverhead
	s.purge()
	return nil
}

// purge drops events until the limit is kept.
func (s *MemoryEventStore) purge() {
	for s.size > s.limit && len(s.order) > 0 {
		st := s.order[0]
		s.order = s.order[1:]
		if st.closed {
			continue
		}
		s.size -= len(st.events[0]) + eventOverhead
		st.events[0] = nil
		st.events = st.events[1:]
		st.first++
	}
}

// After implements [EventStore]. What it yields is as of the call, and must not be changed.
func (s *MemoryEventStore) After(_ context.Context, sessionID, streamID string, index int) iter.Seq2[[]byte, error] {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.sessions[sessionID][streamID]
	var events [][]byte
	var err error
	switch {
	case st == nil:
		err = fmt.Errorf("mcp: no stream %q in session %q", streamID, sessionID)
	case index+1 < st.first:
		err = fmt.Errorf("stream %q after %d: %w", streamID, index, ErrEventsPurged)
	case index+1 < st.first+len(st.events):
		events = slices.Clone(st.events[max(index+1-st.first, 0):])
	}
	return func(yield func([]byte, error) bool) {
		if err != nil {
			yield(nil, err)
			return
		}
		for _, e := range events {
			if !yield(e, nil) {
				return
			}
		}
	}
}

// SessionClosed implements [EventStore].
func (s *MemoryEventStore) SessionClosed(_ context.Context, sessionID string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, st := range s.sessions[sessionID] {
		for _, e := range st.events {
			s.size -= len(e) + eventOverhead
		}
		st.events, st.closed = nil, true
	}
	delete(s.sessions, sessionID)
	s.order = slices.DeleteFunc(s.order, func(st *storedStream) bool { return st.closed })
	return nil
}
