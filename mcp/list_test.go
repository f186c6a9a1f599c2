package mcp

import (
	"context"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"testing"
)

func names(a *answer, list, member string) (out []string) {
	a.t.Helper()
	entries, ok := a.result()[list].([]any)
	if !ok {
		a.t.Fatalf("no array %s in %s", list, a.body)
	}
	for _, e := range entries {
		out = append(out, e.(map[string]any)[member].(string))
	}
	return out
}

func fillServer(s *Server, n int) {
	read := func(context.Context, *ReadResourceRequest) (*ReadResourceResult, error) {
		return &ReadResourceResult{Contents: []*ResourceContents{{Text: "x"}}}, nil
	}
	for i := range n {
		name := fmt.Sprintf("f%02d", i)
		AddTool(s, &Tool{Name: name, Description: "d"}, echo)
		s.AddPrompt(&Prompt{Name: name}, func(context.Context, *GetPromptRequest) (*GetPromptResult, error) { return nil, nil })
		s.AddResource(&Resource{Name: name, URI: "test://" + name}, read)
		s.AddResourceTemplate(&ResourceTemplate{Name: name, URITemplate: "test://" + name + "/{id}"}, read)
	}
}

var lists = []struct{ method, list, member, prefix, suffix string }{
	{"tools/list", "tools", "name", "", ""},
	{"prompts/list", "prompts", "name", "", ""},
	{"resources/list", "resources", "uri", "test://", ""},
	{"resources/templates/list", "resourceTemplates", "uriTemplate", "test://", "/{id}"},
}

func TestPagination(t *testing.T) {
	for _, size := range []int{1, 3, 7, 8, -1, 0} {
		s := NewServer(&Implementation{Name: "n", Version: "v"}, &ServerOptions{PageSize: size})
		fillServer(s, 7)
		c := newClient(t, s)
		for _, l := range lists {
			var got []string
			pages, members := 0, ""
			for {
				a := c.call(l.method, members)
				a.wantResult(l.method, `"ttlMs":0`, `"cacheScope":"private"`, `"resultType":"complete"`)
				if !a.inline {
					t.Errorf("%s is not inline", l.method)
				}
				got = append(got, names(a, l.list, l.member)...)
				pages++
				next, ok := a.result()["nextCursor"].(string)
				if !ok {
					break
				}
				members = fmt.Sprintf(`"cursor":%q`, next)
			}
			var want []string
			for i := range 7 {
				want = append(want, fmt.Sprintf("%sf%02d%s", l.prefix, i, l.suffix))
			}
			wantPages := 1
			if size > 0 {
				wantPages = (7 + size - 1) / size
			}
			if !slices.Equal(got, want) || pages != wantPages {
				t.Errorf("%s by %d: %d pages %q", l.method, size, pages, got)
			}
		}
	}
}

// A cursor stays valid while features are added and removed.
func TestCursorAcrossChanges(t *testing.T) {
	s := NewServer(&Implementation{Name: "n", Version: "v"}, &ServerOptions{PageSize: 2})
	fillServer(s, 6)
	c := newClient(t, s)
	cursor := fmt.Sprintf(`"cursor":%q`, c.call("tools/list", "").result()["nextCursor"]) // after f01
	s.RemoveTools("f00", "f01", "f02")
	AddTool(s, &Tool{Name: "f01b", Description: "d"}, echo)
	if got := names(c.call("tools/list", cursor), "tools", "name"); !slices.Equal(got, []string{"f01b", "f03"}) {
		t.Errorf("got %q", got)
	}
	s.RemoveTools("f01b", "f03", "f04", "f05")
	a := c.call("tools/list", cursor)
	a.wantResult("nothing left, but still offered", `"tools":[]`)
}

