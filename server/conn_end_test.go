package server

import (
	"strings"
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/mcp"
)

// TestEnds checks how connections end after a response.
func TestEnds(t *testing.T) {
	for _, c := range []struct {
		name, in string
	}{
		{"Connection: close", addCall(1, 2).with("Connection: close\r\n").String()},
		{"Connection: close among others", addCall(1, 2).with("Connection: keep-alive, Close\r\n").String()},
		{"HTTP/1.0", addCall(1, 2).http10().String()},
		{"HTTP/1.0 that asks for keep-alive", addCall(1, 2).http10().with("Connection: keep-alive\r\n").String()},
		{"after a worker's call", callTool("echo", `{"text":"x"}`).with("Connection: close\r\n").String()},
		{"with a pipelined request that is not served", addCall(1, 2).with("Connection: close\r\n").String() + addCall(3, 4).String()},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, nil)
			p := r.connect()
			p.send(c.in)
			r.await("an answer", func() bool { return len(p.got) > 0 })
			p.wantCode(c.name, 200, 0).wantField(c.name, "Connection", "close")
			p.wantNothing("after the response")
			p.wantClosed(c.name, closeDone)
			if p.reset {
				t.Error("closed with an RST")
			}
		})
	}
}

// TestSlowEnd checks that the socket is closed soon after the last byte of the response is sent,
// but not before.
func TestSlowEnd(t *testing.T) {
	r := newRig(t, nil)
	p := r.connect()
	p.slow(100)
	p.send(addCall(1, 2).with("Connection: close\r\n").String())
	r.pass(20 * time.Second)
	p.wantOpen("while bytes are unsent")
	p.catchUp()
	r.pass(retryTime + tickUnit)
	p.wantCode("the whole answer", 200, 0)
	p.wantClosed("when all bytes are sent", closeDone)
}

// TestRefusals checks that a refused request gets a response with Connection: close and a FIN,
// and that the socket is closed when the peer has closed, has sent more than 64 KiB, or after two
// seconds.
func TestRefusals(t *testing.T) {
	long := strings.Repeat("x", 20_000)
	head := "POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nAccept: */*\r\n"
	type refusal struct {
		name, in string
		status   int
		reason   closeReason
	}
	cases := []refusal{
		{"both framings", head + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 400, closeRefused},
		{"a coding that is not supported", head + "Transfer-Encoding: gzip, chunked\r\n\r\n", 501, closeRefused},
		{"no Host", "POST /mcp HTTP/1.1\r\n\r\n", 400, closeRefused},
		{"two Hosts", head + "Host: localhost\r\n\r\n", 400, closeRefused},
		{"an unknown method", "FLY /mcp HTTP/1.1\r\nHost: localhost\r\n\r\n", 501, closeRefused},
		{"CONNECT", "CONNECT localhost:80 HTTP/1.1\r\nHost: localhost:80\r\n\r\n", 405, closeRefused},
		{"HTTP/2.0", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, closeRefused},
		{"a long request line", "GET /" + long + " HTTP/1.1\r\n\r\n", 414, closeRefused},
		{"a long head", head + "X: " + long + "\r\n\r\n", 431, closeRefused},
		{"many fields", head + strings.Repeat("X: y\r\n", 100) + "\r\n", 431, closeRefused},
		{"content announced as too long", head + "Content-Length: 4194305\r\n\r\n", 413, closeRefused},
		{"content announced as too long, with Expect: 100-continue",
			head + "Content-Length: 4194305\r\nExpect: 100-continue\r\n\r\n", 413, closeRefused},
		{"another expectation", head + "Content-Length: 1\r\nExpect: fire\r\n\r\n", 417, closeRefused},
		{"a bad chunk", head + "Transfer-Encoding: chunked\r\n\r\n1\r\nxx\r\n", 400, closeRefused},
		{"a bad trailer field", head + "Transfer-Encoding: chunked\r\n\r\n0\r\nContent-Length: 1\r\n\r\n", 400, closeRefused},
		// Valid HTTP that the endpoint refuses before the content has arrived.
		{"415 before its content", "POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n", 415, closeDone},
		{"403 within its content", head + "Origin: http://evil.example\r\nContent-Length: 9\r\n\r\n{", 403, closeDone},
		{"404 and no 100", "POST /else HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n", 404, closeDone},
		{"health check with content to come", "GET /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n", 200, closeDone},
	}
	refused := func(t *testing.T, c refusal) (*rig, *fakePeer) {
		r := newRig(t, nil)
		p := r.connect()
		p.send(c.in)
		res := p.wantResponse(c.name, c.status)
		res.wantField(c.name, "Connection", "close")
		if c.status != 200 {
			code := -32600
			if c.status >= 500 {
				code = -32603
			}
			p.wantCodeIn(c.name, res.body, code)
		}
		p.wantNothing("after the refusal")
		p.wantLinger(c.name)
		return r, p
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, p := refused(t, c)
			p.send(addCall(1, 2).String())
			p.wantNothing("nothing more must be parsed")
			p.fin()
			p.wantClosed("after the peer's FIN", c.reason)

			r, p := refused(t, c)
			r.pass(lingerTime - tickUnit)
			p.wantLinger("before the time limit")
			r.pass(2 * tickUnit)
			p.wantClosed("after the time limit", c.reason)

			_, p = refused(t, c)
			p.send(strings.Repeat("x", lingerBytes-len(c.in)))
			p.wantLinger("at the byte limit")
			p.send(strings.Repeat("x", len(c.in)+1))
			p.wantClosed("beyond the byte limit", c.reason)
			if p.reset {
				t.Error("closed with an RST")
			}
		})
	}
	t.Run("a refusal in the middle of more than 64 KiB is still sent", func(t *testing.T) {
		r := newRig(t, &Options{MaxHead: 64 << 10})
		p := r.connect()
		p.send(head + "X: " + strings.Repeat("x", 40_000))
		p.send(strings.Repeat("x", 10_000) + "\r\nBad field: \r\n" + strings.Repeat("x", 55_000))
		p.wantResponse("the refusal", 400)
	})
}

