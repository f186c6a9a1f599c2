package server

import "github.com/mooring-mcp/mooring/server/internal/endpoint"

// expire handles a deadline of c that has passed.
func (c *conn) expire(now tick) {
	if !c.has(flagStalled) || c.checkStall(now) {
		c.expireState(now)
	}
}

// expireState handles the deadline of c's state.
func (c *conn) expireState(now tick) {
	switch c.state {
	case connStateIdle:
		c.expireIdle(now)
	case connStateHead, connStateBody:
		c.timedOut(now)
	case connStateAuth:
		c.expireAuth(now)
	case connStateCall:
		c.expireCall(now)
	case connStateStream:
		c.expireStream(now)
	case connStateLinger:
		c.expireLinger(now)
	}
}

// expireIdle closes a connection whose client sends no further request, or resumes one that was
// choked.
func (c *conn) expireIdle(now tick) {
	switch left := c.sk.OutboundBuffered(); {
	case c.has(flagChoked) && left <= c.loop.srv.aheadLimit():
		c.flags &^= flagChoked
		c.setState(now, connStateIdle)
		c.resume(now)
	case c.has(flagChoked):
		c.arm(now + 1)
	case left > 0:
		c.arm(now + c.loop.srv.deadlines.idle) // not idle: the last response is still on its way
	default:
		c.close(closeIdleTimeout)
	}
}

// timedOut responds with 408 to a request that did not arrive in time.
func (c *conn) timedOut(now tick) {
	if c.awaitsProxy() {
		c.loop.srv.refused(refusedProxy)
		c.close(closeProxy)
		return
	}
	reason := "the head took too long"
	c.reason = closeHeadTimeout
	if c.state == connStateBody {
		c.reason, reason = closeBodyTimeout, "the content took too long"
	}
	c.flags |= flagClose | flagUnread
	h := c.respHead(408)
	c.loop.out = endpoint.AppendRefusal(c.loop.out, &h, reason)
	c.finish(now)
	c.flush()
}

// expireStream sends a heartbeat, or the notices that a slow stream has missed.
func (c *conn) expireStream(now tick) {
	l := c.loop
	switch {
	case l.holders.end(c.slot) <= now, c.orphaned():
		c.endEarly(now)
	case c.leaves() && !c.resumed():
		c.endGracefully(now)
		c.flush()
	case c.sk.OutboundBuffered() > 0:
		if c.slow() {
			c.arm(now + l.retry)
		} else {
			c.arm(l.nextHeartbeat())
		}
	case c.slow():
		l.deliverDirty(c)
	default:
		c.arm(l.nextHeartbeat())
		c.write(heartbeatOf(c))
	}
}

// expireLinger closes a lingering connection whose time is up, once the kernel has all bytes.
func (c *conn) expireLinger(now tick) {
	switch {
	case c.sk.OutboundBuffered() > 0:
		c.arm(now + c.loop.retry)
	case !c.has(flagShut):
		c.windDown()
	default:
		c.close(c.reason)
	}
}

// expireCall handles the deadline of a call in progress.
func (c *conn) expireCall(now tick) {
	x, l := c.x, c.loop
	if j := x.job; j.full.Load() && now < x.due {
		c.makeRoom(j)
		if c.state == connStateCall && !j.full.Load() {
			c.arm(c.nextCallDue())
		}
		return
	}
	if now >= x.due && x.job.legacy.earlier {
		c.arm(now + 1) // the answer to a parked call comes through the inbox
		l.timeOut(x.job)
		return
	}
	if now >= x.due {
		j := x.job
		x.job = nil
		j.cancel(errCallTimeout)
		l.count(j.method, outcomeTimeout)
		if !j.forwarded {
			l.srv.opts.Logger.Warn("call timed out; its handler keeps its goroutine until it returns",
				"method", j.method.String(), "limit", l.srv.opts.CallTimeout)
		}
		c.respondError(200, j.id, l.srv.opts.errTimeout())
		c.finish(now)
		c.resume(now)
		return
	}
	// The heartbeats of a stream keep proxies from giving up on a long call, so the stream begins
	// here if it has not begun yet. While a message is being prepared, it is not known whether it
	// may have a stream: a notification gets 202, and the response to initialize has a session ID
	// in its head.
	if x.verdict.Stream && !x.job.preparing && c.sk.OutboundBuffered() == 0 {
		if !x.began && x.job.legacy.earlier {
			c.makeResumable(x.job)
			c.writeCallHead(x.job)
		}
		c.writeStreamHead()
		c.appendHeartbeat()
		c.flush()
	}
	if c.state == connStateCall {
		c.arm(c.nextCallDue())
	}
}

// caughtUp is called by an engine that can detect when the kernel has taken all bytes that waited
// for the peer. What waited for that continues at once.
func (c *conn) caughtUp(now tick) {
	l := c.loop
	waits := false
	switch c.state {
	case connStateIdle:
		waits = c.has(flagChoked)
	case connStateCall:
		waits = c.x.job != nil && c.x.job.full.Load()
	case connStateStream:
		waits = c.slow()
	case connStateLinger:
		waits = !c.has(flagShut)
	}
	if !waits {
		return
	}
	l.serving = c
	c.endStall()
	c.expireState(now)
}
