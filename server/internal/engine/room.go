package engine

import (
	"sync"
	"sync/atomic"
	"time"
)

// roomPause is how often a listener at the limit looks whether a client waits.
const roomPause = 100 * time.Millisecond

// waitWhileFull waits while the descriptor limit leaves no room for another connection of the
// listener. Clients that connect meanwhile wait in the kernel's queue, and silent connections give
// way to them. It returns an error if the host has closed the listener meanwhile.
func (a *Admission) waitWhileFull(ac Acceptor) error {
	limit := a.limit
	if ac.Local() {
		limit += a.beyond
	}
	full := func() bool { return a.count.Load() >= limit }
	for full() {
		if ac.ClientWaits() {
			a.Host.MakeRoom(limit - 1)
		}
		if !a.WaitForRoom(roomPause, full) {
			return nil
		}
		if err := ac.CheckOpen(); err != nil {
			return err
		}
	}
	return nil
}

// WaitForRoom waits for d, or until a connection is closed, whichever is first. If needed is given
// and reports false, it does not wait. WaitForRoom reports false after End.
func (a *Admission) WaitForRoom(d time.Duration, needed func() bool) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	closed := a.room.enter()
	defer a.room.leave()
	// It is asked once more: a connection that closes from here on is noticed.
	if needed == nil || needed() {
		select {
		case <-t.C:
		case <-closed:
		case <-a.end:
		}
	}
	return !a.HasEnded()
}

// roomGate wakes all that wait for a connection to close. The zero gate is ready to use.
type roomGate struct {
	waiting atomic.Int32
	mu      sync.Mutex    // guards closed
	closed  chan struct{} // closed when a connection is; nil while nobody has asked for it
}

// enter returns a channel that is closed when a connection is. leave must follow.
func (g *roomGate) enter() <-chan struct{} {
	g.waiting.Add(1)
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed == nil {
		g.closed = make(chan struct{})
	}
	return g.closed
}

func (g *roomGate) leave() { g.waiting.Add(-1) }

// open wakes those that wait. It costs nothing else when there are none.
func (g *roomGate) open() {
	if g.waiting.Load() == 0 {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed != nil {
		close(g.closed)
		g.closed = nil
	}
}
