//go:build linux

package server_test

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"golang.org/x/sys/unix"
)

// A fleet is a set of raw client sockets. They cost the process no memory that a test would have
// to tell apart from the server's.
type fleet struct {
	t   testing.TB
	fds []int
}

// launch connects n sockets to the port, from the loopback address 127.0.0.0 + from. Each call
// needs another address, because a closed connection occupies its address and port for a minute.
// If request is not "", each socket sends it and waits for an answer that contains part.
func launch(t testing.TB, port, n, from int, request, part string) *fleet {
	t.Helper()
	f := &fleet{t: t, fds: make([]int, 0, n)}
	t.Cleanup(f.close)
	var buf [4096]byte
	for done := 0; done < n; {
		batch := min(128, n-done)
		for range batch {
			f.fds = append(f.fds, f.connect(port, from))
			if request != "" {
				f.send(f.fds[len(f.fds)-1], request)
			}
		}
		if request != "" {
			for _, fd := range f.fds[done : done+batch] {
				f.receive(fd, buf[:], part)
			}
		}
		done += batch
	}
	return f
}

func (f *fleet) connect(port, from int) int {
	f.t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		f.t.Fatalf("socket: %v", err)
	}
	_ = unix.SetsockoptInt(fd, unix.SOL_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1)
	_ = unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: int64(patience.Seconds())})
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, byte(from >> 8), byte(from)}}); err != nil {
		f.t.Fatalf("bind: %v", err)
	}
	for {
		err := unix.Connect(fd, &unix.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}})
		if err == nil || errors.Is(err, unix.EISCONN) {
			return fd
		}
		if !errors.Is(err, unix.EINTR) && !errors.Is(err, unix.EALREADY) {
			f.t.Fatalf("connect: %v", err)
		}
	}
}

func (f *fleet) send(fd int, request string) {
	f.t.Helper()
	if n, err := unix.Write(fd, []byte(request)); n != len(request) {
		f.t.Fatalf("write: %d of %d, %v", n, len(request), err)
	}
}

// receive reads until part has arrived.
func (f *fleet) receive(fd int, buf []byte, part string) {
	f.t.Helper()
	for have := 0; ; {
		n, err := unix.Read(fd, buf[have:])
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if n <= 0 {
			f.t.Fatalf("read: %d, %v, after %q", n, err, buf[:have])
		}
		if have += n; bytes.Contains(buf[:have], []byte(part)) {
			return
		}
	}
}

// close ends all connections with a FIN, one after another.
func (f *fleet) close() {
	for _, fd := range f.fds {
		_ = unix.Close(fd)
	}
	f.fds = nil
}

// reset ends them with an RST.
func (f *fleet) reset() {
	for _, fd := range f.fds {
		_ = unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
	}
	f.close()
}

func (f *fleet) String() string { return fmt.Sprintf("%d clients", len(f.fds)) }
