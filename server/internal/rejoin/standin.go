package rejoin

import (
	"io"
	"net"
	"sync"
	"time"
)

// standIn is a connection whose request never ends, until it is released. What it sends is not
// HTTP, so that no handler sees it: net/http answers with 400, and the stand-in does not take the
// answer. Its state is StateActive meanwhile.
type standIn struct {
	s        *Server
	begun    chan struct{} // closed when net/http answers
	closed   chan struct{} // closed when net/http closes it
	released chan struct{} // closed when net/http need not wait any more

	begin, close, free sync.Once

	mu   sync.Mutex // guards sent
	sent bool
}

func newStandIn(s *Server) *standIn {
	return &standIn{s: s, begun: make(chan struct{}), closed: make(chan struct{}), released: make(chan struct{})}
}

// notHTTP is a request-line of no request.
const notHTTP = "\n"

// release ends the stand-in.
func (c *standIn) release() { c.free.Do(func() { close(c.released) }) }

// isClosed reports whether net/http has closed it.
func (c *standIn) isClosed() bool {
	select {
	case <-c.closed:
		return true
	default:
		return false
	}
}

// see sees the end of the http.Server through: it releases the stand-in when nothing is away any
// more, and cuts what is left after patience, or when the http.Server closes the stand-in.
func (c *standIn) see(patience time.Duration) {
	defer c.release()
	t := time.NewTimer(patience)
	defer t.Stop()
	select {
	case <-c.s.empty:
		return
	case <-c.released:
		return
	case <-c.closed:
	case <-t.C:
	}
	c.s.opts.Cut()
	waitFor(c.s.empty, closeTime)
}

// Read implements net.Conn.
func (c *standIn) Read(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.sent {
		return 0, io.EOF
	}
	c.sent = true
	return copy(b, notHTTP), nil
}

// Write implements net.Conn. It waits for the end.
func (c *standIn) Write(b []byte) (int, error) {
	c.begin.Do(func() { close(c.begun) })
	select {
	case <-c.released:
	case <-c.closed:
	}
	return len(b), nil
}

// Close implements net.Conn.
func (c *standIn) Close() error {
	c.close.Do(func() { close(c.closed) })
	return nil
}

// LocalAddr implements net.Conn.
func (c *standIn) LocalAddr() net.Addr { return c.s.ln.addr }

// RemoteAddr implements net.Conn.
func (c *standIn) RemoteAddr() net.Addr { return c.s.ln.addr }

// SetDeadline implements net.Conn.
func (c *standIn) SetDeadline(time.Time) error { return nil }

// SetReadDeadline implements net.Conn.
func (c *standIn) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline implements net.Conn.
func (c *standIn) SetWriteDeadline(time.Time) error { return nil }
