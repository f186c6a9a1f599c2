package server

import (
	"container/list"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// tlsServer is an http.Server and its connections. It is the listener that the http.Server serves.
// Its methods may be called from any goroutine.
type tlsServer struct {
	hs       *http.Server
	owner    *Server
	stall    time.Duration // in which a peer must take something; 0 means no limit
	patience time.Duration // for a handshake; 0 means no limit
	most     int           // handshakes at a time
	arriving chan net.Conn
	serving  sync.WaitGroup

	once  sync.Once
	ended chan struct{} // closed by Close

	mu       sync.Mutex // guards what follows
	conns    map[*tlsConn]struct{}
	shaking  list.List // of the conns in their handshake, the oldest first
	draining bool
	cut      atomic.Bool // nothing is written any more
}

func newTLSServer(s *Server) *tlsServer {
	o := &s.opts
	return &tlsServer{
		owner: s, stall: finite(o.WriteTimeout), patience: finite(o.HandshakeTimeout), most: o.MaxHandshakes,
		arriving: make(chan net.Conn),
		ended:    make(chan struct{}),
		conns:    make(map[*tlsConn]struct{}),
	}
}

// Accept implements net.Listener.
func (t *tlsServer) Accept() (net.Conn, error) {
	select {
	case nc := <-t.arriving:
		return nc, nil
	case <-t.ended:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener. The connections stay.
func (t *tlsServer) Close() error {
	t.once.Do(func() { close(t.ended) })
	return nil
}

// Addr implements net.Listener. The listeners of ServeTLS have the addresses.
func (t *tlsServer) Addr() net.Addr { return new(net.TCPAddr) }

// changed is http.Server.ConnState.
func (t *tlsServer) changed(nc net.Conn, state http.ConnState) {
	c := nc.(*tls.Conn).NetConn().(*tlsConn)
	t.mu.Lock()
	c.used = c.used || state != http.StateNew
	late := t.draining && !c.used
	t.mu.Unlock()
	if late {
		_ = c.Close()
	}
}

// drain begins to end the connections: those without a request close, requests finish. The returned
// function closes what is left.
func (t *tlsServer) drain(ctx context.Context, failed func(error)) (end func()) {
	ctx, cancel := context.WithCancel(ctx)
	t.mu.Lock()
	t.draining = true
	for c := range t.conns {
		if !c.used { // the http.Server would wait for the first request of each
			_ = c.Conn.Close()
		}
	}
	t.mu.Unlock()
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := t.hs.Shutdown(ctx); err != nil && !errors.Is(err, ctx.Err()) {
			failed(err)
		}
	}()
	return func() {
		cancel()
		t.cutAll()
		_ = t.hs.Close()
		<-done
		t.serving.Wait()
	}
}

// cutAll ends all writes. Otherwise crypto/tls, which says goodbye, would wait for each client that
// reads nothing, and the http.Server with it.
func (t *tlsServer) cutAll() {
	t.cut.Store(true)
	t.mu.Lock()
	defer t.mu.Unlock()
	for c := range t.conns {
		_ = c.Conn.SetWriteDeadline(time.Unix(1, 0))
	}
}

// yield closes the connections that have no request, and a handshake that takes long.
func (t *tlsServer) yield() {
	t.mu.Lock()
	evicted := t.evict(time.Now())
	t.mu.Unlock()
	if evicted != nil {
		_ = evicted.Close()
	}
	t.hs.SetKeepAlivesEnabled(false) // closes them
	t.hs.SetKeepAlivesEnabled(true)
}

// tlsConn is a connection below crypto/tls.
type tlsConn struct {
	net.Conn
	of      *tlsServer
	used    bool          // a request has begun; guarded by of.mu
	shaking *list.Element // of of.shaking, nil if it is in none; guarded by of.mu
	began   time.Time     // when its handshake has begun; guarded by of.mu
	limited atomic.Bool   // the user has set a deadline for writes
	closed  atomic.Bool

	// admit counts a connection behind a proxy for its address, once the address is known. The first
	// Read, that of the handshake, clears it.
	admit func(net.Addr) (left func(), ok bool)
	left  func() // ends the count; guarded by of.mu
}

// errTooMany is why nothing can be read from a connection whose address has too many.
var errTooMany = errors.New("server: too many connections of the address")

// Read implements net.Conn.
func (c *tlsConn) Read(b []byte) (int, error) {
	if !c.admitted() {
		_ = c.Close()
		return 0, errTooMany
	}
	return c.Conn.Read(b)
}

// admitted reports whether the address of c may have the connection. It waits for the header of the
// proxy before it looks the first time.
func (c *tlsConn) admitted() bool {
	admit := c.admit
	if admit == nil {
		return true
	}
	c.admit = nil
	left, ok := admit(c.Conn.RemoteAddr())
	if !ok {
		return false
	}
	c.of.mu.Lock()
	_, open := c.of.conns[c]
	if open {
		c.left = left
	}
	c.of.mu.Unlock()
	if !open { // it has been closed meanwhile
		left()
	}
	return true
}

// Write implements net.Conn. A peer that takes nothing in time counts as disconnected. crypto/tls
// writes a record at a time.
func (c *tlsConn) Write(b []byte) (int, error) {
	if c.of.stall > 0 && !c.limited.Load() {
		_ = c.Conn.SetWriteDeadline(time.Now().Add(c.of.stall))
	}
	if c.of.cut.Load() { // after the deadline has been set, so that cutAll cannot miss it
		return 0, net.ErrClosed
	}
	return c.Conn.Write(b)
}

// SetWriteDeadline implements net.Conn.
func (c *tlsConn) SetWriteDeadline(t time.Time) error {
	c.limited.Store(!t.IsZero())
	return c.cutAfter(c.Conn.SetWriteDeadline(t))
}

// SetDeadline implements net.Conn.
func (c *tlsConn) SetDeadline(t time.Time) error {
	c.limited.Store(!t.IsZero())
	return c.cutAfter(c.Conn.SetDeadline(t))
}

// cutAfter keeps writes ended whatever deadline has been set.
func (c *tlsConn) cutAfter(err error) error {
	if c.of.cut.Load() {
		return c.Conn.SetWriteDeadline(time.Unix(1, 0))
	}
	return err
}

// Close implements net.Conn.
func (c *tlsConn) Close() error {
	err := c.Conn.Close()
	if c.closed.CompareAndSwap(false, true) {
		c.of.mu.Lock()
		delete(c.of.conns, c)
		left := c.left
		c.of.mu.Unlock()
		left()
		c.of.owner.admission.Released()
	}
	return err
}
