// Package exchange makes requests over the connections of package load: one request at a time on a
// connection, answered by a JSON document or a stream, as the server chooses.
package exchange

import (
	"time"

	"github.com/mooring-mcp/mooring/bench/dialect"
	"github.com/mooring-mcp/mooring/bench/load"
)

// An Answer is the answer to a request. Its bytes are valid until the function that received it
// returns.
type Answer struct {
	ID      int64 // of the request
	Status  int
	OK      bool   // 2xx, and if the request had an id, a result that is not an error
	Session []byte // Mcp-Session-Id, or nil
	Body    []byte // the JSON document, or the event that had the result; nil if there was none
	Head    []byte // nil if the answer was a stream
	Sent    int64  // when the request was sent; by load.Now, like At
	At      int64  // when the result arrived; an answer that is a stream may have ended later
	Last    bool   // the server closes the connection
	Stream  bool   // the answer was a stream
}

// Latency returns how long the answer took.
func (a *Answer) Latency() time.Duration { return time.Duration(a.At - a.Sent) }

// A Client is one connection that handles one request at a time. Its functions are called on its
// loop, and its methods may be called only there. The zero Client with its functions set is ready
// for Dial; it may be dialled again after its connection has ended.
type Client struct {
	Up     func()               // the connection is established; may be nil
	Answer func(*Answer)        // the answer to the request is complete; may call Send
	Lost   func(load.End)       // the connection has ended by itself
	Event  func(*load.Event)    // called with an event that is not the answer; may be nil
	Stream func(*load.Response) // see Open

	conn    *load.Conn
	id      int64
	waiting bool
	opening bool
	sent    uint64 // number of requests so far
	answer  Answer
	session []byte
	body    []byte
}

// None is the id of a request that is a notification: its answer has no content.
const None = -1

// Dial begins to connect. Up or Lost is called later.
func (c *Client) Dial(l *load.Loop, o *load.Dial) error {
	conn, err := l.Open(driver{c}, 0, o)
	if err != nil {
		return err
	}
	c.conn, c.waiting, c.opening = conn, false, false
	return nil
}

// Send sends a request. With the id None no result is expected. The previous request must have been
// answered.
func (c *Client) Send(req []byte, id int64) {
	c.id, c.waiting = id, true
	c.sent++
	c.answer = Answer{ID: id}
	c.conn.Write(req)
}

// Open sends a request whose answer should be a stream that stays open. Stream is called with its
// head; if it is a stream, Release may then give the connection to another driver.
func (c *Client) Open(req []byte) {
	c.id, c.waiting, c.opening = None, true, true
	c.sent++
	c.answer = Answer{ID: None}
	c.conn.Write(req)
}

// Release gives the connection away.
func (c *Client) Release() *load.Conn {
	conn := c.conn
	c.conn, c.waiting, c.opening = nil, false, false
	return conn
}

// Conn returns the connection, or nil if there is none.
func (c *Client) Conn() *load.Conn { return c.conn }

// Waiting reports whether a request is unanswered.
func (c *Client) Waiting() bool { return c.waiting }

// Close ends the connection.
func (c *Client) Close() {
	if conn := c.Release(); conn != nil {
		conn.Close()
	}
}

// Reset ends the connection with an RST.
func (c *Client) Reset() {
	if conn := c.Release(); conn != nil {
		conn.Reset()
	}
}

// driver is a Client as a load.Driver.
type driver struct{ c *Client }

func (d driver) Opened(*load.Conn) {
	c := d.c
	if c.Up != nil {
		c.Up()
	}
}

func (d driver) Response(_ *load.Conn, r *load.Response) {
	c := d.c
	if !c.waiting {
		return
	}
	a := &c.answer
	a.Status, a.Sent, a.At, a.Last, a.Stream = r.Status, r.Sent, r.At, r.Last, r.Stream
	a.Session = dialect.Session(r.Head)
	if c.opening {
		c.waiting, c.opening = false, false
		c.Stream(r)
		return
	}
	if r.Stream {
		// The head is no longer valid when the result arrives.
		c.session = append(c.session[:0], a.Session...)
		if a.Session != nil {
			a.Session = c.session
		}
		return
	}
	a.Head, a.Body = r.Head, r.Body
	success := r.Status >= 200 && r.Status < 300
	if c.id == None {
		a.OK = success
	} else {
		id, isError, ok := dialect.Result(r.Body)
		a.OK = success && ok && id == c.id && !isError
	}
	c.waiting = false
	c.Answer(a)
}

// EndOfStream is how long an answer that is a stream may stay open after its result. Servers should
// then end it, but need not. If a server does not, it has answered nevertheless, and the answer is
// Last, because the next request needs another connection.
const EndOfStream = 500 * time.Millisecond

func (d driver) Event(conn *load.Conn, e *load.Event) {
	c := d.c
	if e.Data != nil && c.waiting && c.id != None {
		if id, isError, ok := dialect.Result(e.Data); ok && id == c.id {
			c.body = append(c.body[:0], e.Data...)
			c.answer.Body, c.answer.OK, c.answer.At = c.body, !isError && c.answer.Status == 200, e.At
			sent := c.sent
			conn.Loop().After(EndOfStream, func() {
				if c.waiting && c.sent == sent {
					c.waiting, c.answer.Last = false, true
					c.Answer(&c.answer)
				}
			})
			return
		}
	}
	if c.Event != nil {
		c.Event(e)
	}
}

func (d driver) StreamEnded(*load.Conn) {
	c := d.c
	if c.waiting {
		c.waiting = false
		c.Answer(&c.answer)
	}
}

func (d driver) Closed(_ *load.Conn, how load.End) {
	c := d.c
	c.conn, c.waiting, c.opening = nil, false, false
	c.Lost(how)
}
