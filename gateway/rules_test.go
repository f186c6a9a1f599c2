package gateway

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/gateway/internal/upstream"
	"github.com/mooring-mcp/mooring/mcp"
	"github.com/mooring-mcp/mooring/mcptest"
	"github.com/mooring-mcp/mooring/server"
)

// newPier returns an upstream with the tools and a resource, and what ends it.
func newPier(t *testing.T, name string, tools ...string) (web *httptest.Server, end func()) {
	s := mcp.NewServer(&mcp.Implementation{Name: name, Version: "1"}, nil)
	for _, tool := range tools {
		s.AddTool(&mcp.Tool{Name: tool, InputSchema: map[string]any{"type": "object"}}, func(context.Context, *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: name + " " + tool}}}, nil
		})
	}
	s.AddResource(&mcp.Resource{Name: "log", URI: "test://log"}, func(context.Context, *mcp.ReadResourceRequest) (*mcp.ReadResourceResult, error) {
		return &mcp.ReadResourceResult{Contents: []*mcp.ResourceContents{{URI: "test://log", Text: name}}}, nil
	})
	h := server.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return s }, nil)
	web = httptest.NewServer(h)
	end = sync.OnceFunc(func() {
		_ = h.Shutdown(context.Background()) // its streams have left web
		web.CloseClientConnections()
		web.Close()
	})
	t.Cleanup(end)
	return web, end
}

// until waits for a condition.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not within 10 s", what)
		}
	}
}

// offers returns what clients of all upstreams see of the first: its tools, with what they need.
func offers(g *Gateway) (tools []string, scopes []string) {
	g.applying.Lock()
	defer g.applying.Unlock()
	f := g.slots[0].now.among()
	for _, tool := range f.Tools {
		tools = append(tools, fmt.Sprint(tool.Name, tool.Scopes))
	}
	return tools, f.Scopes
}

// What a configuration asks of callers holds, and a stricter one holds at once, even if its
// upstream cannot be reached.
func TestRules(t *testing.T) {
	t.Parallel()
	web, _ := newPier(t, "pier", "read_a", "delete_a")
	text := `{"mcpServers":{"pier":{"url":%q,"x-mooring":%s}}}`
	g := newGateway(t, fmt.Sprintf(text, web.URL, `{"scopes":["pier"],"toolScopes":{"delete_*":["admin"],"*_a":["a"]}}`))
	tools, scopes := offers(g)
	slices.Sort(tools)
	if got, want := fmt.Sprint(tools, scopes), "[pier__delete_a[admin a] pier__read_a[a]] [pier]"; got != want {
		t.Errorf("offered %s, want %s", got, want)
	}
	if f := g.slots[0].now.alone(); len(f.Scopes) != 1 || len(f.Tools) != 2 || len(f.Tools[0].Scopes) == 0 || f.Tools[0].Name != "" {
		t.Errorf("alone: %+v", f)
	}
	_, err := g.Reload(upstreams(t, fmt.Sprintf(text, "http://127.0.0.1:1/", `{"scopes":["crew"],"tools":["read_*"]}`)))
	if err != nil {
		t.Fatal(err)
	}
	if !g.Status()[0].Replacing {
		t.Error("the new upstream is there already")
	}
	tools, scopes = offers(g)
	if got, want := fmt.Sprint(tools, scopes), "[pier__read_a[a]] [pier crew]"; got != want {
		t.Errorf("meanwhile offered %s, want %s", got, want)
	}
	if _, _, err := mcptest.Call[any](t.Context(), g.Server(), "pier__delete_a", map[string]any{}); err == nil {
		t.Error("a tool is there that the new configuration denies")
	}
}

// An upstream with whenDown: hide is offered only while it can be reached.
func TestHide(t *testing.T) {
	t.Parallel()
	web, end := newPier(t, "pier", "a")
	g := newGateway(t, fmt.Sprintf(`{"mcpServers":{"pier":{"url":%q,"x-mooring":{"whenDown":"hide"}}}}`, web.URL))
	if tools, _ := offers(g); len(tools) != 1 {
		t.Fatalf("offered %v", tools)
	}
	end()
	until(t, "hidden", func() bool { tools, _ := offers(g); return len(tools) == 0 })
	if _, _, err := mcptest.Call[any](t.Context(), g.Server(), "pier__a", map[string]any{}); err == nil {
		t.Error("a hidden tool was called")
	}
}

