package server

import "github.com/mooring-mcp/mooring/server/internal/wheel"

// drainWalk is how far a loop has come in letting go of what it has. The zero value is at rest.
type drainWalk struct {
	order *drainOrder // nil: nothing is left to do
	calls int         // of loop.detached, that many are still to be looked at
	slot  int         // the next of loop.slots
}

const (
	drainSlice = sliceLimit / 4 // what a slice of a drain ends: a close costs more than a notice
	drainLook  = 64             // places looked at count as one that is ended
)

// startDrain begins to let go of the loop's connections: those where nothing is under way end in
// slices, the others when it is done.
func (l *loop) startDrain(d *drainOrder) {
	l.draining = true
	l.drain = drainWalk{order: d, calls: len(l.detached)}
	l.serveDrain()
}

// serveDrain lets go of a slice. Calls that wait for their clients come first, because the clients
// cannot answer any more.
func (l *loop) serveDrain() {
	w := &l.drain
	if w.order == nil {
		return
	}
	budget := drainSlice * drainLook
	for ; w.calls > 0 && budget > 0; budget-- {
		w.calls-- // the list loses what has ended, so that places only become smaller
		if w.calls < len(l.detached) && l.endIfParked(l.detached[w.calls]) {
			budget -= drainLook
		}
	}
	for ; w.slot < len(l.slots) && budget > 0; budget-- {
		c := l.slots[w.slot]
		w.slot++
		if c != nil {
			l.serving = c
			c.drain(w.order)
			budget -= drainLook
		}
	}
	if w.slot < len(l.slots) {
		l.continueLater()
		return
	}
	*w = drainWalk{}
}

// drain lets go of c: at once where nothing is under way, otherwise when it is done.
func (c *conn) drain(d *drainOrder) {
	l := c.loop
	c.flags |= flagClose
	switch c.state {
	case connStateIdle:
		c.reason = closeDrain
		c.setState(l.now, connStateLinger) // the last response may still be on its way
		c.wind()
	case connStateHead, connStateBody:
		// Its client gets a little time to say what it wants, not the usual one.
		due := l.now + wheel.Ticks(drainHead)
		if at, armed := l.wheel.Due(c.slot); armed {
			due = min(due, at)
		}
		c.arm(due)
	case connStateCall:
		if j := c.x.job; j != nil {
			l.endIfParked(jobRef{j, j.gen})
		}
	case connStateStream:
		if c.resumed() {
			return // until its call is answered
		}
		l.wheel.Disarm(c.slot) // a heartbeat that is due earlier would end it earlier
		c.arm(l.now + tick(l.rng.Uint32N(uint32(d.spread)+1)))
	}
}

// endIfParked ends a call that waits for its client, and reports whether it was one.
func (l *loop) endIfParked(r jobRef) bool {
	if r.job.gen != r.gen || r.job.legacy.phase != phaseParked {
		return false
	}
	l.endParked(r.job, shuttingDown)
	return true
}

const shuttingDown = "the server is shutting down"
