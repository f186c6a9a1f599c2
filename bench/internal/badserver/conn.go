package badserver

import (
	"errors"
	"io"
	"net"
	"sync"
)

type listener struct {
	*net.TCPListener
	server *Server
}

// Accept gives each connection the behaviour that the faults require.
func (l *listener) Accept() (net.Conn, error) {
	c, err := l.AcceptTCP()
	if err != nil {
		return nil, err
	}
	f := l.server.faults
	if !f[KeepDeadPeers] {
		// Keepalive probes are not sent while data is unacknowledged, so both are needed.
		_ = giveUpAfter(c, writeTime)
	}
	if f[SlowFanout] {
		_ = c.SetWriteBuffer(4 << 10) // so that a client that does not read is noticed soon
	}
	if !f[LeakCloseWait] && !f[HugeHeads] {
		return c, nil
	}
	k := &keptConn{TCPConn: c, leak: f[LeakCloseWait], keep: f[HugeHeads]}
	l.server.mu.Lock()
	l.server.kept = append(l.server.kept, k)
	l.server.mu.Unlock()
	return k, nil
}

// A keptConn is never forgotten.
type keptConn struct {
	*net.TCPConn
	leak bool // it is not closed either, if the client closed first
	keep bool // what was read from it is kept, too

	mu   sync.Mutex // guards the rest
	over bool       // the client has closed
	read []byte
}

func (c *keptConn) Read(b []byte) (int, error) {
	n, err := c.TCPConn.Read(b)
	c.mu.Lock()
	defer c.mu.Unlock()
	if errors.Is(err, io.EOF) {
		c.over = true
	}
	if c.keep {
		c.read = append(c.read, b[:n]...)
	}
	return n, err
}

// left reports whether the client has closed and the server must not notice.
func (c *keptConn) left() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.leak && c.over
}

// Write writes nothing to a client that has closed, because that would cause an RST, which ends the
// socket.
func (c *keptConn) Write(b []byte) (int, error) {
	if c.left() {
		return 0, net.ErrClosed
	}
	return c.TCPConn.Write(b)
}

func (c *keptConn) ReadFrom(r io.Reader) (int64, error) {
	return io.Copy(struct{ io.Writer }{c}, r)
}

func (c *keptConn) CloseWrite() error {
	if c.left() {
		return nil
	}
	return c.TCPConn.CloseWrite()
}

func (c *keptConn) Close() error {
	if c.left() {
		return nil
	}
	return c.TCPConn.Close()
}
