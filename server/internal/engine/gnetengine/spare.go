package gnetengine

import (
	"fmt"
	"net"
	"syscall"

	"github.com/panjf2000/gnet/v2"

	"github.com/mooring-mcp/mooring/server/internal/engine"
)

// spare is a descriptor that holds a place, and the connection that uses it: an enrolment. An
// accepted connection is duplicated into one while it is enrolled: the enrolment needs a
// descriptor itself, and where the host has used them all, it fails and closes what it was given.
// The duplicate outlives that, and is enrolled once there are descriptors again. So no client is
// accepted and dropped; accept fails instead, and clients in the kernel's queue continue to wait.
//
// The descriptor is never given up, not even for a moment: what it holds is replaced in one system
// call.
type spare struct {
	fd      int
	loop    int
	handler engine.Handler // nil while the spare is free
	result  <-chan gnet.RegisteredResult
	err     error // then there is no result
	opened  bool  // OnOpen has run; written on the loop, read once the result is there
}

// spares are the free spares. Their number limits the enrolments under way.
type spares struct {
	base int // what a spare's descriptor holds while it is free
	free chan *spare
}

// open opens n spares.
func (s *spares) open(n int) error {
	base, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		return fmt.Errorf("spare descriptors: %w", err)
	}
	syscall.CloseOnExec(base)
	*s = spares{base: base, free: make(chan *spare, n)}
	for range n {
		fd, err := engine.Duplicate(base)
		if err != nil {
			s.close()
			return fmt.Errorf("spare descriptors: %w", err)
		}
		s.free <- &spare{fd: fd}
	}
	return nil
}

// close closes those that are free. None may be taken or put back any more.
func (s *spares) close() {
	close(s.free)
	for sp := range s.free {
		_ = syscall.Close(sp.fd)
	}
	_ = syscall.Close(s.base)
}

// put frees sp. The duplicate that it held is closed.
func (s *spares) put(sp *spare) {
	_ = engine.DuplicateTo(s.base, sp.fd)
	sp.handler, sp.result, sp.err = nil, nil, nil
	s.free <- sp
}

// takeSpare waits for a spare. It reports false when accepting ends.
func (e *gnetEngine) takeSpare() (sp *spare, ok bool) {
	select {
	case sp = <-e.spares.free:
		return sp, true
	case <-e.adm.Ended():
		return nil, false
	}
}

// occupy makes sp a duplicate of nc.
func (sp *spare) occupy(nc net.Conn) error {
	sc, ok := nc.(syscall.Conn)
	if !ok {
		return fmt.Errorf("gnetengine: %T has no descriptor", nc)
	}
	rc, err := sc.SyscallConn()
	if err != nil {
		return err
	}
	if cerr := rc.Control(func(fd uintptr) { err = engine.DuplicateTo(int(fd), sp.fd) }); cerr != nil {
		return cerr
	}
	return err
}

// conn returns the connection that sp holds, and continues to hold.
func (sp *spare) conn() (net.Conn, error) {
	return engine.DuplicateConn(sp.fd) // without an address gnet would panic, and leak the descriptor
}
