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

// These are the limits of one request for room.
const (
	yieldCount  = 8                      // connections that it closes; at least one for each loop
	yieldSample = 4096                   // connections that each loop looks at
	yieldAfter  = time.Second            // how long a connection has been silent when it gives way
	yieldLate   = 200 * time.Millisecond // the same for one that was let in beyond the limit
	yieldWait   = 20 * time.Millisecond  // how long the loops may take to answer
	yieldRest   = 10 * time.Millisecond  // pause after a request that closed nothing
)

// yieldKind says which connections give way. Those that never sent anything go first.
type yieldKind uint8

const (
	yieldSilent yieldKind = iota // nothing has arrived since they were accepted
	yieldIdle                    // their last response has been sent
	yieldBeyond                  // they were let in beyond the limit, and their head is not complete
	numYieldKinds
)

// yieldRequest asks all loops to close connections of a kind.
type yieldRequest struct {
	kind yieldKind
	// most is the number of connections that there is room for. A loop that was held compares it
	// with their number when it serves the request late.
	most   int64
	closed atomic.Int32
	loops  atomic.Int32  // loops that have not answered yet
	done   chan struct{} // closed when all have answered
}

func (r *yieldRequest) answered() {
	if r.loops.Add(-1) == 0 {
		close(r.done)
	}
}

// makeRoom asks the loops to close connections until no more than most are left, as far as that is
// possible. It waits for the loops, but not for long. It may be called from any goroutine that is
// not a loop's.
func (s *Server) makeRoom(most int64) {
	s.yielding.Lock()
	defer s.yielding.Unlock()
	if s.admission.Connections() <= most || s.clock().Before(s.yieldNext) {
		return
	}
	for kind := range numYieldKinds {
		if kind == yieldBeyond && most <= s.admission.Limit() {
			break // the room is meant for them
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
	s.yieldOther()
	if t := s.secure.Load(); t != nil {
		t.yield()
	}
	s.yieldNext = s.clock().Add(yieldRest)
}

// askToYield asks the loops to close connections, except those that have yet to serve the last
// request.
func (s *Server) askToYield(kind yieldKind, most int64) *yieldRequest {
	r := &yieldRequest{kind: kind, most: most, done: make(chan struct{})}
	r.loops.Store(1) // this goroutine
	for _, l := range s.loops {
		l.postYield(r)
	}
	r.answered()
	return r
}

// serveYield closes those connections that have been silent for longest. It looks at no more
// connections than a turn has time for, and at others each time.
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
	case c.state != connStateIdle || c.x != nil || c.has(flagStalled|flagChoked|flagGate) || c.sk.OutboundBuffered() > 0:
		return false
	case c.has(flagSilent):
		return k == yieldSilent
	}
	return k == yieldIdle
}

// silentSince returns when the client of c last sent something. c is a connection that yields.
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
// there is room by now, it becomes a connection like any other. Otherwise a health check is
// answered, anything else is refused, and the connection closes after the response.
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
