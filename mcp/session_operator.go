package mcp

import "github.com/mooring-mcp/mooring/jsonrpc"

// This file is what a connection does for requests that middleware or handlers have let pass: see
// Operator. It runs where the call runs.

// OpenSession implements Operator.
func (c *servedCall) OpenSession(info *SessionInfo) (string, *jsonrpc.Error) {
	e := c.p.open(info, c.msg.Params)
	c.opened = e == nil
	return c.p.session.ID(), e
}

// Apply implements Operator.
func (c *servedCall) Apply(op SessionOp) *jsonrpc.Error { return c.p.apply(op) }

// Accept implements Operator.
func (c *servedCall) Accept() {
	if c.call.Kind() != CallListen {
		return
	}
	p, key := c.p, c.key
	if !c.leave() {
		return // it was cancelled
	}
	if e := p.listen(c.call.Listen(), key); e != nil {
		c.refuse(e)
		return
	}
	p.flush(c.term)
}
