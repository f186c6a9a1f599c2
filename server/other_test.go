//go:build linux

package server_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/mcp"
	"github.com/mooring-mcp/mooring/server"
)

// talks are what clients send to a server with Options.Other, and how it answers.
var talks = []struct {
	name, in string
	want     func(*proofPeer)
}{
	{"GET", getRequest("/echo?a=b"), func(c *proofPeer) { c.wantEcho("GET", "/echo?a=b", "") }},
	{"its own health check", getRequest("/healthz"), func(c *proofPeer) {
		if a := c.answer(""); a.body != "mine\n" {
			c.t.Errorf("got %q", a.body)
		}
	}},
	{"content", "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello", func(c *proofPeer) { c.wantEcho("POST", "/echo", "hello") }},
	{"chunks", "PUT /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", func(c *proofPeer) { c.wantEcho("PUT", "/echo", "hello") }},
	{"absolute-form", "PATCH http://x/echo HTTP/1.1\r\nHost: x\r\n\r\n", func(c *proofPeer) { c.wantEcho("PATCH", "http://x/echo", "") }},
	{"HTTP/1.0", "GET /echo HTTP/1.0\r\n\r\n", func(c *proofPeer) { c.wantEcho("GET", "/echo", ""); c.wantEOF() }},
	{"leading CRLF", "\r\nDELETE /echo HTTP/1.1\r\nHost: x\r\n\r\n", func(c *proofPeer) { c.wantEcho("DELETE", "/echo", "") }},
	{"HEAD", "HEAD /echo HTTP/1.1\r\nHost: x\r\n\r\n" + getRequest("/echo"), func(c *proofPeer) {
		resp, err := http.ReadResponse(c.br, &http.Request{Method: "HEAD"})
		if err != nil || resp.StatusCode != 200 || resp.ContentLength <= 0 {
			c.t.Fatalf("got %v, %v", resp, err)
		}
		c.wantEcho("GET", "/echo", "")
	}},
	{"no such path", getRequest("/x"), func(c *proofPeer) {
		if a := c.answer(""); a.status != 404 || !strings.Contains(a.body, "404 page not found") {
			c.t.Errorf("got %d %q", a.status, a.body)
		}
	}},
	{"OPTIONS *", "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n" + getRequest("/echo"), func(c *proofPeer) {
		if a := c.answer(""); a.status != 204 {
			c.t.Errorf("got %d", a.status)
		}
		c.wantEcho("GET", "/echo", "")
	}},
	{"a call, and back to it", addOne + getRequest("/echo") + addOne + addOne + getRequest("/echo"), func(c *proofPeer) {
		c.wantSum()
		c.wantEcho("GET", "/echo", "")
		c.wantSum()
		c.wantSum()
		c.wantEcho("GET", "/echo", "")
	}},
	{"a percent-encoded path is another path", getRequest("/%6dcp"), func(c *proofPeer) {
		if a := c.answer(""); a.status != 404 || !strings.Contains(a.body, "404 page not found") {
			c.t.Errorf("got %d %q", a.status, a.body)
		}
	}},
	{"content that nobody reads", "POST /ignore HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello" + getRequest("/echo"), func(c *proofPeer) {
		if a := c.answer(""); a.body != "ignored" {
			c.t.Errorf("got %q", a.body)
		}
		c.wantEcho("GET", "/echo", "")
	}},
	{"an unknown method", "BREW /echo HTTP/1.1\r\nHost: x\r\n\r\n", func(c *proofPeer) {
		if a := c.answer(""); a.status != 501 {
			c.t.Errorf("got %d", a.status)
		}
	}},
}

