package server

import (
	"time"

	"golang.org/x/sys/unix"
)

func tuneSocketOS(fd int) {
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, int(keepAliveIdle/time.Second))
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(userTimeout/time.Millisecond))
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, notSentLowat)
}

// duplicateTo makes to, which is open, a duplicate of from.
func duplicateTo(from, to int) error {
	return unix.Dup3(from, to, unix.O_CLOEXEC)
}
