package server

import (
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/mooring-mcp/mooring/server/internal/rejoin"
)

// A home is an http.Server whose connections move to the loops. It gets each back when the response
// is complete and the client has sent another request, because middleware must see every request.
// It waits for responses on moved connections as for any others when it shuts down.
type home struct {
	hs     *http.Server
	index  uint8
	fixed  atomic.Bool // its connections cannot be taken, because they are wrapped
	ended  atomic.Bool // it shuts down
	back   *rejoin.Server
	closed func() // called when a connection that has come back is closed; nil if nobody counts them
}

// takesMoved reports whether connections of the http.Server may move.
func (h *home) takesMoved() bool { return !h.fixed.Load() && !h.ended.Load() }

// homes are the http.Servers that have given connections to a Server. The zero value is ready for
// use, and its methods may be called from any goroutine.
type homes struct {
	list atomic.Pointer[[]*home] // replaced as a whole

	mu     sync.Mutex // held to replace the list; guards closed
	closed bool       // the Server has shut down
}

// maxHomes is how many http.Servers can share the loops of a Server. Connections of others do not
// move.
const maxHomes = 1 << 8

// at returns the home with an index.
func (hs *homes) at(i uint8) *home { return (*hs.list.Load())[i] }

// find returns the home of an http.Server, or nil if it has none.
func (hs *homes) find(of *http.Server) *home {
	list := hs.list.Load()
	if list == nil {
		return nil
	}
	for _, h := range *list {
		if h.hs == of {
			return h
		}
	}
	return nil
}

// homeOf returns the home for the http.Server that serves r. It is nil if r names none, or if there
// are too many.
func (s *Server) homeOf(r *http.Request) *home {
	of, ok := r.Context().Value(http.ServerContextKey).(*http.Server)
	if !ok {
		return nil
	}
	if h := s.homes.find(of); h != nil {
		return h
	}
	if s.isTLS(r) {
		return nil // Shutdown ends it
	}
	local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if !ok {
		return nil
	}
	return s.addHome(of, local)
}

// addHome makes the home for an http.Server. local is its address. It takes the place of a home
// whose http.Server has ended, if there is one.
func (s *Server) addHome(of *http.Server, local net.Addr) *home {
	hs := &s.homes
	hs.mu.Lock()
	defer hs.mu.Unlock()
	if h := hs.find(of); h != nil {
		return h
	}
	var list []*home
	if old := hs.list.Load(); old != nil {
		list = slices.Clone(*old)
	}
	at := slices.IndexFunc(list, func(h *home) bool { return h.back.Forgotten() })
	switch {
	case hs.closed || at < 0 && len(list) == maxHomes:
		return nil
	case at < 0:
		at = len(list)
		list = append(list, nil)
	}
	h := &home{hs: of, index: uint8(at)}
	s.joinHome(h, local, rejoin.Options{})
	list[at] = h
	hs.list.Store(&list)
	return h
}

// joinHome makes connections return to the http.Server of h. o has further options of what
// connections do there.
func (s *Server) joinHome(h *home, local net.Addr, o rejoin.Options) {
	o.Drain = func() { s.leaveHome(h) }
	o.Cut = func() { s.cutHome(h) }
	o.Patience = s.opts.DrainTimeout
	o.Logger = s.logger()
	h.back = rejoin.Join(h.hs, local, o)
}

// leaveHome ends the requests of an http.Server that shuts down: idle connections close, and
// streams end as in a drain.
func (s *Server) leaveHome(h *home) {
	h.ended.Store(true)
	order := &drainOrder{spread: s.drainSpread(s.opts.DrainTimeout)}
	s.visitHome(h, func(c *conn) { c.drain(order) })
}

// cutHome closes the connections of an http.Server that are left at the end of its drain.
func (s *Server) cutHome(h *home) {
	s.visitHome(h, func(c *conn) {
		if c.has(flagLent) {
			c.close(closeDrain)
		}
	})
}

// visitHome has each loop call f for the connections and requests of an http.Server.
func (s *Server) visitHome(h *home, f func(*conn)) {
	for _, l := range s.loops {
		l.execute(l.guard(func() { l.visitHome(h, f, 0) }))
	}
}

// close ends the service of the connections that come back.
func (hs *homes) close() {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	hs.closed = true
	if list := hs.list.Load(); list != nil {
		for _, h := range *list {
			h.ended.Store(true)
			h.back.Close()
		}
	}
}
