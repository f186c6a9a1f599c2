package server

import (
	"bytes"

	"github.com/mooring-mcp/mooring/server/internal/endpoint"
	"github.com/mooring-mcp/mooring/server/internal/engine"
)

// This file is what a loop does with a connection that was taken from net/http: it continues the
// response that net/http would have sent. Its functions run on the loop.

// arrive makes sk, the connection itself, the socket of c in place of its gate. What waited in the
// gate goes out first.
func (c *conn) arrive(sk engine.Socket) {
	g := c.sk.(*gate)
	mv, l := g.moved, c.loop
	out, end := g.take()
	if c.state == connStateClosed {
		c.deliverLast(sk, g, out, end)
		return
	}
	l.serving = c
	c.sk = sk
	l.srv.admission.Released() // the gate's place; the socket has one of its own
	if l.places != nil {
		c.arrivePlace()
	}
	c.flags = c.flags&^(flagGate|flagHTTP10) | flagLent | flagBusy
	c.home = mv.home.index
	done := c.state == connStateLinger
	if !mv.close && !c.leaves() && (!done || c.reason == closeDone) {
		c.flags &^= flagClose // the conn took its client for one of HTTP/1.0
	}
	if x := c.x; x != nil && x.requestState != nil {
		// The head may be yet to come.
		if x.extra = mv.extra; mv.shared {
			x.origin = x.origin[:0]
		}
	}
	if len(mv.input) > 0 {
		c.keep(mv.input)
	}
	if c.state == connStateClosed {
		release(out)
		return
	}
	b := c.reframe(l.out[:0], mv, out, c.has(flagClose)) // nothing waits there between two turns
	if done && !c.unframed(out, mv) {
		b = append(b, endpoint.LastChunk...)
	}
	release(out)
	if c.has(flagStalled) { // the clock of the way here
		own := l.stalls.clocks[c.slot].own
		c.endStall()
		c.arm(own)
	}
	if done && !c.has(flagClose) {
		c.reason = closePeer
		c.takeExchange()
		c.finish(l.now)
	}
	if len(b) > 0 {
		c.put([][]byte{b}, len(b))
	}
	l.keepScratch(b)
	c.flush()
	if c.state == connStateClosed {
		return
	}
	if c.caughtUp(l.now); done {
		c.resume(l.now)
	}
}

// reframe appends what the conn has written for a client of HTTP/1.0, as the client of the
// connection expects it.
func (c *conn) reframe(dst []byte, mv *movement, out *buffer, closes bool) []byte {
	if out == nil {
		return dst
	}
	b := out.B
	if !mv.begun {
		status, fields, n := endpoint.ReadHead(b)
		stream := isStream(fields)
		dst = endpoint.AppendRewritten(dst, status, fields, mv.extra, closes, stream)
		if b = b[n:]; !stream {
			return append(dst, b...)
		}
	}
	if len(b) > 0 {
		dst = endpoint.AppendChunk(dst, b)
	}
	return dst
}

// unframed reports whether what c has written is a response whose length is in its head.
func (c *conn) unframed(out *buffer, mv *movement) bool {
	if mv.begun || out == nil {
		return false
	}
	_, fields, _ := endpoint.ReadHead(out.B)
	return !isStream(fields)
}

func isStream(fields []byte) bool { return bytes.Contains(fields, []byte(typeStream)) }

// deliverLast sends what is left of a response whose conn has ended while the connection was on its
// way, and closes the connection.
func (c *conn) deliverLast(sk engine.Socket, g *gate, out *buffer, end gateEnd) {
	if end != gateEnded {
		_ = sk.SetLinger(0)
	} else if b := c.reframe(nil, g.moved, out, true); true {
		if !c.unframed(out, g.moved) {
			b = append(b, endpoint.LastChunk...)
		}
		_, _ = sk.Write(b)
	}
	release(out)
	c.loop.base.CloseSocket(sk)
	g.moved.home.back.Gone(true)
}

// giveBack gives a lent connection back to its http.Server, because its client has sent another
// request. What the client has sent so far goes with it.
func (c *conn) giveBack(now tick, b []byte) {
	l := c.loop
	if c.flush(); c.state == connStateClosed { // the response may be the turn's own
		return
	}
	if c.sk.OutboundBuffered() > 0 {
		if len(b) > 0 {
			c.keep(b)
		}
		if c.state != connStateClosed {
			c.flags |= flagChoked
			c.arm(now + 1)
		}
		return
	}
	var input []byte
	if c.x != nil && c.x.in != nil {
		input = append(input, c.x.in.B...)
	}
	input = append(input, b...)
	to := l.srv.homes.at(c.home)
	nc, err := l.base.Duplicate(c.sk)
	if err != nil {
		l.srv.logger().Warn("server: a connection cannot be given back to net/http", "err", err)
		c.close(closeDone)
		return
	}
	if c.has(flagBusy) {
		c.rested()
	}
	nc = c.named(nc)
	c.flags &^= flagLent // it is not gone
	closed := to.closed
	if closed != nil {
		l.srv.admission.Retain()
		closed = c.passPlace(closed)
	}
	c.close(closeReturned)
	to.back.Return(nc, input, closed)
}

// visitHome calls f for the connections and requests of an http.Server, from a slot on.
func (l *loop) visitHome(h *home, f func(*conn), from int) {
	l.present()
	for slot, n := from, 0; slot < len(l.slots); slot++ {
		if n == drainSlice {
			l.base.Again(l.guard(func() { l.visitHome(h, f, slot) }))
			return
		}
		if c := l.slots[slot]; c != nil && c.isOf(h) {
			n++
			l.serving = c
			f(c)
		}
	}
}

// rested says that the response of a lent connection is complete.
func (c *conn) rested() {
	c.flags &^= flagBusy
	c.loop.srv.homes.at(c.home).back.Idle()
}

// leaves reports whether the streams of c's kind end: the server drains, or the http.Server that c
// belongs to.
func (c *conn) leaves() bool {
	switch l := c.loop; {
	case l.draining:
		return true
	case c.has(flagLent):
		return l.srv.homes.at(c.home).ended.Load()
	case c.has(flagGate):
		h := l.srv.homes.find(c.sk.(*gate).host)
		return h != nil && h.ended.Load()
	}
	return false
}

// isOf reports whether net/http serves c on h, or has lent it.
func (c *conn) isOf(h *home) bool {
	switch {
	case c.has(flagLent):
		return c.home == h.index
	case c.has(flagGate):
		return c.sk.(*gate).host == h.hs
	}
	return false
}
