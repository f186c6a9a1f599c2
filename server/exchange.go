package server

import (
	"github.com/valyala/bytebufferpool"

	"github.com/mooring-mcp/mooring/httpparse"
)

// exchange is what a connection holds from the first byte of a request to the last of its response, unless all of it happens in one turn. Its loop owns it and keeps free ones.
type exchange struct {
	req     httpparse.Request
	body    httpparse.BodyDecoder
	verdict verdict
	seen    int                        // of in, by the parser
	in      *bytebufferpool.ByteBuffer // bytes not parsed yet: a part of a head, or what arrived during a call
	head    *bytebufferpool.ByteBuffer // the head, while its content is still arriving
	content *bytebufferpool.ByteBuffer // moves to the job
	origin  []byte                     // an allowed Origin to be named in the response
	job     *job                       // of the call under way
	due     tick                       // when the call times out
	session []byte                     // a new Mcp-Session-Id to be sent with the response
	began   bool                       // the head of an event stream is written
	linger  int                        // bytes discarded since the last response
}

const keepExchanges = 1024

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
	x.resetRequest()
	if len(l.exchanges) < keepExchanges {
		l.exchanges = append(l.exchanges, x)
	}
}

// resetRequest forgets the request, not what arrived after it.
func (x *exchange) resetRequest() {
	x.req.Reset()
	x.verdict = verdict{}
	x.seen = 0
	x.head = release(x.head)
	x.content = release(x.content)
	x.origin = x.origin[:0]
	x.session = x.session[:0]
	x.job = nil
	x.began = false
	x.linger = 0
}

// release returns b to the pool it came from, and nil.
func release(b *bytebufferpool.ByteBuffer) *bytebufferpool.ByteBuffer {
	if b != nil {
		bytebufferpool.Put(b)
	}
	return nil
}
