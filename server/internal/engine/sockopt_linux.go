package engine

import (
	"errors"
	"time"

	"golang.org/x/sys/unix"
)

// keepAliveIdleOption sets the time of silence before the first probe, in seconds.
const keepAliveIdleOption = unix.TCP_KEEPIDLE

func tuneSocketOS(fd int) error {
	return errors.Join(
		unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(userTimeout/time.Millisecond)),
		unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, notSentLowat),
	)
}

// DuplicateTo makes to, which is open, a duplicate of from.
func DuplicateTo(from, to int) error {
	return unix.Dup3(from, to, unix.O_CLOEXEC)
}
