package mcp

import "github.com/mooring-mcp/mooring/jsonrpc"

// This file is where the messages of a call on a connection go.

// refuse answers with e.
func (c *servedCall) refuse(e *jsonrpc.Error) {
	c.send(jsonrpc.AppendError(nil, c.msg.ID, e))
}

// send sends a response, in one or two parts.
func (c *servedCall) send(parts ...[]byte) {
	if c.batch != nil {
		c.batch.add(parts...)
		return
	}
	c.p.out.put(parts...)
	c.p.flush(c.term)
}

// flush writes what is to be written, unless the goroutine that calls is that of the term and
// leads: then it does so soon.
func (p *peer) flush(term int) {
	if term == noTerm || !p.leads(term) {
		p.out.flush()
	}
}

// Notify implements Sink.
func (c *servedCall) Notify(msg []byte) bool {
	p := c.p
	if c.ctx != nil && c.ctx.Err() != nil || !p.out.room(len(msg)) {
		return false
	}
	p.out.put(msg)
	p.flush(c.term)
	return true
}

// Respond implements Sink.
func (c *servedCall) Respond(msg []byte, code jsonrpc.Code) {
	if code != 0 && c.opened {
		c.p.unopen()
	}
	if c.leave() {
		c.send(msg)
	}
	if c.upstream != nil {
		c.ended()
	}
}

// RespondPage implements PageSink.
func (c *servedCall) RespondPage(head, page []byte) {
	if c.leave() {
		c.send(head, page)
	}
}
