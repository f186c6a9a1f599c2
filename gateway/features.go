package gateway

import (
	"slices"

	"github.com/mooring-mcp/mooring/gateway/internal/names"
	"github.com/mooring-mcp/mooring/gateway/internal/upstream"
	"github.com/mooring-mcp/mooring/jsonrpc"
	"github.com/mooring-mcp/mooring/mcp"
)

// changed makes a catalogue of m what clients see.
func (m *member) changed(c *upstream.Catalogue) {
	g := m.g
	g.applying.Lock()
	defer g.applying.Unlock()
	m.lists = c
	m.settle()
	if !g.promote(m) && g.serves(m) {
		g.offer(m)
	}
}

// serves reports whether m is the member of its slot.
func (g *Gateway) serves(m *member) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return !g.closed && slices.Contains(g.slots, m.slot) && m.slot.now == m
}

// promote puts m in the place of the member that it was configured to replace, offers what it has,
// and reports whether it has done that. The caller holds applying.
func (g *Gateway) promote(m *member) bool {
	g.mu.Lock()
	s := m.slot
	if g.closed || !slices.Contains(g.slots, s) || s.next != m {
		g.mu.Unlock()
		return false
	}
	old := s.now
	s.now, s.next = m, nil
	for _, watched := range []map[string]*member{s.watched, g.watched} {
		for uri, who := range watched {
			if who == old && m.up.Subscribe(uri) {
				old.up.Unsubscribe(uri)
				watched[uri] = m
			}
		}
	}
	g.mu.Unlock()
	if m.lists == nil {
		m.lists = old.lists // better than nothing, until it is up
	}
	if m.lists != nil {
		g.offer(m)
	}
	g.retire(old)
	return true
}

// offer gives clients what the catalogue of m has. The caller holds applying.
func (g *Gateway) offer(m *member) {
	c, name := m.lists, m.cfg.Name
	m.tools, m.prompts = g.named(&g.tools, name, m.allowed(c.Tools)), g.named(&g.prompts, name, c.Prompts)
	uris := make([]string, len(c.Resources))
	for i := range c.Resources {
		uris[i] = c.Resources[i].Key
	}
	collisions := g.uris.Replace(name, uris, patternsOf(c.Templates))
	m.collisions = nil
	for _, x := range collisions {
		m.collisions = append(m.collisions, x.String())
	}
	g.report(name, m.slot.own.Replace(name, m.alone()))
	for _, x := range collisions { // those that had a URI which is now another's give it up first
		if loser := g.serving(x.Loser.Server); x.Loser.Server != name && loser != nil && loser.lists != nil {
			g.report(x.Loser.Server, g.all.Replace(x.Loser.Server, loser.among()))
		}
	}
	g.report(name, g.all.Replace(name, m.among()))
	m.tellCollisions()
}

// serving returns the member that serves as name, or nil.
func (g *Gateway) serving(name string) *member {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, s := range g.slots {
		if s.name == name {
			return s.now
		}
	}
	return nil
}

// report logs what could not be offered.
func (g *Gateway) report(name string, errs []error) {
	for _, err := range errs {
		g.log.Warn("gateway: a feature of an upstream is left out", "upstream", name, "error", err)
	}
}

// allowed returns the tools that the configuration allows.
func (m *member) allowed(tools []upstream.Item) []upstream.Item {
	return slices.DeleteFunc(slices.Clone(tools), func(t upstream.Item) bool { return !m.allow.Allow(t.Key) })
}

// named gives features their names among those of all upstreams.
func (g *Gateway) named(t *names.Table, server string, items []upstream.Item) []mcp.ForwardedFeature {
	own := make([]string, len(items))
	for i := range items {
		own[i] = items[i].Key
	}
	advertised, _ := t.Replace(server, own) // an upstream has each name once, so there is no collision
	out := make([]mcp.ForwardedFeature, 0, len(items))
	for i := range items {
		if advertised[i] != "" {
			out = append(out, mcp.ForwardedFeature{Name: advertised[i], Raw: items[i].Raw})
		}
	}
	return out
}

// alone returns what clients see who use m alone.
func (m *member) alone() *mcp.Forwarded {
	f := &mcp.Forwarded{
		Backend: m, Capabilities: m.capabilities(), Instructions: m.lists.Instructions,
		ResourceTemplates: raws(m.lists.Templates), Resources: raws(m.lists.Resources),
	}
	for _, t := range m.tools {
		f.Tools = append(f.Tools, mcp.ForwardedFeature{Raw: t.Raw})
	}
	for _, p := range m.prompts {
		f.Prompts = append(f.Prompts, mcp.ForwardedFeature{Raw: p.Raw})
	}
	return f
}

// among returns what clients see of m who use all upstreams.
func (m *member) among() *mcp.Forwarded {
	f := &mcp.Forwarded{
		Backend: m, Capabilities: m.capabilities(), Tools: m.tools, Prompts: m.prompts,
		ResourceTemplates: raws(m.lists.Templates),
	}
	if m.lists.Instructions != "" {
		f.Instructions = "# " + m.cfg.Name + "\n\n" + m.lists.Instructions
	}
	for i := range m.lists.Resources {
		r := &m.lists.Resources[i]
		if who, ok := m.g.uris.Find(r.Key); ok && who == m.cfg.Name {
			f.Resources = append(f.Resources, r.Raw)
		}
	}
	return f
}

func raws(items []upstream.Item) [][]byte {
	out := make([][]byte, len(items))
	for i := range items {
		out[i] = items[i].Raw
	}
	return out
}

// capabilities returns what clients can have of what the upstream declares. Lists that it does not
// announce changes of are polled, so their changes are announced nevertheless.
func (m *member) capabilities() (c mcp.ServerCapabilities) {
	for name, value := range jsonrpc.Members(m.lists.Capabilities) {
		if len(value) == 0 || value[0] != '{' {
			continue
		}
		switch {
		case jsonrpc.EqualString(name, "tools"):
			c.Tools = &mcp.ToolCapabilities{ListChanged: true}
		case jsonrpc.EqualString(name, "prompts"):
			c.Prompts = &mcp.PromptCapabilities{ListChanged: true}
		case jsonrpc.EqualString(name, "resources"):
			subscribe, _ := jsonrpc.Member(value, "subscribe")
			c.Resources = &mcp.ResourceCapabilities{ListChanged: true, Subscribe: string(subscribe) == "true"}
		case jsonrpc.EqualString(name, "completions"):
			c.Completions = &mcp.CompletionCapabilities{}
		case jsonrpc.EqualString(name, "logging"):
			c.Logging = &mcp.LoggingCapabilities{}
		}
	}
	return c
}

// tellCollisions logs names that are served by another upstream, once for each set of them.
func (m *member) tellCollisions() {
	if slices.Equal(m.collisions, m.toldCollisions) {
		return
	}
	m.toldCollisions = m.collisions
	for _, text := range m.collisions {
		m.g.log.Warn("gateway: " + text)
	}
}
