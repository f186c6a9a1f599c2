package server

import (
	"github.com/mooring-mcp/mooring/httpparse"
	"github.com/mooring-mcp/mooring/server/internal/endpoint"
)

// exchange is the state that a connection holds from the first byte of a request to the last byte
// of its response. If all of this happens in one turn, the connection returns it at the end of the
// turn. The loop owns the exchange and keeps free ones.
//
// It is small, because each client that has sent part of a head has one. The head itself is parsed
// into loop.req, and parsed again when its content has arrived.
type exchange struct {
	*requestState                 // nil until the head is complete
	in            *buffer         // unparsed bytes: part of a head, or what arrived during a call
	pause         httpparse.Pause // how far the head in "in" is parsed
	job           *job            // the job of the call in progress
	due           tick            // when the call times out
	linger        int32           // bytes discarded since the last response
	began         bool            // the head of an event stream has been written
}

// requestState is the part of an exchange that exists once the head of the request is complete.
type requestState struct {
	body    httpparse.BodyDecoder
	verdict endpoint.Verdict
	head    *buffer // the head, while its content is still arriving
	content *buffer // the content; it moves to the job
	origin  []byte  // an allowed Origin, for the response
	session []byte  // a new Mcp-Session-Id, for the response
	extra   []byte  // field lines of middleware, for the response on a connection that has moved
	who     *identity
	flight  *authFlight // what the request waits for until it is known who sends it; nil otherwise
	spent   spent       // which budget it has taken from
	retry   int32       // the value of Retry-After, with status 429
	addr    uint64      // the key of the address that the request comes from: see quotas

	challenge []byte // the value of WWW-Authenticate, for the response
}

const (
	keepExchanges = 1024 // free exchanges that a loop keeps, and free request states
	keepField     = 256  // capacity of a field value up to which it is kept
)

// takeExchange returns c's exchange. It gives c one if c has none.
func (c *conn) takeExchange() *exchange {
	if c.x == nil {
		l := c.loop
		if n := len(l.exchanges); n > 0 {
			c.x = l.exchanges[n-1]
			l.exchanges[n-1] = nil
			l.exchanges = l.exchanges[:n-1]
		} else {
			c.x = new(exchange)
		}
	}
	return c.x
}

// putExchange takes x back from its connection and returns its buffers to their pool.
func (l *loop) putExchange(x *exchange) {
	x.in = release(x.in)
	l.resetRequest(x)
	if len(l.exchanges) < keepExchanges {
		l.exchanges = append(l.exchanges, x)
	}
}

// beginRequest prepares x for a request whose head is in loop.req.
func (l *loop) beginRequest(x *exchange) {
	if n := len(l.requests); n > 0 {
		x.requestState = l.requests[n-1]
		l.requests[n-1] = nil
		l.requests = l.requests[:n-1]
	} else {
		x.requestState = new(requestState)
	}
	x.body.Reset(&l.req, &l.srv.limits)
}

// resetRequest clears the state of the request, but keeps the bytes that arrived after it.
func (l *loop) resetRequest(x *exchange) {
	if r := x.requestState; r != nil {
		release(r.head)
		release(r.content)
		*r = requestState{origin: keptField(r.origin), session: keptField(r.session), challenge: keptField(r.challenge)}
		if x.requestState = nil; len(l.requests) < keepExchanges {
			l.requests = append(l.requests, r)
		}
	}
	x.pause = httpparse.Pause{}
	x.job = nil
	x.began = false
	x.linger = 0
}

// keptField returns b without content for reuse, or nil if b has grown too large to keep.
func keptField(b []byte) []byte {
	if cap(b) > keepField {
		return nil
	}
	return b[:0]
}
