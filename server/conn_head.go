package server

import (
	"bytes"

	"github.com/mooring-mcp/mooring/server/internal/endpoint"
)

// headOnly removes the content of the response at out[start:], as a response to HEAD has none (RFC
// 9110 section 9.3.2).
func headOnly(out []byte, start int) []byte {
	if i := bytes.Index(out[start:], []byte("\r\n\r\n")); i >= 0 {
		return out[:start+i+4]
	}
	return out
}

// respHead returns the head of a response to the request in progress.
func (c *conn) respHead(status int) endpoint.ResponseHead {
	if c.loop.draining {
		c.flags |= flagClose // the drain may not have reached c yet
	}
	h := endpoint.ResponseHead{Status: status, Date: c.loop.srv.date(), Close: c.has(flagClose)}
	if status == 503 {
		h.RetryAfter = 1
	}
	if c.x == nil || c.x.requestState == nil {
		return h
	}
	if status == 429 {
		h.RetryAfter = max(1, c.x.retry)
	}
	if len(c.x.origin) > 0 {
		h.Origin = c.x.origin
	}
	if len(c.x.session) > 0 {
		h.Session = c.x.session
	}
	if len(c.x.challenge) > 0 {
		h.Challenge = c.x.challenge
	}
	h.Extra = c.x.extra
	return h
}
