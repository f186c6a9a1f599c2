package server

import (
	"context"
	"io"

	"github.com/mooring-mcp/mooring/mcp"
	"github.com/mooring-mcp/mooring/server/internal/endpoint"
	"github.com/mooring-mcp/mooring/server/internal/engine"
)

// This file is what a loop does for the requests that net/http serves, apart from what it does for
// any request. Its functions run on the loop.

const keepConns = 256 // free conns of gates that a loop keeps

// takeConn returns a conn for a gate.
func (l *loop) takeConn() *conn {
	if n := len(l.conns); n > 0 {
		c := l.conns[n-1]
		l.conns[n-1] = nil
		l.conns = l.conns[:n-1]
		*c = conn{berth: &l.main}
		return c
	}
	return &conn{berth: &l.main}
}

// putConn takes back the conn of a gate that has ended. Nothing but the turn that ended it knows it
// any more, and that looks only at its state.
func (l *loop) putConn(c *conn) {
	if len(l.conns) < keepConns {
		l.conns = append(l.conns, c)
	}
}

// serveGate begins to serve a request of net/http.
func (l *loop) serveGate(g *gate) {
	c := l.takeConn()
	c.trust, c.flags = g.trust, flagGate
	g.conn, g.held = c, true
	l.serving = c
	c.open(g, l.now)
	if g.svc != nil && g.svc != l.srv.main {
		c.moor(g.svc)
	}
	g.at = c.handle()
	g.mu.Lock()
	g.known = true // from here on the goroutine may read conn and at
	g.mu.Unlock()
	in := g.in
	c.recv(l.now)
	release(in)                     // not before, although g may be the goroutine's already
	if c.state != connStateClosed { // otherwise the goroutine has g already
		g.held = false
		g.ring()
	}
}

// servePassed continues what has waited for the client of a gate.
func (l *loop) servePassed(it *item) {
	if c := l.lookup(it.h); c != nil {
		c.caughtUp(l.now)
	}
}

// serveGone ends the conn of a gate whose client has disconnected, or takes nothing of what it is
// sent.
func (l *loop) serveGone(it *item) {
	g := it.gate
	switch c := g.conn; {
	case g.closed:
	case it.arg == goneStalled:
		l.serving = c
		c.abort(closeStalled)
	default:
		l.serving = c
		g.close(io.EOF)
	}
}

// goneStalled is the arg of an itemGone for a client that has taken nothing in time.
const goneStalled = 1

// gate returns the gate that is the socket of c, or nil if c has a real one.
func (c *conn) gate() *gate {
	if !c.has(flagGate) {
		return nil
	}
	return c.sk.(*gate)
}

// policy returns the rules for the heads of requests on c.
func (c *conn) policy() *endpoint.Policy {
	if g := c.gate(); g != nil && !g.mount.own {
		return g.mount.policy
	}
	return &c.loop.srv.endpoints.Load().policy
}

// closeSocket closes sk, of the loop or of a gate.
func (l *loop) closeSocket(sk engine.Socket) {
	if g, ok := sk.(*gate); ok {
		g.close(nil)
		return
	}
	l.base.CloseSocket(sk)
}

// closeGates ends what is left of the requests of net/http, when the server has stopped.
func (l *loop) closeGates() {
	for _, c := range l.slots {
		if c != nil && c.has(flagGate) {
			c.abort(closeDrain)
		}
	}
}

// takeContent returns the content of the request, which has arrived already.
func (c *conn) takeContent(g *gate) *buffer {
	b := g.content
	g.content = nil
	if b != nil {
		c.loop.m.bytesIn.Add(uint64(len(b.B)))
	}
	return b
}

// adjust returns the verdict on the head of a request of net/http, which depends on the handler and
// on what net/http can send.
func (g *gate) adjust(v endpoint.Verdict) endpoint.Verdict {
	stream := v.Route == endpoint.RouteStream || v.Route == endpoint.RouteSSE
	switch {
	case g.mount.stateless && (v.Route == endpoint.RouteStream || v.Route == endpoint.RouteDelete):
		v = endpoint.Refuse(405, "method not allowed")
		v.Allow = "POST"
	case !g.flushes && stream, !g.flushes && !v.JSON && v.Route == endpoint.RouteMCP:
		v = endpoint.Refuse(500, "the connection cannot send an event stream")
	case !g.flushes:
		v.Stream = false
	}
	return v
}

// describe adds to j what net/http and its middleware know of the request.
func (g *gate) describe(j *job) {
	j.meta.Header = g.r.Header
	j.values = g.r.Context()
	j.meta.Context = j.values
	if g.mount.stateless {
		j.legacy.membership = membershipStateless
	}
	j.plain = g.mount.json
}

// valued is the context of the server with the values of a request's, which ends earlier.
type valued struct {
	context.Context
	values context.Context // has no end of its own
}

// Value implements context.Context.
func (c valued) Value(key any) any {
	if v := c.values.Value(key); v != nil {
		return v
	}
	return c.Context.Value(key)
}

// parent returns the context from which that of j derives.
func (j *job) parent() context.Context {
	base := j.loop.srv.base
	if j.values == nil {
		return base
	}
	return valued{base, context.WithoutCancel(j.values)}
}

// dropStream makes the answer to a call a single message, where the host wants that and the client
// accepts it. A subscription is a stream nevertheless.
func (c *conn) dropStream(j *job) {
	if j.plain && j.json && j.call.Kind() != mcp.CallListen {
		j.stream, c.x.verdict.Stream = false, false
	}
}
