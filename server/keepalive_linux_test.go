package server

import (
	"net"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mooring-mcp/mooring/mcp"
)

// TestKeepAlive checks that accepted sockets have the keep-alive time of the option, or no
// keep-alive at all.
func TestKeepAlive(t *testing.T) {
	for _, tt := range []struct {
		option time.Duration
		on     int
		idle   int
	}{{0, 1, 60}, {5 * time.Second, 1, 5}, {time.Millisecond, 1, 1}, {-1, 0, 0}} {
		s := New(mcp.NewServer(&mcp.Implementation{Name: "test", Version: "1"}, nil), &Options{KeepAlive: tt.option})
		l, err := s.Listen("127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		a, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer a.Close()
		rc, err := a.(syscall.Conn).SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		err = rc.Control(func(fd uintptr) {
			on, err := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_KEEPALIVE)
			if err != nil || on != tt.on {
				t.Errorf("%v: keepalive is %d, %v, want %d", tt.option, on, err, tt.on)
			}
			idle, err := unix.GetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_KEEPIDLE)
			if err != nil || tt.on != 0 && idle != tt.idle {
				t.Errorf("%v: keep-alive time is %d s, %v, want %d", tt.option, idle, err, tt.idle)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}
