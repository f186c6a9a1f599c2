package server

import (
	"sync/atomic"
	"time"

	"github.com/mooring-mcp/mooring/server/internal/endpoint"
	"github.com/mooring-mcp/mooring/server/internal/engine"
	"github.com/mooring-mcp/mooring/server/internal/wheel"
)

// This file makes room at the descriptor limit. A connection whose client is silent gives way to a
// client that waits; streams, calls and halves of requests never do. Clients of a loopback or unix
// listener may be let in beyond the limit, a few at a time, so that health checks are answered when
// nothing gives way: see conn.admitLate.

const (
	yieldCount  = 8                      // connections that give way to one request for room
	yieldSample = 4096                   // connections that a loop looks at for it
	yieldAfter  = time.Second            // for which a connection that gives way has been silent
	yieldLate   = 200 * time.Millisecond // or one that was let in beyond the limit
	yieldWait   = 20 * time.Millisecond  // for the loops to answer
	yieldRest   = 10 * time.Millisecond  // after a request in vain

)

// yieldKind is which connections give way. Those that never sent anything go first.
type yieldKind uint8

const (
	yieldSilent yieldKind = iota // nothing has come since they were accepted
	yieldIdle                    // their last response is sent
	yieldBeyond                  // they were let in beyond the limit, and their head is not complete
	numYieldKinds
)

// yieldRequest asks all loops that connections of a kind give way.
type yieldRequest struct {
	kind   yieldKind
	most   int64 // connections that there is room for: a loop that was held may come to it late
	closed atomic.Int32
	loops  atomic.Int32  // that have still to answer
	done   chan struct{} // closed when all have
}

func (r *yieldRequest) answered() {
	if r.loops.Add(-1) == 0 {
		close(r.done)
	}
}

// makeRoom has connections give way until there are no more than most, as far as it can: it waits
// for the loops, but not long. It may be called from any goroutine but a loop's.
func (s *Server) makeRoom(most int64) {
	s.yielding.Lock()
	defer s.yielding.Unlock()
	if s.admission.Connections() <= most || s.clock().Before(s.yieldNext) {
		return
	}
	for kind := range numYieldKinds {
		if kind == yieldBeyond && most <= s.admission.Limit() {
			break // they are what there is to be room for
		}
		r := s.askToYield(kind, most)
		t := time.NewTimer(yieldWait)
		select {
		case <-r.done:
		case <-t.C:
		case <-s.admission.Ended():
		}
		t.Stop()
		if r.closed.Load() > 0 || s.admission.Connections() <= most {
			return
		}
	}
	s.yieldNext = s.clock().Add(yieldRest)
}

// askToYield asks those loops that have served the last request.
func (s *Server) askToYield(kind yieldKind, most int64) *yieldRequest {
	r := &yieldRequest{kind: kind, most: most, done: make(chan struct{})}
	r.loops.Store(1) // this goroutine
	for _, l := range s.loops {
		l.postYield(r)
	}
	r.answered()
	return r
}

// serveYield closes some of the connections that have been silent for the longest: of as many as
// can be looked at in a turn, others each time.
func (l *loop) serveYield(r *yieldRequest) {
	defer r.answered()
	l.yieldAsked.Store(false)
	if l.draining || l.srv.admission.Connections() <= r.most {
		return
	}
	type silence struct {
		c    *conn
		long tick
	}
	var longest [yieldCount]silence // in order
	want := longest[:max(1, yieldCount/len(l.srv.loops))]
	found := 0
	now := l.present()
	for range min(yieldSample, len(l.slots)) {
		if l.yieldAt >= len(l.slots) {
			l.yieldAt = 0
		}
		c := l.slots[l.yieldAt]
		l.yieldAt++
		if c == nil || !c.yields(r.kind) {
			continue
		}
		s := silence{c, now - c.silentSince()}
		if s.long < wheel.Ticks(r.kind.after()) || s.long > now {
			continue
		}
		i := found
		for ; i > 0 && want[i-1].long < s.long; i-- {
			if i < len(want) {
				want[i] = want[i-1]
			}
		}
		if i < len(want) {
			want[i] = s
			found = min(found+1, len(want))
		}
	}
	for _, s := range want[:found] {
		if l.serving = s.c; !engine.HasInput(s.c.sk) {
			s.c.close(closeDescriptors)
			r.closed.Add(1)
		}
	}
}

// after is how long a connection of the kind has been silent when it gives way.
func (k yieldKind) after() time.Duration {
	if k == yieldBeyond {
		return yieldLate
	}
	return yieldAfter
}

// yields reports whether c is of the kind.
func (c *conn) yields(k yieldKind) bool {
	switch {
	case c.has(flagBeyond):
		return k == yieldBeyond && (c.state == connStateIdle || c.state == connStateHead)
	case c.state != connStateIdle || c.x != nil || c.has(flagStalled|flagChoked) || c.sk.OutboundBuffered() > 0:
		return false
	case c.has(flagSilent):
		return k == yieldSilent
	}
	return k == yieldIdle
}

// silentSince returns when c last said something, of a connection that yields.
func (c *conn) silentSince() tick {
	due, _ := c.loop.wheel.Due(c.slot)
	switch {
	case c.has(flagBeyond):
		return due - c.headTime()
	case c.has(flagSilent):
		return due - c.firstTime()
	}
	return due - c.loop.srv.deadlines.idle
}

// admitLate decides on the request of a connection that was let in beyond the descriptor limit. If
// there is room by now it is one as any other. Otherwise a health check is answered, anything else
// is refused, and the connection ends with it.
func (c *conn) admitLate() {
	s := c.loop.srv
	if s.admission.Connections() <= s.admission.Limit() {
		c.flags &^= flagBeyond
		return
	}
	c.flags |= flagClose
	switch v := &c.x.verdict; v.Route {
	case endpoint.RouteHealth, endpoint.RouteReady, endpoint.RouteRefused:
	default:
		s.admission.CountRefused()
		*v = endpoint.Refuse(503, tooManyConnections)
	}
}
