package rejoin

import (
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Conn is a connection that has returned to its http.Server.
type Conn struct {
	net.Conn
	input   []byte        // is read first
	stall   time.Duration // see Options.WriteStall
	limited atomic.Bool   // the user has set a deadline for writes
	returns bool          // it was away

	once    sync.Once
	onClose func()
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

// writeSize is how much is written before the peer must have taken something.
const writeSize = 64 << 10

// Write implements net.Conn.
func (c *Conn) Write(b []byte) (n int, err error) {
	if c.stall <= 0 {
		return c.Conn.Write(b)
	}
	for {
		k := min(len(b)-n, writeSize)
		c.limit()
		k, err = c.Conn.Write(b[n : n+k])
		if n += k; n == len(b) || err != nil {
			return n, err
		}
	}
}

// ReadFrom implements io.ReaderFrom, so that the kernel can send a file.
func (c *Conn) ReadFrom(r io.Reader) (n int64, err error) {
	if c.stall <= 0 {
		return io.Copy(c.Conn, r)
	}
	for {
		c.limit()
		k, err := io.CopyN(c.Conn, r, writeSize)
		n += k
		if err == io.EOF {
			return n, nil
		}
		if err != nil {
			return n, err
		}
	}
}

// limit sets the deadline of the next piece, unless the user has set one.
func (c *Conn) limit() {
	if !c.limited.Load() {
		_ = c.Conn.SetWriteDeadline(time.Now().Add(c.stall))
	}
}

// SetWriteDeadline implements net.Conn.
func (c *Conn) SetWriteDeadline(t time.Time) error {
	c.limited.Store(!t.IsZero())
	return c.Conn.SetWriteDeadline(t)
}

// SetDeadline implements net.Conn.
func (c *Conn) SetDeadline(t time.Time) error {
	c.limited.Store(!t.IsZero())
	return c.Conn.SetDeadline(t)
}

// Close implements net.Conn.
func (c *Conn) Close() error {
	err := c.Conn.Close()
	if c.onClose != nil {
		c.once.Do(c.onClose)
	}
	return err
}

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
