package server

import (
	"fmt"
	"maps"
	"slices"

	"github.com/mooring-mcp/mooring/mcp"
	"github.com/mooring-mcp/mooring/server/internal/endpoint"
	"github.com/mooring-mcp/mooring/server/internal/session"
)

// endpoints are what a Server serves at one time, and the paths of it. They are immutable: Handle
// and Remove put others in their place, and what a loop has read once stays as it is.
type endpoints struct {
	policy    endpoint.Policy
	services  []*service  // by endpoint.Verdict.Endpoint; that of Options.Path is the first
	documents []*document // by endpoint.Verdict.Document, from 1
}

// Handle serves m at path, in addition to the mcp.Server of New at Options.Path. The path must be
// exactly that of the request. Each endpoint has its own streams, and session IDs and the states of
// multi round trips are valid at the path of the endpoint that issued them alone, even if two
// endpoints serve one mcp.Server. Limits, options and metrics are those of s as a whole. HTTP+SSE
// is served to clients of Options.SSEPath only.
//
// Handle may be called before Serve and while s serves, and from then on requests for the path are
// served. After Shutdown it has no effect. It panics if m is nil, if no request can have the path,
// or if the path is taken, which are programming errors. It copies what s knows of its endpoints,
// so a server can have thousands of them, but not change them all the time.
func (s *Server) Handle(path string, m *mcp.Server) {
	if reason := pathFault(path); reason != "" {
		panic(fmt.Sprintf("server: Handle: the path %q %s", path, reason))
	}
	if m == nil {
		panic("server: Handle: no mcp.Server")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.draining.Load() {
		s.handle(path, m)
	}
}

// handle is Handle for what is checked. The caller holds s.mu.
func (s *Server) handle(path string, m *mcp.Server) {
	old := s.endpoints.Load()
	p := &old.policy
	_, twice := p.More[path]
	switch {
	case twice, p.Documents[path] != 0, path == p.Path, path == p.SSE, path == p.Messages, path == "/healthz", path == "/readyz":
		panic(fmt.Sprintf("server: Handle: the path %q is taken", path))
	}
	svc := newService(s, site{mcp: m, path: path})
	svc.endpoint = session.NewEndpoint(path, "", s.departed[path])
	svc.watch()
	s.endpoints.Store(old.with(svc, s.auth))
}

// with returns e with one endpoint more, whose metadata a publishes. a may be nil.
func (e *endpoints) with(svc *service, a *authenticator) *endpoints {
	r := e.clone()
	r.policy.More[svc.path] = uint32(len(r.services))
	r.services = append(r.services, svc)
	if a != nil && a.opts.Metadata != nil {
		r.publish(metadataPath(svc.path), a.document(a.base+svc.path))
	}
	return r
}

// without returns e without the endpoint of a path of policy.More.
func (e *endpoints) without(path string) *endpoints {
	r := e.clone()
	last := len(r.services) - 1
	n := r.policy.More[path]
	r.services[n] = r.services[last]
	r.policy.More[r.services[n].path] = n
	r.services = r.services[:last]
	delete(r.policy.More, path)
	r.unpublish(metadataPath(path))
	return r
}

// clone returns a copy of e that may be changed.
func (e *endpoints) clone() *endpoints {
	r := *e
	if r.policy.More = maps.Clone(e.policy.More); r.policy.More == nil {
		r.policy.More = make(map[string]uint32)
	}
	r.policy.Documents = maps.Clone(e.policy.Documents)
	r.services, r.documents = slices.Clone(e.services), slices.Clone(e.documents)
	return &r
}

// Remove ends the endpoint that Handle has made at path, and reports whether there was one. From
// then on requests for the path get 404, and the path may be given to Handle again. Session IDs
// that were issued there are not valid any more, even if the path is served again: at a server
// that knows nothing of the removal, such as a replica, they are.
//
// Streams of the endpoint end soon after, those of subscriptions/listen with their result: as in a
// drain, not all at once. Calls in flight go on to their answers, but those that wait for their
// client get an error, because it can no longer answer. Remove does not wait for any of this, and
// it leaves the mcp.Server as it is. It may be called from any goroutine.
func (s *Server) Remove(path string) bool {
	s.mu.Lock()
	old := s.endpoints.Load()
	n, ok := old.policy.More[path]
	if !ok || s.draining.Load() {
		s.mu.Unlock()
		return false
	}
	svc := old.services[n]
	svc.removed.Store(true) // before the loops look for its streams
	s.endpoints.Store(old.without(path))
	s.departed.add(path, uint32(s.clock().Unix()), s.opts.SessionLifetime)
	s.mu.Unlock()
	svc.leave()
	s.sessions.Disown(svc)
	if s.up.Load() {
		s.endStreams(svc)
	}
	return true
}

// policyOf returns the rules for the heads of requests that come through m.
func (s *Server) policyOf(m *mount) *endpoint.Policy {
	if m.own {
		return &s.endpoints.Load().policy
	}
	return m.policy
}
