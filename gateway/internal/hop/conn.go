package hop

import (
	"context"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// maxHead is how many bytes the head of a response may have.
const maxHead = 64 << 10

// newTransport returns a transport whose connections u counts. Each host gets at most conns, if
// that is not 0.
func (u *Upstream) newTransport(conns int) *http.Transport {
	t := &http.Transport{Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true}
	if u.opts.Transport != nil {
		t = u.opts.Transport.Clone()
	}
	t.DialContext = u.dial
	t.DialTLSContext = nil
	t.TLSHandshakeTimeout = u.opts.DialTimeout
	t.IdleConnTimeout = u.opts.IdleTimeout
	t.MaxConnsPerHost = conns
	t.MaxIdleConns = 0
	t.MaxIdleConnsPerHost = max(conns, u.opts.MaxStreams)
	t.MaxResponseHeaderBytes = maxHead
	t.ResponseHeaderTimeout = 0
	t.DisableCompression = true
	t.DisableKeepAlives = false
	return t
}

// dial opens a connection, which is a *conn.
func (u *Upstream) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	dialer := net.Dialer{Timeout: u.opts.DialTimeout}
	u.stats.dials.Add(1)
	c, err := dialer.DialContext(ctx, network, addr)
	if err != nil {
		u.stats.dialErrors.Add(1)
		return nil, err
	}
	u.stats.sockets.Add(1)
	return &conn{Conn: c, stats: &u.stats}, nil
}

// A conn is a connection to the upstream, below TLS. It closes itself when it has been idle for as
// long as the server has announced, and when the server takes no more requests on it.
type conn struct {
	net.Conn
	stats   *counters
	written atomic.Int64
	gone    atomic.Bool // it is closed

	mu     sync.Mutex
	active int           // requests on it
	idle   time.Duration // how long it may be idle; 0 leaves that to the transport
	since  time.Time     // when it became idle
	timer  *time.Timer
	armed  time.Duration // idle when timer was set; 0: it is not
	last   bool          // the server takes no more requests
}

// below returns the conn below c, which may be a connection of TLS, or nil.
func below(c net.Conn) *conn {
	if t, ok := c.(interface{ NetConn() net.Conn }); ok {
		c = t.NetConn()
	}
	own, _ := c.(*conn)
	return own
}

func (c *conn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.stats.bytesIn.Add(uint64(n))
	return n, err
}

func (c *conn) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.written.Add(int64(n))
	c.stats.bytesOut.Add(uint64(n))
	return n, err
}

func (c *conn) Close() error {
	err := c.Conn.Close()
	if c.gone.CompareAndSwap(false, true) {
		c.stats.sockets.Add(-1)
	}
	return err
}

// begin says that a request is about to be written. The connection does not close itself from now
// on.
func (c *conn) begin() {
	c.mu.Lock()
	c.active++
	c.mu.Unlock()
}

// head notes what a response announces.
func (c *conn) head(h http.Header, most time.Duration) {
	if len(h["Keep-Alive"]) == 0 {
		return
	}
	timeout, requests := keepAlive(h)
	c.mu.Lock()
	defer c.mu.Unlock()
	if timeout >= 0 {
		c.idle = min(max(timeout*3/4, time.Millisecond), most)
	}
	c.last = requests == 0
}

// isLast reports whether the server takes no more requests.
func (c *conn) isLast() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.last
}

// end says that a response has been read.
func (c *conn) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.active--
	switch {
	case c.active > 0 || c.gone.Load():
	case c.last:
		_ = c.Close()
	case c.idle > 0:
		c.since = time.Now()
		if c.timer == nil {
			c.timer = time.AfterFunc(c.idle, c.expire)
		} else if c.armed == 0 || c.idle < c.armed {
			c.timer.Reset(c.idle)
		} else {
			break // expire looks at the time again
		}
		c.armed = c.idle
	}
}

// expire closes the connection if it has been idle for long enough. The transport may be about to
// use it again: it then finds that it cannot write, and takes another.
func (c *conn) expire() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.armed = 0
	if c.gone.Load() || c.active > 0 {
		return // end sets the timer again
	}
	left := c.idle - time.Since(c.since)
	if left <= 0 {
		_ = c.Close()
		return
	}
	c.timer.Reset(left)
	c.armed = left
}