// Requests for other paths are served by Options.Other, from their first byte to their last, and
// those around them by the endpoint.
func TestOther(t *testing.T) {
	p := serveOther(t, server.Options{})
	for _, talk := range talks {
		t.Run(talk.name, func(t *testing.T) {
			c := p.dial()
			c.t = t
			c.send(talk.in)
			talk.want(c)
		})
	}
	for _, c := range []string{"returned", "panic"} {
		if n := p.Stats().Closes[c]; n > 0 {
			t.Errorf("%d connections closed with reason %q", n, c)
		}
	}
}

// The answers do not depend on how the bytes arrive.
func TestOtherCut(t *testing.T) {
	p := serveOther(t, server.Options{})
	for _, talk := range talks {
		t.Run(talk.name, func(t *testing.T) {
			step := 1
			if testing.Short() {
				step = 13
			}
			for i := 1; i < len(talk.in); i += step {
				c := p.dial()
				c.t = t
				before := p.Stats().BytesIn
				c.send(talk.in[:i])
				// What a loop has read it has read; of net/http nothing shows.
				for range 20 {
					if p.Stats().BytesIn >= before+uint64(i) {
						break
					}
					time.Sleep(50 * time.Microsecond)
				}
				c.send(talk.in[i:])
				talk.want(c)
				_ = c.Close()
			}
		})
	}
	p.wantNothingLeft()
}

