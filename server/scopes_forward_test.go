package server_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
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

// An echoing is a Backend that answers everything at once.
type echoing struct{}

func (echoing) Start(f *mcp.Forward) {
	switch f.Method() {
	case mcp.MethodReadResource:
		f.Result([]byte(`{"contents":[{"uri":"up://x","text":"served"}]}`))
	case mcp.MethodGetPrompt:
		f.Result([]byte(`{"messages":[{"role":"user","content":{"type":"text","text":"served"}}]}`))
	case mcp.MethodComplete:
		f.Result([]byte(`{"completion":{"values":["served"]}}`))
	default:
		f.Result([]byte(`{"content":[{"type":"text","text":"served"}]}`))
	}
}

func (echoing) Cancel(f *mcp.Forward, _ error) {}

func forwardedOf(scopes ...string) *mcp.Forwarded {
	return &mcp.Forwarded{
		Backend: echoing{}, Scopes: scopes,
		Tools: []mcp.ForwardedFeature{
			{Name: "up__plain", Raw: []byte(`{"name":"plain","inputSchema":{"type":"object"}}`)},
			{Name: "up__special", Raw: []byte(`{"name":"special","inputSchema":{"type":"object"}}`), Scopes: []string{"special"}},
			{Raw: []byte(`{"name":"nameless","inputSchema":{"type":"object"}}`), Scopes: []string{"a", "b"}},
		},
		Prompts:           []mcp.ForwardedFeature{{Name: "up__hail", Raw: []byte(`{"name":"hail"}`), Scopes: []string{"hail"}}},
		Resources:         [][]byte{[]byte(`{"uri":"up://r","name":"r"}`)},
		ResourceTemplates: [][]byte{[]byte(`{"uriTemplate":"up://t/{id}","name":"t"}`)},
		Capabilities:      mcp.ServerCapabilities{Completions: &mcp.CompletionCapabilities{}, Resources: &mcp.ResourceCapabilities{Subscribe: true}},
	}
}

