package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/mooring-mcp/mooring/gateway/internal/child"
	"github.com/mooring-mcp/mooring/gateway/internal/config"
	"github.com/mooring-mcp/mooring/gateway/internal/names"
	"github.com/mooring-mcp/mooring/mcp"
)

// Options configure a Gateway. New copies them.
type Options struct {
	// Servers are the upstreams. Their order decides who serves a URI that several have.
	Servers []Server
	// Implementation is how the gateway introduces itself on [Gateway.Server] and to upstreams.
	// Default: the name mooring-gateway.
	Implementation *mcp.Implementation
	// ServerOptions are those of the mcp.Servers. OnSubscribe, OnUnsubscribe, Route and Capabilities
	// are the gateway's.
	ServerOptions *mcp.ServerOptions
	// CallTimeout is how long a call may take at an upstream, the time in which clients are asked
	// included. Default 5 min.
	CallTimeout time.Duration
	// MaxChildren is the maximum number of processes of all servers together. Default 64.
	MaxChildren int
	// Logger receives what an operator should know. Default slog.Default().
	Logger *slog.Logger
}

// A Server says how an upstream is reached and what may be done there. [LoadConfig] and its like
// make one.
type Server = config.Server

// A Gateway is MCP servers behind one. Its methods may be called from any goroutine.
type Gateway struct {
	opts    Options
	log     *slog.Logger
	info    []byte // the Implementation as JSON, for upstreams
	nursery *child.Nursery
	all     *mcp.Server // the features of all

	// applying is held while catalogues become features, so that one change comes after another. It
	// is locked before mu.
	applying sync.Mutex
	tools    names.Table
	prompts  names.Table
	uris     names.URIs

	// watching is held while it is decided where a resource is subscribed to. It is locked after
	// applying and before mu and the locks of upstreams.
	watching sync.Mutex

	mu       sync.Mutex
	slots    []*slot // in the order of the configuration
	leaving  map[*member]bool
	watched  map[string]*member // who was subscribed to, by URI, for all; nil: nobody serves it
	closed   bool
	draining sync.WaitGroup // members that are being closed
}

// A slot is the place of an upstream: what stays when its configuration changes.
type slot struct {
	name, path string
	own        *mcp.Server
	now        *member            // serves
	next       *member            // will, when it is up; nil if there is none
	watched    map[string]*member // who was subscribed to, by URI, for own
}

// New returns a Gateway, which begins to connect to its upstreams.
func New(o *Options) (*Gateway, error) {
	g := &Gateway{opts: *o, leaving: map[*member]bool{}, watched: map[string]*member{}}
	if g.log = o.Logger; g.log == nil {
		g.log = slog.Default()
	}
	if g.opts.CallTimeout <= 0 {
		g.opts.CallTimeout = 5 * time.Minute
	}
	if g.opts.Implementation == nil {
		g.opts.Implementation = &mcp.Implementation{Name: "mooring-gateway"}
	}
	g.info = implementation(g.opts.Implementation)
	g.nursery = child.NewNursery(child.NurseryOptions{MaxChildren: o.MaxChildren, Full: g.makeRoom})
	g.all = g.newServer(g.opts.Implementation, nil)
	if _, err := g.Reload(o.Servers); err != nil {
		_ = g.Shutdown(context.Background())
		return nil, err
	}
	return g, nil
}

// Server returns the server that has the features of all upstreams. The names of tools and prompts
// begin with the name of their upstream and two underscores. The host may add features of its own.
func (g *Gateway) Server() *mcp.Server { return g.all }

// An Endpoint is one upstream, for clients that want it alone.
type Endpoint struct {
	Name   string // of the upstream
	Path   string // where the configuration wants it served
	Server *mcp.Server
}

// Endpoints returns the upstreams that there are now, in the order of the configuration.
func (g *Gateway) Endpoints() []Endpoint {
	g.mu.Lock()
	defer g.mu.Unlock()
	out := make([]Endpoint, len(g.slots))
	for i, s := range g.slots {
		out[i] = Endpoint{s.name, s.path, s.own}
	}
	return out
}

// Changes say what became of upstreams, by name.
type Changes = config.Changes

