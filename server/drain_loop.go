package server

import "github.com/mooring-mcp/mooring/server/internal/wheel"

// drainWalk is the progress of a loop's drain. The zero value is at rest.
type drainWalk struct {
	order *drainOrder // nil if nothing is left to do
	calls int         // how many calls of loop.detached are still to be checked
	slot  int         // the next index in loop.slots
}

const (
	drainSlice = sliceLimit / 4 // what a slice of a drain ends; a close costs more than a notice
	drainLook  = 64             // so many checks count as one end
)

// startDrain starts to end the loop's connections. Those without a request in progress end in
// slices, the others when their request is done.
func (l *loop) startDrain(d *drainOrder) {
	l.draining = true
	l.drain = drainWalk{order: d, calls: len(l.detached)}
	l.serveDrain()
}

// serveDrain ends a slice of what is left. Calls that wait for their clients come first, because
// the clients can no longer answer.
func (l *loop) serveDrain() {
	w := &l.drain
	if w.order == nil {
		return
	}
	budget := drainSlice * drainLook
	for ; w.calls > 0 && budget > 0; budget-- {
		w.calls-- // calls that end leave the list, so the others only move down
		if w.calls < len(l.detached) && l.endIfParked(l.detached[w.calls], errDraining, shuttingDown) {
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

// drain ends c: at once if no request is in progress, otherwise when it is done.
func (c *conn) drain(d *drainOrder) {
	l := c.loop
	c.flags |= flagClose
	switch c.state {
	case connStateIdle:
		c.reason = closeDrain
		c.setState(l.now, connStateLinger) // the last response may still be on its way
		c.windDown()
	case connStateHead, connStateBody:
		// The client gets a little time to complete its request, but less than usual.
		due := l.now + wheel.Ticks(drainHead)
		if at, armed := l.wheel.Due(c.slot); armed {
			due = min(due, at)
		}
		c.arm(due)
	case connStateCall:
		if j := c.x.job; j != nil {
			l.endIfParked(jobRef{j, j.gen}, errDraining, shuttingDown)
		}
	case connStateStream:
		if c.resumed() {
			return // c ends when its call has been answered
		}
		l.wheel.Disarm(c.slot) // a heartbeat that is due earlier would end c earlier
		c.arm(l.now + tick(l.rng.Uint32N(uint32(d.spread)+1)))
	}
}

// endIfParked ends a call that waits for its client: its handler gets err, or its client the text.
// It reports whether the client was answered.
func (l *loop) endIfParked(r jobRef, err error, text string) bool {
	if r.job.gen != r.gen {
		return false
	}
	if r.job.legacy.phase != phaseParked {
		r.job.endWaiting(err)
		return false
	}
	l.endParked(r.job, text)
	return true
}
