package server

import (
	"net/http"
	"net/netip"
	"runtime/debug"
	"strings"

	"github.com/mooring-mcp/mooring/auth"
	"github.com/mooring-mcp/mooring/httpparse"
	"github.com/mooring-mcp/mooring/jsonrpc"
)

// A RequestHead is what Options.Context gets of the request that brought a call. It belongs to that
// function, which may keep it.
type RequestHead struct {
	Method string // of HTTP
	Path   string // of the URL, without the query
	// Header holds the header fields that Options.HandlerHeaders names, or all of them if net/http
	// serves the request, under their canonical names. It is nil if there are none. The handlers of
	// the request share it, so it must not be changed.
	Header http.Header
	// RemoteAddr is the address of the client, as far as Options.ProxyProtocol and
	// Options.TrustedProxies let the server know it, and otherwise that of the network peer. It is
	// zero if the peer has no IP address, as over a unix socket, or has disconnected.
	RemoteAddr netip.AddrPort
	// ForwardedProto ("http" or "https") and ForwardedHost are what the client used, if a proxy in
	// Options.TrustedProxies says so, and otherwise "".
	ForwardedProto, ForwardedHost string
	// TokenInfo is what the request's bearer token says. It is nil if nobody has verified one.
	TokenInfo *auth.TokenInfo
	// ProtocolVersion is the value of MCP-Protocol-Version as the client sent it, "" if it sent none.
	ProtocolVersion string
	// SessionID is the ID of the session that the request belongs to, "" if it belongs to none.
	SessionID string
}

// describe adds to j what the host wants to know of its request apart from the message: see
// Server.describes.
func (c *conn) describe(j *job) {
	s, req := c.loop.srv, &c.loop.req
	g := c.gate()
	if g != nil {
		g.describe(j)
	} else {
		j.meta.Header = s.headers.of(req)
	}
	o := c.origin()
	j.meta.RemoteAddr = o.Client
	if s.opts.Context == nil {
		return
	}
	j.head = &RequestHead{
		Method: req.Method.String(), Path: string(req.Path),
		Header: j.meta.Header, RemoteAddr: j.meta.RemoteAddr, TokenInfo: j.meta.TokenInfo,
		ForwardedProto: o.Proto, ForwardedHost: o.Host,
		ProtocolVersion: string(req.MCPProtocolVersion),
	}
	if g != nil {
		j.head.Path = g.r.URL.Path
	}
}

// derive makes Options.Context derive the context of j's handlers from that of j. It reports false
// if it has answered the call, because the function panicked. A worker calls it.
func (j *job) derive() (ok bool) {
	f := j.loop.srv.opts.Context
	if j.derived = j.ctx; f == nil || j.head == nil {
		return true
	}
	head := *j.head
	head.SessionID = j.meta.SessionID
	defer func() {
		if !ok { // f panicked, or ended its goroutine
			j.loop.srv.opts.Logger.Error("server: Options.Context did not return", "panic", recover(), "stack", string(debug.Stack()))
			j.respond(j.call.Status(errInternal.Code), errInternal.Code, jsonrpc.AppendError(nil, j.msg.ID, errInternal))
		}
	}()
	if ctx := f(j.ctx, &head); ctx != nil {
		j.derived = ctx
	}
	return true
}

// headerFilter is the set of header fields that handlers get.
type headerFilter struct {
	all   bool
	names []string // canonical
}

func newHeaderFilter(names []string) (f headerFilter) {
	for _, name := range names {
		if name == "*" {
			f.all = true
		} else {
			f.names = append(f.names, http.CanonicalHeaderKey(name))
		}
	}
	return f
}

// of returns a copy of the fields of req that f has, nil if there are none.
func (f *headerFilter) of(req *httpparse.Request) (h http.Header) {
	if !f.all && len(f.names) == 0 {
		return nil
	}
	for name, value := range req.Fields() {
		if key := f.key(name); key != "" {
			if h == nil {
				h = make(http.Header)
			}
			h[key] = append(h[key], string(value))
		}
	}
	return h
}

// key returns the canonical form of a field name, or "" if f does not have it.
func (f *headerFilter) key(name []byte) string {
	for _, n := range f.names {
		if len(n) == len(name) && strings.EqualFold(n, string(name)) {
			return n
		}
	}
	if f.all {
		return http.CanonicalHeaderKey(string(name))
	}
	return ""
}
