package server_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/auth"
	"github.com/mooring-mcp/mooring/mcp"
	"github.com/mooring-mcp/mooring/server"
)

// A way is one of the ways in which net/http serves a handler.
type way struct {
	name string
	wrap func(http.Handler) http.Handler
	tls  bool
	h2   bool
	conn func(net.Conn) net.Conn // wraps what the listener accepts
	deaf bool                    // the writer cannot send a response piece by piece
}

type (
	unwraps   struct{ http.ResponseWriter }
	flushes   struct{ http.ResponseWriter }
	bare      struct{ http.ResponseWriter }
	otherConn struct{ net.Conn } // a connection that an engine cannot take
)

func (w unwraps) Unwrap() http.ResponseWriter { return w.ResponseWriter }
func (w flushes) Flush()                      { w.ResponseWriter.(http.Flusher).Flush() }

func wrapping(f func(http.ResponseWriter) http.ResponseWriter) func(http.Handler) http.Handler {
	return func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.ServeHTTP(f(w), r) })
	}
}

var ways = []way{
	{name: "plain"},
	{name: "TLS", tls: true},
	{name: "HTTP2", tls: true, h2: true},
	{name: "unwrap", wrap: wrapping(func(w http.ResponseWriter) http.ResponseWriter { return unwraps{w} })},
	{name: "flush only", wrap: wrapping(func(w http.ResponseWriter) http.ResponseWriter { return flushes{w} })},
	{name: "no flush", deaf: true, wrap: wrapping(func(w http.ResponseWriter) http.ResponseWriter { return bare{w} })},
	{name: "another connection", conn: func(nc net.Conn) net.Conn { return otherConn{nc} }},
	{name: "strip prefix", wrap: func(h http.Handler) http.Handler { return http.StripPrefix("/base", h) }},
	{name: "encoding", wrap: func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Encoding", "identity") // so it must not move
			h.ServeHTTP(w, r)
		})
	}},
}

type wrappingListener struct {
	net.Listener
	wrap func(net.Conn) net.Conn
}

func (l wrappingListener) Accept() (net.Conn, error) {
	nc, err := l.Listener.Accept()
	if err == nil {
		nc = l.wrap(nc)
	}
	return nc, err
}

// serve serves h in this way.
func (w way) serve(t *testing.T, h http.Handler) *pathClient {
	mux := http.NewServeMux()
	if w.wrap != nil {
		h = w.wrap(h)
	}
	mux.Handle("/base/mcp", h)
	hs := httptest.NewUnstartedServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("X-Middleware", "seen")
		mux.ServeHTTP(rw, r.WithContext(context.WithValue(r.Context(), ctxKey{}, "value")))
	}))
	if w.conn != nil {
		hs.Listener = wrappingListener{hs.Listener, w.conn}
	}
	if w.tls {
		hs.EnableHTTP2 = w.h2
		hs.StartTLS()
	} else {
		hs.Start()
	}
	c := &pathClient{t: t, hc: hs.Client(), url: hs.URL + "/base/mcp", deaf: w.deaf}
	if tr := c.hc.Transport.(*http.Transport); w.tls && !w.h2 {
		tr.TLSNextProto = map[string]func(string, *tls.Conn) http.RoundTripper{}
	}
	t.Cleanup(func() {
		hs.CloseClientConnections()
		hs.Close()
	})
	return c
}

// A pathClient is a client of the handler at a URL.
type pathClient struct {
	t       *testing.T
	hc      *http.Client
	url     string
	deaf    bool
	session string
}

// do sends r, which is a request of [post], or of an earlier revision.
func (c *pathClient) do(r *http.Request) *http.Response {
	c.t.Helper()
	u, err := r.URL.Parse(c.url)
	if err != nil {
		c.t.Fatal(err)
	}
	r.URL, r.RequestURI, r.Host = u, "", ""
	resp, err := c.hc.Do(r)
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { resp.Body.Close() })
	if got := resp.Header; got.Get("X-Middleware") != "seen" || len(got["Date"]) != 1 {
		c.t.Errorf("X-Middleware, Date: %q", got)
	}
	return resp
}

// want sends r and checks the status and that the content has text.
func (c *pathClient) want(why string, r *http.Request, status int, text string) *http.Response {
	c.t.Helper()
	resp := c.do(r)
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != status || !strings.Contains(string(b), text) {
		c.t.Errorf("%s: %d %v %.300s (%v), want %d and %s", why, resp.StatusCode, resp.Header, b, err, status, text)
	}
	return resp
}

// early returns a request of the session, of an earlier revision.
func (c *pathClient) early(message string) *http.Request {
	r := httptest.NewRequest("POST", "/", strings.NewReader(message))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json, text/event-stream")
	if c.session != "" {
		r.Header.Set("Mcp-Session-Id", c.session)
	}
	return r
}

const initialize = `{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"c","version":"1"}}}`

