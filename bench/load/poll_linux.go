package load

import (
	"errors"
	"fmt"
	"net/netip"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// readiness is what a wait found for one connection.
type readiness struct {
	slot, gen                  uint32
	readable, writable, hungUp bool
}

// A poller is an epoll instance and a descriptor to wake it with.
type poller struct {
	ep, ev int
	events []unix.EpollEvent
	coarse bool // the kernel is older than epoll_pwait2 (5.11)
}

const wakeSlot = 1<<32 - 1

func newPoller() (poller, error) {
	ep, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return poller{}, fmt.Errorf("epoll: %w", err)
	}
	ev, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		_ = unix.Close(ep)
		return poller{}, fmt.Errorf("eventfd: %w", err)
	}
	p := poller{ep: ep, ev: ev, events: make([]unix.EpollEvent, maxEvents)}
	if err := p.control(unix.EPOLL_CTL_ADD, ev, wakeSlot, 0, unix.EPOLLIN); err != nil {
		p.close()
		return poller{}, err
	}
	return p, nil
}

func (p *poller) close() {
	_ = unix.Close(p.ep)
	_ = unix.Close(p.ev)
}

func (p *poller) wake() {
	one := uint64(1)
	_, _ = unix.Write(p.ev, unsafe.Slice((*byte)(unsafe.Pointer(&one)), 8))
}

func (p *poller) control(op, fd int, slot, gen, events uint32) error {
	e := unix.EpollEvent{Events: events, Fd: int32(slot), Pad: int32(gen)}
	if err := unix.EpollCtl(p.ep, op, fd, &e); err != nil {
		return fmt.Errorf("load: epoll: %w", err)
	}
	return nil
}

// add watches a socket that is being connected.
func (p *poller) add(fd int, slot, gen uint32) error {
	return p.control(unix.EPOLL_CTL_ADD, fd, slot, gen, unix.EPOLLOUT)
}

func (p *poller) modify(fd int, slot, gen uint32, read, write bool) {
	var events uint32
	if read {
		events |= unix.EPOLLIN
	}
	if write {
		events |= unix.EPOLLOUT
	}
	_ = p.control(unix.EPOLL_CTL_MOD, fd, slot, gen, events)
}

// wait waits for d, forever if it is negative, and returns how many elements of ready it filled.
func (p *poller) wait(ready []readiness, d time.Duration) (int, error) {
	n, err := p.sysWait(p.events[:len(ready)], d)
	if err == unix.EINTR {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	out := 0
	for _, e := range p.events[:n] {
		if uint32(e.Fd) == wakeSlot {
			var b [8]byte
			_, _ = unix.Read(p.ev, b[:])
			continue
		}
		end := e.Events&(unix.EPOLLERR|unix.EPOLLHUP) != 0
		ready[out] = readiness{uint32(e.Fd), uint32(e.Pad), e.Events&unix.EPOLLIN != 0 || end, e.Events&unix.EPOLLOUT != 0, end}
		out++
	}
	return out, nil
}

// sysWait is epoll_pwait2, whose timeout is not limited to whole milliseconds: on a schedule of
// thousands a second, a request must not wait for the next millisecond.
func (p *poller) sysWait(events []unix.EpollEvent, d time.Duration) (int, error) {
	if !p.coarse {
		var ts *unix.Timespec
		if d >= 0 {
			t := unix.NsecToTimespec(int64(d))
			ts = &t
		}
		n, _, errno := unix.Syscall6(unix.SYS_EPOLL_PWAIT2, uintptr(p.ep), uintptr(unsafe.Pointer(&events[0])), uintptr(len(events)), uintptr(unsafe.Pointer(ts)), 0, 0)
		if errno == 0 {
			return int(n), nil
		}
		if errno != unix.ENOSYS {
			return 0, errno
		}
		p.coarse = true
	}
	ms := -1
	if d >= 0 {
		ms = int((d + time.Millisecond - 1) / time.Millisecond)
	}
	return unix.EpollWait(p.ep, events, ms)
}

// sysConnect begins to connect to addr from src, which may be the zero address, or addr's own, to
// let the system choose.
func sysConnect(addr netip.AddrPort, src netip.Addr, o *Dial) (fd int, err error) {
	a := addr.Addr().Unmap()
	family := unix.AF_INET6
	if a.Is4() {
		family = unix.AF_INET
	}
	fd, err = unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("load: socket: %w", err)
	}
	defer func() {
		if err != nil {
			_ = unix.Close(fd)
		}
	}()
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
	if o.RecvBuf > 0 {
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, o.RecvBuf)
	}
	if o.MSS > 0 {
		_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_MAXSEG, o.MSS)
	}
	if src.Is4() && a.Is4() && src != a {
		// The port is chosen at connect, so that a port in TIME-WAIT towards another server can be
		// used.
		_ = unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1)
		if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: src.As4()}); err != nil {
			return -1, fmt.Errorf("load: bind %v: %w", src, err)
		}
	}
	var sa unix.Sockaddr = &unix.SockaddrInet6{Port: int(addr.Port()), Addr: a.As16()}
	if a.Is4() {
		sa = &unix.SockaddrInet4{Port: int(addr.Port()), Addr: a.As4()}
	}
	switch err := unix.Connect(fd, sa); {
	case err == nil, errors.Is(err, unix.EINPROGRESS):
		return fd, nil
	case errors.Is(err, unix.EADDRNOTAVAIL), errors.Is(err, unix.EADDRINUSE):
		return -1, fmt.Errorf("%w: %w", errNoPort, err)
	default:
		return -1, fmt.Errorf("load: connect: %w", err)
	}
}

// sysConnected returns nil when the socket is connected, or why it is not.
func sysConnected(fd int) error {
	n, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR)
	if err != nil {
		return err
	}
	if n != 0 {
		return unix.Errno(n)
	}
	return nil
}

func sysRead(fd int, b []byte) (int, error) {
	for {
		n, err := unix.Read(fd, b)
		if err != unix.EINTR {
			return n, err
		}
	}
}

func sysWrite(fd int, b []byte) (int, error) {
	for {
		n, err := unix.SendmsgN(fd, b, nil, nil, unix.MSG_NOSIGNAL)
		if err == unix.EINTR {
			continue
		}
		return max(n, 0), err
	}
}

func sysClose(fd int) { _ = unix.Close(fd) }

func sysCloseWrite(fd int) { _ = unix.Shutdown(fd, unix.SHUT_WR) }

// sysLinger0 makes close send an RST.
func sysLinger0(fd int) {
	_ = unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
}

// sysMute makes the kernel drop every segment that arrives for the socket, with a filter of one
// instruction.
func sysMute(fd int) error {
	drop := unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K}
	if err := unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: 1, Filter: &drop}); err != nil {
		return fmt.Errorf("load: muting: %w", err)
	}
	return nil
}

func isAgain(err error) bool { return err == unix.EAGAIN || err == unix.EINPROGRESS }

func isReset(err error) bool { return err == unix.ECONNRESET || err == unix.EPIPE }

func monotonic() int64 {
	var ts unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts)
	return ts.Nano()
}