// Reload replaces the configuration. What has not changed is not touched. An upstream that has
// changed is connected to anew, and goes on as it was until that has happened. Calls at an old one
// end as they would have. If the new configuration cannot work, the old one stays.
func (g *Gateway) Reload(servers []Server) (Changes, error) {
	g.applying.Lock()
	defer g.applying.Unlock()
	fresh, changes, err := g.build(servers)
	if err != nil {
		return Changes{}, err
	}
	g.mu.Lock()
	if g.closed {
		g.mu.Unlock()
		for _, m := range fresh {
			m.close()
		}
		return Changes{}, errClosed
	}
	old := g.slots
	g.slots = nil
	for i := range servers {
		at := slices.IndexFunc(old, func(s *slot) bool { return s.name == servers[i].Name })
		if at >= 0 {
			g.slots = append(g.slots, old[at])
			continue
		}
		s := &slot{name: servers[i].Name, path: servers[i].Path, watched: map[string]*member{}}
		s.own = g.newServer(&mcp.Implementation{Name: s.name}, s)
		g.slots = append(g.slots, s)
	}
	var gone []*member
	for _, s := range g.slots {
		m := fresh[s.name]
		if m == nil {
			continue
		}
		m.slot = s
		if s.path = m.cfg.Path; s.now == nil {
			s.now = m
			continue
		}
		if s.next != nil {
			gone = append(gone, s.next)
		}
		s.next = m
	}
	removed := slices.DeleteFunc(slices.Clone(old), func(s *slot) bool { return slices.Contains(g.slots, s) })
	for _, s := range removed {
		gone = append(gone, s.now)
		if s.next != nil {
			gone = append(gone, s.next)
		}
	}
	order := make([]string, len(g.slots))
	for i, s := range g.slots {
		order[i] = s.name
	}
	g.mu.Unlock()

	g.uris.SetOrder(order)
	for _, s := range removed {
		g.forget(s)
	}
	if len(removed) > 0 {
		g.rewatch()
	}
	for _, m := range gone {
		g.retire(m)
	}
	for _, m := range fresh {
		if now := g.serving(m.cfg.Name); now != m && now.lists != nil {
			g.offer(now) // under the rules of both
		}
		m.begin()
	}
	return changes, nil
}

// build returns the members for those of servers that are new or have changed. The caller holds
// applying.
func (g *Gateway) build(servers []Server) (map[string]*member, Changes, error) {
	fresh := map[string]*member{}
	fail := func(err error) (map[string]*member, Changes, error) {
		for _, m := range fresh {
			m.close()
		}
		return nil, Changes{}, err
	}
	g.mu.Lock()
	var was []Server
	for _, s := range g.slots {
		was = append(was, s.newest().cfg)
	}
	g.mu.Unlock()
	seen, paths := map[string]bool{}, map[string]string{}
	for i := range servers {
		s := &servers[i]
		if err := names.CheckServer(s.Name); err != nil {
			return fail(fmt.Errorf("gateway: server %q: %w", s.Name, err))
		}
		if seen[s.Name] {
			return fail(fmt.Errorf("gateway: two servers are called %q", s.Name))
		}
		if other, twice := paths[s.Path]; twice {
			return fail(fmt.Errorf("gateway: %q and %q have the same path %s", other, s.Name, s.Path))
		}
		seen[s.Name], paths[s.Path] = true, s.Name
	}
	changes := config.Diff(was, servers)
	for i := range servers {
		s := &servers[i]
		if slices.Contains(changes.Same, s.Name) {
			continue
		}
		m, err := g.newMember(s)
		if err != nil {
			return fail(fmt.Errorf("gateway: server %q: %w", s.Name, err))
		}
		fresh[s.Name] = m
	}
	return fresh, changes, nil
}

// newest returns the member that was configured last.
func (s *slot) newest() *member {
	if s.next != nil {
		return s.next
	}
	return s.now
}

// forget takes away what the upstream of s had. The caller holds applying.
func (g *Gateway) forget(s *slot) {
	g.all.Replace(s.name, nil)
	s.own.Replace(s.name, nil)
	g.tools.Replace(s.name, nil)
	g.prompts.Replace(s.name, nil)
	g.uris.Remove(s.name)
	s.own.Close()
}

// retire closes m when its calls have ended.
func (g *Gateway) retire(m *member) {
	g.mu.Lock()
	g.leaving[m] = true
	g.draining.Add(1)
	g.mu.Unlock()
	go func() {
		defer g.draining.Done()
		m.drain(g.opts.CallTimeout)
		m.close()
		g.mu.Lock()
		delete(g.leaving, m)
		g.mu.Unlock()
	}()
}

// leavingOf returns the members of s that have been replaced and still have calls.
func (g *Gateway) leavingOf(s *slot) (out []*member) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for m := range g.leaving {
		if m.slot == s {
			out = append(out, m)
		}
	}
	return out
}

// Shutdown closes all upstreams: it deletes sessions, and ends children and waits for their end.
// Calls that are in flight fail, so a host first shuts down its own server. When ctx is done,
// children are killed.
func (g *Gateway) Shutdown(ctx context.Context) error {
	g.applying.Lock() // no Reload is half done
	g.mu.Lock()
	g.closed = true
	var members []*member
	for _, s := range g.slots {
		members = append(members, s.now)
		if s.next != nil {
			members = append(members, s.next)
		}
	}
	for m := range g.leaving {
		members = append(members, m)
	}
	slots := g.slots
	g.mu.Unlock()
	g.applying.Unlock()
	for _, m := range members {
		m.end()
	}
	var errs []error
	for _, m := range members {
		errs = append(errs, m.shutdown(ctx))
	}
	errs = append(errs, g.nursery.Shutdown(ctx))
	g.draining.Wait()
	for _, s := range slots {
		s.own.Close()
	}
	g.all.Close()
	return errors.Join(errs...)
}

var errClosed = errors.New("gateway: closed")

// LoadConfig reads a configuration file: that of an MCP client with the member mcpServers or
// servers. Warnings are what the gateway does not act on.
func LoadConfig(path string) (servers []Server, warnings []string, err error) {
	f, err := config.Load(path, os.LookupEnv)
	if err != nil {
		return nil, nil, err
	}
	for _, w := range f.Warnings {
		warnings = append(warnings, w.String())
	}
	return f.Servers, warnings, nil
}
