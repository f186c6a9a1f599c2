package enginetest

import (
	"golang.org/x/sys/unix"

	"github.com/mooring-mcp/mooring/server/internal/engine"
)

// wantOptions fails the test unless sk has the options of an accepted socket.
func (r *rig) wantOptions(sk engine.Socket, network string) {
	r.Helper()
	fd := sk.(interface{ Fd() int }).Fd()
	if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0); err != nil || flags&unix.O_NONBLOCK == 0 {
		r.Errorf("the socket blocks: %v", err)
	}
	if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC == 0 {
		r.Errorf("a child process inherits the socket: %v", err)
	}
	if network != "tcp" {
		return
	}
	if l, err := unix.GetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER); err != nil || l.Onoff != 0 {
		r.Errorf("the socket lingers: %v, %v", l, err)
	}
	for _, o := range []struct {
		name         string
		option, want int
	}{
		{"TCP_KEEPIDLE", unix.TCP_KEEPIDLE, int(keepAlive.Seconds())},
		{"TCP_KEEPCNT", unix.TCP_KEEPCNT, 4},
		{"TCP_NODELAY", unix.TCP_NODELAY, 1},
		{"TCP_USER_TIMEOUT", unix.TCP_USER_TIMEOUT, 90_000},
	} {
		if got, err := unix.GetsockoptInt(fd, unix.IPPROTO_TCP, o.option); err != nil || got != o.want {
			r.Errorf("%s is %d, %v, want %d", o.name, got, err, o.want)
		}
	}
}
