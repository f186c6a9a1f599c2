package server

import (
	"sync"
	"sync/atomic"

	"github.com/mooring-mcp/mooring/mcp"
	"github.com/mooring-mcp/mooring/server/internal/session"
)

// A site says where an mcp.Server is served. Each site has its own streams and session IDs, even if
// several are of one mcp.Server.
type site struct {
	mcp *mcp.Server
	// path is that of Streamable HTTP. Session IDs, and the states of multi round trips, are bound
	// to it.
	path string
	// sse is the path of HTTP+SSE, to which the session IDs of that transport are bound. It is empty
	// if HTTP+SSE is not served.
	sse string
}

// A service is a site as its Server serves it. Its methods may be called from any goroutine.
//
// The service of Options.Path lives as long as the Server, those of Handle until Remove. Those of
// serviceOf are guests: a guest is made when it is first asked for, and nothing of it is left when
// nobody holds it. The count of holders is exact for guests alone, so that it costs the others
// nothing.
type service struct {
	site
	srv      *Server
	endpoint *session.Endpoint // what its session IDs are bound to
	notices  noticeBoard
	guest    bool
	holders  atomic.Int64
	removed  atomic.Bool // its streams end

	mu      sync.Mutex // guards the rest
	unwatch func()     // ends the reports of changes; nil before watch
	left    bool       // leave has been called

	// berths has the service's berth of each loop, nil if the loop has made none. Only the loop
	// stores its own.
	berths []atomic.Pointer[berth]
}

func newService(s *Server, at site) *service {
	svc := &service{
		site: at, srv: s,
		endpoint: session.NewEndpoint(at.path, at.sse, 0),
		berths:   make([]atomic.Pointer[berth], s.opts.Loops),
	}
	svc.notices.delay, svc.notices.report = s.opts.NoticeDelay, svc.postChanges
	svc.notices.log = newChangeLog(s.clock())
	return svc
}

// watch makes changes reach the streams of the service. A guest is watched from its first stream
// on.
func (svc *service) watch() {
	svc.mu.Lock()
	defer svc.mu.Unlock()
	if svc.unwatch != nil || svc.left {
		return
	}
	up := &svc.srv.up
	svc.unwatch = svc.mcp.OnChange(func(ch mcp.Change) {
		if up.Load() {
			svc.notices.add(ch)
		}
	})
}

// leave detaches the service from its mcp.Server, which may live longer.
func (svc *service) leave() {
	svc.mu.Lock()
	defer svc.mu.Unlock()
	svc.left = true
	if svc.unwatch != nil {
		svc.unwatch()
	}
	svc.notices.stop()
}

// postChanges reports changes to all loops that may have streams of the service.
func (svc *service) postChanges(c *changes) {
	for i := range svc.berths {
		if b := svc.berths[i].Load(); b != nil {
			b.postChanges(c)
		}
	}
}

// subscribe counts a subscription of a session, whose entry in the table holds the service.
func (svc *service) subscribe(uri string) {
	svc.hold()
	svc.mcp.Subscribe(uri)
}

// unsubscribe takes back one subscribe.
func (svc *service) unsubscribe(uri string) {
	svc.mcp.Unsubscribe(uri)
	svc.release()
}

// hold adds a holder. The caller is one, or has the service from serviceOf.
func (svc *service) hold() *service {
	if svc.guest {
		svc.holders.Add(1)
	}
	return svc
}

// release takes a holder away. The last one ends the service of a guest.
func (svc *service) release() {
	if svc.guest && svc.holders.Add(-1) == 0 {
		svc.srv.guests.end(svc)
	}
}

// serviceOf returns the service of a site: that of the endpoint with the path, if it serves the
// same mcp.Server, or else a guest. The caller holds it until it calls release. The server must
// have been started. It may be called from any goroutine.
func (s *Server) serviceOf(at site) *service {
	for _, svc := range s.endpoints.Load().services {
		if svc.mcp == at.mcp && svc.path == at.path && (at.sse == "" || at == svc.site) {
			return svc
		}
	}
	return s.guests.take(at, func() *service {
		svc := newService(s, at)
		svc.guest = true
		return svc
	})
}

// guests are the services that live only as long as somebody holds them.
type guests struct {
	mu   sync.Mutex // guards the rest
	m    map[site]*service
	peak int // the most services of m since it was made
}

// keepGuests is how many services a map may have had that is kept when it is empty, because a map
// never shrinks.
const keepGuests = 64

// take returns the service of a site with one holder more.
func (g *guests) take(at site, make func() *service) *service {
	g.mu.Lock()
	defer g.mu.Unlock()
	svc := g.m[at]
	if svc == nil {
		svc = make()
		if g.m == nil {
			g.m = map[site]*service{}
		}
		g.m[at] = svc
		g.peak = max(g.peak, len(g.m))
	}
	svc.holders.Add(1)
	return svc
}

// end ends a service that nobody holds, unless somebody has taken it meanwhile.
func (g *guests) end(svc *service) {
	if g.forget(svc) {
		svc.leave()
	}
}

// forget takes svc out of the map. It reports false if svc is held again, or if another call has
// taken it out.
func (g *guests) forget(svc *service) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if svc.holders.Load() > 0 || g.m[svc.site] != svc {
		return false
	}
	delete(g.m, svc.site)
	if len(g.m) == 0 && g.peak > keepGuests {
		g.m, g.peak = nil, 0
	}
	return true
}

// leave detaches all guests from their mcp.Servers.
func (g *guests) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, svc := range g.m {
		svc.leave()
	}
}
