package rejoin

import (
	"errors"
	"io"
	"net"
	"syscall"
)

// Conn is a connection that has returned to its http.Server.
type Conn struct {
	net.Conn
	input   []byte // is read first
	returns bool   // it is not the stand-in
}

// NetConn returns the connection itself, without what Read returns first: see TakeInput.
func (c *Conn) NetConn() net.Conn { return c.Conn }

// TakeInput returns what Read would return without a look at the connection itself. The caller owns
// it; Read does not return it any more.
func (c *Conn) TakeInput() []byte {
	b := c.input
	c.input = nil
	return b
}

// Read implements net.Conn.
func (c *Conn) Read(b []byte) (int, error) {
	if len(c.input) == 0 {
		return c.Conn.Read(b)
	}
	n := copy(b, c.input)
	if c.input = c.input[n:]; len(c.input) == 0 {
		c.input = nil // so that its memory is free
	}
	return n, nil
}

// ReadFrom implements io.ReaderFrom, so that the kernel can send a file.
func (c *Conn) ReadFrom(r io.Reader) (int64, error) { return io.Copy(c.Conn, r) }

// CloseWrite sends a FIN and leaves the receiving side open.
func (c *Conn) CloseWrite() error {
	if w, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return w.CloseWrite()
	}
	return errors.ErrUnsupported
}

// SyscallConn implements syscall.Conn.
func (c *Conn) SyscallConn() (syscall.RawConn, error) {
	if sc, ok := c.Conn.(syscall.Conn); ok {
		return sc.SyscallConn()
	}
	return nil, errors.ErrUnsupported
}
