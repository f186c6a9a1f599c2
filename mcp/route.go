package mcp

import "github.com/mooring-mcp/mooring/jsonrpc"

// This file finds the upstream that serves a feature, or a URI that no feature has.

// A RouteKind says what a client wants of a URI that no feature has.
type RouteKind uint8

const (
	RouteRead      RouteKind = iota // resources/read
	RouteSubscribe                  // resources/subscribe, or subscriptions/listen
	RouteComplete                   // completion/complete, with the URI or the text of a template
)

// bindTo makes c a call to t, unless t is nil or middleware sees the call. Then a handler makes
// one: see forwardTyped.
func (c *Call) bindTo(t *Target) *jsonrpc.Error {
	if t != nil && !c.chained {
		if e := c.forwardTo(*t); e != nil {
			return e
		}
	}
	return c.openState()
}

// serving returns t with uri in place of the template that has it. It returns nil for nil.
func (t *Target) serving(uri string) *Target {
	if t == nil {
		return nil
	}
	return &Target{Owner: t.Owner, Name: uri, Backend: t.Backend}
}

// routed returns where the host wants a URI to go that no feature has.
func (c *Call) routed(kind RouteKind, uri string) (*Target, bool) {
	return c.s.routed(c.reg, c.caller, kind, uri)
}

func (s *Server) routed(reg *registry, w *Caller, kind RouteKind, uri string) (*Target, bool) {
	if s.opts.Route == nil || w != nil && !w.visible(&resource{def: &Resource{URI: uri}}) {
		return nil, false
	}
	t, ok := s.route(kind, uri)
	if !ok || t.Backend == nil && reg.owners.get(t.Owner) == nil {
		return nil, false
	}
	if t.Name == "" {
		t.Name = uri
	}
	return &t, true
}

// route asks the host. A URI about which it panics goes nowhere.
func (s *Server) route(kind RouteKind, uri string) (t Target, ok bool) {
	defer func() {
		if v := recover(); v != nil {
			s.opts.Logger.Error("mcp: Route panicked", "uri", uri, "panic", v)
			t, ok = Target{}, false
		}
	}()
	return s.opts.Route(kind, uri)
}

// targetOf returns the upstream that serves uri, nil if s does so itself, and whether anybody does.
func (s *Server) targetOf(reg *registry, w *Caller, kind RouteKind, uri string) (*Target, bool) {
	if r, ok := reg.resourceAt(w, []byte(uri)); ok {
		return r.to, true
	}
	if t, _ := reg.templateFor(w, uri); t != nil {
		return t.to.serving(uri), true
	}
	return s.routed(reg, w, kind, uri)
}

// ResourceTarget returns the upstream that serves the resource with the URI, for
// ServerOptions.OnSubscribe and OnUnsubscribe. It returns false if s serves it itself, or nobody.
// Whether a caller may see the resource is not considered.
func (s *Server) ResourceTarget(uri string) (Target, bool) {
	t, ok := s.targetOf(s.reg.Load(), nil, RouteSubscribe, uri)
	if !ok || t == nil {
		return Target{}, false
	}
	return *t, true
}

// A subscribability says whether a client may subscribe to a resource.
type subscribability uint8

const (
	subscribeUnknown subscribability = iota // nobody serves the resource
	subscribeNever                          // its upstream never reports updates
	subscribeAllowed
)

var errNoUpdates = invalidParams("the resource has no updates to subscribe to")

func (s *Server) subscribable(reg *registry, w *Caller, uri string) subscribability {
	t, ok := s.targetOf(reg, w, RouteSubscribe, uri)
	switch {
	case !ok:
		return subscribeUnknown
	case t == nil:
		return subscribeAllowed
	}
	o := reg.owners.get(t.Owner)
	if t.Backend == nil && (o == nil || o.caps.Resources == nil || !o.caps.Resources.Subscribe) {
		return subscribeNever
	}
	return subscribeAllowed
}

// completesFor reports whether the upstream t has completions.
func (c *Call) completesFor(t *Target) bool {
	o := c.reg.owners.get(t.Owner)
	return t.Backend != nil || o != nil && o.caps.Completions != nil
}

// listed returns the tool as middleware sees it in a list.
func (t *tool) listed() *Tool {
	return listed(t.to, t.def, t.text, func(d *Tool) bool { return d.Name != "" })
}

func (p *prompt) listed() *Prompt {
	return listed(p.to, p.def, p.text, func(d *Prompt) bool { return d.Name != "" })
}

func (r *resource) listed() *Resource {
	return listed(r.to, r.def, r.text, func(d *Resource) bool { return d.URI != "" })
}

func (r *resourceTemplate) listed() *ResourceTemplate {
	return listed(r.to, r.def, r.text, func(d *ResourceTemplate) bool { return d.URITemplate != "" })
}

// listed returns def, or what an upstream says of its feature. What it says may not fit into a T;
// def is all that is shown then.
func listed[T any](to *Target, def *T, text entryText, fits func(*T) bool) *T {
	if to == nil {
		return def
	}
	own := new(T)
	if decodeExact(text[newest().index], own) != nil || !fits(own) {
		return def
	}
	return own
}
