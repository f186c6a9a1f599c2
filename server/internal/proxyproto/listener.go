package proxyproto

import (
	"errors"
	"net"
	"net/netip"
	"sync"
	"time"
)

// A Listener accepts connections for net/http, of which those from listed proxies begin with a
// header. Accept does not wait for it: the first call of a connection's Read, RemoteAddr, Write or
// NetConn does, so these belong on the connection's own goroutine. A connection with a malformed
// header is closed, and reading from it returns an error.
type Listener struct {
	net.Listener
	Proxies []netip.Prefix
	Timeout time.Duration // for the header to arrive; 0 means no limit
	Refused func()        // is called for each connection that was closed for its header; may be nil
}

// DefaultTimeout is the Timeout of Listen.
const DefaultTimeout = 10 * time.Second

// Listen returns a Listener that accepts from l. Connections from other addresses than those in
// proxies are returned as they are.
func Listen(l net.Listener, proxies []netip.Prefix) *Listener {
	return &Listener{Listener: l, Proxies: proxies, Timeout: DefaultTimeout}
}

// Accept implements net.Listener.
func (l *Listener) Accept() (net.Conn, error) {
	nc, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return Wrap(nc, l.Proxies, l.Timeout, l.Refused), nil
}

// Wrap returns nc as a Listener with these fields would have accepted it.
func Wrap(nc net.Conn, proxies []netip.Prefix, timeout time.Duration, refused func()) net.Conn {
	if len(proxies) == 0 {
		return nc
	}
	if peer, ok := nc.RemoteAddr().(*net.TCPAddr); !ok || !Lists(proxies, peer.AddrPort().Addr()) {
		return nc
	}
	c := &Conn{Conn: nc, refused: refused}
	if timeout > 0 {
		c.ours = time.Now().Add(timeout)
	}
	return c
}

// A Conn is a connection that begins with a header. Its methods may be called from any goroutine.
type Conn struct {
	net.Conn
	refused func()

	once   sync.Once
	client net.Addr // what the header names
	err    error

	mu     sync.Mutex // guards what follows
	ours   time.Time  // the deadline of the header, zero once it has been read
	theirs time.Time  // the deadline that the owner has set
}

// Read implements net.Conn.
func (c *Conn) Read(p []byte) (int, error) {
	if err := c.header(); err != nil {
		return 0, err
	}
	return c.Conn.Read(p)
}

// Write implements net.Conn. Nothing is written to a peer whose header is malformed.
func (c *Conn) Write(p []byte) (int, error) {
	if err := c.header(); err != nil {
		return 0, err
	}
	return c.Conn.Write(p)
}

// RemoteAddr returns the address that the header names, or that of the peer if it names none.
func (c *Conn) RemoteAddr() net.Addr {
	if c.header() == nil && c.client != nil {
		return c.client
	}
	return c.Conn.RemoteAddr()
}

// NetConn returns the connection without its header. No byte after the header has been read.
func (c *Conn) NetConn() net.Conn {
	_ = c.header()
	return c.Conn
}

// CloseWrite sends a FIN, if the connection can.
func (c *Conn) CloseWrite() error {
	if w, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return w.CloseWrite()
	}
	return errors.ErrUnsupported
}

// SetDeadline implements net.Conn.
func (c *Conn) SetDeadline(t time.Time) error {
	if err := c.Conn.SetWriteDeadline(t); err != nil {
		return err
	}
	return c.SetReadDeadline(t)
}

// SetReadDeadline implements net.Conn. Until the header has been read, the earlier of t and the
// header's own deadline holds.
func (c *Conn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.theirs = t
	return c.apply()
}

// apply sets the deadline that holds. The caller holds c.mu.
func (c *Conn) apply() error {
	t := c.theirs
	if !c.ours.IsZero() && (t.IsZero() || c.ours.Before(t)) {
		t = c.ours
	}
	return c.Conn.SetReadDeadline(t)
}

// header reads the header, once. It reads no byte more.
func (c *Conn) header() error {
	c.once.Do(func() {
		c.mu.Lock()
		c.err = c.apply()
		c.mu.Unlock()
		if c.err == nil {
			c.err = c.readHeader()
		}
		if c.err != nil {
			if c.refused != nil {
				c.refused()
			}
			_ = c.Conn.Close()
			return
		}
		c.mu.Lock()
		c.ours = time.Time{}
		c.err = c.apply()
		c.mu.Unlock()
	})
	return c.err
}

func (c *Conn) readHeader() error {
	var room [MaxV1 + fixedPart]byte
	b := room[:0]
	for {
		client, missing, err := Parse(b)
		switch {
		case err == nil:
			if client.IsValid() {
				c.client = net.TCPAddrFromAddrPort(client)
			}
			return nil
		case err != ErrIncomplete:
			return err
		}
		for range missing {
			b = append(b, 0)
		}
		n, err := c.Conn.Read(b[len(b)-missing:])
		if b = b[:len(b)-missing+n]; n == 0 && err != nil {
			return err
		}
	}
}
