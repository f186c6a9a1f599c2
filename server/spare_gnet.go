package server

import (
	"errors"
	"fmt"
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// spares are descriptors that hold places. A connection that was accepted is duplicated into one of them for the time of its enrolment: the enrolment needs a descriptor itself, and where the
// host has used them all, it fails and closes what it was given. The duplicate outlives that, and is enrolled once there are descriptors again. So nobody is accepted and dropped; it is accept
// that fails, and who waits in the kernel's queue goes on waiting.
//
// A place is never given up, not even for a moment: what it holds is replaced in one system call.
type spares struct {
	base int      // what a place holds while it is free
	free chan int // their number bounds the enrolments under way
}

// openSpares opens n spares.
func (e *gnetEngine) openSpares(n int) error {
	base, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		return fmt.Errorf("server: spare descriptors: %w", err)
	}
	unix.CloseOnExec(base)
	e.spares = spares{base: base, free: make(chan int, n)}
	for range n {
		fd, err := unix.FcntlInt(uintptr(base), unix.F_DUPFD_CLOEXEC, 0)
		if err != nil {
			e.spares.close()
			return fmt.Errorf("server: spare descriptors: %w", err)
		}
		e.spares.free <- fd
	}
	return nil
}

// close closes those that are free. Nobody may take or vacate one any more.
func (sp *spares) close() {
	close(sp.free)
	for fd := range sp.free {
		_ = unix.Close(fd)
	}
	_ = unix.Close(sp.base)
}

// takeSpare waits for a spare. It reports false when the server drains.
func (e *gnetEngine) takeSpare() (fd int, ok bool) {
	select {
	case fd = <-e.spares.free:
		return fd, true
	case <-e.srv.drainBegun:
		return 0, false
	}
}

// occupy makes spare a duplicate of nc.
func (sp *spares) occupy(spare int, nc net.Conn) error {
	sc, ok := nc.(syscall.Conn)
	if !ok {
		return fmt.Errorf("server: %T has no descriptor", nc)
	}
	rc, err := sc.SyscallConn()
	if err != nil {
		return err
	}
	if cerr := rc.Control(func(fd uintptr) { err = duplicateTo(int(fd), spare) }); cerr != nil {
		return cerr
	}
	return err
}

// vacate frees spare. A duplicate that it held is closed.
func (sp *spares) vacate(spare int) {
	_ = duplicateTo(sp.base, spare)
	sp.free <- spare
}

// connOf returns the connection that spare holds, which goes on holding it.
func connOf(spare int) (net.Conn, error) {
	fd, err := unix.FcntlInt(uintptr(spare), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	nc, err := fdConn(fd)
	if err == nil && nc.RemoteAddr() == nil {
		// The peer has sent an RST meanwhile. gnet would look at the address, panic, and leak the descriptor.
		_ = nc.Close()
		return nil, syscall.ENOTCONN
	}
	return nc, err
}

// isExhausted reports whether err means that there was no descriptor.
func isExhausted(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE)
}
