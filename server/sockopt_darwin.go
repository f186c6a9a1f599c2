package server

import (
	"time"

	"golang.org/x/sys/unix"
)

func tuneSocketOS(fd int) {
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_KEEPALIVE, int(keepAliveIdle/time.Second))
}
