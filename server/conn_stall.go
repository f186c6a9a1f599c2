package server

import "time"

// stall is the clock of a peer that does not take what waits for it.
type stall struct {
	due  tick // when the peer must have taken something
	own  tick // the deadline that c's state has meanwhile
	left int  // bytes that would wait if it had taken none since the clock was set
	full bool // MaxUnsent is reached: there is less time
	seen int  // ticks since then at which nothing had been taken

	held, peak int    // bytes that what waits takes, and the most that has waited
	size       uint8  // its list of loop.holders
	at         uint32 // and where in it the slot stands
}

// unsentTicks is at how many ticks a peer may have taken nothing once MaxUnsent is reached: a second's worth. They are counted, for a loop that was late has its ticks behind it
// before the peer had the time.
const unsentTicks = int(time.Second / tickUnit)

// hurry sets the clock of a peer that holds up a call by not reading.
func (c *conn) hurry() {
	l := c.loop
	if !c.has(flagStalled) {
		return
	}
	st := l.stalls[c.slot]
	if st.full {
		return
	}
	st.full, st.seen = true, 0
	st.due, st.left = l.now+1, c.sk.OutboundBuffered()
	l.stalls[c.slot] = st
	if at, armed := l.wheel.Due(c.slot); !armed || st.due < at {
		if armed {
			st.own = min(st.own, at)
			l.stalls[c.slot] = st
		}
		l.wheel.Arm(c.slot, st.due)
	}
}

// stalls are the clocks of the loop's stalled connections, by slot.
type stalls map[uint32]stall

// remove forgets c's clock.
func (s stalls) remove(c *conn) {
	if c.has(flagStalled) {
		st := s[c.slot]
		c.loop.hold(c.slot, &st, 0)
		delete(s, c.slot)
		c.flags &^= flagStalled
	}
}

// stalled is told that left bytes wait for the peer after added ones were written. It starts the clock, if it does not run.
func (c *conn) stalled(left, added int) {
	l := c.loop
	if c.has(flagStalled) {
		st := l.stalls[c.slot]
		st.left += added
		l.hold(c.slot, &st, left)
		l.stalls[c.slot] = st
		return
	}
	c.flags |= flagStalled
	if l.stalls == nil {
		l.stalls = make(stalls)
	}
	own, armed := l.wheel.Due(c.slot)
	if !armed {
		own = ^tick(0) // a deadline is being served: what comes of it arms the next
	}
	st := stall{due: l.now + l.srv.ticks.write, own: own, left: left}
	l.hold(c.slot, &st, left)
	l.stalls[c.slot] = st
	l.wheel.Arm(c.slot, min(st.own, st.due))
}

// checkStall serves the clock and reports whether the state's own deadline has come too. A peer that has taken nothing in time is disconnected.
func (c *conn) checkStall(now tick) bool {
	l := c.loop
	c.refresh()
	st := l.stalls[c.slot]
	left := c.sk.OutboundBuffered()
	if left > 0 && now >= st.due {
		// A loop that was late has not let the socket tell that there is room: a peer that reads has made some.
		if c.trySend(); c.state == connStateClosed {
			return false
		}
		left = c.sk.OutboundBuffered()
	}
	switch {
	case left == 0:
		l.stalls.remove(c)
		if c.state == connStateIdle && !c.has(flagChoked) {
			st.own = now + l.srv.ticks.idle // the idle time begins when the last response is gone
		}
	case now >= st.due:
		switch {
		case left < st.left:
			st.due, st.left, st.full = now+l.srv.ticks.write, left, false
		case st.full && st.seen < unsentTicks:
			st.due, st.seen = now+1, st.seen+1
		case st.full:
			c.abort(closeUnsent)
			return false
		default:
			c.abort(closeStalled)
			return false
		}
		l.stalls[c.slot] = st
	}
	if now >= st.own {
		return true
	}
	c.arm(st.own)
	return false
}
