package epollengine

import (
	"errors"
	"net"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mooring-mcp/mooring/server/internal/engine"
)

// acceptor accepts the connections of a listener. If the listener shows its descriptor, it does so
// without net's own connections, each of which costs five system calls.
type acceptor struct {
	engine.Listener
	engine *epollEngine
	adm    *engine.Admission

	file  *os.File // a duplicate of the listener, to wait for; nil where there is none
	ready syscall.RawConn
	own   syscall.RawConn // the listener itself
}

var _ engine.Acceptor = (*acceptor)(nil)

// acceptBatch is how many connections are accepted until other things get their turn.
const acceptBatch = 64

func (e *epollEngine) NewAcceptor(l net.Listener) (engine.Acceptor, error) {
	a := &acceptor{Listener: e.adm.NewListener(l), engine: e, adm: e.adm}
	switch l.(type) {
	case *net.TCPListener, *net.UnixListener:
	default:
		return a, nil
	}
	var err error
	if a.own, err = l.(syscall.Conn).SyscallConn(); err != nil {
		return nil, err
	}
	// A listener of net's lets only its own Accept wait for it.
	fd := -1
	if cerr := a.own.Control(func(own uintptr) { fd, err = engine.Duplicate(int(own)) }); cerr != nil {
		return nil, cerr
	}
	if err != nil {
		return nil, os.NewSyscallError("fcntl", err)
	}
	// A host that gave the listener to a child process has made it blocking, and then nothing can
	// wait for it.
	_ = unix.SetNonblock(fd, true)
	a.file = os.NewFile(uintptr(fd), "listener")
	if a.ready, err = a.file.SyscallConn(); err == nil {
		err = a.setDeadline()
	}
	if err != nil {
		_ = a.file.Close()
		return nil, err
	}
	return a, nil
}

// setDeadline ends the wait for connections after a while, to check whether the listener is still
// open: the duplicate, which is waited for, does not show it. All listeners check at the same
// moments, as does whatever else happens every second, so that an idle process wakes once.
func (a *acceptor) setDeadline() error {
	return a.file.SetReadDeadline(time.Now().Truncate(engine.MaxPause).Add(engine.MaxPause))
}

// CheckOpen implements engine.Acceptor: the duplicate keeps the port.
func (a *acceptor) CheckOpen() error {
	if a.file == nil {
		return nil
	}
	return a.own.Control(func(uintptr) {})
}

// Close implements engine.Acceptor.
func (a *acceptor) Close() error {
	err := a.Listener.Close()
	if a.file != nil {
		_ = a.file.Close()
	}
	return err
}

// Accept implements engine.Acceptor. It returns an error within engine.MaxPause after the host has
// closed the listener.
func (a *acceptor) Accept() (n int, err error) {
	if a.file == nil {
		return a.acceptConn()
	}
	rerr := a.ready.Read(func(uintptr) bool {
		for n < acceptBatch && (n == 0 || a.adm.Connections() < a.adm.Limit()) {
			var fd int
			// The listener's own descriptor, so that a closed listener accepts no more.
			if cerr := a.own.Control(func(own uintptr) { fd, err = sysAccept(own) }); cerr != nil {
				err = cerr
			}
			if err == unix.EINTR || err == unix.ECONNABORTED {
				continue // the next client has disconnected
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
		if err = a.setDeadline(); err == nil {
			err = a.CheckOpen()
		}
	case rerr != nil:
		err = rerr
	}
	return n, err
}

// acceptConn accepts a connection of a listener that is not one of net's own.
func (a *acceptor) acceptConn() (int, error) {
	nc, err := a.Listener.Accept()
	if err != nil {
		return 0, err
	}
	if a.adm.HasEnded() { // the listener did not end when it was closed
		_ = nc.Close()
		return 0, engine.ErrClosed
	}
	fd, err := descriptorOf(a.adm, nc)
	_ = nc.Close()
	if err != nil {
		a.adm.Fail("connection lost on its way to an event loop", err)
		return 1, nil
	}
	if err := a.admit(fd); err != nil {
		return 0, err
	}
	return 1, nil
}

// admit gives a connection to a loop, or refuses it above the limit. It owns fd. After an error,
// for example that there are no more epoll watches, accepting must pause: the next client would be
// dropped too.
func (a *acceptor) admit(fd int) error {
	beyond, ok := a.adm.Reserve(a.Local())
	if !ok {
		a.refuse(fd)
		return nil
	}
	if !a.Inherits {
		_ = a.adm.Sockets.TuneSocket(fd)
	}
	i := a.adm.NextLoop(1)
	if err := a.engine.loops[i].add(fd, a.adm.Host.NewConn(i, a.From, beyond), false); err != nil {
		_ = unix.Close(fd)
		a.adm.Unreserve()
		return err
	}
	a.adm.Host.Visit(i) // the loop opens the connection, and shows it if it is held
	return nil
}

// refuse answers a connection above the limit. It owns fd.
func (a *acceptor) refuse(fd int) {
	f := os.NewFile(uintptr(fd), "refused")
	defer f.Close()
	nc, err := net.FileConn(f)
	if err != nil {
		// Without a descriptor for net's own connection it cannot be closed in stages, but the
		// client still gets the refusal.
		a.adm.CountRefused()
		_, _ = sysWrite(int32(fd), a.adm.Host.Refusal())
		return
	}
	a.adm.Refuse(nc)
}
