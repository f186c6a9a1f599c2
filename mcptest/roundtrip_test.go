package mcptest_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/mooring-mcp/mooring/auth"
	"github.com/mooring-mcp/mooring/mcptest"
	"github.com/mooring-mcp/mooring/server"
)

// The goroutines of ants' default pool, which gnet imports, start with the process.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m, goleak.IgnoreCurrent()) }

// post sends a message and returns the status and the content.
func post(t *testing.T, rt http.RoundTripper, path, msg string, header http.Header) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "POST", "http://test"+path, strings.NewReader(msg))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json, text/event-stream")
	for name, values := range header {
		r.Header[http.CanonicalHeaderKey(name)] = values
	}
	res, err := (&http.Client{Transport: rt}).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(text)
}

const envelope = `"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}`

func modernHeader(method, name string) http.Header {
	h := http.Header{"Mcp-Protocol-Version": {"2026-07-28"}, "Mcp-Method": {method}}
	if name != "" {
		h.Set("Mcp-Name", name)
	}
	return h
}

func TestRoundTripper(t *testing.T) {
	rt := mcptest.RoundTripper(t, newServer(), nil)
	msg := `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{` + envelope + `,"name":"add","arguments":{"a":40,"b":2}}}`
	res, text := post(t, rt, "/any", msg, modernHeader("tools/call", "add"))
	if res.StatusCode != 200 || !strings.Contains(text, `"sum":42`) || res.Header.Get("Content-Type") != "application/json" {
		t.Errorf("%d %v %s", res.StatusCode, res.Header, text)
	}

	// A session, with its ID.
	res, text = post(t, rt, "/", `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}`, nil)
	id := res.Header.Get("Mcp-Session-Id")
	if res.StatusCode != 200 || id == "" {
		t.Fatalf("initialize: %d %s", res.StatusCode, text)
	}
	res, text = post(t, rt, "/", `{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"add","arguments":{"a":1,"b":1}}}`, http.Header{"Mcp-Session-Id": {id}})
	if res.StatusCode != 200 || !strings.Contains(text, `"sum":2`) {
		t.Errorf("in a session: %d %s", res.StatusCode, text)
	}
	res, text = post(t, rt, "/", msg, nil)
	if res.StatusCode != 400 {
		t.Errorf("without its header fields: %d %s", res.StatusCode, text)
	}
}

// TestStream reads the events of a listen stream as they come.
func TestStream(t *testing.T) {
	s := newServer()
	rt := mcptest.RoundTripper(t, s, &server.StreamableHTTPOptions{SessionTimeout: time.Minute})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r, _ := http.NewRequestWithContext(ctx, "POST", "http://test/", strings.NewReader(
		`{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":{`+envelope+`,"notifications":{"toolsListChanged":true}}}`))
	r.Header = modernHeader("subscriptions/listen", "")
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json, text/event-stream")
	res, err := rt.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	lines := bufio.NewScanner(res.Body)
	next := func(want string) {
		t.Helper()
		for lines.Scan() {
			if strings.Contains(lines.Text(), want) {
				return
			}
		}
		t.Fatalf("no %s: %d, %v", want, res.StatusCode, lines.Err())
	}
	next("subscriptions/acknowledged")
	s.RemoveTools("add")
	next("tools/list_changed")
	cancel()
	if _, err := io.ReadAll(res.Body); !errors.Is(err, context.Canceled) {
		t.Errorf("reading on: %v", err)
	}
}

func TestHandlerTransport(t *testing.T) {
	protect := auth.RequireBearerToken(func(_ context.Context, token string, _ *http.Request) (*auth.TokenInfo, error) {
		return &auth.TokenInfo{UserID: token, Expiration: time.Now().Add(time.Hour)}, nil
	}, nil)
	mux := http.NewServeMux()
	mux.Handle("GET /who/{x}", protect(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, auth.TokenInfoFromContext(r.Context()).UserID+r.PathValue("x")+r.URL.Query().Get("q")+r.Host+r.RequestURI)
	})))
	mux.HandleFunc("/abort", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "half")
		panic(http.ErrAbortHandler)
	})
	mux.HandleFunc("/panic", func(http.ResponseWriter, *http.Request) { panic("oops") })
	mux.HandleFunc("/nothing", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204); _, _ = w.Write([]byte("x")) })
	mux.HandleFunc("/empty", func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X-A", "b") })
	rt := mcptest.HandlerTransport(mux)
	get := func(path string, header http.Header) (int, string, error) {
		r, _ := http.NewRequest("GET", "http://test"+path, nil)
		r.Header = header
		res, err := rt.RoundTrip(r)
		if err != nil {
			return 0, "", err
		}
		defer res.Body.Close()
		text, err := io.ReadAll(res.Body)
		return res.StatusCode, string(text), err
	}
	for _, tt := range []struct {
		path   string
		header http.Header
		status int
		text   string
		err    string
	}{
		{"/who/x?q=y", http.Header{"Authorization": {"Bearer ann"}}, 200, "annxytest/who/x?q=y", ""},
		{"/who/x", nil, 401, "a bearer token is required\n", ""},
		{"/absent", nil, 404, "404 page not found\n", ""},
		{"/abort", nil, 200, "half", "cut"},
		{"/panic", nil, 0, "", "oops"},
		{"/nothing", nil, 204, "", ""},
		{"/empty", nil, 200, "", ""},
	} {
		status, text, err := get(tt.path, tt.header)
		if status != tt.status || text != tt.text || (err != nil) != (tt.err != "") || err != nil && !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%s: %d %q %v", tt.path, status, text, err)
		}
	}
}

// TestSlowReader checks that a handler waits for its client, and for no longer than its deadline.
func TestSlowReader(t *testing.T) {
	wrote := make(chan error, 1)
	rt := mcptest.HandlerTransport(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rc := http.NewResponseController(w)
		if r.URL.Path == "/deadline" {
			if err := rc.SetWriteDeadline(time.Now().Add(10 * time.Millisecond)); err != nil {
				t.Error(err)
			}
		}
		_, err := w.Write(bytes.Repeat([]byte("x"), 1<<20))
		wrote <- err
	}))
	r, _ := http.NewRequest("GET", "http://test/", nil)
	res, err := rt.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	if len(wrote) != 0 {
		t.Error("the handler did not wait")
	}
	text, err := io.ReadAll(res.Body)
	if err != nil || len(text) != 1<<20 || <-wrote != nil {
		t.Errorf("read %d bytes, %v", len(text), err)
	}

	r, _ = http.NewRequest("GET", "http://test/deadline", nil)
	if res, err = rt.RoundTrip(r); err != nil {
		t.Fatal(err)
	}
	if err := <-wrote; !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("beyond the deadline: %v", err)
	}
	_ = res.Body.Close()

	r, _ = http.NewRequest("GET", "http://test/", nil)
	if res, err = rt.RoundTrip(r); err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if err := <-wrote; !errors.Is(err, context.Canceled) {
		t.Errorf("after the client has left: %v", err)
	}
}
