package epollengine

import (
	"errors"
	"net"
	"net/netip"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/mooring-mcp/mooring/server/internal/engine"
)

// Adopt implements engine.Engine. It does not wait for the loop.
func (e *epollEngine) Adopt(loop int, nc net.Conn, h engine.Handler) error {
	bare, err := engine.BareConn(nc)
	if err != nil {
		return err
	}
	if e.adm.HasEnded() {
		return engine.ErrClosed
	}
	fd, err := descriptorOf(e.adm, bare)
	if err != nil {
		return err
	}
	if _, ok := bare.(*net.TCPConn); ok {
		_ = e.adm.Sockets.TuneSocket(fd)
	}
	l := e.loops[loop]
	if err := l.add(fd, h, true); err != nil {
		_ = unix.Close(fd)
		return err
	}
	_ = nc.Close()
	l.Execute(nothing) // so that it opens the connection although its peer may be silent
	return nil
}

func nothing() {}

var errNoDescriptor = errors.New("epollengine: the connection has no descriptor")

// descriptorOf returns a duplicate of nc's descriptor. While there is no room for one it waits, so
// that no client is accepted and dropped.
func descriptorOf(adm *engine.Admission, nc net.Conn) (fd int, err error) {
	switch nc.(type) {
	case *net.TCPConn, *net.UnixConn:
	default:
		return 0, errNoDescriptor
	}
	rc, err := nc.(syscall.Conn).SyscallConn()
	if err != nil {
		return 0, err
	}
	for pause := engine.MinPause; ; pause = min(2*pause, engine.MaxPause) {
		if cerr := rc.Control(func(own uintptr) { fd, err = engine.Duplicate(int(own)) }); cerr != nil {
			return 0, cerr
		}
		if err == nil {
			// A host that looked at its options by File and Fd has made it blocking.
			_ = unix.SetNonblock(fd, true)
		}
		if !engine.IsExhausted(err) {
			return fd, err
		}
		adm.Fail("no descriptor for a connection, waiting", err)
		if !adm.WaitForRoom(pause, nil) {
			return 0, engine.ErrClosed
		}
	}
}

// Peer implements engine.Loop.
func (l *loop) Peer(sk engine.Socket) netip.AddrPort {
	if s := sk.(*socket); !s.closed {
		return engine.PeerOf(int(s.fd))
	}
	return netip.AddrPort{}
}

// Duplicate implements engine.Loop.
func (l *loop) Duplicate(sk engine.Socket) (net.Conn, error) {
	s := sk.(*socket)
	switch {
	case s.closed:
		return nil, errSocketClosed
	case s.out != nil:
		return nil, engine.ErrUnsent
	}
	return engine.DuplicateConn(int(s.fd))
}
