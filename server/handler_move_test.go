package server_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/mcp"
	"github.com/mooring-mcp/mooring/server"
)

// A mover is an http.Server with a handler behind middleware, and what the middleware has seen.
type mover struct {
	*httptest.Server
	t    testing.TB
	h    *server.StreamableHTTPHandler
	mcp  *mcp.Server
	seen atomic.Int64 // requests
}

func newMover(t testing.TB, opts *server.StreamableHTTPOptions) *mover {
	m := &mover{t: t}
	m.h, m.mcp = newHandler(t, opts)
	m.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		m.seen.Add(1)
		w.Header().Set("X-Middleware", "seen")
		m.h.ServeHTTP(w, r)
	}))
	t.Cleanup(m.Close)
	return m
}

// A wireClient is a connection on which a test writes requests and reads responses.
type wireClient struct {
	t testing.TB
	net.Conn
	r *bufio.Reader
}

func (m *mover) dial() *wireClient {
	m.t.Helper()
	nc, err := net.Dial("tcp", m.Listener.Addr().String())
	if err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(func() { nc.Close() })
	_ = nc.SetDeadline(time.Now().Add(20 * time.Second))
	return &wireClient{m.t, nc, bufio.NewReader(nc)}
}

// wire returns r as bytes.
func wire(r *http.Request) string {
	body, _ := io.ReadAll(r.Body)
	var b strings.Builder
	fmt.Fprintf(&b, "%s /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n", r.Method, len(body))
	_ = r.Header.Write(&b)
	return b.String() + "\r\n" + string(body)
}

func (c *wireClient) send(r *http.Request) { c.write(wire(r)) }

func (c *wireClient) write(s string) {
	c.t.Helper()
	if _, err := io.WriteString(c, s); err != nil {
		c.t.Fatal(err)
	}
}

// head reads the head of a response.
func (c *wireClient) head() *http.Response {
	c.t.Helper()
	resp, err := http.ReadResponse(c.r, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	return resp
}

// whole reads a response.
func (c *wireClient) whole() (*http.Response, string) {
	c.t.Helper()
	resp := c.head()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Fatalf("%v after %q", err, b)
	}
	return resp, string(b)
}

// event reads an event of a stream. Heartbeats are none.
func event(t testing.TB, r io.Reader) string {
	t.Helper()
	var b []byte
	for !strings.HasSuffix(string(b), "\n\n") || string(b) == ":\n\n" {
		if string(b) == ":\n\n" {
			b = b[:0]
		}
		var one [1]byte
		if _, err := io.ReadFull(r, one[:]); err != nil {
			t.Fatalf("%v after %q", err, b)
		}
		b = append(b, one[0])
	}
	return string(b)
}

const listensTools = `"notifications":{"toolsListChanged":true}`

// Streams that stay open have no goroutine, get their notices and are forgotten with their clients.
func TestMoveStreams(t *testing.T) {
	m := newMover(t, nil)
	before := runtime.NumGoroutine()
	const n = 50
	var clients []*wireClient
	var streams []io.Reader
	for range n {
		c := m.dial()
		c.send(post("subscriptions/listen", "", listensTools))
		resp := c.head()
		if resp.StatusCode != 200 || resp.Header.Get("X-Middleware") != "seen" || resp.Header.Get("Date") == "" || resp.Close {
			t.Fatalf("listen: %d %v", resp.StatusCode, resp.Header)
		}
		if got := event(t, resp.Body); !strings.Contains(got, "acknowledged") {
			t.Fatalf("listen: %q", got)
		}
		clients, streams = append(clients, c), append(streams, resp.Body)
	}
	await(t, "no goroutine serves a stream", func() bool { return runtime.NumGoroutine() < before+n/2 })
	mcp.AddTool(m.mcp, &mcp.Tool{Name: "new"}, func(_ context.Context, _ *mcp.CallToolRequest, _ struct{}) (*mcp.CallToolResult, any, error) {
		return nil, nil, nil
	})
	for _, s := range streams {
		if got := event(t, s); !strings.Contains(got, "tools/list_changed") {
			t.Fatalf("notice: %q", got)
		}
	}
	if st := m.h.Stats(); st.Streams != n || st.Connections != n {
		t.Errorf("%d streams on %d connections, want %d", st.Streams, st.Connections, n)
	}
	for _, c := range clients {
		c.Close()
	}
	await(t, "the streams are gone", func() bool { st := m.h.Stats(); return st.Streams == 0 && st.Connections == 0 })
}

// A call that takes a while moves its connection, which returns with the next request.
func TestMoveCall(t *testing.T) {
	m := newMover(t, nil)
	c := m.dial()
	for i, steps := range []int{0, 3, 0, 3} {
		c.send(call("wait", fmt.Sprintf(`{"Ms":120,"Steps":%d}`, steps)))
		resp, body := c.whole()
		if resp.StatusCode != 200 || resp.Header.Get("X-Middleware") != "seen" || !strings.Contains(body, "waited") {
			t.Fatalf("%d: %d %v %q", i, resp.StatusCode, resp.Header, body)
		}
		if got := strings.Count(body, "notifications/progress"); got != steps {
			t.Fatalf("%d: %d of %d steps in %q", i, got, steps, body)
		}
		c.send(call("add", `{"A":1,"B":2}`))
		if resp, body := c.whole(); resp.StatusCode != 200 || resp.Header.Get("X-Middleware") != "seen" || !strings.Contains(body, `"Sum":3`) {
			t.Fatalf("%d: %d %v %q", i, resp.StatusCode, resp.Header, body)
		}
	}
	if n := m.seen.Load(); n != 8 {
		t.Errorf("middleware has seen %d requests, want 8", n)
	}
	if st := m.h.Stats(); st.Closes["returned"] != 4 {
		t.Errorf("connections that were given back: %v", st.Closes)
	}
}

// readResponses reads n responses and returns their status and content as text.
func readResponses(r io.Reader, n int) (string, error) {
	br := bufio.NewReader(r)
	var b strings.Builder
	for range n {
		resp, err := http.ReadResponse(br, nil)
		if err != nil {
			return b.String(), err
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			return b.String(), err
		}
		fmt.Fprintf(&b, "%d %s %s\n%s\n", resp.StatusCode, resp.Header.Get("Content-Type"), resp.Header.Get("X-Middleware"),
			strings.ReplaceAll(string(body), ":\n\n", ""))
	}
	return b.String(), nil
}
