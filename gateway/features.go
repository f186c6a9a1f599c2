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
	has, _ := jsonrpc.Member(c.Capabilities, "resources")
	m.reads.Store(has != nil)
	if !g.promote(m) && g.serves(m) {
		g.offer(m)
	}
	m.settled.Do(func() { close(m.listed) })
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
	g.mu.Unlock()
	if m.lists == nil {
		m.lists = old.lists // better than nothing, until it is up
	}
	if m.lists != nil {
		g.offer(m)
	}
	g.rewatch()
	g.retire(old)
	return true
}

// offer gives clients what the catalogue of m has. The caller holds applying.
func (g *Gateway) offer(m *member) {
	c, name := m.offered(), m.cfg.Name
	rules := g.rules(m)
	m.tools, m.prompts = g.named(&g.tools, name, allowed(rules, c.Tools)), g.named(&g.prompts, name, c.Prompts)
	m.scopes = nil
	for _, r := range rules {
		m.scopes = append(m.scopes, r.cfg.Scopes...)
	}
	for i := range m.tools {
		t := &m.tools[i]
		for _, r := range rules {
			t.Scopes = r.needs.Of(t.Scopes, t.own)
		}
	}
	uris := make([]string, len(c.Resources))
	for i := range c.Resources {
		uris[i] = c.Resources[i].Key
	}
	collisions := g.uris.Replace(name, uris, patternsOf(c.Templates))
	m.collisions = nil
	for _, x := range collisions {
		m.collisions = append(m.collisions, x.String())
	}
	m.introduce()
	g.report(name, m.slot.own.Replace(name, m.alone()))
	for _, x := range collisions { // those that had a URI which is now another's give it up first
		if loser := g.serving(x.Loser.Server); x.Loser.Server != name && loser != nil && loser.lists != nil {
			g.report(x.Loser.Server, g.all.Replace(x.Loser.Server, loser.among()))
		}
	}
	g.report(name, g.all.Replace(name, m.among()))
	g.rewatch()
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

// rules returns the members whose tool patterns and scopes hold for what m offers: m, and the one
// that is to replace it, so that a stricter configuration holds at once.
func (g *Gateway) rules(m *member) []*member {
	g.mu.Lock()
	defer g.mu.Unlock()
	if next := m.slot.next; next != nil && next != m {
		return []*member{m, next}
	}
	return []*member{m}
}

// allowed returns the tools that all rules allow.
func allowed(rules []*member, tools []upstream.Item) []upstream.Item {
	return slices.DeleteFunc(slices.Clone(tools), func(t upstream.Item) bool {
		return slices.ContainsFunc(rules, func(r *member) bool { return !r.allow.Allow(t.Key) })
	})
}

// A feature is a tool or a prompt, with its name among those of all upstreams.
type feature struct {
	mcp.ForwardedFeature
	own string // its name at its upstream
}

// named gives features their names among those of all upstreams.
func (g *Gateway) named(t *names.Table, server string, items []upstream.Item) []feature {
	own := make([]string, len(items))
	for i := range items {
		own[i] = items[i].Key
	}
	advertised, _ := t.Replace(server, own) // an upstream has each name once, so there is no collision
	out := make([]feature, 0, len(items))
	for i := range items {
		if advertised[i] != "" {
			out = append(out, feature{mcp.ForwardedFeature{Name: advertised[i], Raw: items[i].Raw}, own[i]})
		}
	}
	return out
}

// forwarded returns the features, under the names of the upstream if alone is set.
func forwarded(list []feature, alone bool) []mcp.ForwardedFeature {
	out := make([]mcp.ForwardedFeature, len(list))
	for i := range list {
		if out[i] = list[i].ForwardedFeature; alone {
			out[i].Name = ""
		}
	}
	return out
}

// offered returns the lists that clients see.
func (m *member) offered() *upstream.Catalogue {
	if m.hidden {
		return &upstream.Catalogue{}
	}
	return m.lists
}

// alone returns what clients see who use m alone.
func (m *member) alone() *mcp.Forwarded {
	c := m.offered()
	return &mcp.Forwarded{
		Backend: m, Capabilities: m.capabilities(), Instructions: m.lists.Instructions, Scopes: m.scopes,
		Tools: forwarded(m.tools, true), Prompts: forwarded(m.prompts, true),
		ResourceTemplates: raws(c.Templates), Resources: raws(c.Resources),
	}
}

// among returns what clients see of m who use all upstreams.
func (m *member) among() *mcp.Forwarded {
	c := m.offered()
	f := &mcp.Forwarded{
		Backend: m, Capabilities: m.capabilities(), Scopes: m.scopes,
		Tools: forwarded(m.tools, false), Prompts: forwarded(m.prompts, false),
		ResourceTemplates: raws(c.Templates),
	}
	if m.lists.Instructions != "" {
		f.Instructions = "# " + m.cfg.Name + "\n\n" + m.lists.Instructions
	}
	for i := range c.Resources {
		r := &c.Resources[i]
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
