//go:build linux

package server_test

import (
	"net"
	"strings"
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/server"
)

// TestHandlersThatFail: pain E1. A handler that panics, or ends its goroutine, fails one call
// with -32603. Its connection and all others stay open, and the call is not counted as in
// flight.
func TestHandlersThatFail(t *testing.T) {
	p := serveProof(t, nil)
	other := p.listen(1)
	c := p.dial()
	for range 20 {
		for _, tool := range []string{"panic", "panicInline", "exit"} {
			c.send(callRequest(3, tool, "{}", ""))
			if a := c.answer("tools/call"); a.status != 200 || !strings.Contains(a.body, "-32603") || !strings.Contains(a.body, `"id":3`) {
				t.Fatalf("%s: %d %s", tool, a.status, a.body)
			}
			c.add(1, 2)
		}
	}
	await(t, "no call is in flight", func() bool { return p.Stats().CallsInFlight == 0 })
	p.toggle()
	other.want("list_changed")
	if st := p.Stats(); st.Panics != 0 {
		t.Errorf("%d panics reached the loops, want none", st.Panics)
	}
	c.Close()
	other.Close()
	p.wantNothingLeft()
}

// TestStubbornHandler: pain E2. A handler that ignores its context keeps a goroutine and counts
// against MaxCalls, but holds up neither its connection nor the loop.
func TestStubbornHandler(t *testing.T) {
	p := serveProof(t, &server.Options{MaxCalls: 2, CallTimeout: 300 * time.Millisecond})
	gone := p.dial()
	gone.send(callRequest(1, "stubborn", "{}", ""))
	<-p.begun
	port := gone.port()
	gone.Close()
	p.untilGone(port, time.Now())

	stays := p.dial()
	stays.send(callRequest(2, "stubborn", "{}", ""))
	<-p.begun
	if a := stays.answer("tools/call"); a.status != 200 || !strings.Contains(a.body, "-32603") || !strings.Contains(a.body, "limit") {
		t.Errorf("after CallTimeout: %d %s", a.status, a.body)
	}
	stays.add(1, 2)
	stays.send(callRequest(3, "wait", "{}", ""))
	if a := stays.answer("tools/call"); a.status != 503 || a.header.Get("Retry-After") == "" || !strings.Contains(a.body, "-32603") {
		t.Errorf("above MaxCalls: %d %v %s", a.status, a.header, a.body)
	}
	p.release()
	await(t, "the slots are free", func() bool { return p.Stats().CallsInFlight == 0 })
	stays.send(callRequest(4, "big", `{"Bytes":1,"Count":0,"PauseMs":0}`, ""))
	if a := stays.answer("tools/call"); a.status != 200 || !strings.Contains(a.body, `"text":"x"`) {
		t.Errorf("after the slots became free: %d %s", a.status, a.body)
	}
	stays.Close()
	p.wantNothingLeft()
}

// TestSlowloris: pains A10, D10. 200 clients that send a byte now and then do not slow down
// others. At HeadTimeout or BodyTimeout they get 408 and are disconnected.
func TestSlowloris(t *testing.T) {
	p := serveProof(t, &server.Options{HeadTimeout: 1500 * time.Millisecond, BodyTimeout: 1500 * time.Millisecond})
	body := callBody(1, "add", `{"A":1,"B":2}`, "")
	slow := make([]*proofPeer, 200)
	for i := range slow {
		slow[i] = p.dial()
		if i%2 == 0 {
			slow[i].send("POST /mcp HTTP/1.1\r\nX: ")
		} else {
			slow[i].send(postHead("tools/call", "add", len(body)))
		}
	}
	quick := p.dial()
	var took []time.Duration
	for end := time.Now().Add(time.Second); time.Now().Before(end); {
		for i, c := range slow {
			if i%2 == 0 || len(took) < len(body)/2 { // the content must stay incomplete
				c.send(" ")
			}
		}
		start := time.Now()
		quick.add(1, 2)
		took = append(took, time.Since(start))
	}
	p99 := percentile(took, 99)
	t.Logf("a quick client among 200 slow ones: p99 %v, worst %v of %d", p99, percentile(took, 100), len(took))
	if p99 > time.Second {
		t.Errorf("p99 %v, want at most 1s", p99)
	}
	quick.Close()
	for i, c := range slow {
		if a, err := c.tryAnswer(""); err != nil || a.status != 408 || !a.close {
			t.Fatalf("slow client %d: status %d, %v; want 408 and the end", i, a.status, err)
		}
		c.Close()
	}
	p.wantNothingLeft()
	if st := p.Stats(); st.Closes["head_timeout"] != 100 || st.Closes["body_timeout"] != 100 {
		t.Errorf("closes: %v, want 100 each for head_timeout and body_timeout", st.Closes)
	}
}

// TestGarbage: pain A10. A connection that sends bytes of another protocol is always closed.
func TestGarbage(t *testing.T) {
	p := serveProof(t, nil)
	for _, garbage := range []string{
		"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
		"\x00\x00\x00\x00\r\n\r\n",
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
		"\r\n\r\n\r\n\r\nGET",
		strings.Repeat("A", 100_000),
		"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
	} {
		c := p.dial()
		_, _ = c.Write([]byte(garbage))
		_ = c.CloseWrite()
		_ = c.SetReadDeadline(time.Now().Add(patience))
		var buf [4096]byte
		for {
			if _, err := c.Read(buf[:]); err != nil {
				if ne, ok := err.(net.Error); ok && ne.Timeout() {
					t.Errorf("%.20q: the connection stays open", garbage)
				}
				break
			}
		}
		c.Close()
	}
	p.wantNothingLeft()
}
