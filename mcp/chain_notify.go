package mcp

import (
	"context"

	"github.com/mooring-mcp/mooring/jsonrpc"
)

// readyNotification readies c to run a notification, because middleware or the host's handlers see
// it.
func (c *Call) readyNotification(m *jsonrpc.Envelope, meta *RequestMeta) {
	c.inline, c.run = false, runNotification
	c.p.scan(m.Params)
	c.env.scan(c.p.meta)
	if c.rev == nil {
		c.rev = newest()
		return
	}
	c.sessionID = meta.SessionID
	if i := meta.Session; i != nil {
		c.caps, c.client = i.Capabilities&c.rev.asks, i.client()
	}
}

// runNotification runs a notification. It is accepted whatever comes of it, because it has no
// response.
func runNotification(c *Call, ctx context.Context, w Sink) {
	switch c.method {
	case MethodNotifyCancelled:
		notify[CancelledParams](c, ctx)
	case MethodNotifyInitialized:
		notify[InitializedParams](c, ctx)
	case MethodNotifyProgress:
		notify[ProgressNotificationParams](c, ctx)
	case MethodNotifyRootsListChanged:
		notify[RootsListChangedParams](c, ctx)
	}
	c.accept(w)
}

// notify sends a notification through the middleware to its handler. One with params of the wrong
// types is ignored.
func notify[T any, P paramsOf[T]](c *Call, ctx context.Context) {
	x := new(exchange[T, P])
	ctx = x.open(c, ctx, nil) // nothing can be sent along with a notification
	if c.peer != nil {
		x.req.Session = &c.peer.session // which can send and ask
	}
	if c.p.raw != nil && decodeExact(c.p.raw, &x.params) != nil {
		return
	}
	_, _ = through[Result](c, ctx, &x.req)
}

// hook calls the host's handler of a notification, if there is one.
func hook[R any](ctx context.Context, h func(context.Context, R), req R) (Result, error) {
	if h != nil {
		h(ctx, req)
	}
	return nil, nil
}
