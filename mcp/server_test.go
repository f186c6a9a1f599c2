package mcp

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strings"
	"testing"
)

// A server without a name or a version has those of its program.
func TestIdentity(t *testing.T) {
	for _, tt := range []struct {
		given         Implementation
		path, module  string
		name, version string
	}{
		{Implementation{Name: "n", Version: "v1"}, "example.com/p", "v2.0.0", "n", "v1"},
		{Implementation{}, "example.com/cmd/harbour", "v2.0.0", "harbour", "v2.0.0"},
		{Implementation{}, "example.com/cmd/harbour", "(devel)", "harbour", "v0.0.0"},
		{Implementation{Name: "n"}, "", "", "n", "v0.0.0"},
		{Implementation{Version: "v1"}, "", "", "server", "v1"},
	} {
		got := tt.given
		got.fill(&debug.BuildInfo{Path: tt.path, Main: debug.Module{Version: tt.module}}, true)
		if got.Name != tt.name || got.Version != tt.version {
			t.Errorf("%+v in %s %s became %+v", tt.given, tt.path, tt.module, got)
		}
	}
	var unknown Implementation
	if unknown.fill(nil, false); unknown.Name != "server" || unknown.Version != "v0.0.0" {
		t.Errorf("without build info: %+v", unknown)
	}
	impl := &Implementation{}
	c := newClient(t, NewServer(impl, nil))
	if c.call("server/discover", "").wantResult("discover", `"version":"v`); impl.Version != "" {
		t.Error("the host's value was changed")
	}
}

// Resources without a name are listed under their URI.
func TestNamelessResources(t *testing.T) {
	s := newTestServer(t, nil)
	s.AddResource(&Resource{URI: "test://a"}, noRead)
	s.AddResourceTemplate(&ResourceTemplate{URITemplate: "test://{a}/b"}, noRead)
	c := newClient(t, s)
	c.call("resources/list", "").wantResult("resources", `{"name":"test://a","uri":"test://a"}`)
	c.call("resources/templates/list", "").wantResult("templates", `{"name":"test://{a}/b","uriTemplate":"test://{a}/b"}`)
}

// A tool whose name clients may refuse is logged, listed and called, over HTTP too.
func TestToolNames(t *testing.T) {
	var log bytes.Buffer
	s := NewServer(&Implementation{Name: "test", Version: "v1.0.0"}, &ServerOptions{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	for name, field := range map[string]string{
		"plain-1.0_x": "plain-1.0_x", "a b": "a b", "ns/tool:x": "ns/tool:x", "größe": "=?base64?Z3LDtsOfZQ==?=",
		" padded ": "=?base64?IHBhZGRlZCA=?=", strings.Repeat("x", 129): strings.Repeat("x", 129),
	} {
		log.Reset()
		s.AddTool(&Tool{Name: name, InputSchema: map[string]any{"type": "object"}}, func(_ context.Context, req *CallToolRequest) (*CallToolResult, error) {
			return &CallToolResult{Content: []Content{&TextContent{Text: req.Params.Name}}}, nil
		})
		if logged := strings.Contains(log.String(), "name of a tool"); logged == (name == "plain-1.0_x") {
			t.Errorf("%q: logged %v", name, logged)
		}
		c := newClient(t, s)
		c.callHTTP("tools/call", fmt.Sprintf(`"name":%q`, name), &RequestMeta{
			HTTP: true, ProtocolVersion: []byte(modern), Method: []byte("tools/call"), Name: []byte(field),
		}).wantResult(name, fmt.Sprintf(`"text":%q`, name))
		c.call("tools/list", "").wantResult(name, fmt.Sprintf(`"name":%q`, name))
	}
}
