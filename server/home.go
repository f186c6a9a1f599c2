package server

import (
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
)

// A home is an http.Server whose connections move to the loops. It gets each back when the response
// is complete and the client has sent another request, because middleware must see every request.
type home struct {
	hs    *http.Server
	index uint8
	fixed atomic.Bool  // its connections cannot be taken, because they are wrapped
	away  atomic.Int64 // connections that are with the loops
	ended atomic.Bool  // it shuts down

	back returns
}

// takesMoved reports whether connections of the http.Server may move.
func (h *home) takesMoved() bool { return !h.fixed.Load() && !h.ended.Load() }

// give gives nc back to the http.Server, which first reads input. It takes ownership of nc, does
// not wait, and may be called from any goroutine.
func (h *home) give(nc net.Conn, input []byte) {
	if !h.back.add(&returnedConn{Conn: nc, input: input}) {
		_ = nc.Close()
	}
}

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
	return s.addHome(of)
}

// addHome makes the home for an http.Server.
func (s *Server) addHome(of *http.Server) *home {
	hs := &s.homes
	hs.mu.Lock()
	defer hs.mu.Unlock()
	if h := hs.find(of); h != nil {
		return h
	}
	var list []*home
	if old := hs.list.Load(); old != nil {
		list = append(list, *old...)
	}
	if len(list) == maxHomes {
		return nil
	}
	h := &home{hs: of, index: uint8(len(list))}
	h.back.init()
	h.ended.Store(hs.closed)
	list = append(list, h)
	hs.list.Store(&list)
	if hs.closed {
		return h
	}
	of.RegisterOnShutdown(func() { s.leaveHome(h) })
	go func() { _ = of.Serve(&h.back) }()
	return h
}

// leaveHome ends the requests of an http.Server that shuts down: idle connections close, and
// streams end as in a drain.
func (s *Server) leaveHome(h *home) {
	h.ended.Store(true)
	order := &drainOrder{spread: s.drainSpread(s.opts.DrainTimeout)}
	for _, l := range s.loops {
		l.execute(l.guard(func() { l.drainHome(h, order, 0) }))
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
			_ = h.back.Close()
		}
	}
}

// returns is the listener from which an http.Server accepts its connections again.
type returns struct {
	mu     sync.Mutex // guards what follows
	more   sync.Cond
	conns  []*returnedConn
	local  net.Addr
	closed bool
}

func (r *returns) init() { r.more.L = &r.mu }

// add adds a connection. It returns false if the listener is closed.
func (r *returns) add(nc *returnedConn) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return false
	}
	r.conns = append(r.conns, nc)
	r.local = nc.LocalAddr()
	r.more.Signal()
	return true
}

// Accept implements net.Listener.
func (r *returns) Accept() (net.Conn, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for len(r.conns) == 0 && !r.closed {
		r.more.Wait()
	}
	if r.closed {
		return nil, net.ErrClosed
	}
	nc := r.conns[0]
	r.conns[0] = nil
	r.conns = r.conns[1:]
	return nc, nil
}

// Close implements net.Listener.
func (r *returns) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	for _, nc := range r.conns {
		_ = nc.Close()
	}
	r.conns = nil
	r.more.Broadcast()
	return nil
}

// Addr implements net.Listener.
func (r *returns) Addr() net.Addr {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.local == nil {
		return &net.TCPAddr{}
	}
	return r.local
}

// returnedConn is a connection that comes back, with what a loop has read of it.
type returnedConn struct {
	net.Conn
	input []byte
}

// Read implements net.Conn.
func (c *returnedConn) Read(b []byte) (int, error) {
	if len(c.input) > 0 {
		n := copy(b, c.input)
		if c.input = c.input[n:]; len(c.input) == 0 {
			c.input = nil
		}
		return n, nil
	}
	return c.Conn.Read(b)
}

// ReadFrom implements io.ReaderFrom.
func (c *returnedConn) ReadFrom(r io.Reader) (int64, error) { return io.Copy(c.Conn, r) }

// CloseWrite sends a FIN and leaves the receiving side open.
func (c *returnedConn) CloseWrite() error {
	if w, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return w.CloseWrite()
	}
	return nil
}

// NetConn returns the connection itself.
func (c *returnedConn) NetConn() net.Conn { return c.Conn }
