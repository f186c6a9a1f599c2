package server

import (
	"slices"

	"github.com/mooring-mcp/mooring/httpparse"
	"github.com/mooring-mcp/mooring/server/internal/endpoint"
)

// recv reads and serves what has arrived on the socket. Received calls it.
func (c *conn) recv(now tick) {
	b, _ := c.sk.Next(-1)
	if len(b) == 0 {
		return
	}
	c.flags &^= flagSilent
	c.loop.m.bytesIn.Add(uint64(len(b)))
	switch {
	case c.canReceive() && c.has(flagChoked):
		c.keep(b)
	case c.canReceive():
		c.parse(now, b)
	case c.state == connStateLinger:
		c.discard(len(b))
	case c.state != connStateClosed:
		c.keep(b)
	}
	c.flush()
}

// resume parses what arrived while a response was in progress.
func (c *conn) resume(now tick) {
	if c.canReceive() && c.x != nil && c.x.in != nil {
		c.parse(now, nil)
	}
	c.releaseIdle()
	c.flush()
}

// parse serves the requests in the bytes kept from earlier reads, followed by b. It stops when
// bytes are missing, when a response has to be waited for, or when it has served turnBytes of
// requests; what remains then waits for the next turn.
func (c *conn) parse(now tick, b []byte) {
	if c.has(flagLent) {
		c.giveBack(now, b)
		return
	}
	x := c.takeExchange()
	kept := x.in != nil && len(x.in.B) > 0
	if kept {
		x.in.Add(b)
		b = x.in.B
	}
	sliced, waits := false, false
	if c.loop.peers != nil {
		b, waits = c.takeProxyHeader(now, b)
	}
	for all := len(b); len(b) > 0 && !waits && c.canReceive(); {
		if sliced = all-len(b) >= turnBytes; sliced {
			break
		}
		var n int
		if c.state == connStateBody {
			n = c.parseBody(now, b)
		} else if c.state == connStateHead || !c.choked(now) {
			n = c.parseHead(now, b)
		}
		if n == 0 {
			break
		}
		b = b[n:]
	}
	switch {
	case c.state == connStateClosed:
		return // closed has taken the exchange back
	case c.state == connStateLinger:
		// If these are too many bytes, the next read closes the connection: the response goes out
		// first.
		x.linger += int32(len(b))
		b = nil
	}
	if len(b) == 0 {
		x.in = release(x.in)
	} else if kept {
		x.in.B = x.in.B[:copy(x.in.B, b)]
		x.in = x.in.Fit()
	} else {
		x.in = bufferOf(b)
	}
	if len(b) > c.loop.srv.opts.MaxPipelined && (!c.canReceive() || c.has(flagChoked)) {
		c.close(closePipelined)
		return
	}
	if sliced {
		c.slice()
	}
	c.releaseIdle()
}

// slice postpones c's next request, so that other connections get their turn first.
func (c *conn) slice() {
	l := c.loop
	if !c.has(flagSliced) {
		c.flags |= flagSliced
		l.sliced = append(l.sliced, c.handle())
	}
	l.continueLater()
	l.kickOnce() // a task does so at its end, but reading a socket is not a task
}

// serveSliced continues with the requests of some of the connections that have used up their last
// turn.
func (l *loop) serveSliced() {
	done := 0
	defer func() { // deferred, so that a panic does not lose the connections after it
		if l.sliced = slices.Delete(l.sliced, 0, done); len(l.sliced) > 0 {
			l.continueLater()
		}
	}()
	for n := min(slicedLimit, len(l.sliced)); done < n; {
		h := l.sliced[done]
		done++
		if c := l.lookup(h); c != nil && c.has(flagSliced) {
			c.flags &^= flagSliced
			l.serving = c
			c.resume(l.now) // this may append c again
		}
	}
}

// releaseIdle returns the exchange when no request is in progress: an idle connection or an idle
// stream holds none.
func (c *conn) releaseIdle() {
	if x := c.x; x != nil && x.in == nil && (c.state == connStateIdle || c.state == connStateStream) {
		c.x = nil
		c.loop.putExchange(x)
	}
}

// choked reports whether so many bytes of responses wait for the peer that its next request has to
// wait too. Without this limit, responses would pile up for a client that sends requests and never
// reads.
func (c *conn) choked(now tick) bool {
	l := c.loop
	if len(l.out) > maxAhead || l.page != nil {
		c.flush()
	}
	if c.state == connStateClosed {
		return true
	}
	if !c.has(flagStalled) || c.sk.OutboundBuffered()+len(l.out) <= l.srv.aheadLimit() {
		return false
	}
	c.flags |= flagChoked
	c.arm(now + 1)
	return true
}

// maxAhead is how many bytes of responses may wait for a peer when its next request is served.
// MaxUnsent, the limit for notifications, applies too if it is smaller.
const maxAhead = 32 << 10

func (s *Server) aheadLimit() int { return min(maxAhead, s.opts.MaxUnsent) }

// keep stores bytes that arrive while a response is in progress. It closes the connection if there
// are more than MaxPipelined.
func (c *conn) keep(b []byte) {
	x := c.takeExchange()
	if x.in == nil {
		x.in = takeBuffer(len(b))
	}
	if len(x.in.B)+len(b) > c.loop.srv.opts.MaxPipelined {
		c.close(closePipelined)
		return
	}
	x.in.Add(b)
}

// discard counts the bytes that a peer sends after the last response, and closes the connection
// after lingerBytes.
func (c *conn) discard(n int) {
	x := c.takeExchange()
	if x.linger += int32(n); x.linger > lingerBytes {
		c.close(c.reason)
	}
}

