package server_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/mcp"
	"github.com/mooring-mcp/mooring/server"
)

// record serves r with h and returns the status, the content type and the content.
func record(h http.Handler, r *http.Request) (int, string, string) {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Code, w.Header().Get("Content-Type"), w.Body.String()
}

func earlier(session, message string) *http.Request {
	c := pathClient{session: session}
	return c.early(message)
}

// Without sessions a client of an earlier revision calls without initialize, and nothing that needs
// a session is served.
func TestHandlerStateless(t *testing.T) {
	h, _ := newHandler(t, &server.StreamableHTTPOptions{Stateless: true})
	add := `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"add","arguments":{"A":1,"B":2}}}`
	version := func(v string, r *http.Request) *http.Request {
		r.Header.Set("MCP-Protocol-Version", v)
		return r
	}
	for _, tt := range []struct {
		name   string
		r      *http.Request
		status int
		want   string
	}{
		{"a call", earlier("", add), 200, `{\"Sum\":3}`},
		{"a call of a revision", version("2025-11-25", earlier("", add)), 200, `"Sum":3`},
		{"an ID that nobody reads", earlier("x", add), 200, `{\"Sum\":3}`},
		{"an unknown revision", version("1999-01-01", earlier("", add)), 400, "Unsupported protocol version"},
		{"a notification", version("2025-06-18", earlier("", `{"jsonrpc":"2.0","method":"notifications/initialized"}`)), 202, ""},
		{"a cancellation", earlier("", `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}`), 202, ""},
		{"an answer", earlier("", `{"jsonrpc":"2.0","id":"ask-1","result":{}}`), 202, ""},
		{"2026-07-28", call("add", `{"A":1,"B":2}`), 200, `"Sum":3`},
		{"DELETE", httptest.NewRequest("DELETE", "/", nil), 405, "method not allowed"},
		{"GET", httptest.NewRequest("GET", "/", nil), 405, "method not allowed"},
	} {
		if code, _, body := record(h, tt.r); code != tt.status || !strings.Contains(body, tt.want) {
			t.Errorf("%s: %d %s, want %d %s", tt.name, code, body, tt.status, tt.want)
		}
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, earlier("", initialize))
	if w.Code != 200 || w.Header().Get("Mcp-Session-Id") != "" {
		t.Errorf("initialize: %d %v", w.Code, w.Header())
	}
	if st := h.Stats(); st.SessionsWithState != 0 {
		t.Errorf("%d sessions have state", st.SessionsWithState)
	}
}

// JSONResponse keeps notifications away from a client that accepts JSON.
func TestHandlerJSONResponse(t *testing.T) {
	h, _ := newHandler(t, &server.StreamableHTTPOptions{JSONResponse: true})
	if code, ctype, body := record(h, call("wait", `{"Ms":1,"Steps":3}`)); code != 200 || ctype != "application/json" || strings.Contains(body, "progress\"") {
		t.Errorf("a call: %d %s %s", code, ctype, body)
	}
	r := call("wait", `{"Ms":1,"Steps":3}`)
	r.Header.Set("Accept", "text/event-stream")
	if code, ctype, body := record(h, r); code != 200 || ctype != "text/event-stream" || !strings.Contains(body, "waited") {
		t.Errorf("a client of streams alone: %d %s %s", code, ctype, body)
	}
	ctx, cancel := context.WithCancel(t.Context())
	listen := post("subscriptions/listen", "", listensTools).WithContext(ctx)
	time.AfterFunc(100*time.Millisecond, cancel)
	if code, ctype, body := record(h, listen); code != 200 || ctype != "text/event-stream" || !strings.Contains(body, "acknowledged") {
		t.Errorf("a subscription: %d %s %s", code, ctype, body)
	}
}

// What net/http would never pass on is refused, not written into the head of a request.
func TestHandlerMalformed(t *testing.T) {
	h, _ := newHandler(t, nil)
	for name, change := range map[string]func(*http.Request){
		"a CR in a value":  func(r *http.Request) { r.Header.Set("X-A", "a\r\nMcp-Session-Id: b") },
		"a NUL in a value": func(r *http.Request) { r.Header.Set("X-A", "a\x00") },
		"a name":           func(r *http.Request) { r.Header["X A"] = []string{"b"} },
		"a method":         func(r *http.Request) { r.Method = "GET / HTTP/1.1\r\nX: " },
		"a host":           func(r *http.Request) { r.Host = "a\r\nb" },
	} {
		r := call("add", `{"A":1,"B":2}`)
		change(r)
		if code, _, body := record(h, r); code != 400 || !strings.Contains(body, "malformed") {
			t.Errorf("%s: %d %s", name, code, body)
		}
	}
}