// Who is subscribed to a resource follows it to the upstream that serves it.
func TestSubscriptionMoves(t *testing.T) {
	t.Parallel()
	a, _ := newPier(t, "a")
	b, _ := newPier(t, "b")
	one := fmt.Sprintf(`"b":{"url":%q}`, b.URL)
	g := newGateway(t, fmt.Sprintf(`{"mcpServers":{"a":{"url":%q},%s}}`, a.URL, one))
	g.Server().Subscribe("test://log")
	at := func() string {
		g.mu.Lock()
		defer g.mu.Unlock()
		if m := g.watched["test://log"]; m != nil {
			return m.cfg.Name
		}
		return ""
	}
	until(t, "subscribed at a", func() bool { return at() == "a" })
	if _, err := g.Reload(upstreams(t, `{"mcpServers":{`+one+`}}`)); err != nil {
		t.Fatal(err)
	}
	until(t, "subscribed at b", func() bool { return at() == "b" })
	if _, err := g.Reload(upstreams(t, fmt.Sprintf(`{"mcpServers":{"b":{"url":%q,"x-mooring":{"queue":9}}}}`, b.URL))); err != nil {
		t.Fatal(err)
	}
	until(t, "subscribed at the new b", func() bool {
		g.mu.Lock()
		defer g.mu.Unlock()
		return len(g.slots) == 1 && g.slots[0].next == nil && g.watched["test://log"] == g.slots[0].now
	})
	g.mu.Lock()
	m := g.slots[0].now
	g.mu.Unlock()
	until(t, "the upstream has it", func() bool { return m.up.State().Resources == 1 })
	g.Server().Unsubscribe("test://log")
	until(t, "unsubscribed", func() bool { g.mu.Lock(); defer g.mu.Unlock(); return len(g.watched) == 0 })
}

// Reload and Shutdown may meet. Nothing is left behind.
func TestReloadAndShutdown(t *testing.T) {
	t.Parallel()
	web, _ := newPier(t, "pier", "a")
	for i := range 20 {
		text := fmt.Sprintf(`{"mcpServers":{"pier":{"url":%q}}}`, web.URL)
		g, err := New(&Options{Servers: upstreams(t, text)})
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan struct{})
		go func() {
			defer close(done)
			for n := range 10 {
				_, _ = g.Reload(upstreams(t, fmt.Sprintf(`{"mcpServers":{"pier":{"url":%q,"x-mooring":{"queue":%d}}}}`, web.URL, n+1)))
			}
		}()
		time.Sleep(time.Duration(i) * 200 * time.Microsecond)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		if err := g.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		cancel()
		<-done
		if len(g.leaving) != 0 {
			t.Errorf("%d members are left", len(g.leaving))
		}
	}
}

// Served alone, an upstream introduces itself, within limits.
func TestIntroduction(t *testing.T) {
	t.Parallel()
	web, _ := newPier(t, "pier", "a")
	g := newGateway(t, fmt.Sprintf(`{"mcpServers":{"x":{"url":%q}}}`, web.URL))
	own := g.Endpoints()[0].Server
	name := func() string {
		res, _, err := mcptest.Call[any](t.Context(), own, "a", map[string]any{})
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(res.Meta[mcp.MetaKeyServerInfo])
	}
	if got := name(); !strings.Contains(got, "pier") {
		t.Errorf("introduced as %s", got)
	}
	g.applying.Lock()
	m := g.slots[0].now
	long := strings.Repeat("é", 9<<10)
	m.lists = &upstream.Catalogue{Tools: m.lists.Tools, Capabilities: m.lists.Capabilities, ServerInfo: []byte(`{"name":"` + long + `","version":"1","icons":[{"src":"` + long + `"}]}`)}
	g.offer(m)
	g.applying.Unlock()
	if got := name(); len(got) > maxInfo || !strings.Contains(got, "éé") {
		t.Errorf("introduced with %d bytes", len(got))
	}
}
