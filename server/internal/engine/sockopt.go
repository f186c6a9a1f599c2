package engine

import (
	"errors"
	"net"
	"net/netip"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// The kernel finds a peer that is gone without a FIN by these, where no heartbeat does.
const (
	keepAliveInterval = 15 * time.Second
	keepAliveCount    = 4
	maxKeepAlive      = 32767 * time.Second // the kernel's limit; with more, keepalive is off
	userTimeout       = 90 * time.Second    // for unacknowledged data
	notSentLowat      = 128 << 10           // bytes the kernel takes before they can be sent
)

// SocketOptions are the options of TCP sockets that a host may choose. The others are the same for
// all.
type SocketOptions struct {
	KeepAlive time.Duration // silence after which the kernel probes a peer
}

// Control sets the options of a new listening socket, from which accepted sockets inherit them. It
// is for net.ListenConfig.
func (o SocketOptions) Control(network, _ string, rc syscall.RawConn) error {
	if network == "unix" {
		return nil
	}
	return rc.Control(func(fd uintptr) { _ = o.TuneSocket(int(fd)) })
}

// TuneListener does the same for an inherited listener, and reports whether its connections
// inherit the options. A multipath listener takes only some.
func (o SocketOptions) TuneListener(l net.Listener) (inherits bool) {
	switch l.(type) {
	case *net.UnixListener:
		return true // such sockets have no such options, and close at once whatever SO_LINGER says
	case *net.TCPListener:
		return o.Tune(l) == nil
	}
	return false // it does not show its descriptor; its connections may
}

// PeerOf returns the address of the peer of a connected socket. It is zero if the peer has no IP
// address, or is gone.
func PeerOf(fd int) netip.AddrPort {
	sa, err := unix.Getpeername(fd)
	if err != nil {
		return netip.AddrPort{}
	}
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), uint16(sa.Port))
	case *unix.SockaddrInet6:
		// A zone is left out: the kernel knows it by a number.
		return netip.AddrPortFrom(netip.AddrFrom16(sa.Addr).Unmap(), uint16(sa.Port))
	}
	return netip.AddrPort{}
}

// Tune sets the options of a TCP socket that shows its descriptor.
func (o SocketOptions) Tune(v any) error {
	sc, ok := v.(syscall.Conn)
	if !ok {
		return nil
	}
	rc, err := sc.SyscallConn()
	if err != nil {
		return err
	}
	if cerr := rc.Control(func(fd uintptr) { err = o.TuneSocket(int(fd)) }); cerr != nil {
		return cerr
	}
	return err
}

// TuneSocket sets the options of a TCP socket, as far as the kernel knows them: without them, the
// heartbeats find a peer that is gone. It returns what went wrong.
func (o SocketOptions) TuneSocket(fd int) error {
	err := errors.Join(
		// A wrapped listener may have looked at it through File, which makes it blocking.
		unix.SetNonblock(fd, true),
		// On a loop, close must not wait.
		unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{}),
		unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1),
		tuneSocketOS(fd),
	)
	if o.KeepAlive > maxKeepAlive {
		return errors.Join(err, unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 0))
	}
	return errors.Join(err,
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1),
		unix.SetsockoptInt(fd, unix.IPPROTO_TCP, keepAliveIdleOption, max(1, int(o.KeepAlive/time.Second))),
		unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, int(keepAliveInterval/time.Second)),
		unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_KEEPCNT, keepAliveCount),
	)
}
