//go:build linux

package server_test

import (
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"
)

// A departure is a way for a client to disconnect.
type departure struct {
	name string
	do   func(*proofPeer)
}

var departures = []departure{
	{"FIN", func(c *proofPeer) { _ = c.Close() }},
	{"RST", func(c *proofPeer) { c.reset() }},
	{"half-close", func(c *proofPeer) { _ = c.CloseWrite() }},
}

// aim is how soon a quiet machine should forget a client, in the median; bound is the limit above
// which the test fails even on a busy one.
const (
	aim   = 10 * time.Millisecond
	bound = 250 * time.Millisecond
)

// TestDisconnectInEveryState: pains A1, A3, A7, A10, A11, E1, E2. The client disconnects in every
// state of a connection. The kernel's socket, the deadline, the buffers and the handler's context
// go with it.
func TestDisconnectInEveryState(t *testing.T) {
	p := serveProof(t, nil)
	body := callBody(1, "add", `{"A":1,"B":2}`, "")
	head := postHead("tools/call", "add", len(body))
	chunked := postHead("tools/call", "add", -1)
	add := head + body
	answered := func(first string) func(*proofPeer) {
		return func(c *proofPeer) {
			c.send(first)
			c.answer("tools/call")
		}
	}
	sent := func(s string) func(*proofPeer) { return func(c *proofPeer) { c.sendTaken(s) } }
	states := []struct {
		name    string
		bring   func(*proofPeer)
		handler bool // a handler's context must end
	}{
		{name: "before the first byte", bring: func(*proofPeer) {}},
		{name: "in the request line", bring: sent("POST /mc")},
		{name: "in the head", bring: sent(head[:len(head)/2])},
		{name: "in content with a length", bring: sent(head + body[:20])},
		{name: "before a chunk", bring: sent(chunked)},
		{name: "in a chunk size", bring: sent(chunked + "1")},
		{name: "in a chunk", bring: sent(chunked + "20\r\n" + body[:7])},
		{name: "in the trailer section", bring: sent(chunked + "1\r\n{\r\n0\r\nX: y\r\n")},
		{name: "between two requests", bring: answered(add)},
		{name: "in a second, pipelined request", bring: answered(add + add[:40])},
		{name: "after a refusal that lingers", bring: func(c *proofPeer) {
			c.send("BAD\r\n\r\n")
			c.answer("")
		}},
		{name: "in a call", handler: true, bring: func(c *proofPeer) {
			c.send(callRequest(1, "wait", "{}", ""))
			<-p.begun
		}},
		{name: "in a call, with a pipelined request", handler: true, bring: func(c *proofPeer) {
			c.sendTaken(callRequest(1, "wait", "{}", "") + add)
			<-p.begun
		}},
		{name: "in a call that has notified", handler: true, bring: func(c *proofPeer) {
			c.send(callRequest(1, "wait", "{}", withProgress))
			<-p.begun
			c.stream("tools/call").want("notifications/progress")
		}},
		{name: "on an idle listen stream", bring: func(c *proofPeer) {
			c.send(listenRequest(7))
			c.stream("subscriptions/listen").want("acknowledged")
		}},
	}
	rounds := 9
	if testing.Short() {
		rounds = 3
	}
	for _, d := range departures {
		var all []time.Duration
		for _, s := range states {
			var gone, ended []time.Duration
			for range rounds {
				c := p.dial()
				await(t, "the connection is served", func() bool { return p.Stats().Connections == 1 })
				s.bring(c)
				port := c.port()
				if n := p.sockets(port); n.Open() != 1 {
					t.Fatalf("%s: the kernel's sockets before the disconnect: %s", s.name, &n)
				}
				start := time.Now()
				d.do(c)
				gone = append(gone, p.untilGone(port, start))
				if s.handler {
					select {
					case e := <-p.ended:
						ended = append(ended, e.at.Sub(start))
						if e.cause == nil || !strings.Contains(e.cause.Error(), "client closed the connection") {
							t.Errorf("%s %s: cause %v, want that the client closed the connection", d.name, s.name, e.cause)
						}
					case <-time.After(patience):
						t.Fatalf("%s %s: the handler's context has not ended", d.name, s.name)
					}
				}
				_ = c.Close()
				await(t, "the connection is forgotten", func() bool { return p.Stats().Connections == 0 })
			}
			all = append(all, gone...)
			if m := median(gone); m > bound {
				t.Errorf("%s %s: socket gone after a median of %v, limit %v", d.name, s.name, m, bound)
			}
			if s.handler {
				if m := median(ended); m > bound {
					t.Errorf("%s %s: context ended after a median of %v, limit %v", d.name, s.name, m, bound)
				}
				t.Logf("%-10s %-42s socket gone in %8v, context ended in %8v (median)",
					d.name, s.name, median(gone).Round(time.Microsecond), median(ended).Round(time.Microsecond))
			} else {
				t.Logf("%-10s %-42s socket gone in %8v (median)", d.name, s.name, median(gone).Round(time.Microsecond))
			}
		}
		if m := median(all); m > aim {
			t.Logf("%s: median of %v over all states is above the aim of %v: a busy machine?", d.name, m, aim)
		}
		p.wantNothingLeft()
	}
	for reason, n := range p.Stats().Closes {
		if n > 0 && reason != "peer" && reason != "reset" && reason != "write_error" && reason != "refused" {
			t.Errorf("%d connections closed with reason %q", n, reason)
		}
	}
}

// untilGone returns how long after start the kernel no longer had a socket for the peer's port.
func (p *proofServer) untilGone(port int, start time.Time) time.Duration {
	p.t.Helper()
	for {
		c := p.sockets(port)
		if c.Open() == 0 {
			return time.Since(start)
		}
		if time.Since(start) > patience {
			p.t.Fatalf("the socket is still there: %s", &c)
		}
	}
}

func median(d []time.Duration) time.Duration {
	return percentile(d, 50)
}

func percentile(d []time.Duration, p int) time.Duration {
	if len(d) == 0 {
		return 0
	}
	s := slices.Clone(d)
	slices.Sort(s)
	return s[min(len(s)-1, len(s)*p/100)]
}

// TestHalfCloseIsAnswered: pain A7. Requests that are complete when the FIN arrives are answered,
// including pipelined ones, and then the connection is closed.
func TestHalfCloseIsAnswered(t *testing.T) {
	p := serveProof(t, nil)
	for _, n := range []int{1, 3} {
		c := p.dial()
		c.send(strings.Repeat(callRequest(1, "add", `{"A":1,"B":2}`, ""), n))
		if err := c.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		for range n {
			if a := c.answer("tools/call"); a.status != 200 || !strings.Contains(a.body, `"Sum":3`) {
				t.Errorf("got %d %s, want the answer to the request", a.status, a.body)
			}
		}
		if _, err := c.br.ReadByte(); !errors.Is(err, io.EOF) {
			t.Errorf("read after the answers: %v, want EOF", err)
		}
	}
	p.wantNothingLeft()
}

// TestCloseInTheMiddleOfEverySegment: pain A10. A conversation is cut by an RST after each of its
// bytes.
func TestCloseInTheMiddleOfEverySegment(t *testing.T) {
	p := serveProof(t, nil)
	body := callBody(1, "add", `{"A":1,"B":2}`, "")
	whole := postHead("tools/call", "add", -1) + "10\r\n" + body[:16] + "\r\n"
	whole += "FFF;x=y\r\n"
	for i := range len(whole) {
		c := p.dial()
		c.send(whole[:i])
		if i%2 == 0 {
			c.reset()
		} else {
			_ = c.Close()
		}
	}
	p.wantNothingLeft()
}
