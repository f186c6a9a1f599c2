package server

// shortenStall shortens the clock of a peer that holds up a call by not reading.
func (c *conn) shortenStall() {
	l := c.loop
	if !c.has(flagStalled) {
		return
	}
	st := l.stalls.clocks[c.slot]
	if st.full {
		return
	}
	st.full, st.seen = true, 0
	st.due, st.left = l.now+1, c.sk.OutboundBuffered()
	at, armed := l.wheel.Due(c.slot)
	if armed && st.due < at {
		st.own = min(st.own, at)
	}
	l.stalls.clocks[c.slot] = st
	if !armed || st.due < at {
		l.wheel.Arm(c.slot, st.due)
	}
}

// endStall removes c's stall clock, if it has one.
func (c *conn) endStall() {
	if c.has(flagStalled) {
		c.loop.stalls.remove(c.slot)
		c.flags &^= flagStalled
	}
}

// stalled records that left bytes wait for the peer after added bytes were written. It starts the
// stall clock if it is not running.
func (c *conn) stalled(left, added int) {
	l := c.loop
	if c.has(flagStalled) {
		st := l.stalls.clocks[c.slot]
		st.left += added
		l.stalls.set(c.slot, st, left)
		return
	}
	c.flags |= flagStalled
	own, armed := l.wheel.Due(c.slot)
	if !armed {
		own = ^tick(0) // a deadline is being handled, and its handler arms the next
	}
	st := stall{due: l.now + l.srv.deadlines.write, own: own, left: left}
	l.stalls.set(c.slot, st, left)
	l.wheel.Arm(c.slot, min(st.own, st.due))
}

// refresh records how many bytes wait for c now.
func (c *conn) refresh() {
	l := c.loop
	l.stalls.set(c.slot, l.stalls.clocks[c.slot], c.sk.OutboundBuffered())
}

// checkStall handles the stall clock and reports whether the state's own deadline has passed too.
// It disconnects a peer that has taken nothing in time.
func (c *conn) checkStall(now tick) bool {
	l := c.loop
	c.refresh()
	st := l.stalls.clocks[c.slot]
	left := c.sk.OutboundBuffered()
	if left > 0 && now >= st.due {
		// If the loop was late, the socket has not had the chance to report that there is room,
		// although a peer that reads has made some.
		if c.trySend(); c.state == connStateClosed {
			return false
		}
		left = c.sk.OutboundBuffered()
	}
	switch st.check(now, left, l.srv.deadlines.write) {
	case stallGoesOn:
		l.stalls.clocks[c.slot] = st
	case stallEnded:
		c.endStall()
		if c.state == connStateIdle && !c.has(flagChoked) {
			st.own = now + l.srv.deadlines.idle // the idle time begins once the last response is sent
		}
	case stallUnsent:
		c.abort(closeUnsent)
		return false
	case stallLate:
		c.abort(closeStalled)
		return false
	}
	if now >= st.own {
		return true
	}
	c.arm(st.own)
	return false
}
