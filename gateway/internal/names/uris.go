package names

import (
	"container/list"
	"slices"
	"sync"
)

// Limits of what is remembered of URIs that are in no list.
const (
	MaxRemembered = 4096 // URIs
	MaxURI        = 2048 // bytes of a URI that is remembered
)

// A Template decides whether a URI is one of a resource template.
type Template interface{ Match(uri string) bool }

// URIs say which upstream serves a URI. The zero URIs are empty and ready to use. Their methods may
// be called from any goroutine. A route is no permission: whether a caller may read from an
// upstream is decided apart.
type URIs struct {
	mu      sync.Mutex
	order   []string            // upstreams as the configuration has them, then others as they came
	claims  map[string][]string // upstreams that list a URI, in order; the first serves it
	servers map[string]*claimed

	recent     list.List // of *remembered, the last used in front
	remembered map[string]*list.Element
}

// claimed is what an upstream has listed.
type claimed struct {
	uris      []string
	templates []Template
}

type remembered struct{ uri, server string }

// SetOrder sets the order of the upstreams, which decides who serves a URI that several have. An
// upstream that is not named comes after those that are.
func (u *URIs) SetOrder(servers []string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	order := slices.Clone(servers)
	for _, server := range u.order {
		if !slices.Contains(order, server) && u.servers[server] != nil {
			order = append(order, server)
		}
	}
	u.order = order
	for _, claims := range u.claims {
		slices.SortFunc(claims, u.compare)
	}
}

// Replace sets what an upstream lists, in place of what it had listed. It returns one collision for
// each of the URIs that another upstream has too, or that uris has twice.
func (u *URIs) Replace(server string, uris []string, templates []Template) (collisions []Collision) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.servers == nil {
		u.claims, u.servers = make(map[string][]string), make(map[string]*claimed)
	}
	u.drop(server)
	if len(uris) == 0 && len(templates) == 0 {
		return nil
	}
	if !slices.Contains(u.order, server) {
		u.order = append(u.order, server)
	}
	own := &claimed{templates: slices.Clone(templates)}
	u.servers[server] = own
	for _, uri := range uris {
		f := Feature{server, uri}
		if slices.Contains(u.claims[uri], server) {
			collisions = append(collisions, Collision{uri, f, f})
			continue
		}
		own.uris = append(own.uris, uri)
		claims := append(u.claims[uri], server)
		slices.SortFunc(claims, u.compare)
		u.claims[uri] = claims
		switch {
		case len(claims) == 1:
		case claims[0] == server:
			collisions = append(collisions, Collision{uri, f, Feature{claims[1], uri}})
		default:
			collisions = append(collisions, Collision{uri, Feature{claims[0], uri}, f})
		}
	}
	return collisions
}

// Remove forgets an upstream: what it has listed, and which URIs it is remembered for.
func (u *URIs) Remove(server string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.drop(server)
	for uri, e := range u.remembered {
		if e.Value.(*remembered).server == server {
			u.recent.Remove(e)
			delete(u.remembered, uri)
		}
	}
}

// drop takes away what an upstream has listed.
func (u *URIs) drop(server string) {
	own := u.servers[server]
	if own == nil {
		return
	}
	delete(u.servers, server)
	for _, uri := range own.uris {
		claims := slices.DeleteFunc(u.claims[uri], func(s string) bool { return s == server })
		if len(claims) == 0 {
			delete(u.claims, uri)
		} else {
			u.claims[uri] = claims
		}
	}
}

// compare orders upstreams. All that have claims are in the order.
func (u *URIs) compare(a, b string) int {
	return slices.Index(u.order, a) - slices.Index(u.order, b)
}

// Find returns the upstream that serves a URI: the first that lists it, otherwise the first with a
// template for it, otherwise the one that is remembered. If ok is false, the caller asks those that
// have resources one after another, in the order of All, and remembers which had it.
func (u *URIs) Find(uri string) (server string, ok bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if claims := u.claims[uri]; len(claims) > 0 {
		return claims[0], true
	}
	for _, server := range u.order {
		if own := u.servers[server]; own != nil && own.match(uri) {
			return server, true
		}
	}
	if e := u.remembered[uri]; e != nil {
		u.recent.MoveToFront(e)
		return e.Value.(*remembered).server, true
	}
	return "", false
}

func (c *claimed) match(uri string) bool {
	return slices.ContainsFunc(c.templates, func(t Template) bool { return t.Match(uri) })
}

// All returns the upstreams in the order in which they are asked for a URI that none has listed.
func (u *URIs) All() []string {
	u.mu.Lock()
	defer u.mu.Unlock()
	return slices.Clone(u.order)
}

// Remember keeps that an upstream has had a URI which is in no list. It forgets the URI that has
// not been used for longest if there are MaxRemembered, and does not keep one longer than MaxURI:
// the upstreams are asked for it again.
func (u *URIs) Remember(uri, server string) {
	if len(uri) > MaxURI {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if e := u.remembered[uri]; e != nil {
		e.Value.(*remembered).server = server
		u.recent.MoveToFront(e)
		return
	}
	if u.remembered == nil {
		u.remembered = make(map[string]*list.Element)
	}
	if len(u.remembered) >= MaxRemembered {
		last := u.recent.Back()
		delete(u.remembered, u.recent.Remove(last).(*remembered).uri)
	}
	u.remembered[uri] = u.recent.PushFront(&remembered{uri, server})
}

// Forget takes back what was remembered of a URI, because its upstream does not have it any more.
func (u *URIs) Forget(uri string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if e := u.remembered[uri]; e != nil {
		u.recent.Remove(e)
		delete(u.remembered, uri)
	}
}
