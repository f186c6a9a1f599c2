package server_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/auth"
	"github.com/mooring-mcp/mooring/mcp"
	"github.com/mooring-mcp/mooring/server"
)

// newScoped returns a server with features, and its rules.
func newScoped(t *testing.T, scopes *server.Scopes) *server.Server {
	t.Helper()
	m := mcp.NewServer(&mcp.Implementation{Name: "scoped", Version: "1"}, &mcp.ServerOptions{
		Logger: slog.New(slog.DiscardHandler),
		CompletionHandler: func(context.Context, *mcp.CompleteRequest) (*mcp.CompleteResult, error) {
			return &mcp.CompleteResult{}, nil
		},
	})
	t.Cleanup(m.Close)
	addScopedTools(m)
	read := func(_ context.Context, req *mcp.ReadResourceRequest) (*mcp.ReadResourceResult, error) {
		return &mcp.ReadResourceResult{Contents: []*mcp.ResourceContents{{URI: req.Params.URI, Text: "text"}}}, nil
	}
	m.AddResource(&mcp.Resource{URI: "test://open/a", Name: "a"}, read)
	m.AddResource(&mcp.Resource{URI: "test://shut/b", Name: "b"}, read)
	m.AddResourceTemplate(&mcp.ResourceTemplate{URITemplate: "test://vault/{id}", Name: "v"}, read)
	m.AddPrompt(&mcp.Prompt{Name: "hail"}, func(context.Context, *mcp.GetPromptRequest) (*mcp.GetPromptResult, error) {
		return &mcp.GetPromptResult{}, nil
	})
	s := server.New(m, &server.Options{Loops: 2, Logger: slog.New(slog.DiscardHandler), SSEPath: "/sse", Scopes: scopes})
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
	})
	return s
}

func addScopedTools(m *mcp.Server) {
	type add struct{ A, B int }
	type sum struct{ Sum int }
	mcp.AddInlineTool(m, &mcp.Tool{Name: "add"}, func(_ *mcp.CallToolRequest, in add) (sum, error) {
		return sum{in.A + in.B}, nil
	})
	type wait struct{ Ms int }
	mcp.AddTool(m, &mcp.Tool{Name: "wait"}, func(ctx context.Context, _ *mcp.CallToolRequest, in wait) (*mcp.CallToolResult, any, error) {
		select {
		case <-time.After(time.Duration(in.Ms) * time.Millisecond):
			return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: "waited"}}}, nil, nil
		case <-ctx.Done():
			return nil, nil, context.Cause(ctx)
		}
	})
}

// as gives r the token of a user with the scopes; no token if scopes is "-".
func as(r *http.Request, scopes string) *http.Request {
	r.URL.Path = "/mcp"
	if scopes == "-" {
		return r
	}
	info := &auth.TokenInfo{UserID: "ann", Scopes: strings.Fields(scopes), Expiration: time.Now().Add(time.Hour)}
	return r.WithContext(auth.ContextWithTokenInfo(r.Context(), info))
}

func early(session, message string) *http.Request {
	r := httptest.NewRequest("POST", "/mcp", strings.NewReader(message))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json, text/event-stream")
	if session != "" {
		r.Header.Set("Mcp-Session-Id", session)
	}
	return r
}

var testScopes = server.Scopes{
	Methods: map[string][]string{"tools/call": {"call"}, "resources/*": {"res"}, "logging/setLevel": {"log"}, "notifications/*": {}},
	Tools:   map[string][]string{"add": {"add"}, "wa*": {"slow"}, "wait": {"wait"}},
	Resources: map[string][]string{
		"TEST://Shut/*": {"shut"}, "test://vault/*": {"vault"}, "test://vault/%37": {"seven"},
	},
	Prompts: map[string][]string{"hail": {"hail"}},
	// All that is below all, and a cycle.
	Implies: map[string][]string{"all": {"half", "hail"}, "half": {"call", "add", "all"}},

	ResourceMetadataURL: "https://h/.well-known/oauth-protected-resource/mcp",
}

const metadataParam = `resource_metadata="https://h/.well-known/oauth-protected-resource/mcp"`

func lacks(scopes string) string {
	return `Bearer error="insufficient_scope", error_description="the token lacks a scope", ` + metadataParam + `, scope="` + scopes + `"`
}

