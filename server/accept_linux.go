package server

import (
	"context"
	"errors"
	"net"
	"os"
	"syscall"

	"github.com/mooring-mcp/mooring/server/internal/endpoint"
	"golang.org/x/sys/unix"
)

// epollAcceptor accepts the connections of a listener: of one that shows its descriptor without net's own connections, whose making and unmaking costs five system calls each.
type epollAcceptor struct {
	net.Listener
	engine   *epollEngine
	srv      *Server
	trust    endpoint.Trust
	inherits bool // connections have their options from the listener

	file  *os.File // a duplicate of the listener, to wait for; nil where there is none
	ready syscall.RawConn
	own   syscall.RawConn // the listener itself
}

// acceptBatch is how many connections are accepted until other things are looked after.
const acceptBatch = 64

// newAcceptor implements engine.
func (e *epollEngine) newAcceptor(l net.Listener) (acceptor, error) {
	a := &epollAcceptor{Listener: l, engine: e, srv: e.srv, trust: trustOf(l.Addr()), inherits: e.srv.tuneListener(l)}
	switch l.(type) {
	case *net.TCPListener, *net.UnixListener:
	default:
		return a, nil
	}
	var err error
	if a.own, err = l.(syscall.Conn).SyscallConn(); err != nil {
		return nil, err
	}
	// A listener of net's lets nobody wait for it but its own Accept.
	fd := -1
	if cerr := a.own.Control(func(own uintptr) { fd, err = unix.FcntlInt(own, unix.F_DUPFD_CLOEXEC, 0) }); cerr != nil {
		return nil, cerr
	}
	if err != nil {
		return nil, os.NewSyscallError("fcntl", err)
	}
	_ = unix.SetNonblock(fd, true) // or there is no waiting for it: who gave the listener to a child process has made it blocking
	a.file = os.NewFile(uintptr(fd), "listener")
	if a.ready, err = a.file.SyscallConn(); err == nil {
		err = a.lookAgain()
	}
	if err != nil {
		_ = a.file.Close()
		return nil, err
	}
	return a, nil
}

// lookAgain ends the wait for connections after a while, to look whether the listener is still open: the duplicate, which is waited for, does not tell. All listeners look at the same moments, as does
// whoever else does something every second, so that an idle process wakes once.
func (a *epollAcceptor) lookAgain() error {
	return a.file.SetReadDeadline(a.srv.clock().Truncate(acceptRest).Add(acceptRest))
}

// from implements acceptor.
func (a *epollAcceptor) from() endpoint.Trust { return a.trust }

// waiting implements acceptor.
func (a *epollAcceptor) waiting() bool { return clientWaits(a.Listener) }

// look implements acceptor: the duplicate keeps the port.
func (a *epollAcceptor) look() error {
	if a.file == nil {
		return nil
	}
	return a.own.Control(func(uintptr) {})
}

// Close implements acceptor.
func (a *epollAcceptor) Close() error {
	err := a.Listener.Close()
	if a.file != nil {
		_ = a.file.Close()
	}
	return err
}

// accept implements acceptor. A listener that its host closes is an
// error within acceptRest.
func (a *epollAcceptor) accept() (n int, err error) {
	if a.file == nil {
		return a.acceptConn()
	}
	rerr := a.ready.Read(func(uintptr) bool {
		for n < acceptBatch && (n == 0 || a.srv.conns.Load() < a.srv.fdLimit) {
			var fd int
			// The listener's own descriptor, so that one which is closed accepts no more.
			if cerr := a.own.Control(func(own uintptr) { fd, err = sysAccept(own) }); cerr != nil {
				err = cerr
			}
			if err == unix.EINTR || err == unix.ECONNABORTED {
				continue // who was next has gone
			}
			if err != nil {
				break
			}
			if err = a.admit(fd); err != nil {
				break
			}
			n++
		}
		if n > 0 && err == unix.EAGAIN {
			err = nil
		}
		return err != unix.EAGAIN
	})
	switch {
	case errors.Is(rerr, os.ErrDeadlineExceeded):
		if err = a.lookAgain(); err == nil {
			err = a.look()
		}
	case rerr != nil:
		err = rerr
	}
	return n, err
}