func (c *pathClient) initialize() {
	c.t.Helper()
	resp := c.want("initialize", c.early(initialize), 200, "2025-06-18")
	if c.session = resp.Header.Get("Mcp-Session-Id"); c.session == "" {
		c.t.Fatal("no session")
	}
	c.want("initialized", c.early(`{"jsonrpc":"2.0","method":"notifications/initialized"}`), 202, "")
}

// stream opens a stream and returns its events.
func (c *pathClient) stream(r *http.Request) *bufio.Reader {
	c.t.Helper()
	resp := c.do(r)
	if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "text/event-stream" {
		b, _ := io.ReadAll(resp.Body)
		c.t.Fatalf("stream: %d %s", resp.StatusCode, b)
	}
	return bufio.NewReader(resp.Body)
}

func addExtra(m *mcp.Server) {
	mcp.AddTool(m, &mcp.Tool{Name: "extra"}, func(context.Context, *mcp.CallToolRequest, struct{}) (*mcp.CallToolResult, any, error) {
		return nil, nil, nil
	})
}

// Each way serves both eras alike.
func TestHandlerPaths(t *testing.T) {
	for _, e := range []server.Engine{"", server.EngineGnet} {
		for _, w := range ways {
			t.Run(string(e)+" "+w.name, func(t *testing.T) {
				h, m := newHandler(t, &server.StreamableHTTPOptions{Options: &server.Options{Engine: e}})
				c := w.serve(t, h)
				c.modern(m)
				c.legacy(m)
				c.hc.CloseIdleConnections()
				await(t, "nothing is left", func() bool {
					st := h.Stats()
					return st.Streams == 0 && st.CallsInFlight == 0 && st.Connections == 0
				})
			})
		}
	}
}

func (c *pathClient) modern(m *mcp.Server) {
	c.t.Helper()
	t := c.t
	c.want("discover", post("server/discover", "", ""), 200, `"handler"`)
	c.want("inline", call("add", `{"A":1,"B":2}`), 200, `"Sum":3`)
	r := call("who", `{}`)
	r.Header.Set("User-Agent", "gull")
	c.want("header and context", r, 200, `{"Agent":"gull","User":"","Value":"value"}`)
	c.want("worker", call("wait", `{"Ms":1,"Steps":0}`), 200, "waited")
	c.want("slow", call("wait", `{"Ms":90,"Steps":0}`), 200, "waited")
	c.want("large", call("large", `{"Bytes":1000000}`), 200, "xxxx")
	c.want("content", call("add", `{"A":1,"B":2}`+strings.Repeat(" ", 100_000)), 200, `"Sum":3`)
	c.want("too much content", call("add", strings.Repeat(" ", 5<<20)), 413, "")
	wrong := call("add", `{}`)
	wrong.Header.Set("Content-Type", "text/plain")
	c.want("content type", wrong, 415, "content type")
	if c.deaf {
		c.want("listen", post("subscriptions/listen", "", listensTools), 406, "text/event-stream")
		resp := c.want("notifications", call("wait", `{"Ms":1,"Steps":3}`), 200, "waited")
		if ct := resp.Header.Get("Content-Type"); ct != "application/json" {
			t.Errorf("without a flush the answer is %s", ct)
		}
		return
	}
	for _, ms := range []int{1, 90} {
		resp := c.want("notifications", call("wait", fmt.Sprintf(`{"Ms":%d,"Steps":3}`, ms)), 200, `"progress":3`)
		if ct := resp.Header.Get("Content-Type"); ct != "text/event-stream" {
			t.Errorf("notifications: %s", ct)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	s := c.stream(post("subscriptions/listen", "", listensTools).WithContext(ctx))
	if got := event(t, s); !strings.Contains(got, "acknowledged") {
		t.Errorf("listen: %q", got)
	}
	for range 2 {
		addExtra(m)
		if got := event(t, s); !strings.Contains(got, "tools/list_changed") {
			t.Errorf("listen: %q", got)
		}
	}
}

func (c *pathClient) legacy(m *mcp.Server) {
	c.t.Helper()
	t := c.t
	c.initialize()
	c.want("a call", c.early(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"add","arguments":{"A":2,"B":2}}}`), 200, `"Sum":4`)
	get := httptest.NewRequest("GET", "/", nil)
	get.Header.Set("Accept", "text/event-stream")
	get.Header.Set("Mcp-Session-Id", c.session)
	if c.deaf {
		c.want("GET", get, 500, "cannot send an event stream")
	} else {
		c.want("slow call", c.early(`{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"wait","arguments":{"Ms":90,"Steps":3},"_meta":{"progressToken":1}}}`), 200, `"progress":3`)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		s := c.stream(get.WithContext(ctx))
		addExtra(m)
		if got := event(t, s); !strings.Contains(got, "tools/list_changed") {
			t.Errorf("GET: %q", got)
		}
	}
	end := httptest.NewRequest("DELETE", "/", nil)
	end.Header.Set("Mcp-Session-Id", c.session)
	c.want("DELETE", end, 204, "")
	c.want("after DELETE", c.early(`{"jsonrpc":"2.0","id":3,"method":"ping"}`), 404, "session not found")
}

// The stream of HTTP+SSE names where to post, whatever middleware does to the path.
func TestSSEHandler(t *testing.T) {
	for _, w := range ways {
		if w.deaf {
			continue
		}
		t.Run(w.name, func(t *testing.T) {
			m := newHandlerServer(t)
			h := server.NewSSEHandler(func(*http.Request) *mcp.Server { return m }, nil)
			t.Cleanup(func() { _ = h.Shutdown(context.Background()) })
			c := w.serve(t, h)
			c.url += "?tenant=a"
			get := httptest.NewRequest("GET", "/", nil)
			get.Header.Set("Accept", "text/event-stream")
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			s := c.stream(get.WithContext(ctx))
			_, where, _ := strings.Cut(strings.TrimSpace(event(t, s)), "data: ")
			u, err := get.URL.Parse(c.url)
			if err != nil {
				t.Fatal(err)
			}
			if u, err = u.Parse(where); err != nil || u.Query().Get("tenant") != "a" {
				t.Fatalf("endpoint %q: %v", where, err)
			}
			c.url = u.String()
			c.want("initialize", c.early(initialize), 202, "")
			if got := event(t, s); !strings.Contains(got, "2025-06-18") {
				t.Errorf("initialize: %q", got)
			}
			c.want("call", c.early(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"wait","arguments":{"Ms":80,"Steps":0}}}`), 202, "")
			if got := event(t, s); !strings.Contains(got, "waited") {
				t.Errorf("call: %q", got)
			}
			cancel()
			await(t, "the session ends with its stream", func() bool { return h.Stats().Connections == 0 })
			c.want("after the end", c.early(`{"jsonrpc":"2.0","id":2,"method":"ping"}`), 404, "session not found")
		})
	}
}

