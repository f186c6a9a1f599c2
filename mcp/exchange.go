package mcp

import "context"

// An exchange holds all that a handler sees of a call, in one allocation.
type exchange[T any, P paramsOf[T]] struct {
	sess   ServerSession
	extra  RequestExtra
	params T
	req    ServerRequest[P]
}

type toolExchange = exchange[CallToolParamsRaw, *CallToolParamsRaw]

// open ties x to the call c, which is about to run, and returns the handler's context.
func (x *exchange[T, P]) open(c *Call, ctx context.Context, w Sink) context.Context {
	x.sess.open(c.rev, &c.env, w)
	x.sess.reg, x.sess.id, x.sess.bits, x.sess.client = c.reg, c.sessionID, c.caps, c.client
	x.sess.caller = c.caller
	if !offersLogging(c.s, c.reg) {
		x.sess.logRank = 0 // "Servers that emit log messages MUST declare the logging capability"
	}
	x.sess.bound, x.sess.told = c.bound, c.told
	x.sess.peer, x.sess.inline = c.peer, c.inline
	x.extra.Principal = c.principal
	x.extra.Header, x.extra.TokenInfo, x.extra.RemoteAddr = c.header, c.tokenInfo, c.remoteAddr
	if !c.inline && c.rev.resumableFromStart {
		if _, ok := w.(StreamCloser); ok {
			x.extra.CloseSSEStream = x.sess.CloseSSEStream
		}
	}
	x.req = ServerRequest[P]{Session: &x.sess, Params: &x.params, Extra: &x.extra}
	if c.env.hasOther {
		x.req.Params.SetMeta(c.requestMeta())
	}
	c.session = &x.sess
	if t, ok := c.env.trace.trace(); ok {
		x.extra.Trace = t
		ctx = context.WithValue(ctx, traceKey{}, t)
	}
	return ctx
}

// requestMeta returns the _meta of the request, or nil if it cannot be decoded.
func (c *Call) requestMeta() Meta {
	var m Meta
	if decodeExact(c.env.raw, &m) != nil {
		return nil
	}
	for name, value := range m {
		if value == nil && reservedMeta(name) {
			delete(m, name) // null counts as absent
		}
	}
	return m
}
