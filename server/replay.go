package server

import (
	"slices"
	"strconv"
	"sync/atomic"
)

// replay is what a client that lost the stream of a call can still ask for: the events of that stream, as bytes of messages, oldest first. Like all state of a session it is
// guarded by the lock of the session's shard.
type replay struct {
	stream  uint64 // names the stream in event ids; unique in the process
	first   uint64 // number of events[0]; events are numbered from 1
	events  [][]byte
	bytes   int
	done    bool   // the response is among the events
	carrier target // the connection that the stream flows to now
	expires tick   // once it is done: when it is forgotten
}

// replayBudget counts the bytes that all replays of the server hold.
type replayBudget struct {
	used atomic.Int64
	max  int64
}

// What a replay and an event cost besides the message: without it small messages would be held without bound.
const (
	replayCost = 192
	eventCost  = 48
)

// newReplay returns the replay of a stream that c carries, or nil when the bytes of all are used up.
func newReplay(stream uint64, c target, b *replayBudget) *replay {
	if b.used.Add(replayCost) > b.max {
		b.used.Add(-replayCost)
		return nil
	}
	return &replay{stream: stream, first: 1, carrier: c}
}

// position returns the number of the newest event.
func (r *replay) position() uint64 { return r.first + uint64(len(r.events)) - 1 }

// append stores a copy of msg and returns its number. Beyond a bound the oldest events go.
func (r *replay) append(msg []byte, b *replayBudget, maxBytes, maxEvents int) uint64 {
	r.events = append(r.events, append([]byte(nil), msg...))
	r.bytes += len(msg)
	b.used.Add(int64(len(msg)) + eventCost)
	// The newest event is exempt from the bounds of one stream: a long answer is worth more than what came before it.
	for len(r.events) > 0 && (len(r.events) > 1 && (r.bytes > maxBytes || len(r.events) > maxEvents) || b.used.Load() > b.max) {
		r.dropOldest(b)
	}
	return r.position()
}

// after returns the events behind number n, or false if some of them are gone or n was never reached. The slice is the caller's.
func (r *replay) after(n uint64) ([][]byte, bool) {
	if n+1 < r.first || n > r.position() {
		return nil, false
	}
	return slices.Clone(r.events[n+1-r.first:]), true
}

// release gives the bytes back.
func (r *replay) release(b *replayBudget) {
	b.used.Add(-int64(r.bytes+eventCost*len(r.events)) - replayCost)
	r.events, r.bytes = nil, 0
}

// minShare is what a session may have of ReplayTotal in any case, while there is as much.
const minShare = 64 << 10

// held returns the bytes that the replays of s hold.
func (s *session) held() (n int64) {
	for _, r := range s.replays {
		n += int64(r.bytes+eventCost*len(r.events)) + replayCost
	}
	return n
}

// share returns how many bytes a session that holds mine may hold: a sixth of what the others leave. So there is always some left for who comes next.
func (b *replayBudget) share(mine int64) int64 {
	return max(minShare, (b.max-(b.used.Load()-mine))/6)
}

// trim lets the oldest events of s go, those of streams that have ended first, until it holds no more than its share.
func (s *session) trim(b *replayBudget) {
	for mine := s.held(); mine > b.share(mine); mine = s.held() {
		var oldest *replay
		for _, r := range s.replays {
			switch {
			case len(r.events) == 0:
			case oldest == nil, r.done && (!oldest.done || r.expires < oldest.expires):
				oldest = r
			}
		}
		if oldest == nil {
			return
		}
		oldest.dropOldest(b)
	}
}

// dropOldest forgets the oldest event.
func (r *replay) dropOldest(b *replayBudget) {
	n := len(r.events[0])
	r.events[0] = nil
	r.events = r.events[1:]
	r.first++
	r.bytes -= n
	b.used.Add(-int64(n) - eventCost)
}

// maxReplays bounds the streams of one session that can be resumed.
const maxReplays = 64

// addReplay begins the replay of a stream. At the bound the one that ended first goes. It reports false when there is no room.
func (s *session) addReplay(stream uint64, c target, b *replayBudget) bool {
	if len(s.replays) >= maxReplays {
		at := -1
		for i, r := range s.replays {
			if r.done && (at < 0 || r.expires < s.replays[at].expires) {
				at = i
			}
		}
		if at < 0 {
			return false
		}
		s.replays[at].release(b)
		s.replays = slices.Delete(s.replays, at, at+1)
	}
	r := newReplay(stream, c, b)
	if r == nil {
		return false
	}
	s.replays = append(s.replays, r)
	return true
}

// appendEventID appends the id of event n of a stream: visible, of [A-Za-z0-9-] only.
func appendEventID(dst []byte, stream, n uint64) []byte {
	dst = strconv.AppendUint(dst, stream, 36)
	dst = append(dst, '-')
	return strconv.AppendUint(dst, n, 36)
}

// parseEventID reads what appendEventID wrote.
func parseEventID(id []byte) (stream, n uint64, ok bool) {
	for i, c := range id {
		if c == '-' {
			stream, err1 := strconv.ParseUint(string(id[:i]), 36, 64)
			n, err2 := strconv.ParseUint(string(id[i+1:]), 36, 64)
			return stream, n, err1 == nil && err2 == nil
		}
	}
	return 0, 0, false
}
