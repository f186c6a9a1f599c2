package session

import (
	"github.com/mooring-mcp/mooring/mcp"
	"github.com/mooring-mcp/mooring/server/internal/wheel"
)

// This file has the streams of a session: its own, and those of its calls, which a client that has
// lost one can resume on another connection.

// Stream returns the connection of the open stream of session k.
func (t *Table[J]) Stream(k Key, now wheel.Tick) (at Place) {
	t.look(k, now, func(s *entry[J]) { at = s.stream })
	return at
}

// TakeOver makes to the stream of session k. It returns the stream whose place that takes, if there
// is one, and the resources of owner to which the session subscribes. If full, the host has no room
// for another stream, so there must be one whose place to takes. The error is ErrGone, ErrFull,
// ErrManyStreams or nil.
func (t *Table[J]) TakeOver(k Key, owner any, to Place, full bool, now wheel.Tick) (old Place, uris []string, err error) {
	refused := t.with(k, true, now, func(s *entry[J]) {
		if full && s.stream.IsZero() {
			err = ErrManyStreams
			return
		}
		old, s.stream = s.stream, to
		for uri := range s.subs.of(owner) {
			uris = append(uris, uri)
		}
	})
	if refused != nil {
		err = refused
	}
	return old, uris, err
}

// Leave takes the stream own, which has ended, from session k, unless another has taken its
// place. If ends, the session ends with its stream: Leave returns the calls in flight and the
// subscriptions, for the caller to end.
func (t *Table[J]) Leave(k Key, own Place, ends bool, now wheel.Tick) (calls []Call[J], subs Subscriptions) {
	t.look(k, now, func(s *entry[J]) {
		if s.stream != own {
			return
		}
		s.stream = Place{}
		if ends {
			calls, subs = callsOf(s.calls), s.subs
			s.info, s.level, s.subs = mcp.SessionInfo{}, "", Subscriptions{}
		}
	})
	return calls, subs
}

// OpenReplay begins to keep the events of a call's stream of session k, which the connection to
// carries. It returns the number that names the stream in event IDs, or 0 if there is no room.
func (t *Table[J]) OpenReplay(k Key, to Place, now wheel.Tick) (stream uint64) {
	n := t.streams.Add(1)
	_ = t.with(k, true, now, func(s *entry[J]) { // without an entry there is no room
		if s.addReplay(n, to, &t.budget) {
			stream = n
		}
	})
	return stream
}

// Remember keeps a copy of msg, the next event of a call's stream of session k. It returns the
// number of the event, and the connection that carries the stream now. An empty msg is not an
// event; then n is the number of the newest. final says that the stream ends with it: then it can
// be resumed for ReplayAge. kept is false if the stream cannot be resumed any more, because it
// was dropped at a limit, or deleted with its session.
func (t *Table[J]) Remember(k Key, stream uint64, msg []byte, final bool, now wheel.Tick) (n uint64, carrier Place, kept bool) {
	t.look(k, now, func(s *entry[J]) {
		r := s.replay(stream)
		if r == nil {
			return
		}
		kept, carrier = true, r.carrier
		if n = r.position(); len(msg) > 0 {
			n = r.append(msg, &t.budget, t.o.ReplayBytes, t.o.ReplayEvents)
			s.trim(&t.budget)
		}
		if final {
			r.done, r.carrier, r.expires = true, Place{}, now+t.o.ReplayAge
		}
	})
	return n, carrier, kept
}

// Resumed is a call's stream as a client finds it that resumes it.
type Resumed struct {
	Events [][]byte // the messages after the position; not to be changed
	Done   bool     // the last of them ends the stream
	Old    Place    // the connection that carried the stream
}

// Resume makes the connection to the carrier of a call's stream of session k, from after event n,
// unless the stream is done. If full, the host has no room for another stream, so the stream must
// be done, or to must take the place of another. The error is ErrNoReplay if the session has no
// such stream or no longer that position, ErrManyStreams, or nil.
func (t *Table[J]) Resume(k Key, stream, n uint64, to Place, full bool, now wheel.Tick) (from Resumed, err error) {
	err = ErrNoReplay
	t.look(k, now, func(s *entry[J]) {
		r := s.replay(stream)
		if r == nil {
			return
		}
		events, ok := r.after(n)
		switch {
		case !ok:
		case full && !r.done && r.carrier.IsZero():
			err = ErrManyStreams
		default:
			err = nil
			from.Events, from.Done = events, r.done
			if !r.done {
				from.Old, r.carrier = r.carrier, to
			}
		}
	})
	return from, err
}

// Carrier returns the connection that carries a call's stream of session k.
func (t *Table[J]) Carrier(k Key, stream uint64, now wheel.Tick) (at Place) {
	t.look(k, now, func(s *entry[J]) {
		if r := s.replay(stream); r != nil {
			at = r.carrier
		}
	})
	return at
}

// LeaveReplay notes that the connection from no longer carries a call's stream of session k. A
// stream that is done can be resumed for another ReplayAge.
func (t *Table[J]) LeaveReplay(k Key, stream uint64, from Place, now wheel.Tick) {
	t.look(k, now, func(s *entry[J]) {
		r := s.replay(stream)
		if r == nil || r.carrier != from {
			return
		}
		r.carrier = Place{}
		if r.done {
			r.expires = now + t.o.ReplayAge
		}
	})
}
