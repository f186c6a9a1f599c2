package gateway

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"strings"
	"sync"

	"github.com/mooring-mcp/mooring/gateway/internal/config"
	"github.com/mooring-mcp/mooring/gateway/internal/names"
	"github.com/mooring-mcp/mooring/gateway/internal/upstream"
	"github.com/mooring-mcp/mooring/mcp"
)

// newServer returns the mcp.Server of a slot, or of all if s is nil.
func (g *Gateway) newServer(impl *mcp.Implementation, s *slot) *mcp.Server {
	var o mcp.ServerOptions
	if g.opts.ServerOptions != nil {
		o = *g.opts.ServerOptions
	}
	o.Capabilities = &mcp.ServerCapabilities{}
	if s == nil {
		o.Route = g.route
	} else {
		o.Route = func(kind mcp.RouteKind, uri string) (mcp.Target, bool) {
			return mcp.Target{Owner: s.name, Name: uri}, true
		}
	}
	o.OnSubscribe = func(uri string) { g.watch(s, uri) }
	o.OnUnsubscribe = func(uri string) { g.unwatch(s, uri) }
	return mcp.NewServer(impl, &o)
}

// watch subscribes to a resource at its upstream, for the clients of s, or of all if s is nil.
func (g *Gateway) watch(s *slot, uri string) {
	g.watching.Lock()
	defer g.watching.Unlock()
	g.place(s, uri)
}

func (g *Gateway) unwatch(s *slot, uri string) {
	g.watching.Lock()
	defer g.watching.Unlock()
	g.mu.Lock()
	watched := g.watchedBy(s)
	m := watched[uri]
	delete(watched, uri)
	g.mu.Unlock()
	if m != nil {
		m.up.Unsubscribe(uri)
	}
}

// place subscribes to uri where it is served now, and takes back what was subscribed to elsewhere.
// If nobody serves it, it is remembered for rewatch. The caller holds watching.
func (g *Gateway) place(s *slot, uri string) {
	m := g.watcher(s, uri)
	g.mu.Lock()
	old := g.watchedBy(s)[uri]
	g.mu.Unlock()
	if m != nil && m != old && !m.up.Subscribe(uri) {
		m = nil
	}
	g.mu.Lock()
	g.watchedBy(s)[uri] = m
	g.mu.Unlock()
	if old != nil && old != m {
		old.up.Unsubscribe(uri)
	}
}

// rewatch subscribes anew to what another member serves than before. The caller holds applying.
func (g *Gateway) rewatch() {
	g.watching.Lock()
	defer g.watching.Unlock()
	type watch struct {
		s   *slot
		uri string
	}
	var all []watch
	g.mu.Lock()
	for uri := range g.watched {
		all = append(all, watch{nil, uri})
	}
	for _, s := range g.slots {
		for uri, m := range s.watched {
			if m != s.now {
				all = append(all, watch{s, uri})
			}
		}
	}
	g.mu.Unlock()
	for _, w := range all {
		g.place(w.s, w.uri)
	}
}

// watchedBy returns who is subscribed to for the clients of s. The caller holds mu.
func (g *Gateway) watchedBy(s *slot) map[string]*member {
	if s == nil {
		return g.watched
	}
	return s.watched
}

// watcher returns who serves a URI for the clients of s, nil if nobody does.
func (g *Gateway) watcher(s *slot, uri string) *member {
	if s != nil {
		g.mu.Lock()
		defer g.mu.Unlock()
		return s.now
	}
	t, ok := g.all.ResourceTarget(uri)
	if !ok {
		return nil
	}
	return g.serving(t.Owner)
}

// updated tells clients that a resource of m has changed.
func (m *member) updated(uri string) {
	g := m.g
	g.mu.Lock()
	own, all := m.slot.watched[uri] == m, g.watched[uri] == m
	g.mu.Unlock()
	p := &mcp.ResourceUpdatedNotificationParams{URI: uri}
	if own {
		_ = m.slot.own.ResourceUpdated(context.Background(), p)
	}
	if all {
		_ = g.all.ResourceUpdated(context.Background(), p)
	}
}

// makeRoom is called when there are too many children.
func (g *Gateway) makeRoom() {
	g.mu.Lock()
	var members []*member
	for _, s := range g.slots {
		members = append(members, s.now)
	}
	g.mu.Unlock()
	for _, m := range members {
		if m.child != nil && m.up.CloseIdle() {
			return
		}
	}
}

// A pattern is a resource template that finds its URIs.
type pattern string

// Match reports whether uri begins and ends as the template does.
func (p pattern) Match(uri string) bool {
	before, _, _ := strings.Cut(string(p), "{")
	after := string(p[strings.LastIndex(string(p), "}")+1:])
	return len(uri) >= len(before)+len(after) && strings.HasPrefix(uri, before) && strings.HasSuffix(uri, after)
}

func patternsOf(items []upstream.Item) []names.Template {
	out := make([]names.Template, len(items))
	for i := range items {
		out[i] = pattern(items[i].Key)
	}
	return out
}

// implementation returns impl as JSON.
func implementation(impl *mcp.Implementation) []byte {
	version := impl.Version
	if version == "" {
		version = "0"
	}
	b, err := json.Marshal(struct {
		Name    string `json:"name"`
		Version string `json:"version"`
	}{impl.Name, version})
	if err != nil {
		return nil
	}
	return b
}

const tokenExchange = config.GrantTokenExchange

// tokens are what principals have authenticated themselves with, for token exchange.
type tokens struct {
	mu sync.Mutex
	by map[string]string
}

// maxTokens is how many principals are remembered.
const maxTokens = 10_000

func (t *tokens) put(principal, token string) {
	if token == "" {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.by == nil {
		t.by = map[string]string{}
	}
	if _, known := t.by[principal]; !known && len(t.by) >= maxTokens {
		for p := range maps.Keys(t.by) { // any: the others come with their token again
			delete(t.by, p)
			break
		}
	}
	t.by[principal] = token
}

func (t *tokens) of(principal string) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.by[principal]
}

// bearerOf returns the bearer token of a request, or "".
func bearerOf(h http.Header) string {
	scheme, token, _ := strings.Cut(h.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}

// HandlerHeaders returns the names of header fields that the gateway wants to see, for
// server.Options.HandlerHeaders.
func (g *Gateway) HandlerHeaders() (out []string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	seen := map[string]bool{}
	add := func(name string) {
		if !seen[name] {
			seen[name] = true
			out = append(out, name)
		}
	}
	for _, s := range g.slots {
		cfg := &s.newest().cfg
		for _, name := range cfg.ForwardHeaders {
			add(name)
		}
		if cfg.Credentials.Grant == tokenExchange {
			add("Authorization")
		}
	}
	return out
}
