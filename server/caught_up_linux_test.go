package server

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/mcp"
)

// What is held back for a slow peer continues once the peer has read everything, without a tick:
// the loop of this test gets none.
func TestCaughtUpWithoutTicks(t *testing.T) {
	const big = 1 << 20
	for name, tt := range map[string]struct {
		request string
		begin   func(*conn)
		want    string // the end of what the peer reads
		end     bool   // whether a FIN follows
	}{
		"a linger": {
			request: addCall(1, 2).with("Connection: close\r\n").String(), end: true,
			begin: func(c *conn) {},
			want:  "}",
		},
		"a request that was choked": {
			request: addCall(1, 2).String() + getHealth,
			begin:   func(c *conn) {},
			want:    "ok\n",
		},
		"a stream that missed a notice": {
			request: listenTo("1", everything).String(),
			begin: func(c *conn) {
				c.write(bytes.Repeat([]byte(":"), big))
				c.dirty |= mcp.TopicTools
				c.arm(c.loop.now + c.loop.retry)
			},
			want: "list_changed",
		},
	} {
		t.Run(name, func(t *testing.T) {
			l, nc := dialWithoutTicks(t)
			mcp.AddInlineTool(l.srv.main.mcp, &mcp.Tool{Name: "add"}, func(*mcp.CallToolRequest, addIn) (map[string]string, error) {
				return map[string]string{"text": strings.Repeat("x", big)}, nil
			})
			if _, err := nc.Write([]byte(tt.request)); err != nil {
				t.Fatal(err)
			}
			for waiting := 0; waiting == 0; {
				l.onOnly(func(c *conn) {
					if waiting = c.sk.OutboundBuffered(); waiting == 0 && c.state == connStateStream {
						tt.begin(c)
					}
				})
			}
			var got []byte
			buf := make([]byte, 64<<10)
			for limit := time.Now().Add(10 * time.Second); ; {
				_ = nc.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
				n, err := nc.Read(buf)
				switch {
				case n > 0:
					got = append(got, buf[:n]...)
					continue
				case err == io.EOF:
					if !tt.end || !bytes.HasSuffix(got, []byte(tt.want)) {
						t.Errorf("the connection ended after %q", got[max(0, len(got)-80):])
					}
					return
				case !errors.Is(err, os.ErrDeadlineExceeded):
					t.Fatal(err)
				}
				if !tt.end && len(got) > big && bytes.Contains(got[max(0, len(got)-1000):], []byte(tt.want)) {
					return
				}
				if time.Now().After(limit) {
					t.Fatalf("nothing more arrives after %d bytes, which end with %q", len(got), got[max(0, len(got)-80):])
				}
			}
		})
	}
}

// dialWithoutTicks returns a loop that gets no ticks, and a connection to it.
func dialWithoutTicks(t *testing.T) (*loop, net.Conn) {
	t.Helper()
	s := New(mcp.NewServer(&mcp.Implementation{Name: "test", Version: "1"}, nil), &Options{Loops: 1, Engine: EngineEpoll})
	if err := s.startEngine(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.engine.Stop)
	if err := s.openAccepting(); err != nil {
		t.Fatal(err)
	}
	s.up.Store(true)
	// A unix socket has small buffers, so that some of a large response waits.
	nl, err := s.Listen("unix:" + filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	a, err := s.engine.NewAcceptor(nl)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	nc, err := net.Dial("unix", nl.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = nc.Close() })
	for n := 0; n == 0; {
		if n, err = a.Accept(); err != nil {
			t.Fatal(err)
		}
	}
	return s.loops[0], nc
}

// onOnly runs f on the loop with its only connection, if that is open yet, and returns when f has
// returned.
func (l *loop) onOnly(f func(*conn)) {
	done := make(chan struct{})
	l.execute(func() {
		defer close(done)
		for _, c := range l.slots {
			if c != nil {
				f(c)
			}
		}
	})
	<-done
}
