package server

import (
	"errors"
	"math"
	"slices"
	"time"
)

// maxDeparted is how many paths that were removed a server remembers. Beyond it, the IDs of
// sessions at the one that was removed first become valid again if it is served again.
const maxDeparted = 4096

// departed remembers, by path, the Unix second until which IDs of sessions were issued at an
// endpoint that was removed: they are no longer valid. It is guarded by Server.mu.
type departed map[string]uint32

// departedAhead is how many seconds of departed may be in the future: a path that is removed and
// served again more often than this in one second keeps the IDs of that second.
const departedAhead = 30

// add notes a removal. An ID is valid for life, so it forgets what is older. Those that were issued
// since the last removal may be of the second after it: see session.Tickets.Issue.
func (d *departed) add(path string, now uint32, life time.Duration) {
	if *d == nil {
		*d = make(departed)
	}
	first, least := "", uint32(math.MaxUint32)
	for p, at := range *d {
		if uint64(at)+uint64(life/time.Second)+1 < uint64(now) {
			delete(*d, p)
		} else if at < least {
			first, least = p, at
		}
	}
	last, again := (*d)[path]
	if !again && len(*d) >= maxDeparted {
		delete(*d, first)
	}
	if again {
		last++
	}
	(*d)[path] = min(max(now, last), now+departedAhead)
}

// errRemoved is the cause of the end of a call whose endpoint was removed.
var errRemoved = errors.New("server: the endpoint was removed")

// endpointRemoved is what the client of such a call gets to know.
const endpointRemoved = "the endpoint was removed"

// A farewell is the walk of a loop that ends the streams of a service that was removed.
type farewell struct {
	svc    *service
	spread tick // within which they end
	slot   int  // the next index in loop.slots
	calls  int  // how many calls of loop.detached are still to be checked
}

// endStreams has all loops end the streams of svc. A stream that a loop begins later, for a request
// that came before, finds that svc was removed.
func (s *Server) endStreams(svc *service) {
	spread := tick(time.Duration(s.streams.Load()) * drainPerStream / tickUnit)
	for _, l := range s.loops {
		l.execute(l.guard(func() {
			l.present()
			l.farewells = append(l.farewells, &farewell{svc: svc, spread: spread, calls: len(l.detached)})
			l.serveFarewells()
		}))
	}
}

// serveFarewells continues the first farewell with a slice.
func (l *loop) serveFarewells() {
	if len(l.farewells) == 0 {
		return
	}
	w := l.farewells[0]
	budget := drainSlice * drainLook
	for ; w.calls > 0 && budget > 0; budget-- {
		w.calls-- // calls that end leave the list, so the others only move down
		if w.calls < len(l.detached) {
			if r := l.detached[w.calls]; r.job.gen == r.gen && r.job.svc == w.svc && l.endIfParked(r, errRemoved, endpointRemoved) {
				budget -= drainLook
			}
		}
	}
	for ; w.slot < len(l.slots) && budget > 0; budget-- {
		c := l.slots[w.slot]
		w.slot++
		if c != nil && c.svc == w.svc {
			l.serving = c
			c.bidFarewell(w)
			budget -= drainLook
		}
	}
	l.serving = nil
	if w.slot < len(l.slots) || w.calls > 0 {
		l.continueLater()
		return
	}
	if l.farewells = slices.Delete(l.farewells, 0, 1); len(l.farewells) > 0 {
		l.continueLater()
	}
}

// bidFarewell ends c within a time if it is a stream, and its call if that waits for its client.
func (c *conn) bidFarewell(w *farewell) {
	l := c.loop
	switch c.state {
	case connStateStream:
		if !c.resumed() { // otherwise c ends when its call has been answered
			l.wheel.Disarm(c.slot)
			c.arm(l.now + tick(l.rng.Uint32N(uint32(w.spread)+1)))
		}
	case connStateCall:
		if j := c.x.job; j != nil {
			l.endIfParked(jobRef{j, j.gen}, errRemoved, endpointRemoved)
		}
	}
}

// orphaned reports whether the stream c has to end because its endpoint was removed.
func (c *conn) orphaned() bool { return c.svc.removed.Load() && !c.resumed() }
