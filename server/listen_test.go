package server

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/mooring-mcp/mooring/mcp"
)

func newListening(o *Options) *Server {
	return New(mcp.NewServer(&mcp.Implementation{Name: "t", Version: "1"}, nil), o)
}

// A host name stands for all of its addresses, on one port. Addresses that the machine lacks are
// skipped.
func TestListenOnAllAddresses(t *testing.T) {
	s := newListening(nil)
	tests := []struct {
		why  string
		ips  []string
		want int // the number of listeners
	}{
		{"one", []string{"127.0.0.1"}, 1},
		{"two", []string{"127.0.0.1", "127.0.0.2"}, 2},
		{"an address that the machine lacks", []string{"127.0.0.1", "192.0.2.1"}, 1},
		{"the machine lacks the first address", []string{"192.0.2.1", "127.0.0.3"}, 1},
		{"both families", []string{"::1", "127.0.0.1"}, 2},
	}
	for _, tt := range tests {
		if tt.why == "both families" && !hasIPv6() {
			t.Log("skipped: this machine has no IPv6")
			continue
		}
		ls, err := s.listenOn(tt.ips, "0")
		if err != nil || len(ls) != tt.want {
			t.Fatalf("%s: %d listeners, %v, want %d", tt.why, len(ls), err, tt.want)
		}
		port := ls[0].Addr().(*net.TCPAddr).Port
		for _, l := range ls {
			if p := l.Addr().(*net.TCPAddr).Port; p != port || p == 0 {
				t.Errorf("%s: port %d, want %d as for the first listener", tt.why, p, port)
			}
			c, err := net.Dial("tcp", l.Addr().String())
			if err != nil {
				t.Errorf("%s: %v", tt.why, err)
				continue
			}
			c.Close()
		}
		// If one address has the port taken, none may be used.
		first := ls[0].Addr().String()
		taken := strings.TrimPrefix(first[strings.LastIndexByte(first, ':'):], ":")
		if again, err := s.listenOn(append([]string{"127.0.0.9"}, tt.ips...), taken); !errors.Is(err, syscall.EADDRINUSE) || again != nil {
			t.Errorf("%s: listening on a taken port: %v, %v, want EADDRINUSE", tt.why, again, err)
		}
		closeListeners(ls)
	}
	if ls, err := s.listenOn([]string{"192.0.2.1"}, "0"); err == nil {
		t.Errorf("listening on another machine's address: %v, want an error", ls)
	}
}

func hasIPv6() bool {
	l, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		return false
	}
	l.Close()
	return true
}

func TestListenAll(t *testing.T) {
	s := newListening(nil)
	ips, err := net.LookupHost("localhost")
	if err != nil {
		t.Fatal(err)
	}
	want := 0
	for _, ip := range distinct(ips) {
		if ip != "::1" || hasIPv6() {
			want++
		}
	}
	for addr, n := range map[string]int{"localhost:0": want, "127.0.0.1:0": 1, ":0": 1, "unix:" + filepath.Join(t.TempDir(), "s"): 1} {
		ls, err := s.ListenAll(addr)
		if err != nil || len(ls) != n {
			t.Errorf("%s: %d listeners, %v, want %d", addr, len(ls), err, n)
		}
		closeListeners(ls)
	}
	for _, addr := range []string{"nowhere.invalid:0", "127.0.0.1", "127.0.0.1:x", "unix:/nowhere/at/all"} {
		if ls, err := s.ListenAll(addr); err == nil {
			t.Errorf("%s: %v, want an error", addr, ls)
		}
	}
}

// The file of a unix socket has the requested mode, whatever the umask.
func TestSocketMode(t *testing.T) {
	for _, mode := range []fs.FileMode{0, 0o600, 0o660, 0o666, 0o777} {
		file := filepath.Join(t.TempDir(), "s")
		l, err := newListening(&Options{SocketMode: mode}).Listen("unix:" + file)
		if err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(file)
		if err != nil {
			t.Fatal(err)
		}
		if mode != 0 && info.Mode().Perm() != mode || info.Mode()&fs.ModeSocket == 0 {
			t.Errorf("mode %v, want a socket with %v", info.Mode(), mode)
		}
		l.Close()
	}
}
