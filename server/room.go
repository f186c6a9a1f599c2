package server

import (
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/mooring-mcp/mooring/server/internal/endpoint"
	"golang.org/x/sys/unix"
)

// awaitRoom waits while the descriptor limit leaves no place for another connection of the listener. Clients that connect meanwhile wait in the kernel's queue, and connections that are
// silent give way to them. A listener that its host has closed meanwhile is an error.
func (s *Server) awaitRoom(a acceptor) error {
	limit := s.fdLimit
	if a.from() != endpoint.TrustRemote {
		limit += s.fdBeyond
	}
	full := func() bool { return s.conns.Load() >= limit }
	for full() {
		if a.waiting() {
			s.makeRoom(limit - 1)
		}
		if !s.rest(roomPause, full) {
			return nil
		}
		if err := a.look(); err != nil {
			return err
		}
	}
	return nil
}

// clientWaits reports whether a client waits for l to accept it.
func clientWaits(l net.Listener) bool {
	sc, ok := l.(syscall.Conn)
	if !ok {
		return true
	}
	rc, err := sc.SyscallConn()
	if err != nil {
		return true
	}
	waits := true
	_ = rc.Control(func(fd uintptr) {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 0)
		waits = n > 0 || err != nil
	})
	return waits
}

// rest waits for d, or for a connection to go, whichever is first, but not at all when needed is
// given and reports false. It reports false when the server drains.
func (s *Server) rest(d time.Duration, needed func() bool) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	gone := s.room.enter()
	defer s.room.leave()
	if needed == nil || needed() { // looked at once more: what goes from here on is heard of
		select {
		case <-t.C:
		case <-gone:
		case <-s.drainBegun:
		}
	}
	return !s.draining.Load()
}

// roomGate wakes all that wait for a connection to go. The zero gate is ready to use.
type roomGate struct {
	waiting atomic.Int32
	mu      sync.Mutex    // guards gone
	gone    chan struct{} // closed when a connection goes; nil: nobody has asked for it
}

// enter returns a channel that is closed when a connection goes. leave follows.
func (g *roomGate) enter() <-chan struct{} {
	g.waiting.Add(1)
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.gone == nil {
		g.gone = make(chan struct{})
	}
	return g.gone
}

func (g *roomGate) leave() { g.waiting.Add(-1) }

// open wakes those that wait. It costs nothing else when there are none.
func (g *roomGate) open() {
	if g.waiting.Load() == 0 {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.gone != nil {
		close(g.gone)
		g.gone = nil
	}
}
