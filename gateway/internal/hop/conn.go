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
	dialer := &net.Dialer{Timeout: u.opts.DialTimeout}
	t.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		u.stats.dials.Add(1)
		c, err := dialer.DialContext(ctx, network, addr)
		if err != nil {
			u.stats.dialErrors.Add(1)
			return nil, err
		}
		u.stats.sockets.Add(1)
		return &conn{Conn: c, stats: &u.stats}, nil
	}
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

// A conn is a connection to the upstream, below TLS. It closes itself when it has been idle for as
// long as the server has announced, and when the server takes no more requests on it.
type conn struct {
	net.Conn
	stats   *counters
	written atomic.Int64
	closed  sync.Once

	mu     sync.Mutex
	active int           // requests on it
	idle   time.Duration // how long it may be idle; 0 leaves that to the transport
	since  time.Time     // when it became idle
	timer  *time.Timer
	last   bool // the server takes no more requests
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
	c.closed.Do(func() {
		c.stats.sockets.Add(-1)
		go c.stop() // the caller may hold c.mu
	})
	return err
}

func (c *conn) stop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.timer != nil {
		c.timer.Stop()
	}
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

// end says that a response has been read.
func (c *conn) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.active--
	switch {
	case c.active > 0:
	case c.last:
		_ = c.Close()
	case c.idle > 0:
		c.since = time.Now()
		if c.timer == nil {
			c.timer = time.AfterFunc(c.idle, c.expire)
		} else {
			c.timer.Reset(c.idle)
		}
	}
}

// expire closes the connection if it has been idle for long enough. The transport may be about to
// use it again: it then finds that it cannot write, and takes another.
func (c *conn) expire() {
	c.mu.Lock()
	defer c.mu.Unlock()
	left := c.idle
	if c.active == 0 {
		left -= time.Since(c.since)
	}
	if left <= 0 {
		_ = c.Close()
		return
	}
	c.timer.Reset(left)
}
