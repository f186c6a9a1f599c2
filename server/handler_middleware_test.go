package server_test

import (
	"bufio"
	"context"
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

// sendTo sends r to an httptest server.
func sendTo(t *testing.T, hs *httptest.Server, r *http.Request) *http.Response {
	t.Helper()
	var err error
	if r.URL, err = r.URL.Parse(hs.URL + "/mcp"); err != nil {
		t.Fatal(err)
	}
	r.RequestURI, r.Host = "", ""
	resp, err := hs.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	return resp
}

func listening() *http.Request {
	return post("subscriptions/listen", "", `"notifications":{"toolsListChanged":true}`)
}

// TestStreamOutlivesWriteTimeout checks that WriteTimeout limits writes, and not the time between
// two of them. On HTTP/2 a deadline ends a stream on which nothing is written.
func TestStreamOutlivesWriteTimeout(t *testing.T) {
	for _, w := range ways[:3] {
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			h, m := newHandler(t, &server.StreamableHTTPOptions{Options: &server.Options{WriteTimeout: 200 * time.Millisecond, Heartbeat: -1}})
			br := w.serve(t, h).stream(listening())
			event(t, br)
			time.Sleep(600 * time.Millisecond)
			addExtra(m)
			if got := event(t, br); !strings.Contains(got, "tools/list_changed") {
				t.Errorf("after WriteTimeout without a write: %q", got)
			}
		})
	}
}

// panics is a writer whose client is found to be gone by a panic, as with middleware that aborts.
type panics struct {
	http.ResponseWriter
	left *int // the writes that succeed
}

func (w panics) Flush() {}

func (w panics) Write(b []byte) (int, error) {
	if *w.left--; *w.left < 0 {
		panic(http.ErrAbortHandler)
	}
	return len(b), nil
}

// TestWriterPanics checks that nothing is left of a stream whose ResponseWriter panics.
func TestWriterPanics(t *testing.T) {
	h, m := newHandler(t, nil)
	for writes := range 2 {
		left, over := writes, make(chan any)
		go func() {
			defer func() { over <- recover() }()
			h.ServeHTTP(panics{httptest.NewRecorder(), &left}, listening())
		}()
		if writes > 0 {
			waitUntil(t, "the stream is open", func() bool { return h.Stats().Streams == 1 })
			addExtra(m)
		}
		if got := <-over; got != http.ErrAbortHandler {
			t.Errorf("recovered %v", got)
		}
		waitUntil(t, "nothing is left", func() bool { st := h.Stats(); return st.Connections == 0 && st.Streams == 0 })
	}
}

func waitUntil(t *testing.T, why string, cond func() bool) {
	t.Helper()
	for end := time.Now().Add(5 * time.Second); !cond(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not in time: %s", why)
		}
	}
}

// TestRequestDeadline checks what a client sees when middleware's deadline for the request is over:
// an answer that says so, or that the response is not complete.
func TestRequestDeadline(t *testing.T) {
	h, _ := newHandler(t, nil)
	hs := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), 100*time.Millisecond)
		defer cancel()
		h.ServeHTTP(flushes{w}, r.WithContext(ctx)) // it does not move
	}))
	t.Cleanup(hs.Close)
	resp := sendTo(t, hs, call("wait", `{"Ms":5000,"Steps":0}`))
	if b, err := io.ReadAll(resp.Body); resp.StatusCode != 504 || err != nil || !strings.Contains(string(b), "too long") {
		t.Errorf("before the response: %d %q %v", resp.StatusCode, b, err)
	}
	resp = sendTo(t, hs, call("wait", `{"Ms":5000,"Steps":2}`))
	if b, err := io.ReadAll(resp.Body); resp.StatusCode != 200 || err == nil {
		t.Errorf("within the response: %d %q, which looks complete", resp.StatusCode, b)
	}
}

