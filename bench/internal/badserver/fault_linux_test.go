package badserver

import (
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mooring-mcp/mooring/bench/dialect"
	"github.com/mooring-mcp/mooring/bench/observe"
)

// sockets returns a function that counts the server's sockets.
func sockets(t *testing.T, url string) func() observe.States {
	t.Helper()
	addr, _, _ := strings.Cut(strings.TrimPrefix(url, "http://"), "/")
	s, err := observe.OpenSockets(netip.MustParseAddrPort(addr).Port())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return func() observe.States {
		t.Helper()
		c, err := s.Count()
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
}

func TestLeakCloseWait(t *testing.T) {
	both(t, LeakCloseWait, func(t *testing.T, bad bool, list ...Fault) {
		p := StartProcess(t, list...)
		target := ask(t, p.URL, dialect.Modern)
		count := sockets(t, p.URL)
		left := count().CloseWait // left over from Ask
		const n = 10
		for range n {
			c, stream := dial(t, p.URL), dial(t, p.URL)
			c.do("discover", 200, target.AppendDiscover(nil, 1))
			stream.stream(target, nil)
			c.c.Close()
			stream.c.Close()
		}
		want := 0
		if bad {
			want = left + 2*n
		}
		var got observe.States
		for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
			if got = count(); got.CloseWait == want && got.Established == 0 {
				break
			}
		}
		time.Sleep(100 * time.Millisecond)
		if got = count(); got.CloseWait != want || got.Open() != want {
			t.Errorf("%+v, want %d in CLOSE-WAIT", got, want)
		}
	})
}

// mute makes the kernel drop everything that arrives for the connection before TCP sees it: nothing
// is acknowledged any more, as if the peer's machine had vanished.
func mute(t *testing.T, c *net.TCPConn) {
	t.Helper()
	raw, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	drop := []unix.SockFilter{{Code: unix.BPF_RET | unix.BPF_K, K: 0}}
	if cerr := raw.Control(func(fd uintptr) {
		err = unix.SetsockoptSockFprog(int(fd), unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: 1, Filter: &drop[0]})
	}); cerr != nil || err != nil {
		t.Fatal(cerr, err)
	}
}

func TestKeepDeadPeers(t *testing.T) {
	both(t, KeepDeadPeers, func(t *testing.T, bad bool, list ...Fault) {
		p := StartProcess(t, list...)
		target := ask(t, p.URL, dialect.Modern)
		count := sockets(t, p.URL)
		const n = 5
		for range n {
			c := dial(t, p.URL)
			c.stream(target, nil)
			mute(t, c.c)
		}
		if got := count(); got.Established != n {
			t.Fatalf("%+v, want %d in ESTABLISHED", got, n)
		}
		patience := 30 * time.Second
		if bad {
			patience = 10 * time.Second // twice what the correct server takes
		}
		began := time.Now()
		var got observe.States
		for time.Since(began) < patience {
			if got = count(); got.Open() == 0 {
				break
			}
			time.Sleep(20 * time.Millisecond)
		}
		if bad && got.Established != n || !bad && got.Open() != 0 {
			t.Errorf("after %s: %+v", time.Since(began), got)
		}
		t.Logf("after %s: %+v", time.Since(began).Round(time.Millisecond), got)
	})
}