// A session is of the user who has begun it, and valid at its path alone.
func TestHandlerPrincipal(t *testing.T) {
	h, _ := newHandler(t, nil)
	c := way{wrap: func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			ctx := auth.ContextWithTokenInfo(r.Context(), &auth.TokenInfo{UserID: r.Header.Get("Authorization")})
			r.URL.Path = r.Header.Get("X-Path")
			h.ServeHTTP(w, r.WithContext(ctx))
		})
	}}.serve(t, h)
	as := func(user, path string, r *http.Request) *http.Request {
		r.Header.Set("Authorization", user)
		r.Header.Set("X-Path", path)
		return r
	}
	c.want("who", as("ann", "/a", call("who", `{}`)), 200, `"User":"ann"`)
	resp := c.want("initialize", as("ann", "/a", c.early(initialize)), 200, "")
	c.session = resp.Header.Get("Mcp-Session-Id")
	ping := `{"jsonrpc":"2.0","id":1,"method":"ping"}`
	c.want("ann", as("ann", "/a", c.early(ping)), 200, "{}")
	c.want("bob", as("bob", "/a", c.early(ping)), 404, "session not found")
	c.want("nobody", as("", "/a", c.early(ping)), 404, "session not found")
	c.want("another path", as("ann", "/b", c.early(ping)), 404, "session not found")
	del := httptest.NewRequest("DELETE", "/", nil)
	del.Header.Set("Mcp-Session-Id", c.session)
	c.want("DELETE by bob", as("bob", "/a", del), 404, "")
	c.want("ann again", as("ann", "/a", c.early(ping)), 200, "{}")
}

// http.Server.Shutdown does not wait for clients to end their streams.
func TestHandlerShutdown(t *testing.T) {
	for _, w := range ways {
		if w.deaf || w.name == "another connection" {
			continue
		}
		t.Run(w.name, func(t *testing.T) {
			h, m := newHandler(t, nil)
			ended := make(chan error, 1)
			c := w.serve(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				if r.URL.Query().Get("shutdown") != "" {
					hs := r.Context().Value(http.ServerContextKey).(*http.Server)
					go func() {
						ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
						defer cancel()
						ended <- hs.Shutdown(ctx)
					}()
					return
				}
				h.ServeHTTP(rw, r)
			}))
			s := c.stream(post("subscriptions/listen", "", listensTools))
			event(t, s)
			slow := make(chan string, 1)
			c2 := *c
			r := call("wait", `{"Ms":300,"Steps":0}`)
			go func() {
				resp := c2.do(r)
				b, _ := io.ReadAll(resp.Body)
				slow <- string(b)
			}()
			time.Sleep(100 * time.Millisecond)
			addExtra(m)
			event(t, s)
			c.url += "?shutdown=1"
			begun := time.Now()
			c.do(httptest.NewRequest("POST", "/", nil))
			if got := event(t, s); !strings.Contains(got, `"result"`) {
				t.Errorf("the stream ends with %q", got)
			}
			if _, err := s.ReadByte(); err != io.EOF {
				t.Errorf("after the end: %v", err)
			}
			if got := <-slow; !strings.Contains(got, "waited") {
				t.Errorf("the call got %q", got)
			}
			if err := <-ended; err != nil {
				t.Errorf("Shutdown: %v", err)
			}
			if d := time.Since(begun); d > 5*time.Second {
				t.Errorf("it took %v", d)
			}
		})
	}
}
