package server

import (
	"time"

	"golang.org/x/sys/unix"
)

func tuneSocketOS(fd int) error {
	return unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_KEEPALIVE, int(keepAliveIdle/time.Second))
}

// duplicateTo makes to, which is open, a duplicate of from.
func duplicateTo(from, to int) error {
	if err := unix.Dup2(from, to); err != nil {
		return err
	}
	unix.CloseOnExec(to)
	return nil
}
