package mcp

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
)

// A server without features declares the kinds that its options name, and answers their lists.
func TestHasOptions(t *testing.T) {
	impl := &Implementation{Name: "test", Version: "v1.0.0"}
	c := newClient(t, NewServer(impl, &ServerOptions{HasTools: true, HasPrompts: true}))
	c.call("server/discover", "").wantResult("discover",
		`"capabilities":{"logging":{},"prompts":{"listChanged":true},"tools":{"listChanged":true}}`)
	c.call("tools/list", "").wantResult("tools", `"tools":[]`)
	c.call("prompts/list", "").wantResult("prompts", `"prompts":[]`)
	c.call("resources/list", "").wantError("resources", -32601, 404)
	c = newClient(t, NewServer(impl, &ServerOptions{HasResources: true}))
	c.call("resources/templates/list", "").wantResult("templates", `"resourceTemplates":[]`)
	c.call("tools/list", "").wantError("tools", -32601, 404)
}

func TestGetSessionIDIsLogged(t *testing.T) {
	var log bytes.Buffer
	s := newTestServer(t, &ServerOptions{
		Logger:       slog.New(slog.NewTextHandler(&log, nil)),
		GetSessionID: func() string { t.Error("called"); return "id" },
	})
	newLegacyClient(t, s, "2025-11-25", `{}`)
	if got := strings.Count(log.String(), "GetSessionID"); got != 1 {
		t.Errorf("logged %d times: %s", got, &log)
	}
}

// What is not served is refused, and not offered.
func TestSupportedProtocolVersions(t *testing.T) {
	all := SupportedProtocolVersions()
	if got, want := strings.Join(all, " "), "2026-07-28 2025-11-25 2025-06-18 2025-03-26 2024-11-05"; got != want {
		t.Errorf("served are %s, want %s", got, want)
	}
	all[0] = "changed"
	if SupportedProtocolVersions()[0] != modern {
		t.Error("a caller changed what is served")
	}

	const two = `"supported":["2026-07-28","2025-06-18"]`
	s := newTestServer(t, &ServerOptions{SupportedProtocolVersions: []string{"2025-06-18", modern}})
	c := newClient(t, s)
	c.call("server/discover", "").wantResult("discover", `"supportedVersions":["2026-07-28","2025-06-18"]`)
	for asked, agreed := range map[string]string{"2025-06-18": "2025-06-18", "2025-11-25": "2025-06-18", "2024-11-05": "2025-06-18", "x": "2025-06-18"} {
		a := c.initialize(asked, `{}`)
		if a.wantResult(asked, `"protocolVersion":"`+agreed+`"`); a.opened.Revision != agreed {
			t.Errorf("%s opened %+v", asked, a.opened)
		}
	}
	for name, meta := range map[string]*RequestMeta{
		"a session of another revision": {Session: &SessionInfo{Revision: "2025-11-25"}},
		"a session of the default":      {Session: &SessionInfo{}},
		"the transport of 2024-11-05":   {SSE2024: true},
		"the version in the header":     {HTTP: true, ProtocolVersion: []byte("2025-11-25"), Session: &SessionInfo{Revision: "2025-06-18"}},
	} {
		c.send(`{"jsonrpc":"2.0","id":1,"method":"ping"}`, meta).wantError(name, CodeUnsupportedProtocolVersion, 400, two)
	}

	c = newClient(t, newTestServer(t, &ServerOptions{SupportedProtocolVersions: []string{modern}}))
	c.initialize("2025-11-25", `{}`).wantError("no sessions", CodeUnsupportedProtocolVersion, 400, `"supported":["2026-07-28"]`, `"requested":"2025-11-25"`)
	c = newClient(t, newTestServer(t, &ServerOptions{SupportedProtocolVersions: []string{"2025-11-25"}}))
	c.call("server/discover", "").wantError("sessions only", CodeUnsupportedProtocolVersion, 400, `"supported":["2025-11-25"]`)
	c.initialize("2025-11-25", `{}`).wantResult("sessions only")

	defer func() {
		if recover() == nil {
			t.Error("an unknown revision was taken")
		}
	}()
	NewServer(&Implementation{Name: "n", Version: "v"}, &ServerOptions{SupportedProtocolVersions: []string{"2024-01-01"}})
}

