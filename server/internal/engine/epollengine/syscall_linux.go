package epollengine

import (
	"cmp"
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The system calls of a turn. None of them blocks, so they skip the scheduler's bookkeeping:
// entering it wakes Go's monitor, which then polls every 20 µs to see whether they take long, and
// that costs more than the calls. Measured with a session's cycle (initialize, initialized,
// tools/call, close): a tenth of the server's processor time.
//
// Each passes its own non-blocking flag, or cannot block. O_NONBLOCK cannot be relied on: it
// belongs to the open file, and anyone holding a duplicate, even another process, can clear it at
// any time (os.File.Fd does). A call that blocks without the scheduler's knowledge stops the whole
// process at the next collection.

// sysRead reads from a socket, at once. b must not be empty.
func sysRead(fd int32, b []byte) (int, error) {
	return result(syscall.RawSyscall6(unix.SYS_RECVFROM, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)), unix.MSG_DONTWAIT, 0, 0))
}

// sysWrite writes to a socket, at once. It returns how much of b the kernel took: less than all of
// it is not an error.
func sysWrite(fd int32, b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	for {
		n, err := result(syscall.RawSyscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)), unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, 0, 0))
		switch err {
		case nil:
			return n, nil
		case unix.EINTR:
		case unix.EAGAIN:
			return 0, nil
		default:
			return 0, os.NewSyscallError("write", err)
		}
	}
}

// sysWritev is sysWrite for up to three pieces, none of them empty.
func sysWritev(fd int32, pieces [][]byte) (int, error) {
	var iov [3]unix.Iovec
	for i, b := range pieces {
		iov[i].Base = &b[0]
		iov[i].SetLen(len(b))
	}
	msg := unix.Msghdr{Iov: &iov[0]}
	msg.SetIovlen(len(pieces))
	for {
		n, err := result(syscall.RawSyscall(unix.SYS_SENDMSG, uintptr(fd), uintptr(unsafe.Pointer(&msg)), unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL))
		switch err {
		case nil:
			return n, nil
		case unix.EINTR:
		case unix.EAGAIN:
			return 0, nil
		default:
			return 0, os.NewSyscallError("write", err)
		}
	}
}

// sysClose closes a socket that does not linger.
func sysClose(fd int32) {
	_, _, _ = syscall.RawSyscall(unix.SYS_CLOSE, uintptr(fd), 0, 0)
}

// sysForget takes a socket out of an epoll instance.
func sysForget(epfd int, fd int32) {
	_, _, _ = syscall.RawSyscall6(unix.SYS_EPOLL_CTL, uintptr(epfd), unix.EPOLL_CTL_DEL, uintptr(fd), 0, 0, 0)
}

// sysAccept accepts from a listener, at once. If no client waits it returns EAGAIN: it polls
// first, which costs a tenth of an accept that finds nobody.
//
// No accept has a non-blocking flag of its own. This one blocks only if, within the microsecond
// since it looked, the listener became blocking and another process accepted the client: neither
// is usual, and whoever hands a listener on makes it blocking before there is another process.
// unix.Accept4, which enters the scheduler, costs a tenth of the server's processor time per
// session; only a blocking listener gets it.
func sysAccept(fd uintptr) (int, error) {
	pfd := unix.PollFd{Fd: int32(fd), Events: unix.POLLIN}
	var now unix.Timespec
	if n, err := result(syscall.RawSyscall6(unix.SYS_PPOLL, uintptr(unsafe.Pointer(&pfd)), 1, uintptr(unsafe.Pointer(&now)), 0, 0, 0)); err != nil || n == 0 {
		return -1, cmp.Or(err, error(unix.EAGAIN))
	}
	if flags, err := result(syscall.RawSyscall(unix.SYS_FCNTL, fd, unix.F_GETFL, 0)); err != nil || flags&unix.O_NONBLOCK == 0 {
		nfd, _, err := unix.Accept4(int(fd), unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
		return nfd, err
	}
	return result(syscall.RawSyscall6(unix.SYS_ACCEPT4, fd, 0, 0, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0, 0))
}

// sysEvents returns how many events there are, at once.
func sysEvents(epfd int, events []unix.EpollEvent) int {
	n, err := result(syscall.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(epfd), uintptr(unsafe.Pointer(&events[0])), uintptr(len(events)), 0, 0, 0))
	if err != nil {
		return 0
	}
	return n
}

// sysYield lets other threads run that wait for this processor.
func sysYield() {
	_, _, _ = syscall.RawSyscall(unix.SYS_SCHED_YIELD, 0, 0, 0)
}

func result(r, _ uintptr, errno syscall.Errno) (int, error) {
	if errno != 0 {
		return 0, errno
	}
	return int(r), nil
}
