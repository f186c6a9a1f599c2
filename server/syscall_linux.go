package server

import (
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The system calls of a turn. None of them waits, so none tells Go's scheduler of itself: each that does wakes Go's monitor, which then looks every 20 µs whether it takes long, and that costs
// more than the calls. Measured with a session's cycle (initialize, initialized, tools/call, close): a tenth of the server's processor time.

// sysRead reads from a socket that does not block. b must not be empty.
func sysRead(fd int32, b []byte) (int, error) {
	return result(syscall.RawSyscall(unix.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b))))
}

// sysWrite writes to a socket that does not block. It returns how much of b the kernel took: less than all of it is no error.
func sysWrite(fd int32, b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	for {
		n, err := result(syscall.RawSyscall(unix.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b))))
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

// sysAccept accepts from a listener, at once: nobody there is EAGAIN.
//
// Whether a listener blocks is not ours to keep: it is a property of the socket, not of a descriptor. A host that gives it to a child process makes it blocking (os.File.Fd), and so may another
// process that has it. A call that waits and does not tell the scheduler stops the whole process at the next collection.
func sysAccept(fd uintptr) (int, error) {
	if flags, err := result(syscall.RawSyscall(unix.SYS_FCNTL, fd, unix.F_GETFL, 0)); err != nil || flags&unix.O_NONBLOCK == 0 {
		return acceptBlocking(int(fd))
	}
	return result(syscall.RawSyscall6(unix.SYS_ACCEPT4, fd, 0, 0, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0, 0))
}

// acceptBlocking is sysAccept for a listener that blocks. It waits only if another process accepts who was there.
func acceptBlocking(fd int) (int, error) {
	n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 0)
	if err != nil {
		return 0, err
	}
	if n == 0 {
		return 0, unix.EAGAIN
	}
	nfd, _, err := unix.Accept4(fd, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
	return nfd, err
}

// sysEvents returns how many events there are, at once.
func sysEvents(epfd int, events []unix.EpollEvent) int {
	n, err := result(syscall.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(epfd), uintptr(unsafe.Pointer(&events[0])), uintptr(len(events)), 0, 0, 0))
	if err != nil {
		return 0
	}
	return n
}

// sysYield lets the threads run that wait for this processor.
func sysYield() {
	_, _, _ = syscall.RawSyscall(unix.SYS_SCHED_YIELD, 0, 0, 0)
}

func result(r, _ uintptr, errno syscall.Errno) (int, error) {
	if errno != 0 {
		return 0, errno
	}
	return int(r), nil
}