// acceptConn accepts a connection of a listener that is not one of net's own.
func (a *epollAcceptor) acceptConn() (int, error) {
	nc, err := a.Accept()
	if err != nil {
		return 0, err
	}
	if a.srv.draining.Load() { // the listener did not end when it was closed
		_ = nc.Close()
		return 0, ErrServerClosed
	}
	fd, err := a.descriptorOf(nc)
	_ = nc.Close()
	if err != nil {
		a.srv.acceptErrors.Add(1)
		a.srv.logger().Warn("connection lost on its way to an event loop", "err", err)
		return 1, nil
	}
	if err := a.admit(fd); err != nil {
		return 0, err
	}
	return 1, nil
}

var errNoDescriptor = errors.New("server: the connection has no descriptor")

// descriptorOf returns a duplicate of nc's descriptor. While there is no room for one it waits, so that nobody is accepted and dropped.
func (a *epollAcceptor) descriptorOf(nc net.Conn) (fd int, err error) {
	switch nc.(type) {
	case *net.TCPConn, *net.UnixConn:
	default:
		return 0, errNoDescriptor
	}
	rc, err := nc.(syscall.Conn).SyscallConn()
	if err != nil {
		return 0, err
	}
	for pause := acceptPause; ; pause = min(2*pause, acceptRest) {
		if cerr := rc.Control(func(own uintptr) { fd, err = unix.FcntlInt(own, unix.F_DUPFD_CLOEXEC, 0) }); cerr != nil {
			return 0, cerr
		}
		if err == nil {
			_ = unix.SetNonblock(fd, true) // a host that had a look at its options by File and Fd has made it blocking
		}
		if !errors.Is(err, syscall.EMFILE) && !errors.Is(err, syscall.ENFILE) {
			return fd, err
		}
		a.srv.acceptErrors.Add(1)
		a.srv.logger().Warn("no descriptor for a connection, waiting", "err", err)
		if !a.srv.rest(pause, nil) {
			return 0, ErrServerClosed
		}
	}
}

// admit gives a connection to a loop, or refuses it above MaxConnections. It owns fd. After an error, for example that there are no more epoll watches, accepting is to pause: who comes next would be
// dropped too.
func (a *epollAcceptor) admit(fd int) error {
	s := a.srv
	beyond, ok := s.reserve(a.trust)
	if !ok {
		a.refuse(fd)
		return nil
	}
	if !a.inherits {
		_ = s.tuneSocket(fd)
	}
	l := s.nextLoop(1)
	if err := a.engine.pollers[l.idx].add(fd, newConn(l, a.trust, beyond)); err != nil {
		_ = unix.Close(fd)
		s.conns.Add(-1) // not released, which ends the pause
		return err
	}
	l.visit() // it opens the connection, and is found out if it is held
	return nil
}

// refuse answers a connection above MaxConnections. It owns fd.
func (a *epollAcceptor) refuse(fd int) {
	f := os.NewFile(uintptr(fd), "refused")
	defer f.Close()
	nc, err := net.FileConn(f)
	if err != nil {
		// There is no descriptor for net's own connection, to take leave with: the client is told all the same.
		a.srv.acceptRefused.Add(1)
		_, _ = sysWrite(int32(fd), a.srv.refusal())
		return
	}
	a.srv.refuseConn(nc)
}

// openAccepting has nothing to prepare: a connection has one descriptor from accept to its end.
func (e *epollEngine) openAccepting(int) error { return nil }

// endAccepting implements engine. A loop opens what it was given before it runs the tasks of a turn.
func (e *epollEngine) endAccepting(ctx context.Context) error {
	turns := make(chan struct{}, len(e.pollers))
	for _, p := range e.pollers {
		p.execute(func() { turns <- struct{}{} })
	}
	for range e.pollers {
		select {
		case <-turns:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}