// parseHead parses a request head at the beginning of b and begins its response. It returns the
// number of bytes taken, or 0 when bytes are missing or the connection is ending.
func (c *conn) parseHead(now tick, b []byte) int {
	x, l := c.x, c.loop
	n, err := x.pause.Parse(&l.req, b, &l.srv.limits)
	if err == httpparse.ErrIncomplete {
		if c.state == connStateIdle {
			c.setState(now, connStateHead)
		}
		return 0
	}
	if err != nil {
		head := b[:min(len(b), l.srv.limits.Head)]
		if origin := c.policy().SharedOrigin(head, c.trust); origin != nil {
			l.beginRequest(x)
			x.origin = append(x.origin[:0], origin...)
		}
		c.refuseFraming(now, err)
		return 0
	}
	if l.srv.other != nil && !c.has(flagGate) && l.srv.endpoints.Load().policy.Leaves(&l.req) {
		return c.passOn(now, b)
	}
	c.flags &^= flagHTTP10
	if l.req.Minor == 0 {
		c.flags |= flagHTTP10
	}
	if !l.req.KeepAlive || l.draining {
		c.flags |= flagClose
	}
	l.beginRequest(x)
	return n + c.takeHead(now, b[:n:n], b[n:])
}

// takeHead decides on a head and takes as much of its content as has arrived. It returns how many
// bytes of rest were content.
func (c *conn) takeHead(now tick, head, rest []byte) int {
	x, s, req := c.x, c.loop.srv, &c.loop.req
	g, at := c.gate(), s.endpoints.Load()
	policy := &at.policy
	if g != nil && !g.mount.own {
		policy = g.mount.policy
	}
	if x.verdict = policy.Check(req, c.trust); x.verdict.Endpoint != 0 {
		c.moor(at.services[x.verdict.Endpoint])
	}
	protected := x.verdict.Protected && s.auth != nil
	if g != nil {
		x.verdict = g.adjust(x.verdict)
	}
	if c.has(flagBeyond) {
		c.admitLate()
	}
	if req.Origin != nil && policy.SharesWith(req, x.verdict.Route, c.trust) {
		x.origin = append(x.origin[:0], req.Origin...)
	}
	if err := req.CheckContent(&s.limits); err != nil {
		c.refuseFraming(now, err)
		return 0
	}
	limited := c.loop.places != nil && x.verdict.Protected
	switch {
	case limited && !c.passesAddress():
	case protected && req.Duplicate && isTwice(req, "Authorization"):
		c.refuseCaller(authMalformed)
	case req.Duplicate && endpoint.SentTwice(req):
		x.verdict = endpoint.Refuse(400, "field line sent more than once")
	case protected:
		c.authenticate(now, head)
	}
	if limited && g != nil && x.verdict.Route != endpoint.RouteRefused {
		c.passesPrincipal(g.who) // middleware may know it without Options.Authenticate
	}
	n := 0
	switch {
	case g != nil:
		x.content = c.takeContent(g)
	case req.HasContent():
		room := int64(len(rest))
		if !req.Chunked {
			room = min(room, req.ContentLength)
		}
		x.content = takeBuffer(int(room))
		var err error
		if n, err = c.decode(rest); err != nil {
			c.refuseFraming(now, err)
			return n
		}
		if !x.body.Done() {
			if !x.verdict.Route.TakesMessage() {
				// The server does not wait for the content of a request that it refuses. The
				// connection then cannot be used again (RFC 9112 section 9.3).
				c.flags |= flagClose | flagUnread
				c.arrived(now, head)
				return n
			}
			c.awaitBody(now, head, n)
			return n
		}
	}
	c.arrived(now, head)
	return n
}

// awaitBody copies the head, whose buffer is about to change, and waits for the rest of the
// content.
func (c *conn) awaitBody(now tick, head []byte, got int) {
	x := c.x
	// "A server that receives a 100-continue expectation in a request that has already received
	// some or all of the content MAY omit sending a 100" (RFC 9110 section 10.1.1).
	if got == 0 {
		c.proceed()
	}
	x.head = bufferOf(head)
	c.setState(now, connStateBody)
}

// proceed asks the client for the content, if it waits for that and it is known who it is: nobody
// has to send content that is refused.
func (c *conn) proceed() {
	if l := c.loop; l.req.ExpectContinue && c.x.flight == nil {
		l.out = append(l.out, endpoint.ContinueHead...)
	}
}

// recallHead parses the head that awaitBody kept, again into loop.req.
func (c *conn) recallHead() {
	l := c.loop
	if _, err := httpparse.ParseRequest(&l.req, c.x.head.B, 0, &l.srv.limits); err != nil {
		panic("server: a head that was accepted is refused") // same bytes, same limits
	}
}

// parseBody takes content from the beginning of b. It returns the number of bytes taken, or 0 when
// the connection is ending.
func (c *conn) parseBody(now tick, b []byte) int {
	n, err := c.decode(b)
	if err != nil {
		c.refuseFraming(now, err)
		return 0
	}
	if c.x.body.Done() {
		c.recallHead()
		c.arrived(now, nil)
	}
	return n
}

func (c *conn) decode(b []byte) (n int, err error) {
	x := c.x
	if more := x.body.Remaining(); more > 0 {
		x.content.Reserve(int(min(int64(len(b)), more)), int(min(more, c.loop.srv.opts.MaxBody)))
	}
	x.content.B, n, _, err = x.body.Append(x.content.B, b)
	return n, err
}