// Limits refuse on net/http as they do elsewhere.
func TestHandlerLimits(t *testing.T) {
	h, _ := newHandler(t, &server.StreamableHTTPOptions{
		MaxRequestBodyBytes: 1000,
		Options:             &server.Options{MaxConnections: 2, BodyTimeout: 200 * time.Millisecond, CallTimeout: 300 * time.Millisecond},
	})
	hs := httptest.NewServer(h)
	defer hs.Close()
	if code, _, body := record(h, call("add", strings.Repeat(" ", 1000))); code != 413 {
		t.Errorf("content: %d %s", code, body)
	}
	chunked := call("add", strings.Repeat(" ", 1000))
	chunked.ContentLength = -1
	if code, _, body := record(h, chunked); code != 413 {
		t.Errorf("content in chunks: %d %s", code, body)
	}
	if code, _, body := record(h, call("wait", `{"Ms":5000,"Steps":0}`)); code != 200 || !strings.Contains(body, "limit of 300ms") {
		t.Errorf("a call that takes too long: %d %s", code, body)
	}
	nc, err := net.Dial("tcp", hs.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	request := strings.Replace(wire(call("add", `{"A":1,"B":2}`)), "localhost", hs.Listener.Addr().String(), 1)
	if _, err := io.WriteString(nc, request[:len(request)-1]); err != nil {
		t.Fatal(err)
	}
	_ = nc.SetReadDeadline(time.Now().Add(10 * time.Second))
	if all, err := io.ReadAll(nc); err != nil || !strings.HasPrefix(string(all), "HTTP/1.1 408 ") {
		t.Errorf("content that does not arrive: %v %s", err, all)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var streams []chan int
	for range 2 {
		ended := make(chan int, 1)
		go func() {
			code, _, _ := record(h, post("subscriptions/listen", "", listensTools).WithContext(ctx))
			ended <- code
		}()
		streams = append(streams, ended)
	}
	await(t, "two streams", func() bool { return h.Stats().Streams == 2 })
	if code, _, body := record(h, call("add", `{"A":1,"B":2}`)); code != 503 || !strings.Contains(body, "too many connections") {
		t.Errorf("above MaxConnections: %d %s", code, body)
	}
	cancel()
	for _, ended := range streams {
		if code := <-ended; code != 200 {
			t.Errorf("a stream ended with %d", code)
		}
	}
	if st := h.Stats(); st.Connections != 0 || st.Refused < 3 {
		t.Errorf("%d connections are left, %d requests were refused", st.Connections, st.Refused)
	}
}

// A client that does not read is cut off after WriteTimeout, whether its connection moves or not.
func TestHandlerSlowClient(t *testing.T) {
	for _, w := range []way{ways[0], ways[1], ways[4]} {
		t.Run(w.name, func(t *testing.T) {
			t.Parallel() // it waits for most of its time
			h, _ := newHandler(t, &server.StreamableHTTPOptions{Options: &server.Options{WriteTimeout: 3 * time.Second, MaxResponse: 64 << 20}})
			c := w.serve(t, h)
			resp := c.do(call("large", `{"Bytes":30000000}`))
			await(t, "the server has given up", func() bool { return h.Stats().Connections == 0 })
			if n, err := io.Copy(io.Discard, resp.Body); err == nil {
				t.Errorf("all %d bytes came", n)
			}
			if st := h.Stats(); st.Closes["write_stalled"] != 1 {
				t.Errorf("reasons: %v", st.Closes)
			}
		})
	}
}

func TestHandlerChoices(t *testing.T) {
	m := newHandlerServer(t)
	shared := server.New(newHandlerServer(t), nil)
	none := func(*http.Request) *mcp.Server { return nil }
	one := func(*http.Request) *mcp.Server { return m }
	h := server.NewStreamableHTTPHandler(none, nil)
	if code, _, body := record(h, call("add", `{"A":1,"B":2}`)); code != 400 || !strings.Contains(body, "no server available") {
		t.Errorf("no server: %d %s", code, body)
	}
	if err := h.Close(); err != nil {
		t.Error(err)
	}
	h = server.NewStreamableHTTPHandler(one, &server.StreamableHTTPOptions{CrossOriginProtection: http.NewCrossOriginProtection(), Server: shared})
	sse := server.NewSSEHandler(one, &server.SSEOptions{Server: shared})
	r := call("add", `{"A":1,"B":2}`)
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	if code, _, body := record(h, r); code != 403 {
		t.Errorf("cross-origin: %d %s", code, body)
	}
	r = call("add", `{"A":1,"B":2}`)
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	r.Header.Set("Origin", "https://example.com")
	if code, _, body := record(h, r); code != 200 {
		t.Errorf("same origin: %d %s", code, body)
	}
	if code, _, body := record(sse, httptest.NewRequest("POST", "/?sessionId=x", nil)); code != 415 {
		t.Errorf("HTTP+SSE on a shared server: %d %s", code, body)
	}
	if err := errors.Join(h.Shutdown(t.Context()), sse.Close()); err != nil {
		t.Error(err)
	}
	if code, _, _ := record(h, call("add", `{"A":1,"B":2}`)); code != 503 {
		t.Errorf("a closed handler: %d", code)
	}
	r = call("add", `{"A":1,"B":2}`)
	r.URL.Path = "/mcp"
	if code, _, body := record(shared, r); code != 200 {
		t.Errorf("the shared server after the end of its handlers: %d %s", code, body)
	}
	if err := shared.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if code, _, _ := record(shared, call("add", `{}`)); code != 503 {
		t.Errorf("a server that was shut down: %d", code)
	}
}
