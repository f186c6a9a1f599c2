package server_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/auth"
	"github.com/mooring-mcp/mooring/server"
)

// A tokenServer is a server behind middleware that takes the life of the caller's token from the
// request.
type tokenServer struct {
	*httptest.Server
	t *testing.T
	s *server.Server
}

func newTokenServer(t *testing.T) *tokenServer {
	s := newScoped(t, nil)
	hs := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		info := &auth.TokenInfo{UserID: r.Header.Get("X-User"), Extra: map[string]any{"x": 1}}
		if life, err := time.ParseDuration(r.Header.Get("X-Life")); err == nil {
			info.Expiration = time.Now().Add(life)
		}
		s.ServeHTTP(w, r.WithContext(auth.ContextWithTokenInfo(r.Context(), info)))
	}))
	t.Cleanup(func() {
		hs.CloseClientConnections()
		hs.Close()
	})
	return &tokenServer{hs, t, s}
}

// do sends a request of a user whose token lives for some time.
func (ts *tokenServer) do(r *http.Request, user, life string) *http.Response {
	ts.t.Helper()
	path := "/mcp"
	if r.URL.Path == "/sse" || strings.HasPrefix(r.URL.Path, "/sse/") {
		path = r.URL.RequestURI()
	}
	u, err := r.URL.Parse(ts.URL + path)
	if err != nil {
		ts.t.Fatal(err)
	}
	r.URL, r.RequestURI, r.Host = u, "", ""
	r.Header.Set("X-User", user)
	r.Header.Set("X-Life", life)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		ts.t.Fatal(err)
	}
	ts.t.Cleanup(func() { resp.Body.Close() })
	return resp
}

// session opens a session.
func (ts *tokenServer) session(user string) string {
	resp := ts.do(early("", initialize), user, "")
	_, _ = io.ReadAll(resp.Body)
	return resp.Header.Get("Mcp-Session-Id")
}

func (ts *tokenServer) get(session, user, life string) *http.Response {
	r := httptest.NewRequest("GET", "/mcp", nil)
	r.Header.Set("Accept", "text/event-stream")
	r.Header.Set("Mcp-Session-Id", session)
	return ts.do(r, user, life)
}

func (ts *tokenServer) listen(user, life string) *http.Response {
	return ts.do(post("subscriptions/listen", "", `"notifications":{"toolsListChanged":true}`), user, life)
}

// Streams of both eras and of HTTP+SSE end with their tokens, on net/http and on a loop.
func TestStreamsEndWithToken(t *testing.T) {
	ts := newTokenServer(t)
	streams := map[string]func(life string) *http.Response{
		"listen":  func(life string) *http.Response { return ts.listen("ann", life) },
		"session": func(life string) *http.Response { return ts.get(ts.session("ann"), "ann", life) },
		"sse":     func(life string) *http.Response { return ts.do(httptest.NewRequest("GET", "/sse", nil), "ann", life) },
	}
	for name, open := range streams {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			resp := open("600ms")
			if resp.StatusCode != 200 {
				t.Fatalf("%d", resp.StatusCode)
			}
			b, err := io.ReadAll(resp.Body)
			took := time.Since(start)
			if err != nil || took < 300*time.Millisecond || took > 5*time.Second {
				t.Errorf("ended after %v: %v", took, err)
			}
			if got := strings.Contains(string(b), `"id":7,"result":`); got != (name == "listen") {
				t.Errorf("%s", b)
			}
		})
	}
	await(t, "all end", func() bool { st := ts.s.Stats(); return st.Streams == 0 && st.SessionStreams == 0 })
}