// A client that waits for a 100 gets it when the handler reads.
func TestOtherExpect(t *testing.T) {
	p := serveOther(t, server.Options{})
	c := p.dial()
	c.send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
	if a := c.answer(""); a.status != 100 {
		t.Fatalf("got %d", a.status)
	}
	c.send("hello")
	c.wantEcho("POST", "/echo", "hello")
	c.send("POST /ignore HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
	if a := c.answer(""); a.status != 200 {
		t.Fatalf("got %d", a.status)
	}
}

// A request waits until its client has read the responses before it.
func TestOtherAfterSlowResponse(t *testing.T) {
	p := serveOther(t, server.Options{})
	c := p.dial()
	const size = 7 << 20
	c.send(callRequest(1, "big", fmt.Sprintf(`{"Bytes":%d,"Count":0,"PauseMs":0}`, size), "") + getRequest("/echo"))
	time.Sleep(300 * time.Millisecond)
	if n := p.Stats().Closes["other"]; n != 1 { // the first check
		t.Errorf("%d connections were handed over", n)
	}
	if a := c.answer("tools/call"); len(a.body) < size {
		t.Fatalf("got %d bytes", len(a.body))
	}
	c.wantEcho("GET", "/echo", "")
}

// On a connection that net/http has, calls and streams of the endpoint move to the loops and come
// back. Each connection counts once.
func TestOtherMoves(t *testing.T) {
	p := serveOther(t, server.Options{MaxConnections: 1})
	c := p.dial()
	for range 3 {
		c.send(getRequest("/echo"))
		c.wantEcho("GET", "/echo", "")
		c.send(callRequest(1, "flood", `{"Bytes":10,"Count":2,"PauseMs":100}`, withProgress))
		s := c.stream("tools/call")
		s.want("progress")
		s.want("progress")
		s.want("done")
		if _, err := s.next(); err != io.EOF {
			t.Fatalf("the stream ends with %v", err)
		}
		c.send(getRequest("/echo"))
		c.wantEcho("GET", "/echo", "")
		if n := p.Stats().Connections; n != 1 {
			t.Fatalf("%d connections are counted, want 1", n)
		}
	}
	if n := p.Stats().Closes["returned"]; n != 3 {
		t.Errorf("%d connections returned, want 3", n)
	}
	c.send(listenRequest(7))
	c.stream("subscriptions/listen").want("acknowledged")
	_ = c.Close()
	p.wantNothingLeft()
}

// Connections that net/http has count against MaxConnections until they are closed.
func TestOtherMaxConnections(t *testing.T) {
	p := serveOther(t, server.Options{MaxConnections: 3})
	var cs []*proofPeer
	for range 3 {
		c := p.dial()
		c.send(getRequest("/echo"))
		c.wantEcho("GET", "/echo", "")
		cs = append(cs, c)
	}
	if n := p.Stats().Connections; n != 3 {
		t.Errorf("%d connections are counted", n)
	}
	if a := p.dial().answer(""); a.status != 503 {
		t.Errorf("one more got %d", a.status)
	}
	_ = cs[0].Close()
	await(t, "there is room", func() bool { return p.Stats().Connections == 2 })
	c := p.dial()
	c.send(getRequest("/echo"))
	c.wantEcho("GET", "/echo", "")
}

// The time limits of connections hold on net/http too.
func TestOtherTimeouts(t *testing.T) {
	const soon = 150 * time.Millisecond
	t.Run("IdleTimeout", func(t *testing.T) {
		p := serveOther(t, server.Options{IdleTimeout: soon})
		c := p.dial()
		c.send(getRequest("/echo"))
		c.wantEcho("GET", "/echo", "")
		c.wantEOF()
	})
	t.Run("HeadTimeout", func(t *testing.T) {
		p := serveOther(t, server.Options{HeadTimeout: soon})
		for _, first := range []string{"", getRequest("/healthz")} {
			c := p.dial()
			c.send(first + getRequest("/echo")[:10])
			if first != "" {
				c.answer("")
			} else if a := c.answer(""); a.status != 408 {
				t.Errorf("got %d", a.status)
			}
			if _, err := io.Copy(io.Discard, c.br); err != nil { // net/http answers with 400
				t.Error(err)
			}
		}
	})
	t.Run("BodyTimeout", func(t *testing.T) {
		p := serveOther(t, server.Options{BodyTimeout: 2 * soon})
		c := p.dial()
		c.send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n")
		for _, b := range "hell" { // longer than the limit in all
			time.Sleep(soon)
			c.send(string(b))
		}
		if a := c.answer(""); a.status != http.StatusTeapot || !strings.Contains(a.body, "timeout") {
			t.Errorf("got %d %q", a.status, a.body)
		}
		c = p.dial()
		c.send("POST /ignore HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n")
		if a := c.answer(""); a.body != "ignored" {
			t.Errorf("got %q", a.body)
		}
		_, _ = io.Copy(io.Discard, c.br)
		c = p.dial()
		// Nothing is read: the time is the handler's.
		c.send("POST /wait HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx")
		time.Sleep(3 * soon)
		p.free <- struct{}{}
		if a := c.answer(""); a.body != "waited" {
			t.Errorf("got %q", a.body)
		}
	})
	t.Run("WriteTimeout", func(t *testing.T) {
		p := serveOther(t, server.Options{WriteTimeout: soon})
		c := p.dial()
		c.send(getRequest(fmt.Sprintf("/big?n=%d", 64<<20)))
		await(t, "the client that reads nothing is disconnected", func() bool { return p.Stats().Connections == 0 })
	})
}

// Shutdown closes idle connections that net/http has, and waits for requests.
func TestOtherShutdown(t *testing.T) {
	p := serveOther(t, server.Options{DrainTimeout: 5 * time.Second})
	idle, busy, half := p.dial(), p.dial(), p.dial()
	idle.send(getRequest("/echo"))
	idle.wantEcho("GET", "/echo", "")
	busy.send(getRequest("/wait"))
	<-p.begun
	half.sendTaken(getRequest("/echo")[:10])
	done := make(chan error, 1)
	go func() { done <- p.Shutdown(context.Background()) }()
	idle.wantEOF()
	half.send(getRequest("/echo")[10:])
	if a := half.answer(""); a.status != 503 || !a.close {
		t.Errorf("a request that comes to its end during the drain got %d", a.status)
	}
	_ = half.Close()
	select {
	case err := <-done:
		t.Fatalf("Shutdown did not wait: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	p.free <- struct{}{}
	if a := busy.answer(""); a.body != "waited" || !a.close {
		t.Errorf("got %q, close %v", a.body, a.close)
	}
	if err := <-done; err != nil {
		t.Errorf("Shutdown: %v", err)
	}
	_, _ = idle.Close(), busy.Close()
	p.wantNoSocket()
}

// When DrainTimeout has passed, the contexts of requests end, and the connections are closed.
func TestOtherShutdownLate(t *testing.T) {
	p := serveOther(t, server.Options{DrainTimeout: 100 * time.Millisecond})
	c := p.dial()
	c.send(getRequest("/wait"))
	r := <-p.begun
	if err := p.Shutdown(context.Background()); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Shutdown: %v", err)
	}
	if r.Context().Err() == nil {
		t.Error("the request's context has not ended")
	}
	_ = c.Close()
	p.wantNoSocket()
}

// As a handler of net/http, the server serves other paths too.
func TestOtherServeHTTP(t *testing.T) {
	ms := mcp.NewServer(&mcp.Implementation{Name: "other", Version: "1"}, nil)
	defer ms.Close()
	s := server.New(ms, &server.Options{Other: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "other "+r.URL.Path)
	})})
	defer s.Shutdown(context.Background())
	for target, want := range map[string]string{"/x": "other /x", "/mcp": "accept"} {
		w := httptest.NewRecorder()
		r := httptest.NewRequest("GET", target, nil)
		r.Header.Set("Accept", "text/plain")
		s.ServeHTTP(w, r)
		if got := w.Body.String(); !strings.Contains(got, want) {
			t.Errorf("%s: got %q, want %q", target, got, want)
		}
	}
}