// newForwarding returns a server whose features are those of an upstream that needs the scope "up",
// and its address. The scopes of a token are its parts between dots.
func newForwarding(t *testing.T, scopes *server.Scopes) (s *server.Server, m *mcp.Server, base string) {
	t.Helper()
	m = mcp.NewServer(&mcp.Implementation{Name: "scoped", Version: "1"}, &mcp.ServerOptions{
		Logger: slog.New(slog.DiscardHandler),
		Route: func(_ mcp.RouteKind, uri string) (mcp.Target, bool) {
			return mcp.Target{Owner: "up"}, strings.HasPrefix(uri, "up://unlisted/")
		},
	})
	t.Cleanup(m.Close)
	addScopedTools(m)
	if errs := m.Replace("up", forwardedOf("up")); errs != nil {
		t.Fatal(errs)
	}
	s = server.New(m, &server.Options{
		Loops: 2, Logger: slog.New(slog.DiscardHandler), Scopes: scopes, PublicURL: "https://h",
		Authenticate: &server.Authentication{
			Optional: true, AllowMissingExpiration: true, Metadata: &auth.ProtectedResourceMetadata{},
			Verifier: func(_ context.Context, token string, _ *http.Request) (*auth.TokenInfo, error) {
				return &auth.TokenInfo{UserID: "ann", Scopes: strings.Split(token, ".")}, nil
			},
		},
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	t.Cleanup(func() {
		if err := s.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
		<-served
	})
	return s, m, "http://" + l.Addr().String()
}

// overBoth sends r with a token to s as a handler of net/http and to its listener.
func overBoth(t *testing.T, s *server.Server, base, token string, r func() *http.Request, check func(over string, status int, head http.Header, body string)) {
	t.Helper()
	for _, over := range []string{"net/http", "listener"} {
		req := r()
		req.URL.Path = "/mcp"
		if token != "" {
			req.Header.Set("Authorization", "Bearer "+token)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		if over == "net/http" {
			if req.Header.Get("Mcp-Method") == "subscriptions/listen" {
				time.AfterFunc(50*time.Millisecond, cancel)
			}
			w := httptest.NewRecorder()
			s.ServeHTTP(w, req.WithContext(ctx))
			cancel()
			check(over, w.Code, w.Header(), w.Body.String())
			continue
		}
		out, err := http.NewRequestWithContext(ctx, req.Method, base+"/mcp", req.Body)
		if err != nil {
			t.Fatal(err)
		}
		out.Header = req.Header
		resp, err := http.DefaultClient.Do(out)
		if err != nil {
			t.Fatal(err)
		}
		var body []byte
		if strings.HasPrefix(resp.Header.Get("Content-Type"), "text/event-stream") && req.Header.Get("Mcp-Method") == "subscriptions/listen" {
			body = []byte(event(t, resp.Body))
		} else if body, err = io.ReadAll(resp.Body); err != nil {
			t.Error(err)
		}
		cancel()
		resp.Body.Close()
		check(over, resp.StatusCode, resp.Header, string(body))
	}
}

// What is forwarded needs the scopes of its upstream and of its feature, with Options.Scopes and
// without, on both transports. What the server has itself does not.
func TestScopesOfUpstreams(t *testing.T) {
	read := func(uri string) func() *http.Request {
		return func() *http.Request { return post("resources/read", uri, fmt.Sprintf(`"uri":%q`, uri)) }
	}
	complete := func(ref string) func() *http.Request {
		return func() *http.Request {
			return post("completion/complete", "", `"ref":`+ref+`,"argument":{"name":"id","value":""}`)
		}
	}
	tool := func(name string) func() *http.Request {
		return func() *http.Request { return call(name, `{}`) }
	}
	big := func() *http.Request { return call("up__special", `{}`+strings.Repeat(" ", 20<<10)) }
	listen := func(uris string) func() *http.Request {
		return func() *http.Request {
			return post("subscriptions/listen", "", `"notifications":{"toolsListChanged":true,"resourceSubscriptions":`+uris+`}`)
		}
	}
	hail := func() *http.Request { return post("prompts/get", "up__hail", `"name":"up__hail"`) }
	for _, rules := range []*server.Scopes{nil, {Tools: map[string][]string{"up__plain": {"rule"}}, Implies: map[string][]string{"all": {"up", "special"}}}} {
		s, _, base := newForwarding(t, rules)
		plain, all := "up", "up special"
		if rules != nil {
			plain, all = "rule up", ""
		}
		for _, tt := range []struct {
			why   string
			r     func() *http.Request
			token string
			lacks string // "" if it is served
		}{
			{"of the server itself", func() *http.Request { return call("add", `{"A":1,"B":2}`) }, "x", ""},
			{"a list", func() *http.Request { return post("tools/list", "", "") }, "x", ""},
			{"a tool", tool("up__plain"), "up.rule", ""},
			{"a tool, nothing", tool("up__plain"), "x", plain},
			{"a tool with a scope", tool("up__special"), "special.up", ""},
			{"a tool with a scope, without the upstream's", tool("up__special"), "special", "up special"},
			{"a tool with a scope, without its own", tool("up__special"), "up", "up special"},
			{"a big message", big, "up.special", ""},
			{"a big message, without", big, "up", "up special"},
			{"a tool under its own name", tool("nameless"), "up.a", "up a b"},
			{"a tool under its own name, both", tool("nameless"), "up.b.a", ""},
			{"implied", tool("up__special"), "all", all},
			{"a prompt", hail, "up.hail", ""},
			{"a prompt, without", hail, "up", "up hail"},
			{"a resource", read("up://r"), "up", ""},
			{"a resource, without", read("up://r"), "x", "up"},
			{"a resource, otherwise written", read("UP://%72"), "x", "up"},
			{"a template, without", read("up://t/7"), "x", "up"},
			{"a URI that is not listed", read("up://unlisted/7"), "up", ""},
			{"a URI that is not listed, without", read("up://unlisted/7"), "x", "up"},
			{"completion of a prompt", complete(`{"type":"ref/prompt","name":"up__hail"}`), "up.hail", ""},
			{"completion of a prompt, without", complete(`{"type":"ref/prompt","name":"up__hail"}`), "up", "up hail"},
			{"completion of a template", complete(`{"type":"ref/resource","uri":"up://t/{id}"}`), "x", "up"},
			{"listen", listen(`["up://r"]`), "up", ""},
			{"listen to nothing of it", listen(`[]`), "x", ""},
			{"listen, without", listen(`["up://t/1","up://r"]`), "x", "up"},
		} {
			overBoth(t, s, base, tt.token, tt.r, func(over string, status int, head http.Header, body string) {
				want, challenge := 200, ""
				if tt.lacks != "" {
					want = 403
					challenge = `Bearer error="insufficient_scope", error_description="the token lacks a scope", ` +
						`resource_metadata="https://h/.well-known/oauth-protected-resource/mcp", scope="` + tt.lacks + `"`
				}
				if got := head.Get("WWW-Authenticate"); status != want || got != challenge {
					t.Errorf("%s, %s, rules %v: %d %s\n%.300s\nwant %d %s", tt.why, over, rules != nil, status, got, body, want, challenge)
				}
			})
		}
		overBoth(t, s, base, "", tool("up__plain"), func(over string, status int, head http.Header, body string) {
			want := `Bearer resource_metadata="https://h/.well-known/oauth-protected-resource/mcp", scope="` + plain + `"`
			if got := head.Get("WWW-Authenticate"); status != 401 || got != want {
				t.Errorf("no token, %s: %d %s, want 401 %s", over, status, got, want)
			}
		})
	}
}

// Earlier revisions and batches are held to the same scopes, and so is a catalogue that changes.
func TestScopesOfUpstreamsOfSessions(t *testing.T) {
	s, m, base := newForwarding(t, nil)
	do := func(why, session, token, message string, want int, text string) (id string) {
		t.Helper()
		overBoth(t, s, base, token, func() *http.Request { return early(session, message) }, func(over string, status int, head http.Header, body string) {
			if status != want || !strings.Contains(body, text) {
				t.Errorf("%s, %s: %d %s\nwant %d %s", why, over, status, body, want, text)
			}
			id = head.Get("Mcp-Session-Id")
		})
		return id
	}
	session := do("initialize", "", "x", strings.Replace(initialize, "2025-06-18", "2025-03-26", 1), 200, "2025-03-26")
	special := `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"up__special","arguments":{}}}`
	ping := `{"jsonrpc":"2.0","id":3,"method":"ping"}`
	do("a tool", session, "up.special", special, 200, "served")
	do("a tool, without", session, "up", special, 403, `"id":1,"error"`)
	do("a batch", session, "up.special", "["+ping+","+special+"]", 200, "served")
	do("a batch, without", session, "up", "["+ping+","+special+"]", 403, `"id":3,"error"`)
	do("subscribe, without", session, "x", `{"jsonrpc":"2.0","id":1,"method":"resources/subscribe","params":{"uri":"up://r"}}`, 403, `"error"`)

	m.Replace("up", forwardedOf())
	do("the upstream needs none any more", session, "special", special, 200, "served")
	m.Replace("up", nil)
	if m.Scoped() {
		t.Error("an upstream that has gone still needs scopes")
	}
	do("gone", session, "x", special, 200, "error")
}
