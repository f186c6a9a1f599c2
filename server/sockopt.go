package server

import (
	"errors"
	"net"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// What finds a peer that is gone without a FIN, when no heartbeat does.
const (
	keepAliveInterval = 15 * time.Second
	keepAliveCount    = 4
	maxKeepAlive      = 32767 * time.Second // the kernel's; more is none
	userTimeout       = 90 * time.Second    // unacknowledged data
	notSentLowat      = 128 << 10           // bytes the kernel takes before they can be sent
)

// controlListener sets the options that accepted sockets inherit.
func (s *Server) controlListener(network, _ string, rc syscall.RawConn) error {
	if network == "unix" {
		return nil
	}
	return rc.Control(func(fd uintptr) { _ = s.tuneSocket(int(fd)) })
}

// tuneListener does the same for a listener that was inherited, and reports whether connections have the options from it. A multipath listener takes only some.
func (s *Server) tuneListener(l net.Listener) (inherits bool) {
	switch l.(type) {
	case *net.UnixListener:
		return true // such sockets have no such options, and close at once whatever SO_LINGER says
	case *net.TCPListener:
		return s.tune(l) == nil
	}
	return false // it does not show its descriptor; its connections may
}

// tune sets the options of a TCP socket that shows its descriptor.
func (s *Server) tune(v any) error {
	sc, ok := v.(syscall.Conn)
	if !ok {
		return nil
	}
	rc, err := sc.SyscallConn()
	if err != nil {
		return err
	}
	if cerr := rc.Control(func(fd uintptr) { err = s.tuneSocket(int(fd)) }); cerr != nil {
		return cerr
	}
	return err
}

// tuneSocket is best effort: an option that a kernel does not know leaves detection to the heartbeats. It returns what went wrong.
func (s *Server) tuneSocket(fd int) error {
	err := errors.Join(
		unix.SetNonblock(fd, true), // a wrapped listener may have looked at it through File, which makes it blocking
		unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{}), // on a loop, close waits for nobody
		unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1),
		tuneSocketOS(fd),
	)
	if s.opts.KeepAlive > maxKeepAlive {
		return errors.Join(err, unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 0))
	}
	return errors.Join(err,
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1),
		unix.SetsockoptInt(fd, unix.IPPROTO_TCP, keepAliveIdleOption, max(1, int(s.opts.KeepAlive/time.Second))),
		unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, int(keepAliveInterval/time.Second)),
		unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_KEEPCNT, keepAliveCount),
	)
}

// shutdownWrite sends a FIN and leaves the receiving side open.
func shutdownWrite(fd int) error {
	return unix.Shutdown(fd, unix.SHUT_WR)
}

// socketPair returns two connected sockets, one as a bare descriptor that does not wait.
func socketPair() (own int, theirs net.Conn, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		return -1, nil, err
	}
	unix.CloseOnExec(fds[0])
	unix.CloseOnExec(fds[1])
	if err = unix.SetNonblock(fds[0], true); err == nil {
		theirs, err = fdConn(fds[1])
	} else {
		_ = unix.Close(fds[1])
	}
	if err != nil {
		_ = unix.Close(fds[0])
		return -1, nil, err
	}
	return fds[0], theirs, nil
}

// fdConn takes ownership of fd.
func fdConn(fd int) (net.Conn, error) {
	f := os.NewFile(uintptr(fd), "socketpair")
	defer f.Close()
	return net.FileConn(f)
}