// TestMiddlewareChangesContent checks that content is what middleware makes of it, whatever
// Content-Length said, and that a limit of middleware's is one.
func TestMiddlewareChangesContent(t *testing.T) {
	h, _ := newHandler(t, nil)
	for _, tt := range []struct {
		name   string
		change func(http.ResponseWriter, *http.Request)
		status int
		want   string
	}{
		{"decoded, longer than announced", func(_ http.ResponseWriter, r *http.Request) { r.ContentLength = 50 }, 200, `"Sum":3`},
		{"decoded, shorter than announced", func(_ http.ResponseWriter, r *http.Request) { r.ContentLength = 5000 }, 200, `"Sum":3`},
		{"of unknown length", func(_ http.ResponseWriter, r *http.Request) { r.ContentLength = -1 }, 200, `"Sum":3`},
		{"limited", func(w http.ResponseWriter, r *http.Request) { r.Body = http.MaxBytesReader(w, r.Body, 20) }, 413, "too large"},
		{"cut off", func(_ http.ResponseWriter, r *http.Request) {
			r.Body = io.NopCloser(io.MultiReader(io.LimitReader(r.Body, 20), errReader{}))
		}, 400, "did not arrive"},
		{"endless", func(_ http.ResponseWriter, r *http.Request) {
			r.ContentLength, r.Body = 300, io.NopCloser(endless{})
		}, 413, "too large"},
	} {
		w, r := httptest.NewRecorder(), call("add", `{"A":1,"B":2}`)
		tt.change(w, r)
		h.ServeHTTP(w, r)
		if w.Code != tt.status || !strings.Contains(w.Body.String(), tt.want) {
			t.Errorf("content %s: %d %s", tt.name, w.Code, w.Body)
		}
	}
}

type (
	errReader struct{}
	endless   struct{}
)

func (errReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }
func (endless) Read(b []byte) (int, error) { return len(b), nil }

// TestCrossOriginProtection checks that no response is shown to a page of an origin that may not
// send messages.
func TestCrossOriginProtection(t *testing.T) {
	protect := http.NewCrossOriginProtection()
	if err := protect.AddTrustedOrigin("https://good.example"); err != nil {
		t.Fatal(err)
	}
	h, _ := newHandler(t, &server.StreamableHTTPOptions{CrossOriginProtection: protect})
	for _, method := range []string{"OPTIONS", "GET", "POST", "DELETE"} {
		for origin, allowed := range map[string]bool{"https://evil.example": false, "null": false, "https://good.example": true, "": true} {
			w, r := httptest.NewRecorder(), httptest.NewRequest(method, "/x", nil)
			if origin != "" {
				r.Header.Set("Origin", origin)
			}
			h.ServeHTTP(w, r)
			shown := w.Header().Get("Access-Control-Allow-Origin")
			if allowed == (w.Code == 403) || shown != "" && !allowed || r.Method != method {
				t.Errorf("%s from %q: %d, shown to %q", method, origin, w.Code, shown)
			}
		}
	}
}

// TestMessagesURL checks that a parameter of the client's URL is not taken for its session.
func TestMessagesURL(t *testing.T) {
	m := newHandlerServer(t)
	h := server.NewSSEHandler(func(*http.Request) *mcp.Server { return m }, nil)
	hs := httptest.NewServer(h)
	t.Cleanup(func() {
		hs.CloseClientConnections()
		hs.Close()
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	resp, err := hs.Client().Get(hs.URL + "/?sessionId=other&a=b&&sessionId=")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	br := bufio.NewReader(resp.Body)
	_, _ = br.ReadString('\n')
	line, _ := br.ReadString('\n')
	if !strings.HasPrefix(line, "data: ?a=b&sessionId=") || strings.Count(line, "sessionId=") != 1 {
		t.Errorf("%q", line)
	}
}

// TestMiddlewareClosesConnection checks that a connection ends with its response if middleware says
// so, also after it has moved.
func TestMiddlewareClosesConnection(t *testing.T) {
	h, _ := newHandler(t, nil)
	hs := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Connection", "close")
		h.ServeHTTP(w, r)
	}))
	t.Cleanup(hs.Close)
	for _, ms := range []int{0, 150} {
		resp := sendTo(t, hs, call("wait", fmt.Sprintf(`{"Ms":%d,"Steps":0}`, ms)))
		if b, err := io.ReadAll(resp.Body); err != nil || !resp.Close {
			t.Errorf("after %d ms: %s %v, closes: %v", ms, b, err, resp.Close)
		}
	}
}
