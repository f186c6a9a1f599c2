package server

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

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
			p := startPoller(t)
			mcp.AddInlineTool(p.srv.mcp, &mcp.Tool{Name: "add"}, func(*mcp.CallToolRequest, addIn) (map[string]string, error) {
				return map[string]string{"text": strings.Repeat("x", big)}, nil
			})
			p.srv.up.Store(true)
			s, fd := addPair(t, p)
			defer unix.Close(fd)
			if _, err := unix.Write(fd, []byte(tt.request)); err != nil {
				t.Fatal(err)
			}
			for waiting := 0; waiting == 0; {
				p.on(func() { waiting = s.OutboundBuffered() })
				if waiting == 0 {
					p.on(func() {
						if s.conn.state == connStateStream {
							tt.begin(s.conn)
						}
					})
				}
			}
			var got []byte
			buf := make([]byte, 64<<10)
			for limit := time.Now().Add(10 * time.Second); ; {
				n, err := unix.Read(fd, buf)
				switch {
				case n > 0:
					got = append(got, buf[:n]...)
					continue
				case n == 0 && err == nil:
					if !tt.end || !bytes.HasSuffix(got, []byte(tt.want)) {
						t.Errorf("the connection ended after %q", got[max(0, len(got)-80):])
					}
					return
				case err != unix.EAGAIN:
					t.Fatal(err)
				}
				if !tt.end && len(got) > big && bytes.Contains(got[max(0, len(got)-1000):], []byte(tt.want)) {
					return
				}
				if time.Now().After(limit) {
					t.Fatalf("nothing more arrives after %d bytes, which end with %q", len(got), got[max(0, len(got)-80):])
				}
				time.Sleep(time.Millisecond)
			}
		})
	}
}
