package engine

import (
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// What both engines do with bare descriptors.

// HasInput reports whether the kernel has bytes of the socket's peer that have not been read yet.
func HasInput(sk Socket) bool {
	s, ok := sk.(interface{ Fd() int })
	if !ok {
		return false
	}
	var b [1]byte
	n, _, err := unix.Recvfrom(s.Fd(), b[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
	return err == nil && n > 0
}

// isReadable reports whether fd is readable, without waiting, or cannot be asked.
func isReadable(fd int) bool {
	n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 0)
	return n > 0 || err != nil
}

// ShutdownWrite sends a FIN and leaves the receiving side open.
func ShutdownWrite(fd int) error { return unix.Shutdown(fd, unix.SHUT_WR) }

// Duplicate returns a duplicate of fd that is closed on exec.
func Duplicate(fd int) (int, error) {
	return unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
}

// SocketPair returns two connected sockets, one of them as a bare descriptor that does not block.
func SocketPair() (own int, theirs net.Conn, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		return -1, nil, err
	}
	unix.CloseOnExec(fds[0])
	unix.CloseOnExec(fds[1])
	if err = unix.SetNonblock(fds[0], true); err == nil {
		theirs, err = ConnOf(fds[1])
	} else {
		_ = unix.Close(fds[1])
	}
	if err != nil {
		_ = unix.Close(fds[0])
		return -1, nil, err
	}
	return fds[0], theirs, nil
}

// ConnOf returns fd as a connection. It takes ownership of fd.
func ConnOf(fd int) (net.Conn, error) {
	f := os.NewFile(uintptr(fd), "socket")
	defer f.Close()
	return net.FileConn(f)
}
