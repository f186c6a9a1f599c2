package mcp

import "context"

// This file has the calls of a connection that an upstream answers. Such a call has no goroutine:
// it is started by the goroutine that reads, and its last act gives it back.

// forward starts a call that an upstream answers, as the leader.
func (c *servedCall) forward() {
	p, term := c.p, c.term
	c.term = noTerm // whoever answers writes the answer
	c.running = true
	f := c.call.newForward(c)
	c.upstream = f
	if e := p.enter(c); e != nil {
		c.upstream = nil
		c.refuse(e)
		c.drop()
		return
	}
	p.retain(term) // the upstream may need the message until the end
	p.beginBusy(term)
	f.start() // c is not ours any more
	p.endBusy(term)
}

// ended gives c back after the last act of its upstream.
func (c *servedCall) ended() {
	p := c.p
	c.drop()
	p.running.Done()
}

// resumeForward continues a forwarded call with the answers of its client.
func (c *servedCall) resumeForward() {
	responses := append(c.responses, '}')
	c.responses = nil
	p := c.p
	c.call.asking = false
	c.call.p.inputResponses = responses
	f := c.call.newForward(c)
	p.mu.Lock()
	gone := c.silent || p.ended
	c.upstream = f
	p.mu.Unlock()
	f.start()
	if gone { // nobody knew of f when the call was cancelled
		f.cancel(errEndedWhile)
	}
}

// stopFor returns what cancels c. It is called with p.mu held, while c is in flight.
func (c *servedCall) stopFor() context.CancelCauseFunc {
	if c.upstream != nil {
		return c.upstream.cancel
	}
	return c.stop
}
