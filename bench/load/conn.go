package load

import (
	"errors"
)

// A Driver decides what a connection does. Its methods run on the connection's loop. Their
// arguments are valid until they return.
type Driver interface {
	// Opened is called when c is connected.
	Opened(c *Conn)
	// Response is called with a whole answer, or with the head of a stream; Event and StreamEnded
	// are called for the rest of the stream.
	Response(c *Conn, r *Response)
	// Event is called with each event of a stream.
	Event(c *Conn, e *Event)
	// StreamEnded is called when the server has completed an answer that is a stream. The
	// connection may be used again, unless it ends now.
	StreamEnded(c *Conn)
	// Closed is called once when the connection has ended by itself, but not after Close and Reset.
	Closed(c *Conn, how End)
}

// End is how a connection ended.
type End uint8

// The ends of a connection.
const (
	Refused  End = iota // it was never established
	ByFIN               // the server closed it
	ByRST               // the server reset it
	Lost                // the network gave it up
	Protocol            // what the server sent is not HTTP/1.1, or is too large
)

// String returns a word for tables.
func (e End) String() string {
	switch e {
	case Refused:
		return "refused"
	case ByFIN:
		return "closed"
	case ByRST:
		return "reset"
	case Lost:
		return "lost"
	}
	return "broken"
}

// A Conn is one connection. Only its loop may use it, and nobody after Close, Reset, or
// Driver.Closed.
type Conn struct {
	loop   *Loop
	driver Driver
	tag    uint64
	out    []byte // not sent yet
	part   *part  // of an answer, until it is complete
	began  int64  // when the request was sent
	left   uint64 // remaining bytes of the content, or of the chunk
	fd     int32
	slot   uint32
	gen    uint32
	status uint16
	phase  phase
	flags  flags
}

type flags uint8

const (
	connected flags = 1 << iota
	streaming       // the answer is a stream
	paused
	wantsWrite
	closes  // the answer is the connection's last
	chunked // the answer is chunked
)

// Tag returns the tag that was given to Open or SetTag.
func (c *Conn) Tag() uint64 { return c.tag }

// SetTag replaces the tag.
func (c *Conn) SetTag(tag uint64) { c.tag = tag }

// SetDriver replaces the driver.
func (c *Conn) SetDriver(d Driver) { c.driver = d }

// Loop returns the connection's loop.
func (c *Conn) Loop() *Loop { return c.loop }

// Alive reports whether the connection has not ended.
func (c *Conn) Alive() bool { return c.fd >= 0 }

// Began returns when sending the last request began, or when opening the connection did.
func (c *Conn) Began() int64 { return c.began }

// ID identifies the connection among those of its loop, past and present: whoever holds a *Conn can
// compare it to find out whether it is still the same connection.
func (c *Conn) ID() uint64 { return uint64(c.gen)<<32 | uint64(c.slot) }

// Write sends b. What the socket does not accept is copied and sent later.
func (c *Conn) Write(b []byte) {
	if c.fd < 0 {
		return
	}
	c.began = Now()
	if len(c.out) > 0 {
		c.out = append(c.out, b...)
		return
	}
	n, err := sysWrite(int(c.fd), b)
	if err != nil && !isAgain(err) {
		return // reading will find the end of the connection
	}
	if n < len(b) {
		c.out = append(c.out, b[n:]...)
		c.flags |= wantsWrite
		c.interest()
	}
}

// Unsent returns how many bytes given to Write have not been sent.
func (c *Conn) Unsent() int { return len(c.out) }

// Pause stops reading. What the server sends then fills this socket's buffers, and then the
// server's.
func (c *Conn) Pause() {
	c.flags |= paused
	c.interest()
}

// Resume reads again.
func (c *Conn) Resume() {
	c.flags &^= paused
	c.interest()
}

// CloseWrite sends a FIN and continues to read.
func (c *Conn) CloseWrite() {
	if c.fd >= 0 {
		sysCloseWrite(int(c.fd))
	}
}

// Close ends the connection with a FIN, or with an RST if the client has not read everything: that
// is what the system does.
func (c *Conn) Close() { c.end(false) }

// Reset ends the connection with an RST.
func (c *Conn) Reset() { c.end(true) }

// Mute makes the client deaf and dumb, as if its machine had vanished: what the server sends is
// dropped before it reaches the connection, so that nothing is acknowledged, no probe is answered,
// and no FIN is sent. It lasts until Close or Reset; prefer Reset, because the FIN of Close would
// wait for an acknowledgement, which is dropped too.
func (c *Conn) Mute() error {
	if c.fd < 0 {
		return nil
	}
	return sysMute(int(c.fd))
}

func (c *Conn) end(reset bool) {
	if c.fd < 0 {
		return
	}
	if reset {
		sysLinger0(int(c.fd))
	}
	sysClose(int(c.fd))
	c.fd = -1
	c.loop.open.Add(-1)
	c.loop.give(c)
}

func (c *Conn) interest() {
	if c.fd >= 0 {
		c.loop.poll.modify(int(c.fd), c.slot, c.gen, c.flags&paused == 0, c.flags&wantsWrite != 0 || c.flags&connected == 0)
	}
}

// closed notifies the driver that the connection has ended by itself.
func (c *Conn) closed(how End) {
	d := c.driver
	sysClose(int(c.fd))
	c.fd = -1
	c.loop.open.Add(-1)
	d.Closed(c, how)
	c.loop.give(c)
}

func (c *Conn) ready(r readiness) {
	if c.flags&connected == 0 {
		if err := sysConnected(int(c.fd)); err != nil {
			if !isAgain(err) {
				c.closed(Refused)
			}
			return
		}
		c.flags |= connected
		c.interest()
		c.driver.Opened(c)
		if c.fd < 0 {
			return
		}
	}
	if r.writable && len(c.out) > 0 {
		c.flush()
	}
	if r.readable && c.fd >= 0 && c.flags&paused == 0 {
		c.read()
	} else if r.hungUp && c.fd >= 0 {
		c.closed(ByRST) // the connection is paused: nobody wants what is still there
	}
}

func (c *Conn) flush() {
	n, err := sysWrite(int(c.fd), c.out)
	if err != nil && !isAgain(err) {
		n = len(c.out)
	}
	if c.out = c.out[n:]; len(c.out) == 0 {
		c.out = nil
		c.flags &^= wantsWrite
		c.interest()
	}
}

func (c *Conn) read() {
	l, gen := c.loop, c.gen
	n, err := sysRead(int(c.fd), l.buf)
	if err != nil {
		switch {
		case isAgain(err):
		case isReset(err):
			c.closed(ByRST)
		default:
			c.closed(Lost)
		}
		return
	}
	if n == 0 {
		c.peerClosed()
		return
	}
	err = c.consume(l.buf[:n])
	// A driver may have closed the connection, and opened another in its place.
	if err != nil && c.gen == gen && c.fd >= 0 {
		c.closed(Protocol)
	}
}

// peerClosed ends a connection whose peer has closed it.
func (c *Conn) peerClosed() {
	gen := c.gen
	if c.phase == untilEnd {
		c.complete(nil)
	}
	if c.gen == gen && c.fd >= 0 {
		c.closed(ByFIN)
	}
}

var (
	errNoPort = errors.New("load: no local port is free")
	errHead   = errors.New("load: malformed head")
	errChunk  = errors.New("load: malformed chunk")
	errLarge  = errors.New("load: answer too large")
)
