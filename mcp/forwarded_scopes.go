package mcp

import (
	"slices"

	"github.com/mooring-mcp/mooring/jsonrpc"
)

// This file says which scopes callers need for what is forwarded.

// ownerScopes are the scopes that callers need for an upstream.
type ownerScopes struct {
	all            []string            // for anything of it
	tools, prompts map[string][]string // in addition, by the name under which clients find the feature
}

func scopesOf(f *Forwarded) ownerScopes {
	return ownerScopes{slices.Clone(f.Scopes), scopesByName(f.Tools), scopesByName(f.Prompts)}
}

// scopesByName returns the scopes of features, nil if there are none.
func scopesByName(list []ForwardedFeature) (m map[string][]string) {
	for i := range list {
		f := &list[i]
		if len(f.Scopes) == 0 {
			continue
		}
		name := f.Name
		if name == "" {
			name = memberString(f.Raw, "name")
		}
		if m == nil {
			m = make(map[string][]string)
		}
		if _, twice := m[name]; !twice { // of features with one name the first is served
			m[name] = slices.Clone(f.Scopes)
		}
	}
	return m
}

// scoped reports whether one of them needs scopes.
func (os owners) scoped() bool {
	return slices.ContainsFunc(os, func(o *owner) bool {
		return len(o.scopes.all)+len(o.scopes.tools)+len(o.scopes.prompts) > 0
	})
}

// Scoped reports whether an upstream of s, or a feature of one, needs scopes.
func (s *Server) Scoped() bool { return s.reg.Load().scoped }

// Scoped reports whether a prepared message may need scopes: see Scopes.
func (c *Call) Scoped() bool { return c.reg != nil && c.reg.scoped }

// Scopes calls f with each scope that a prepared message needs because of the upstreams whose
// features it names: see [Forwarded] and [ForwardedFeature]. A scope may come more than once.
// Scopes ends when f returns false, and reports whether f never did.
//
// For a URI that no feature has, ServerOptions.Route is asked again. Of the Target that it returns
// the Owner counts.
func (c *Call) Scopes(f func(scope string) bool) bool {
	if !c.Scoped() {
		return true
	}
	switch c.method {
	case MethodCallTool:
		if t, ok := c.reg.tools.get(c.name); ok && t.to != nil {
			return c.scopesOf(t.to, f, func(o *owner) []string { return o.scopes.tools[t.def.Name] })
		}
	case MethodGetPrompt:
		return c.promptScopes(c.name, f)
	case MethodReadResource:
		return c.resourceScopes(RouteRead, c.name, f)
	case MethodSubscribe, MethodUnsubscribe:
		return c.resourceScopes(RouteSubscribe, c.name, f)
	case MethodListen:
		return c.listenedURIs(func(uri []byte) bool { return c.resourceScopes(RouteSubscribe, uri, f) })
	case MethodComplete:
		if jsonrpc.EqualString(member(c.p.ref, "type"), RefPrompt) {
			name, _ := stringOf(member(c.p.ref, "name"))
			return c.promptScopes(name, f)
		}
		uri, _ := stringOf(member(c.p.ref, "uri"))
		return c.resourceScopes(RouteComplete, uri, f)
	}
	return true
}

func (c *Call) promptScopes(name []byte, f func(string) bool) bool {
	p, ok := c.reg.prompts.get(name)
	if !ok || p.to == nil {
		return true
	}
	return c.scopesOf(p.to, f, func(o *owner) []string { return o.scopes.prompts[p.def.Name] })
}

func (c *Call) resourceScopes(kind RouteKind, uri []byte, f func(string) bool) bool {
	if kind == RouteComplete {
		if t, ok := lookup(c.caller, c.reg.templates, []byte(normalTemplate(string(uri)))); ok {
			return c.scopesOf(t.to, f, nil)
		}
	}
	t, _ := c.s.targetOf(c.reg, c.caller, kind, string(uri))
	return c.scopesOf(t, f, nil)
}

// scopesOf calls f with the scopes of the upstream t, which may be nil, and those that more
// returns.
func (c *Call) scopesOf(t *Target, f func(string) bool, more func(*owner) []string) bool {
	if t == nil {
		return true
	}
	o := c.reg.owners.get(t.Owner)
	if o == nil {
		return true
	}
	for _, scope := range o.scopes.all {
		if !f(scope) {
			return false
		}
	}
	if more == nil {
		return true
	}
	for _, scope := range more(o) {
		if !f(scope) {
			return false
		}
	}
	return true
}
