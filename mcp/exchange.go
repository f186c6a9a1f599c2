package mcp

import "context"

// An exchange holds all that a handler sees of a call, in one allocation.
type exchange[P any] struct {
	sess   ServerSession
	extra  RequestExtra
	params P
	req    ServerRequest[*P]
}

type toolExchange = exchange[CallToolParamsRaw]

// open ties x to the call c, which is about to run, and returns the handler's context.
func (x *exchange[P]) open(c *Call, ctx context.Context, w Sink) context.Context {
	x.sess.open(c.rev, &c.env, w)
	x.sess.reg, x.sess.id, x.sess.bits, x.sess.client = c.reg, c.sessionID, c.caps, c.client
	if c.s.opts.Capabilities.Logging == nil {
		x.sess.logRank = 0 // "Servers that emit log messages MUST declare the logging capability"
	}
	x.sess.bound, x.sess.told = c.bound, c.told
	x.extra.Principal = c.principal
	x.extra.Header, x.extra.TokenInfo, x.extra.RemoteAddr = c.header, c.tokenInfo, c.remoteAddr
	x.extra.session = &x.sess
	x.req = ServerRequest[*P]{Session: &x.sess, Params: &x.params, Extra: &x.extra}
	if m := metaOf(any(&x.params)); m != nil {
		*m = c.requestMeta()
	}
	c.session = &x.sess
	if t, ok := c.env.trace.trace(); ok {
		x.extra.Trace = t
		ctx = context.WithValue(ctx, traceKey{}, t)
	}
	return ctx
}

// requestMeta returns the _meta of the request. It returns nil if _meta holds only what the
// request's methods return.
func (c *Call) requestMeta() Meta {
	if !c.env.hasOther {
		return nil
	}
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

// metaOf returns a pointer to the Meta field of params, or nil if they have none.
func metaOf(params any) *Meta {
	switch p := params.(type) {
	case *CallToolParamsRaw:
		return &p.Meta
	case *ReadResourceParams:
		return &p.Meta
	case *GetPromptParams:
		return &p.Meta
	case *CompleteParams:
		return &p.Meta
	case *ListParams:
		return &p.Meta
	case *DiscoverParams:
		return &p.Meta
	}
	return nil
}
