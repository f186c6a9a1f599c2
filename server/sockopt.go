package server

import (
	"net"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// What finds a peer that is gone without a FIN, when no heartbeat does.
const (
	keepAliveIdle     = 60 * time.Second
	keepAliveInterval = 15 * time.Second
	keepAliveCount    = 4
	userTimeout       = 90 * time.Second // unacknowledged data
	notSentLowat      = 128 << 10        // bytes the kernel takes before they can be sent
)

// controlListener sets the options that accepted sockets inherit.
func controlListener(network, _ string, rc syscall.RawConn) error {
	if network == "unix" {
		return nil
	}
	return rc.Control(func(fd uintptr) { tuneSocket(int(fd)) })
}

// tuneListener does the same for a listener that was inherited. One that does not show its descriptor is left as it is.
func tuneListener(l net.Listener) {
	tl, ok := l.(*net.TCPListener)
	if !ok {
		return
	}
	if rc, err := tl.SyscallConn(); err == nil {
		_ = rc.Control(func(fd uintptr) { tuneSocket(int(fd)) })
	}
}

// tuneSocket is best effort: an option that a kernel does not know leaves detection to the heartbeats.
func tuneSocket(fd int) {
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1)
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, int(keepAliveInterval/time.Second))
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_KEEPCNT, keepAliveCount)
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
	tuneSocketOS(fd)
}

// shutdownWrite sends a FIN and leaves the receiving side open.
func shutdownWrite(fd int) error {
	return unix.Shutdown(fd, unix.SHUT_WR)
}

// socketPair returns two connected sockets.
func socketPair() (a, b net.Conn, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		return nil, nil, err
	}
	unix.CloseOnExec(fds[0])
	unix.CloseOnExec(fds[1])
	a, err = fdConn(fds[0])
	if err != nil {
		_ = unix.Close(fds[1])
		return nil, nil, err
	}
	b, err = fdConn(fds[1])
	if err != nil {
		_ = a.Close()
		return nil, nil, err
	}
	return a, b, nil
}

// fdConn takes ownership of fd.
func fdConn(fd int) (net.Conn, error) {
	f := os.NewFile(uintptr(fd), "socketpair")
	defer f.Close()
	return net.FileConn(f)
}