func TestScopes(t *testing.T) {
	var refused uint64
	s := newScoped(t, &testScopes)
	read := func(uri string) *http.Request { return post("resources/read", uri, fmt.Sprintf(`"uri":%q`, uri)) }
	complete := func(ref string) *http.Request {
		return post("completion/complete", "", `"ref":`+ref+`,"argument":{"name":"id","value":""}`)
	}
	add := func() *http.Request { return call("add", `{"A":1,"B":2}`) }
	wait := func() *http.Request { return call("wait", `{"Ms":0}`) }
	big := func() *http.Request { return call("add", `{"A":1,"B":2}`+strings.Repeat(" ", 20<<10)) }
	listen := func(uris string) *http.Request {
		return post("subscriptions/listen", "", `"notifications":{"toolsListChanged":true,"resourceSubscriptions":`+uris+`}`)
	}
	for _, tt := range []struct {
		why    string
		r      *http.Request
		scopes string
		lacks  string // "" if it is served
	}{
		{"inline", add(), "call add", ""},
		{"inline, one is missing", add(), "add", "call add"},
		{"inline, none", add(), "", "call add"},
		{"implied", add(), "half", ""},
		{"implied by what is implied", add(), "all", ""},
		{"worker", wait(), "call slow wait other", ""},
		{"worker, one is missing", wait(), "call wait", "call slow wait"},
		{"a big message", big(), "call add", ""},
		{"a big message, none", big(), "call", "call add"},
		{"a method without rules", post("tools/list", "", ""), "", ""},
		{"a resource", read("test://open/a"), "res", ""},
		{"a resource below", read("test://shut/b"), "res", "res shut"},
		{"the same, otherwise written", read("tEst://SHUT/%62"), "res", "res shut"},
		{"a template", read("test://vault/1"), "res vault", ""},
		{"a template below", read("test://vault/1"), "res seven", "res vault"},
		{"an encoded key", read("test://vault/7"), "res vault", "res vault seven"},
		{"a prompt", post("prompts/get", "hail", `"name":"hail"`), "all", ""},
		{"a prompt without", post("prompts/get", "hail", `"name":"hail"`), "half", ""}, // the cycle
		{"a prompt with another", post("prompts/get", "hail", `"name":"hail"`), "call", "hail"},
		{"a prompt with an escape", post("prompts/get", "hail", `"name":"\u0068ail"`), "call", "hail"},
		{"completion of a prompt", complete(`{"type":"ref/prompt","name":"hail"}`), "call", "hail"},
		{"completion of a template", complete(`{"type":"ref/resource","uri":"test://vault/{id}"}`), "call", "vault"},
		{"listen", listen(`["test://open/a","test://shut/b"]`), "shut", "stream"},
		{"listen to one too many", listen(`["test://open/a","test://shut/b","test://vault/1"]`), "shut", "shut vault"},
	} {
		ctx, cancel := context.WithCancel(context.Background())
		w := httptest.NewRecorder()
		if tt.lacks == "stream" {
			time.AfterFunc(50*time.Millisecond, cancel)
		}
		s.ServeHTTP(w, as(tt.r.WithContext(ctx), tt.scopes))
		cancel()
		status, challenge := 200, ""
		if tt.lacks != "" && tt.lacks != "stream" {
			status, challenge = 403, lacks(tt.lacks)
			refused++
		}
		if got := w.Header().Get("WWW-Authenticate"); w.Code != status || got != challenge {
			t.Errorf("%s: %d %s\n%.200s\nwant %d %s", tt.why, w.Code, got, w.Body, status, challenge)
		}
		if body := w.Body.String(); status == 403 && (!strings.Contains(body, `"id":7`) || !strings.Contains(body, `"error"`)) {
			t.Errorf("%s: %s", tt.why, body)
		}
	}
	if got := s.Stats().Requests[server.RequestLabels{Method: "tools/call", Outcome: "refused"}]; got != 4 {
		t.Errorf("%d calls are counted as refused, want 4", got)
	}
	if got := s.Stats().Refusals["scope"]; got != refused {
		t.Errorf("%d refusals for a scope, want %d", got, refused)
	}
}

func TestScopesAnonymous(t *testing.T) {
	scopes := testScopes
	for _, anonymous := range []bool{false, true} {
		scopes.Anonymous = anonymous
		s := newScoped(t, &scopes)
		w := httptest.NewRecorder()
		s.ServeHTTP(w, as(call("add", `{"A":1,"B":2}`), "-"))
		status, challenge := 401, `Bearer `+metadataParam+`, scope="call add"`
		if anonymous {
			status, challenge = 200, ""
		}
		if got := w.Header().Get("WWW-Authenticate"); w.Code != status || got != challenge {
			t.Errorf("anonymous %v: %d %s", anonymous, w.Code, got)
		}
		w = httptest.NewRecorder()
		s.ServeHTTP(w, as(post("tools/list", "", ""), "-"))
		if w.Code != 200 {
			t.Errorf("an operation without scopes: %d %s", w.Code, w.Body)
		}
	}
}

