package server

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/mooring-mcp/mooring/auth"
	"github.com/mooring-mcp/mooring/mcp"
)

func TestMetadata(t *testing.T) {
	const at = "/.well-known/oauth-protected-resource"
	r, _ := newAuthRig(t, func(o *Options) { o.SSEPath = "/sse" })
	more := mcp.NewServer(&mcp.Implementation{Name: "more", Version: "1"}, nil)
	t.Cleanup(more.Close)
	r.s.mu.Lock()
	r.s.handle("/mcp/b", more)
	r.s.mu.Unlock()
	get := func(method, path, head string) *response {
		t.Helper()
		p := r.connect()
		p.send(method + " " + path + " HTTP/1.1\r\nHost: evil.example\r\nOrigin: https://any.example\r\n" + head + "\r\n")
		res := p.next(method)
		p.wantOpen(path)
		return res
	}
	for path, resource := range map[string]string{
		at: "/mcp", at + "/mcp": "/mcp", at + "/mcp/b": "/mcp/b", at + "/sse": "/sse",
	} {
		want := `{"resource":"https://mcp.example` + resource +
			`","authorization_servers":["https://as.example"],"bearer_methods_supported":["header"]}`
		res := get("GET", path, "MCP-Protocol-Version: 2025-11-25\r\n")
		if res.status != 200 || res.body != want {
			t.Errorf("%s: %d %s, want %s", path, res.status, res.body, want)
			continue
		}
		res.wantField(path, "Content-Type", "application/json").wantField(path, "Access-Control-Allow-Origin", "*")
		tag := res.head.Get("ETag")
		head := get("HEAD", path, "")
		head.wantField(path, "ETag", tag).wantField(path, "Content-Length", res.head.Get("Content-Length"))
		for match, status := range map[string]int{tag: 304, "W/" + tag: 304, `"x", ` + tag: 304, "*": 304, `"x"`: 200} {
			got := get("GET", path, "If-None-Match: "+match+"\r\n")
			if got.status != status || status == 304 && got.body != "" {
				t.Errorf("If-None-Match %s: %d %q, want %d", match, got.status, got.body, status)
			}
			got.wantField(match, "ETag", tag).wantField(match, "Access-Control-Allow-Origin", "*")
		}
		pre := get("OPTIONS", path, "Access-Control-Request-Method: GET\r\nAccess-Control-Request-Headers: mcp-protocol-version\r\n")
		if pre.status != 204 || !strings.Contains(pre.head.Get("Access-Control-Allow-Headers"), "MCP-Protocol-Version") {
			t.Errorf("preflight: %d %v", pre.status, pre.head)
		}
		pre.wantField("preflight", "Access-Control-Allow-Origin", "*")
		if res := get("POST", path, "Content-Length: 0\r\n"); res.status != 405 || res.head.Get("Allow") != "GET, HEAD, OPTIONS" {
			t.Errorf("POST: %d %v", res.status, res.head)
		}
	}
	for _, path := range []string{at + "/", at + "/else", at + "/mcp/", at + "x"} {
		if res := get("GET", path, ""); res.status != 404 {
			t.Errorf("%s: status %d, want 404", path, res.status)
		}
	}
	// The challenge of each endpoint names its own document.
	for path, method := range map[string]string{"/mcp": "POST", "/mcp/b": "GET", "/sse": "GET", "/sse/message": "POST"} {
		p := r.connect()
		p.send(method + " " + path + " HTTP/1.1\r\nHost: localhost\r\n\r\n")
		want := at + strings.TrimSuffix(path, "/message") + `"`
		if res := p.next(method); res.status != 401 || !strings.Contains(res.head.Get("WWW-Authenticate"), want) {
			t.Errorf("%s: %d %v, want %s", path, res.status, res.head, want)
		}
	}
}

// Without Metadata nothing is published, and challenges name nothing. A Resource of its own stands
// for PublicURL.
func TestMetadataOptional(t *testing.T) {
	const in = "GET /.well-known/oauth-protected-resource HTTP/1.1\r\nHost: localhost\r\n\r\n"
	r, _ := newAuthRig(t, func(o *Options) { o.Authenticate.Metadata, o.Authenticate.Scopes = nil, nil })
	p := r.connect()
	p.send(in)
	p.wantResponse("nothing is published", 404)
	p.send(addCall(1, 2).String())
	p.wantResponse("no token", 401).wantField("no token", "WWW-Authenticate", `Bearer realm="mcp"`)

	r, _ = newAuthRig(t, func(o *Options) {
		o.PublicURL, o.Authenticate.Metadata = "", &auth.ProtectedResourceMetadata{Resource: "https://mcp.example/else/mcp"}
	})
	p = r.connect()
	p.send(in)
	if res := p.wantResponse("published", 200); !strings.Contains(res.body, `"resource":"https://mcp.example/else/mcp"`) {
		t.Errorf("got %s", res.body)
	}
	p.send(addCall(1, 2).String())
	p.wantResponse("no token", 401).wantField("no token", "WWW-Authenticate", "Bearer "+metadataAt)
}

// Both engines of requests, loops and net/http, publish the same, also next to Options.Other.
func TestMetadataHTTP(t *testing.T) {
	f := &fakeVerifier{}
	ms := mcp.NewServer(&mcp.Implementation{Name: "x", Version: "1"}, nil)
	t.Cleanup(ms.Close)
	s := New(ms, &Options{
		Loops: 1, PublicURL: "https://mcp.example", Other: http.NotFoundHandler(),
		Authenticate: &Authentication{Verifier: f.verify, Metadata: &auth.ProtectedResourceMetadata{}},
	})
	t.Cleanup(func() { _ = s.Shutdown(t.Context()) })
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest("GET", "http://localhost/.well-known/oauth-protected-resource/mcp", nil))
	if w.Code != 200 || w.Header().Get("Access-Control-Allow-Origin") != "*" || !strings.Contains(w.Body.String(), `"resource":"https://mcp.example/mcp"`) {
		t.Errorf("%d %v %s", w.Code, w.Header(), w.Body)
	}
}
