//go:build linux

package sockdiag

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"
)

func TestReaderFollowsAConnection(t *testing.T) {
	for _, addr := range []string{"127.0.0.1:0", "[::1]:0"} {
		l, err := net.Listen("tcp", addr)
		if err != nil {
			t.Logf("%s: %v", addr, err)
			continue
		}
		defer l.Close()
		r, err := NewReader()
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		local := l.Addr().(*net.TCPAddr).Port
		client, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		served, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		remote := client.LocalAddr().(*net.TCPAddr).Port
		want := func(why string, remote int, state State, n int) {
			t.Helper()
			var c Counts
			for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
				if c, err = r.Count(local, remote); err != nil {
					t.Fatal(err)
				}
				if c[state] == n {
					return
				}
			}
			t.Fatalf("%s %s: %s, want %s=%d", addr, why, &c, state, n)
		}
		want("listening", 0, Listen, 1)
		want("connected", 0, Established, 1)
		want("connected, by the peer's port", remote, Established, 1)
		if c, err := r.Count(local, 1); err != nil || c.Open() != 0 {
			t.Errorf("%s: sockets of another peer: %s, %v", addr, &c, err)
		}
		client.Close()
		want("after the peer's FIN", remote, CloseWait, 1)
		served.Close()
		want("closed", remote, CloseWait, 0)
		want("closed", remote, LastAck, 0)
		if c, err := r.Count(local, 0); err != nil || c.Open() != 0 {
			t.Errorf("%s: sockets at the end: %s, %v", addr, &c, err)
		}
	}
}

func TestCountsString(t *testing.T) {
	var c Counts
	if got := c.String(); got != "none" {
		t.Errorf("empty: %q", got)
	}
	c[CloseWait], c[TimeWait], c[Listen] = 2, 5, 1
	if got, want := c.String(), "TIME-WAIT=5 CLOSE-WAIT=2 LISTEN=1"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := c.Open(); got != 2 {
		t.Errorf("Open() = %d, want 2", got)
	}
	if got := State(99).String(); got != "state 99" {
		t.Errorf("unknown state: %q", got)
	}
}

func TestCountWithout(t *testing.T) {
	// The second one is an IPv6 socket with IPv4 peers.
	for _, network := range []string{"tcp4", "tcp"} {
		l, err := net.Listen(network, ":0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		r, err := NewReader()
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		port := l.Addr().(*net.TCPAddr).Port
		for _, from := range []string{"127.0.0.2", "127.0.0.3", "127.0.0.3", "127.0.0.4"} {
			d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
			c, err := d.DialContext(t.Context(), "tcp4", fmt.Sprintf("127.0.0.1:%d", port))
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
		}
		for _, tt := range []struct {
			without string
			n       int
		}{{"", 4}, {"127.0.0.3", 2}, {"127.0.0.2 127.0.0.4", 2}, {"127.0.0.5", 4}, {"127.0.0.2 127.0.0.3 127.0.0.4", 0}} {
			var peers []netip.Addr
			for _, a := range strings.Fields(tt.without) {
				peers = append(peers, netip.MustParseAddr(a))
			}
			var c Counts
			// The last part of a handshake may be pending.
			for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
				if c, err = r.CountWithout(port, peers); err != nil {
					t.Fatal(err)
				}
				if c[Established] == tt.n {
					break
				}
			}
			if c[Established] != tt.n || c[Listen] != 1 {
				t.Errorf("%s without %q: %s, want %d", network, tt.without, &c, tt.n)
			}
		}
	}
}