// TestContinue checks that a client that waits for a 100 gets it once its head is accepted, and
// gets none if part of the content has already arrived.
func TestContinue(t *testing.T) {
	r := newRig(t, nil)
	for _, c := range []struct {
		name string
		q    request
		rest bool // a byte of the content arrives with the head
		want string
	}{
		{"waiting", addCall(1, 2).with("Expect: 100-continue\r\n"), false, "HTTP/1.1 100 Continue\r\n\r\n"},
		{"in other letter case", addCall(1, 2).with("expect: 100-Continue\r\n"), false, "HTTP/1.1 100 Continue\r\n\r\n"},
		{"not waiting", addCall(1, 2).with("Expect: 100-continue\r\n"), true, ""},
		{"HTTP/1.0", addCall(1, 2).http10().with("Expect: 100-continue\r\n"), false, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := r.connect()
			in := c.q.String()
			at := strings.Index(in, "\r\n\r\n") + 4
			if c.rest {
				at++
			}
			p.send(in[:at])
			p.wantBytes("before the content", c.want)
			if p.c.state != connStateBody {
				t.Errorf("state %v, want body", p.c.state)
			}
			p.send(in[at:])
			p.wantCode("after the content", 200, 0)
		})
	}
}

// TestPeerGoes checks, in each state, that everything a connection holds is released when its
// peer disconnects.
func TestPeerGoes(t *testing.T) {
	whole := addCall(1, 2).String()
	for _, c := range []struct {
		name, in string
		state    connState
		call     bool
	}{
		{"before the first byte", "", connStateIdle, false},
		{"between two requests", whole, connStateIdle, false},
		{"in a head", whole[:50], connStateHead, false},
		{"in content", whole[:len(whole)-5], connStateBody, false},
		{"in a call", callTool("wait", `{}`).String(), connStateCall, true},
		{"in a call, with a pipelined request", callTool("wait", `{}`).String() + whole, connStateCall, true},
		{"on a stream", listenTo("1", everything).String(), connStateStream, false},
		{"on a stream, with further bytes", listenTo("1", everything).String() + "x", connStateStream, false},
		{"in state linger", "BAD\r\n\r\n", connStateLinger, false},
	} {
		for name, do := range map[string]func(*fakePeer){"FIN": (*fakePeer).fin, "RST": (*fakePeer).rst} {
			t.Run(c.name+", "+name, func(t *testing.T) {
				r := newRig(t, nil)
				p := r.connect()
				p.send(c.in)
				if p.c.state != c.state {
					t.Fatalf("state %v, want %v", p.c.state, c.state)
				}
				do(p)
				want := closePeer
				if name == "RST" {
					want = closeReset
				}
				if c.state == connStateLinger {
					want = closeRefused
				}
				p.wantClosed(c.name, want)
				if p.c.x != nil || p.c.uris != nil || p.c.id != "" || len(r.l.stalls.clocks) > 0 || len(r.l.main.streams.byURI) > 0 {
					t.Error("the connection still holds an exchange, a stream, a stall clock or a subscription")
				}
				if c.call {
					if err := <-r.causes; err != errClientGone {
						t.Errorf("the context ended because of %v, want errClientGone", err)
					}
					r.await("the job is back", func() bool { return len(r.l.jobs) == 1 })
					if n := r.l.m.requests[mcp.MethodCallTool][outcomeCancelled].Load(); n != 1 {
						t.Errorf("%d cancelled calls counted, want 1", n)
					}
				}
			})
		}
	}
}
