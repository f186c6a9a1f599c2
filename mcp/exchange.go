package mcp

import "context"

// An exchange is what a handler gets to see of a call, in one piece.
type exchange[P any] struct {
	sess   ServerSession
	extra  RequestExtra
	params P
	req    ServerRequest[*P]
}

type toolExchange = exchange[CallToolParamsRaw]

// open ties x to a call that runs, and returns the handler's context.
func (x *exchange[P]) open(c *Call, ctx context.Context, w Sink) context.Context {
	x.sess.open(c.rev, &c.env, w)
	x.sess.reg, x.sess.id, x.sess.bits, x.sess.client = c.reg, c.sessionID, c.caps, c.client
	if c.s.opts.Capabilities.Logging == nil {
		x.sess.logRank = 0 // "Servers that emit log messages MUST declare the logging capability"
	}
	x.sess.bound, x.sess.told = c.bound, c.told
	x.extra.Principal = c.principal
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

// requestMeta returns the _meta of the request; nil when it holds nothing but what the
// protocol reserves, which the request's methods tell.
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
			delete(m, name) // null is absent
		}
	}
	return m
}

// metaOf returns where params keep their _meta.
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
