package mcp

import (
	"context"
	"fmt"
	"slices"
)

// AddSendingMiddleware puts middleware around what the server sends of its own accord. The order is
// that of [Server.AddReceivingMiddleware]. A request is a *[ServerRequest] with the params of the
// method, such as [LoggingMessageParams], and the session to which it goes; Extra is nil. Next
// returns the client's result for a request and nil for a notification. Middleware that does not
// call next keeps the message back; it should then return an error or, for a request, a result.
//
// Middleware sees, on the goroutine that sends:
//
//   - notifications/progress and notifications/message of a handler that the client wants, and
//     notifications/elicitation/complete
//   - requests for which a handler or the host waits: elicitation/create, sampling/createMessage,
//     roots/list and ping
//   - notifications/tools/list_changed, notifications/prompts/list_changed,
//     notifications/resources/list_changed and notifications/resources/updated, once for each
//     change and not for each client, because thousands of streams get the same bytes. Their
//     session is nobody's. Middleware runs before the change is announced, on the goroutine that
//     made it; it may keep the notice back for all, or change the URI, and nothing else.
//
// It does not see what event loops write without a goroutine to run it on: responses (which
// receiving middleware sees as results), questions that a handler returns in InputRequests (also
// part of its result), the acknowledgement and the end of a subscription, and the pings of
// ServerOptions.KeepAlive.
//
// While there is sending middleware, inline tools run on workers, because what they send passes
// through it.
func (s *Server) AddSendingMiddleware(middleware ...Middleware) {
	s.update(0, func(r *registry) bool {
		if len(middleware) == 0 {
			return false
		}
		if r.sending == nil {
			r.sending = s.deliver
		}
		for _, m := range slices.Backward(middleware) {
			r.sending = m(r.sending)
		}
		return true
	})
}

// sending returns what everything that ss sends passes through, or nil without middleware.
func (ss *ServerSession) sending() MethodHandler {
	switch {
	case ss == nil:
		return nil
	case ss.reg != nil:
		return ss.reg.sending
	case ss.peer != nil:
		return ss.peer.s.reg.Load().sending
	}
	return nil
}

// notifyThrough sends a notification of ss through h.
func notifyThrough[P Params](ctx context.Context, ss *ServerSession, h MethodHandler, method string, params P) error {
	_, err := h(ctx, method, &ServerRequest[P]{Session: ss, Params: params})
	return err
}

// askThrough sends a request of ss through h.
func askThrough[R Result, P Params](ctx context.Context, ss *ServerSession, h MethodHandler, method string, params P) (R, error) {
	var none R
	res, err := h(ctx, method, &ServerRequest[P]{Session: ss, Params: params})
	if err != nil {
		return none, err
	}
	typed, ok := res.(R)
	if !ok {
		return none, fmt.Errorf("mcp: sending middleware returned a %T for %s", res, method)
	}
	return typed, nil
}

// deliver is the innermost MethodHandler of what is sent.
func (s *Server) deliver(ctx context.Context, method string, req Request) (Result, error) {
	switch req := req.(type) {
	case *ServerRequest[*ProgressNotificationParams]:
		return nil, req.Session.sendProgress(req.Params)
	case *ServerRequest[*LoggingMessageParams]:
		return nil, req.Session.sendLog(req.Params)
	case *ServerRequest[*ElicitationCompleteParams]:
		return nil, req.Session.sendElicitationComplete(req.Params)
	case *ServerRequest[*ElicitParams]:
		return resultOf(ask[*ElicitResult](ctx, req.Session, req.Params))
	case *ServerRequest[*CreateMessageParams]:
		return resultOf(req.Session.createMessage(ctx, req.Params))
	case *ServerRequest[*CreateMessageWithToolsParams]:
		return resultOf(ask[*CreateMessageWithToolsResult](ctx, req.Session, req.Params))
	case *ServerRequest[*ListRootsParams]:
		return resultOf(ask[*ListRootsResult](ctx, req.Session, req.Params))
	case *ServerRequest[*PingParams]:
		return resultOf(new(emptyResult), req.Session.ping(ctx, req.Params))
	case *ServerRequest[*ToolListChangedParams]:
		s.tell(Change{Topic: TopicTools})
		return nil, nil
	case *ServerRequest[*PromptListChangedParams]:
		s.tell(Change{Topic: TopicPrompts})
		return nil, nil
	case *ServerRequest[*ResourceListChangedParams]:
		s.tell(Change{Topic: TopicResources})
		return nil, nil
	case *ServerRequest[*ResourceUpdatedNotificationParams]:
		s.tellUpdated(req.Params.URI)
		return nil, nil
	}
	return nil, fmt.Errorf("mcp: sending middleware passed on a %T as %s", req, method)
}

// resultOf returns res, which may be a nil pointer, and err as a MethodHandler does.
func resultOf[R Result](res R, err error) (Result, error) {
	if err != nil {
		return nil, err
	}
	return res, nil
}

// announce reports a change of a list to the watchers, through h.
func (s *Server) announce(h MethodHandler, topic Topic) {
	var err error
	nobody, ctx := new(ServerSession), context.Background()
	switch topic {
	case TopicTools:
		err = notifyThrough(ctx, nobody, h, "notifications/tools/list_changed", new(ToolListChangedParams))
	case TopicPrompts:
		err = notifyThrough(ctx, nobody, h, "notifications/prompts/list_changed", new(PromptListChangedParams))
	case TopicResources:
		err = notifyThrough(ctx, nobody, h, "notifications/resources/list_changed", new(ResourceListChangedParams))
	}
	if err != nil {
		s.opts.Logger.Warn("mcp: the notice of a changed list was not sent", "error", err)
	}
}
