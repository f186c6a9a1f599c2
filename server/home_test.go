package server_test

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/server"
)

// ends is a mover with a stream, a call and an idle connection on the loops, when its http.Server
// ends.
type ends struct {
	*mover
	listen io.Reader // content of the response
	call   *wireClient
	idle   *wireClient
}

func newEnds(t *testing.T, callTime string, drain time.Duration) *ends {
	m := newMover(t, &server.StreamableHTTPOptions{Options: &server.Options{DrainTimeout: drain}})
	e := &ends{mover: m, call: m.dial(), idle: m.dial()}
	listen := m.dial()
	listen.send(post("subscriptions/listen", "", listensTools))
	e.listen = listen.head().Body
	event(t, e.listen)
	e.idle.send(call("wait", `{"Ms":100,"Steps":0}`))
	e.idle.whole()
	e.call.send(call("wait", `{"Ms":`+callTime+`,"Steps":0}`))
	await(t, "all have moved", func() bool { return m.h.Stats().Connections == 3 })
	time.Sleep(100 * time.Millisecond) // the call moves after 50 ms
	return e
}

func (e *ends) shutdown(limit time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	return e.Config.Shutdown(ctx)
}

// wantEnd fails the test unless r ends.
func (e *ends) wantEnd(name string, r io.Reader) {
	e.t.Helper()
	if b, err := io.ReadAll(r); len(b) > 0 || err != nil && !errors.Is(err, net.ErrClosed) {
		e.t.Errorf("%s: %q, %v, want the end", name, b, err)
	}
}

// Shutdown of the http.Server waits for what has moved to the loops: calls finish, streams end with
// the result of their request, idle connections close.
func TestHomeShutdown(t *testing.T) {
	e := newEnds(t, "700", 5*time.Second)
	done := make(chan error, 1)
	go func() { done <- e.shutdown(10 * time.Second) }()
	e.wantEnd("the idle connection", e.idle.r)
	if b, err := io.ReadAll(e.listen); !strings.Contains(string(b), `"resultType"`) || err != nil {
		t.Errorf("the stream ends with %q, %v", b, err)
	}
	select {
	case err := <-done:
		t.Errorf("Shutdown returned before the call did: %v", err)
	default:
	}
	resp, body := e.call.whole()
	if !strings.Contains(body, "waited") || !resp.Close {
		t.Errorf("the call got %q, %v", body, resp.Header)
	}
	e.wantEnd("the call's connection", e.call.r)
	select {
	case err := <-done:
		if err != nil {
			t.Errorf("Shutdown: %v", err)
		}
	case <-time.After(5 * time.Second):
		t.Fatal("Shutdown does not return")
	}
	if n := e.h.Stats().Connections; n != 0 {
		t.Errorf("%d connections are left", n)
	}
}

// Shutdown ends with its context. At the end of DrainTimeout what is left is closed, and with it
// the call.
func TestHomeShutdownLate(t *testing.T) {
	for _, limit := range []time.Duration{50 * time.Millisecond, 10 * time.Second} {
		e := newEnds(t, "60000", 400*time.Millisecond)
		begun := time.Now()
		err := e.shutdown(limit)
		if late := errors.Is(err, context.DeadlineExceeded); late != (limit < time.Second) {
			t.Errorf("Shutdown with %v: %v", limit, err)
		}
		if d := time.Since(begun); limit < time.Second && d > 350*time.Millisecond {
			t.Errorf("Shutdown took %v, its context %v", d, limit)
		}
		e.wantEnd("the call", e.call.r)
		await(t, "nothing is left", func() bool { st := e.h.Stats(); return st.Connections == 0 && st.CallsInFlight == 0 })
	}
}

// Close of the http.Server closes what has moved too, at once.
func TestHomeClose(t *testing.T) {
	e := newEnds(t, "60000", 10*time.Second)
	if err := e.Config.Close(); err != nil {
		t.Error(err)
	}
	e.wantEnd("the idle connection", e.idle.r)
	e.wantEnd("the call", e.call.r)
	if _, err := io.ReadAll(e.listen); err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Error(err)
	}
	await(t, "nothing is left", func() bool { st := e.h.Stats(); return st.Connections == 0 && st.CallsInFlight == 0 })
}

// Requests that were sent ahead while the connection was on a loop return with it, in order and
// whole, however many bytes they are.
func TestHomePipelined(t *testing.T) {
	m := newMover(t, nil)
	c := m.dial()
	const rounds = 3
	pad := strings.Repeat("x", 3000)
	for range rounds {
		c.send(call("wait", `{"Ms":120,"Steps":0}`))
		for range 4 {
			r := call("add", `{"A":1,"B":2}`)
			r.Header.Set("X-Pad", pad)
			c.send(r)
		}
	}
	for i := range rounds {
		if _, body := c.whole(); !strings.Contains(body, "waited") {
			t.Fatalf("round %d: got %q", i, body)
		}
		for range 4 {
			if resp, body := c.whole(); !strings.Contains(body, `"Sum":3`) || resp.Header.Get("X-Middleware") != "seen" {
				t.Fatalf("got %q", body)
			}
		}
	}
}