// SetCacheable sees each result with caching fields, after its handler.
func TestSetCacheable(t *testing.T) {
	seen := make(map[string]Cacheable)
	s := newTestServer(t, &ServerOptions{
		Cache: CacheHints{Tools: Cacheable{TTLMs: 3, CacheScope: CachePublic}, ReadResource: Cacheable{TTLMs: 4}},
		SetCacheable: func(_ context.Context, req Request, c *Cacheable) {
			name := ""
			switch req := req.(type) {
			case *ListToolsRequest:
				name = "tools"
			case *ListPromptsRequest:
				name = "prompts"
			case *ListResourcesRequest:
				name = "resources"
			case *ListResourceTemplatesRequest:
				name = "templates"
			case *DiscoverRequest:
				name = "discover"
			case *ReadResourceRequest:
				name = req.Params.URI
			}
			seen[name] = *c
			*c = Cacheable{TTLMs: 77, CacheScope: CachePublic}
			if name == "test://zero" {
				*c = Cacheable{}
			}
		},
	})
	fillServer(s, 1)
	s.AddResource(&Resource{Name: "z", URI: "test://zero"}, func(context.Context, *ReadResourceRequest) (*ReadResourceResult, error) {
		return &ReadResourceResult{Cacheable: Cacheable{TTLMs: 5}, Contents: []*ResourceContents{}}, nil
	})
	c := newClient(t, s)
	for _, method := range []string{"tools/list", "prompts/list", "resources/list", "resources/templates/list", "server/discover"} {
		a := c.call(method, "")
		a.wantResult(method, `"ttlMs":77,"cacheScope":"public"`)
		if a.inline {
			t.Errorf("%s calls SetCacheable on an event loop", method)
		}
	}
	c.call("resources/read", `"uri":"test://f00"`).wantResult("read", `"ttlMs":77,"cacheScope":"public"`)
	c.call("resources/read", `"uri":"test://zero"`).wantResult("read zero", `"ttlMs":0,"cacheScope":"private"`)
	if a := c.call("tools/call", `"name":"add","arguments":{"a":1,"b":2}`); !a.inline {
		t.Error("SetCacheable makes inline tools wait")
	}
	for name, want := range map[string]Cacheable{
		"tools": {3, CachePublic}, "prompts": {0, CachePrivate}, "resources": {0, CachePrivate}, "templates": {0, CachePrivate},
		"discover": {0, CachePrivate}, "test://f00": {4, CachePrivate}, "test://zero": {5, ""},
	} {
		if got, ok := seen[name]; !ok || got != want {
			t.Errorf("%s: SetCacheable got %+v, want %+v", name, got, want)
		}
	}
}

// Servers that share a cache compile each schema once. A schema that its host has changed is
// another.
func TestSchemaCache(t *testing.T) {
	cache := NewSchemaCache()
	open := map[string]any{"type": "object"}
	build := func() (typed, raw *tool) {
		s := newTestServer(t, &ServerOptions{SchemaCache: cache})
		AddInlineTool(s, &Tool{Name: "typed"}, add)
		s.AddTool(&Tool{Name: "raw", InputSchema: open}, func(context.Context, *CallToolRequest) (*CallToolResult, error) { return nil, nil })
		newClient(t, s).call("tools/call", `"name":"typed","arguments":{"a":1,"b":2}`).wantResult("typed", `{"sum":3}`)
		newClient(t, s).call("tools/call", `"name":"typed","arguments":{"a":1}`).wantResult("refused", `"isError":true`)
		typed, _ = s.reg.Load().tools.get([]byte("typed"))
		raw, _ = s.reg.Load().tools.get([]byte("raw"))
		return typed, raw
	}
	typed1, raw1 := build()
	typed2, raw2 := build()
	if typed1.in != typed2.in || typed1.out != typed2.out || raw1.in != raw2.in {
		t.Error("a schema was compiled twice")
	}
	open["required"] = []string{"x"}
	if _, raw3 := build(); raw3.in == raw1.in || raw3.in.Validate([]byte(`{}`)) == nil {
		t.Error("a changed schema was not compiled again")
	}
	if typed1.in == typed1.out {
		t.Error("input and output share a schema")
	}
	// The cache keeps patterns that cannot be checked apart from those that must be.
	look := json.RawMessage(`{"type":"object","properties":{"a":{"type":"string","pattern":"(?=x)y"}}}`)
	NewServer(&Implementation{Name: "n", Version: "v"}, &ServerOptions{SchemaCache: cache, UncheckedPatterns: true}).
		AddTool(&Tool{Name: "look", InputSchema: look}, nil)
	defer func() {
		if recover() == nil {
			t.Error("a pattern that cannot be checked was taken from the cache")
		}
	}()
	newTestServer(t, &ServerOptions{SchemaCache: cache}).AddTool(&Tool{Name: "look", InputSchema: look}, nil)
}
