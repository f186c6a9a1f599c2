package engine

import (
	"errors"
	"fmt"
	"net"
	"syscall"
	"time"
)

// How long accepting pauses after an error: MinPause, then twice as long each time, up to
// MaxPause.
const (
	MinPause = 5 * time.Millisecond
	MaxPause = time.Second
)

// Serve accepts until End, and then returns ErrClosed, or until ac cannot continue.
func (a *Admission) Serve(ac Acceptor) error {
	pause := MinPause
	for {
		n, err := 0, a.waitWhileFull(ac)
		if err == nil {
			n, err = ac.Accept()
		}
		if n > 0 {
			pause = MinPause
		}
		if err == nil {
			continue
		}
		if a.HasEnded() {
			return ErrClosed
		}
		if !isTransient(err) {
			return fmt.Errorf("accept: %w", err)
		}
		// Clients wait in the kernel's queue until descriptors or memory are free.
		a.Fail("accept failed, pausing", err, "pause", pause)
		if !a.WaitForRoom(pause, nil) {
			return ErrClosed
		}
		pause = min(2*pause, MaxPause)
	}
}

// isTransient reports whether accept may work again later.
func isTransient(err error) bool {
	for _, e := range []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.ENOSPC, syscall.EPERM, syscall.ECONNABORTED, syscall.ECONNRESET, syscall.EINTR, syscall.EAGAIN} {
		if errors.Is(err, e) {
			return true
		}
	}
	var ne net.Error
	return errors.As(err, &ne) && ne.Timeout()
}

// IsExhausted reports whether err means that there was no descriptor.
func IsExhausted(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE)
}

// Listener is a listener and what admission needs to know of it. The acceptors of both engines
// embed one.
type Listener struct {
	net.Listener
	From     net.Addr // its address
	Inherits bool     // accepted sockets have their options from it
	local    bool
}

// NewListener returns l with its options set. It leaves l open when an engine fails later.
func (a *Admission) NewListener(l net.Listener) Listener {
	addr := l.Addr()
	return Listener{Listener: l, From: addr, Inherits: a.Sockets.TuneListener(l), local: isLocal(addr)}
}

// isLocal reports whether all clients of a listener at addr are on this machine.
func isLocal(addr net.Addr) bool {
	switch addr := addr.(type) {
	case *net.TCPAddr:
		return addr.IP.IsLoopback()
	case *net.UnixAddr:
		return true
	}
	return false
}

// Local implements Acceptor.
func (l *Listener) Local() bool { return l.local }

// ClientWaits implements Acceptor.
func (l *Listener) ClientWaits() bool {
	sc, ok := l.Listener.(syscall.Conn)
	if !ok {
		return true
	}
	rc, err := sc.SyscallConn()
	if err != nil {
		return true
	}
	waits := true
	_ = rc.Control(func(fd uintptr) { waits = isReadable(int(fd)) })
	return waits
}
