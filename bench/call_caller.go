package bench

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"

	"github.com/mooring-mcp/mooring/bench/dialect"
	"github.com/mooring-mcp/mooring/bench/exchange"
	"github.com/mooring-mcp/mooring/bench/load"
)

// A caller makes one request at a time on a persistent connection. It is the load.Driver of its
// connection and belongs to its lane. Its requests are built once, with room for ids of ten digits
// that are overwritten in place: a request must cost this side little compared with what it costs
// the server.
type caller struct {
	lane     *lane
	requests []request
	session  []byte
	id       int64
	conn     *load.Conn
	setup    exchange.Client // opens the session, if the era has sessions
	ready    chan<- error    // receives the outcome of the first connection; nil afterwards

	busy    bool
	job     job
	sent    bool // the request has been sent, and not only a connection opened
	began   int64
	retried bool
	got     bool  // the result has arrived, in an answer that is a stream
	at      int64 // when it arrived
	failure string
	givenUp bool // there was no answer in time
}

// A job is one request to make.
type job struct {
	kind int
	due  int64 // when it is to be sent, by load.Now
}

// A request is its bytes and the position of its id.
type request struct {
	b  []byte
	at int
}

const (
	firstID  = 1_000_000_000
	idDigits = 10
)

// newRequest finds the position of the id in what kind.append made with firstID.
func newRequest(b []byte) (request, error) {
	head := bytes.Index(b, []byte("\r\n\r\n"))
	if head < 0 {
		return request{}, fmt.Errorf("bench: a request without a head")
	}
	i := bytes.Index(b[head:], strconv.AppendInt([]byte(`"id":`), firstID, 10))
	if i < 0 {
		return request{}, fmt.Errorf("bench: a request without an id")
	}
	return request{b, head + i + len(`"id":`)}, nil
}

// number writes an id into the request.
func (r *request) number(id int64) { strconv.AppendInt(r.b[:r.at], id, 10) }

// prepare builds the requests, once the session is known.
func (c *caller) prepare() error {
	c.requests = c.requests[:0]
	for _, k := range c.lane.traffic.kinds {
		r, err := newRequest(k.append(nil, firstID, c.session))
		if err != nil {
			return err
		}
		c.requests = append(c.requests, r)
	}
	c.id = firstID
	return nil
}

// begin begins a request. The previous one must have ended.
func (c *caller) begin(j job) {
	c.busy, c.job, c.began, c.retried, c.givenUp = true, j, load.Now(), false, false
	c.again()
}

// again sends the request of c.job, on a new connection if there is none.
func (c *caller) again() {
	c.got, c.failure, c.sent = false, "", false
	if c.conn != nil {
		c.send()
		return
	}
	conn, err := c.lane.loop.Open(c, 0, nil)
	if err != nil {
		if c.busy {
			c.end(err.Error())
		}
		return
	}
	c.conn = conn
	c.lane.dials++
}

func (c *caller) send() {
	c.sent = true
	r := &c.requests[c.job.kind]
	c.id++
	if c.id >= 10*firstID {
		c.id = firstID
	}
	r.number(c.id)
	c.conn.Write(r.b)
}

// end ends the request. An empty failure means success.
func (c *caller) end(failure string) {
	c.busy = false
	c.lane.ended(c, failure)
}

// giveUp ends a request that the server has not answered.
func (c *caller) giveUp(failure string) {
	c.givenUp = true
	c.end(failure)
}

func (c *caller) drop() {
	if c.conn != nil {
		c.conn.Close()
		c.conn = nil
	}
}

// tell reports, the first time, that the caller is ready, or why it is not.
func (c *caller) tell(err error) {
	if c.ready != nil {
		c.ready <- err
		c.ready = nil
	}
}

// Opened sends the request that the connection was opened for.
func (c *caller) Opened(*load.Conn) {
	c.tell(nil)
	if c.busy && !c.sent {
		c.send()
	}
}

// Response handles an answer, or the head of one that is a stream.
func (c *caller) Response(_ *load.Conn, r *load.Response) {
	if !c.busy {
		c.drop() // nothing was requested
		return
	}
	last := r.Last
	switch {
	case r.Status != 200:
		c.failure = fmt.Sprintf("got status %d %.200s", r.Status, r.Body)
	case r.Stream:
	case c.lane.right(c.job.kind, r.Body, c.id):
		c.got, c.at = true, r.At
	default:
		c.failure = fmt.Sprintf("got status 200 %.200s", r.Body)
	}
	if r.Stream {
		return // StreamEnded or Closed ends it
	}
	if last {
		c.drop()
	}
	c.end(c.failure)
}

// Event handles an event of an answer that is a stream.
func (c *caller) Event(_ *load.Conn, e *load.Event) {
	if e.Data == nil || !c.busy || c.got {
		return
	}
	if c.lane.right(c.job.kind, e.Data, c.id) {
		c.got, c.at = true, e.At
	} else if _, isError, ok := dialect.Result(e.Data); ok && isError {
		c.failure = fmt.Sprintf("got status 200 %.200s", e.Data)
	}
}

// StreamEnded ends an answer that was a stream.
func (c *caller) StreamEnded(*load.Conn) {
	if !c.busy {
		return
	}
	if !c.got && c.failure == "" {
		c.failure = "the stream ended without the result"
	}
	c.end(c.failure)
}

// Closed handles the end of the connection. A server may close an idle one at the very moment a
// request goes out; that one request is made again, once.
func (c *caller) Closed(_ *load.Conn, how load.End) {
	c.conn = nil
	c.tell(errors.New("bench: the connection was " + how.String()))
	switch {
	case !c.busy:
	case c.got:
		c.end("")
	case c.failure != "":
		c.end(c.failure)
	case c.sent && !c.retried && (how == load.ByFIN || how == load.ByRST):
		c.retried = true
		c.lane.retries++
		c.again()
	default:
		c.end("the connection was " + how.String())
	}
}

// A shape is what the last answer of its kind looked like: the next is compared with it, and is
// parsed as JSON only if it differs in more than the id.
type shape struct {
	before, after []byte
	learned       int
}

// maxLearned limits how many times a shape is learned: if a server's answers differ every time,
// each one is parsed as JSON.
const maxLearned = 16

// right reports whether body is the result with that id.
func (s *shape) right(body []byte, id int64) bool {
	var text [idDigits]byte
	strconv.AppendInt(text[:0], id, 10)
	if n := len(s.before); n > 0 && len(body) == n+idDigits+len(s.after) &&
		bytes.Equal(body[:n], s.before) && bytes.Equal(body[n:n+idDigits], text[:]) && bytes.Equal(body[n+idDigits:], s.after) {
		return true
	}
	got, isError, ok := dialect.Result(body)
	if !ok || isError || got != id {
		return false
	}
	if i := bytes.Index(body, text[:]); i >= 0 && s.learned < maxLearned {
		s.learned++
		s.before, s.after = append(s.before[:0], body[:i]...), append(s.after[:0], body[i+idDigits:]...)
	}
	return true
}
