package gateway

import (
	"slices"
	"sync"

	"github.com/mooring-mcp/mooring/gateway/internal/upstream"
	"github.com/mooring-mcp/mooring/jsonrpc"
	"github.com/mooring-mcp/mooring/mcp"
)

// A seeker is the mcp.Backend of URIs that no upstream lists. Reading one is legal, because tools
// may link to it: the upstreams are asked one after another, and who has it is remembered.
type seeker struct{ g *Gateway }

// A search is a resources/read of an unlisted URI.
type search struct {
	g   *Gateway
	f   *mcp.Forward
	uri string

	mu       sync.Mutex
	left     []*member // to be asked
	now      *member
	call     *upstream.Call
	canceled string // the reason; "" if it was not
}

// route finds the upstream for a URI that is not listed.
func (g *Gateway) route(kind mcp.RouteKind, uri string) (mcp.Target, bool) {
	if name, ok := g.uris.Find(uri); ok {
		if m := g.serving(name); m != nil {
			return mcp.Target{Owner: name, Name: uri, Backend: m}, true
		}
	}
	if kind != mcp.RouteRead || len(g.readers()) == 0 {
		return mcp.Target{}, false
	}
	return mcp.Target{Name: uri, Backend: seeker{g}}, true
}

// readers returns the members that have resources, in the order of the configuration.
func (g *Gateway) readers() (out []*member) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, s := range g.slots {
		if s.now != nil && s.now.reads.Load() {
			out = append(out, s.now)
		}
	}
	return out
}

// Start implements mcp.Backend.
func (k seeker) Start(f *mcp.Forward) {
	s := &search{g: k.g, f: f, uri: f.Target().Name, left: slices.DeleteFunc(k.g.readers(), func(m *member) bool { return !m.open(f) })}
	f.Data = s
	s.next(&upstream.End{Error: appendNotFound(s.uri)})
}

// open reports whether m may be asked for f, whose URI it has not listed: f has the scopes that
// anything of m needs.
func (m *member) open(f *mcp.Forward) bool {
	if m.refuses(f) {
		return false
	}
	var granted []string
	if info := f.TokenInfo(); info != nil {
		granted = info.Scopes
	}
	for _, r := range m.g.rules(m) {
		for _, scope := range r.cfg.Scopes {
			if !slices.Contains(granted, scope) {
				return false
			}
		}
	}
	return true
}

// Cancel implements mcp.Backend.
func (k seeker) Cancel(f *mcp.Forward, cause error) {
	s, _ := f.Data.(*search)
	if s == nil {
		return
	}
	s.mu.Lock()
	c := s.call
	s.canceled = cause.Error()
	s.mu.Unlock()
	if c != nil {
		c.Cancel(cause.Error())
	}
}

// next asks the next upstream, or answers with e if there is none.
func (s *search) next(e *upstream.End) {
	s.mu.Lock()
	if len(s.left) == 0 || s.canceled != "" {
		s.call = nil
		s.mu.Unlock()
		answer(s.f, e)
		return
	}
	m := s.left[0]
	s.now, s.left = m, s.left[1:]
	c := m.newCall(s.f, s)
	c.Append = func(dst, meta []byte) []byte { return s.f.AppendParams(dst, meta, nil) }
	c.Name = s.uri
	c.Fields = m.fields(s.f)
	s.call = nil
	s.mu.Unlock()
	m.flights.Add(1)
	m.up.Start(c)
	s.attach(m, c)
}

// attach sets the call at m, which has started, and cancels it if that was wanted before. If it has
// ended already, another upstream may have been asked since.
func (s *search) attach(m *member, c *upstream.Call) {
	s.mu.Lock()
	if s.now != m {
		s.mu.Unlock()
		return
	}
	s.call = c
	canceled := s.canceled
	s.mu.Unlock()
	if canceled != "" {
		c.Cancel(canceled)
	}
}

// Progress and those below implement upstream.Handler.
func (s *search) Progress(params []byte) { s.f.Progress(params) }

func (s *search) Message(params []byte) { s.f.Message(params) }

func (s *search) Question(q *upstream.Question) {
	q.Refuse(jsonrpc.CodeMethodNotFound, "Method not found: nobody is asked for the sake of a resource that is not listed")
}

func (s *search) Withdrawn(*upstream.Question) {}

func (s *search) End(e *upstream.End) {
	s.now.flights.Add(-1)
	if e.Result == nil {
		s.next(&upstream.End{Error: e.Error, Err: e.Err, Version: e.Version})
		return
	}
	s.g.uris.Remember(s.uri, s.now.cfg.Name)
	answer(s.f, e)
}

// appendNotFound returns the error for a URI that nobody has.
func appendNotFound(uri string) []byte {
	b := jsonrpc.AppendString([]byte(`{"code":-32602,"message":"Resource not found","data":{"uri":`), uri)
	return append(b, `}}`...)
}