func TestBadCursors(t *testing.T) {
	s := NewServer(&Implementation{Name: "n", Version: "v"}, &ServerOptions{PageSize: 2})
	fillServer(s, 3)
	c := newClient(t, s)
	good := c.call("prompts/list", "").result()["nextCursor"].(string)
	enc := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	for _, cursor := range []string{"invalid-cursor", "x", good, good + "=", good + "A", enc("2tf00"), enc("1"), enc("1t\xff"), " "} {
		c.call("tools/list", fmt.Sprintf(`"cursor":%q`, cursor)).wantError(cursor, -32602, 400)
	}
	c.call("tools/list", fmt.Sprintf(`"cursor":%q`, enc("1tzz"))).wantResult("behind the last", `"tools":[]`)
}

func TestDiscover(t *testing.T) {
	s := NewServer(&Implementation{Name: "n", Version: "v", Title: "T"}, &ServerOptions{
		Instructions: "Say \"ahoy\".",
		Cache:        CacheHints{Discover: Cacheable{TTLMs: 5000, CacheScope: CachePublic}, Tools: Cacheable{TTLMs: -1, CacheScope: "odd"}},
	})
	c := newClient(t, s)
	a := c.call("server/discover", "")
	a.wantResult("nothing added", `"supportedVersions":["2026-07-28","2025-11-25","2025-06-18","2025-03-26","2024-11-05"]`, `"capabilities":{"logging":{}}`, `"instructions":"Say \"ahoy\"."`, `"ttlMs":5000,"cacheScope":"public"`, `"title":"T"`)
	fillServer(s, 1)
	c.call("server/discover", "").wantResult("all added", `"tools":{"listChanged":true}`, `"prompts":{"listChanged":true}`, `"resources":{"listChanged":true,"subscribe":true}`)
	c.call("tools/list", "").wantResult("hints that are not valid", `"ttlMs":0,"cacheScope":"private"`)
	s.RemoveTools("f00")
	c.call("server/discover", "").wantResult("what was added stays declared", `"tools":{"listChanged":true}`)

	s = NewServer(&Implementation{Name: "n", Version: "v"}, &ServerOptions{
		Capabilities:      &ServerCapabilities{Tools: &ToolCapabilities{}, Extensions: map[string]any{"com.example/x": map[string]any{}}},
		CompletionHandler: func(context.Context, *CompleteRequest) (*CompleteResult, error) { return nil, nil },
	})
	c = newClient(t, s)
	c.call("server/discover", "").wantResult("declared by the host", `"tools":{}`, `"completions":{}`, `"extensions":{"com.example/x":{}}`)
	c.call("tools/list", "").wantResult("declared, so it is there", `"tools":[]`)
}

// Lists are encoded once for each registry.
func TestListsAreEncodedOnce(t *testing.T) {
	s := newTestServer(t, nil)
	p := pager{&s.listTools, &s.identity.Load().heads[0], newest(), 0, nil}
	one := page(p, s.reg.Load().tools, 0)
	s.AddPrompt(&Prompt{Name: "p"}, nil)
	two := page(p, s.reg.Load().tools, 0)
	if &one[0] != &two[0] {
		t.Error("a prompt made the list of tools be encoded again")
	}
	AddTool(s, &Tool{Name: "echo", Description: "Says it again."}, echo)
	three := page(p, s.reg.Load().tools, 0)
	if &one[0] == &three[0] || string(one) != string(three) {
		t.Errorf("an equal tool: %s", three)
	}
}

func TestFeatureSet(t *testing.T) {
	f := new(featureSet[*prompt])
	for _, name := range []string{"m", "a", "z", "m", "b"} {
		f = f.with(&prompt{def: &Prompt{Name: name}})
	}
	var got []string
	for _, p := range f.items {
		got = append(got, p.key())
	}
	if strings.Join(got, "") != "abmz" {
		t.Errorf("got %q", got)
	}
	for _, name := range []string{"a", "b", "m", "z"} {
		if p, ok := f.get([]byte(name)); !ok || p.key() != name {
			t.Errorf("%s not found", name)
		}
	}
	if _, ok := f.get([]byte("c")); ok {
		t.Error("c found")
	}
	if f.without([]string{"c"}) != f {
		t.Error("removing nothing made another set")
	}
	if g := f.without([]string{"a", "z"}); len(g.items) != 2 || len(f.items) != 4 {
		t.Errorf("%d left of %d", len(g.items), len(f.items))
	}
}
