package server

import (
	"github.com/mooring-mcp/mooring/httpparse"
	"github.com/mooring-mcp/mooring/server/internal/endpoint"
)

// exchange is what a connection holds from the first byte of a request to the last of its response, unless all of it happens in one turn. Its loop owns it and keeps free ones.
//
// It is small, because each client that has sent a part of a head has one. The head itself is parsed in loop.req, and again when its content has come.
type exchange struct {
	*requestState                 // nil until the head is whole
	in            *buffer         // bytes not parsed yet: a part of a head, or what arrived during a call
	pause         httpparse.Pause // how far the head in it is parsed
	job           *job            // of the call under way
	due           tick            // when the call times out
	linger        int32           // bytes discarded since the last response
	began         bool            // the head of an event stream is written
}

// requestState is what an exchange has of a request whose head is whole.
type requestState struct {
	body    httpparse.BodyDecoder
	verdict endpoint.Verdict
	head    *buffer // the head, while its content is still arriving
	content *buffer // moves to the job
	origin  []byte  // an allowed Origin to be named in the response
	session []byte  // a new Mcp-Session-Id to be sent with the response
}

const (
	keepExchanges = 1024
	keepField     = 256 // room for a field value that is kept
)

// takeExchange returns c's exchange, a fresh one if c has none.
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

// putExchange takes x back and returns its buffers.
func (l *loop) putExchange(x *exchange) {
	x.in = release(x.in)
	l.resetRequest(x)
	if len(l.exchanges) < keepExchanges {
		l.exchanges = append(l.exchanges, x)
	}
}

// beginRequest makes room in x for a request whose head is in loop.req.
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

// resetRequest forgets the request, not what arrived after it.
func (l *loop) resetRequest(x *exchange) {
	if r := x.requestState; r != nil {
		release(r.head)
		release(r.content)
		*r = requestState{origin: keptField(r.origin), session: keptField(r.session)}
		if x.requestState = nil; len(l.requests) < keepExchanges {
			l.requests = append(l.requests, r)
		}
	}
	x.pause = httpparse.Pause{}
	x.job = nil
	x.began = false
	x.linger = 0
}

func keptField(b []byte) []byte {
	if cap(b) > keepField {
		return nil
	}
	return b[:0]
}