// On earlier revisions a challenge has the scopes that the token has too.
func TestScopesOfSessions(t *testing.T) {
	s := newScoped(t, &testScopes)
	for _, rev := range []string{"2025-03-26", "2025-06-18", "2025-11-25"} {
		do := func(why, session, message, scopes string, status int, challenge, text string) *httptest.ResponseRecorder {
			t.Helper()
			w := httptest.NewRecorder()
			s.ServeHTTP(w, as(early(session, message), scopes))
			if got := w.Header().Get("WWW-Authenticate"); w.Code != status || got != challenge || !strings.Contains(w.Body.String(), text) {
				t.Errorf("%s: %s: %d %s\n%.300s\nwant %d %s", rev, why, w.Code, got, w.Body, status, challenge)
			}
			return w
		}
		session := do("initialize", "", strings.Replace(initialize, "2025-06-18", rev, 1), "x", 200, "", rev).Header().Get("Mcp-Session-Id")
		add := `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"add","arguments":{"A":1,"B":2}}}`
		wait := `{"jsonrpc":"2.0","id":"w","method":"tools/call","params":{"name":"wait","arguments":{"Ms":0}}}`
		ping := `{"jsonrpc":"2.0","id":3,"method":"ping"}`
		do("inline", session, add, "call add", 200, "", `Sum`)
		do("inline, refused", session, add, `call x " y`, 403, lacks("call add x y"), `"id":1,"error"`)
		do("worker, refused", session, wait, "add", 403, lacks("call slow wait add"), `"id":"w","error"`)
		do("subscribe", session, `{"jsonrpc":"2.0","id":1,"method":"resources/subscribe","params":{"uri":"test://shut/b"}}`, "res", 403, lacks("res shut"), `"error"`)
		do("no token", session, ping, "-", 404, "", "session not found")
		if got := s.Stats().SessionsWithState; got != 0 {
			t.Errorf("%d sessions have state after a refused subscription", got)
		}
		if rev != "2025-03-26" {
			continue
		}
		do("batch", session, "["+add+","+ping+"]", "call add", 200, "", `"id":3,"result"`)
		w := do("batch, refused", session, "["+ping+","+add+"]", "call", 403, lacks("call add"), `"id":1,"error"`)
		if strings.Contains(w.Body.String(), "result") || !strings.Contains(w.Body.String(), `"id":3,"error"`) {
			t.Errorf("a message of a refused batch was served: %s", w.Body)
		}
	}
	long := strings.Repeat("s", 600) + " "
	w := httptest.NewRecorder()
	session := httptest.NewRecorder()
	s.ServeHTTP(session, as(early("", initialize), ""))
	s.ServeHTTP(w, as(early(session.Header().Get("Mcp-Session-Id"), `{"jsonrpc":"2.0","id":1,"method":"resources/list"}`), strings.Repeat(long, 9)+strings.Repeat("t", 5000)))
	if got := len(w.Header().Get("WWW-Authenticate")); w.Code != 403 || got > 3<<10 {
		t.Errorf("%d, a challenge of %d bytes", w.Code, got)
	}
}

func TestScopesSSE(t *testing.T) {
	s := newScoped(t, &testScopes)
	hs := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		info := &auth.TokenInfo{UserID: "ann", Scopes: strings.Fields(r.Header.Get("X-Scopes"))}
		s.ServeHTTP(w, r.WithContext(auth.ContextWithTokenInfo(r.Context(), info)))
	}))
	defer hs.Close()
	defer hs.CloseClientConnections()
	stream, err := http.Get(hs.URL + "/sse")
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Body.Close()
	_, where, _ := strings.Cut(event(t, stream.Body), "data: ")
	do := func(message, scopes string) *http.Response {
		r, _ := http.NewRequest("POST", hs.URL+strings.TrimSpace(where), strings.NewReader(message))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("X-Scopes", scopes)
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp
	}
	if resp := do(strings.Replace(initialize, "2025-06-18", "2025-03-26", 1), ""); resp.StatusCode != 202 {
		t.Fatalf("initialize: %d", resp.StatusCode)
	}
	event(t, stream.Body)
	add := `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"add","arguments":{"A":1,"B":2}}}`
	if resp := do(add, "call"); resp.StatusCode != 403 || resp.Header.Get("WWW-Authenticate") != lacks("call add") {
		t.Errorf("refused: %d %s", resp.StatusCode, resp.Header)
	}
	if resp := do("["+add+"]", "call"); resp.StatusCode != 202 {
		t.Errorf("a batch: %d", resp.StatusCode)
	}
	if got := event(t, stream.Body); !strings.Contains(got, `[{"jsonrpc":"2.0","id":1,"error"`) {
		t.Errorf("a refused batch: %s", got)
	}
	if resp := do(add, "call add"); resp.StatusCode != 202 {
		t.Errorf("served: %d", resp.StatusCode)
	}
	if got := event(t, stream.Body); !strings.Contains(got, `Sum`) {
		t.Errorf("served: %s", got)
	}
}

func TestScopesOptions(t *testing.T) {
	for _, scopes := range []server.Scopes{
		{Methods: map[string][]string{"": {"a"}}},
		{Tools: map[string][]string{"a": {"two words"}}},
		{Prompts: map[string][]string{"a": {""}}},
		{Implies: map[string][]string{`a"`: {"b"}}},
		{ResourceMetadataURL: "https://h/\r\nx"},
	} {
		err := (&server.Options{Scopes: &scopes}).Validate()
		if e, ok := err.(*server.OptionError); !ok || !strings.HasPrefix(e.Option, "Scopes.") {
			t.Errorf("%+v: %v", scopes, err)
		}
	}
	if err := (&server.Options{Scopes: &testScopes}).Validate(); err != nil {
		t.Error(err)
	}
}
