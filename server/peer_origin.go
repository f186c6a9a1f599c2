package server

import (
	"net/netip"

	"github.com/mooring-mcp/mooring/httpparse"
	"github.com/mooring-mcp/mooring/server/internal/forwarded"
	"github.com/mooring-mcp/mooring/server/internal/proxyproto"
)

// origin returns where the request in progress comes from, whose head is in loop.req: what trusted
// proxies say, or else the address of the peer alone.
func (c *conn) origin() forwarded.Origin {
	l := c.loop
	var at netip.AddrPort
	if g := c.gate(); g != nil {
		at = g.peer
	} else {
		at = c.peer()
	}
	if !l.srv.trustsProxy(at.Addr()) {
		return forwarded.Origin{Client: at}
	}
	return originOf(&l.req, at, l.srv.trustsProxy)
}

// originOf returns where a request comes from, whose peer is a trusted proxy.
func originOf(req *httpparse.Request, at netip.AddrPort, trusted func(netip.Addr) bool) forwarded.Origin {
	var claim forwarded.Claim
	for name, value := range req.Fields() {
		claim.Add(name, value)
	}
	return claim.Origin(at, trusted)
}

// trustsProxy reports whether a is the address of a proxy in Options.TrustedProxies.
func (s *Server) trustsProxy(a netip.Addr) bool {
	list := s.opts.TrustedProxies
	return len(list) > 0 && proxyproto.Lists(list, a)
}