// The client disconnects while net/http has its connection, in every state. Nothing is left.
func TestOtherDisconnect(t *testing.T) {
	p := serveOther(t, server.Options{})
	handed := func(b string) func(*proofPeer) {
		return func(c *proofPeer) {
			c.send(getRequest("/echo"))
			c.wantEcho("GET", "/echo", "")
			c.send(b)
		}
	}
	for _, s := range []struct {
		name  string
		bring func(*proofPeer)
	}{
		{"in the head", func(c *proofPeer) { c.sendTaken(getRequest("/echo")[:20]) }},
		{"with the last byte of the head", func(c *proofPeer) { c.send(getRequest("/echo")) }},
		{"before the content", func(c *proofPeer) { c.send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n") }},
		{"in the content", func(c *proofPeer) { c.send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhe") }},
		{"in a response", func(c *proofPeer) { c.send(getRequest(fmt.Sprintf("/big?n=%d", 64<<20))); _, _ = c.br.ReadByte() }},
		{"in a request", func(c *proofPeer) { c.send(getRequest("/wait")); <-p.begun }},
		{"between two requests", handed("")},
		{"in a later head", handed(getRequest("/echo")[:20])},
		{"in a later call", handed(callRequest(1, "wait", "{}", ""))},
		{"in a later stream", func(c *proofPeer) {
			handed(listenRequest(7))(c)
			c.stream("subscriptions/listen").want("acknowledged")
		}},
		{"after a call that moved", func(c *proofPeer) {
			handed(callRequest(1, "flood", `{"Bytes":1,"Count":1,"PauseMs":100}`, ""))(c)
			c.answer("tools/call")
		}},
		{"with a request that comes back", func(c *proofPeer) {
			handed(callRequest(1, "flood", `{"Bytes":1,"Count":1,"PauseMs":100}`, "") + getRequest("/wait"))(c)
		}},
	} {
		for _, d := range departures {
			c := p.dial()
			s.bring(c)
			d.do(c)
			if d.name == "half-close" {
				go func() { _, _ = io.Copy(io.Discard, c.br) }()
			}
			await(t, s.name+", "+d.name, func() bool {
				n := p.sockets(c.port())
				return p.Stats().Connections == 0 && n.Open() == 0
			})
			_ = c.Close()
		}
	}
	p.wantNothingLeft()
	for range len(p.ended) {
		<-p.ended
	}
}
