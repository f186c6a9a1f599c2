package server

import (
	"fmt"

	"github.com/mooring-mcp/mooring/mcp"
)

// Handle serves m at path, in addition to the mcp.Server of New at Options.Path. The path must be
// exactly that of the request. Each endpoint has its own streams, and session IDs and the states of
// multi round trips are valid at the path of the endpoint that issued them alone, even if two
// endpoints serve one mcp.Server. Limits, options and metrics are those of s as a whole. HTTP+SSE
// is served to clients of Options.SSEPath only.
//
// Handle must be called before the first Serve. It panics if it is called later, if m is nil, if no
// request can have the path, or if the path is taken, which are programming errors.
func (s *Server) Handle(path string, m *mcp.Server) {
	if reason := pathFault(path); reason != "" {
		panic(fmt.Sprintf("server: Handle: the path %q %s", path, reason))
	}
	if m == nil {
		panic("server: Handle: no mcp.Server")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.started || s.draining.Load() {
		panic("server: Handle is called after Serve or Shutdown")
	}
	s.handle(path, m)
}

// handle is Handle for what is checked. The caller holds s.mu.
func (s *Server) handle(path string, m *mcp.Server) {
	p := &s.policy
	_, twice := p.More[path]
	switch {
	case twice, p.Documents[path] != 0, path == p.Path, path == p.SSE, path == p.Messages, path == "/healthz", path == "/readyz":
		panic(fmt.Sprintf("server: Handle: the path %q is taken", path))
	}
	svc := newService(s, site{mcp: m, path: path})
	svc.watch()
	if p.More == nil {
		p.More = make(map[string]uint32)
	}
	p.More[path] = uint32(len(s.services))
	s.services = append(s.services, svc)
	s.publishMore(path)
}
