package mcp

import (
	"context"
	"fmt"
	"slices"
)

// A Request is a request in the form that middleware sees: one of the *ServerRequest types, such as
// *[CallToolRequest].
type Request interface {
	GetSession() Session
	GetParams() Params
	GetExtra() *RequestExtra

	isRequest()
}

// A MethodHandler answers a request. Exactly one of the returned values is nil.
type MethodHandler func(ctx context.Context, method string, req Request) (result Result, err error)

// Middleware wraps a MethodHandler. It may change the request before and the result after, answer
// itself, or return an error, which becomes the error response. It runs on the worker's goroutine.
type Middleware func(MethodHandler) MethodHandler

// AddReceivingMiddleware puts middleware around the methods that a handler of the host answers,
// and around the lists and server/discover. It does not put it around subscriptions/listen, or
// around what the transport does for a session (initialize, ping, logging/setLevel,
// resources/subscribe and resources/unsubscribe). The first argument is the outermost of them, but
// inside the middleware that was added before.
//
// Middleware has a price: these requests are no longer answered on an event loop, and lists are
// encoded for each request.
func (s *Server) AddReceivingMiddleware(middleware ...Middleware) {
	s.update(0, func(r *registry) bool {
		r.middleware = slices.Concat(middleware, r.middleware)
		r.chain = nil
		if len(r.middleware) > 0 {
			r.chain = s.dispatch
		}
		for i := len(r.middleware) - 1; i >= 0; i-- {
			r.chain = r.middleware[i](r.chain)
		}
		return true
	})
}

// through sends req through the middleware, if there is any, to its handler.
func through[R Result](c *Call, ctx context.Context, req Request) (R, error) {
	handle := c.reg.chain
	if handle == nil {
		handle = c.s.dispatch
	}
	res, err := handle(ctx, c.method.String(), req)
	if err != nil {
		var none R
		return none, err
	}
	typed, ok := res.(R)
	if !ok && res != nil {
		return typed, fmt.Errorf("mcp: middleware returned a %T for %s", res, c.method)
	}
	return typed, nil
}

// dispatch is the innermost MethodHandler. A nil pointer from a handler means that it has no
// result.
func (s *Server) dispatch(ctx context.Context, _ string, req Request) (Result, error) {
	switch req := req.(type) {
	case *CallToolRequest:
		return s.callTool(ctx, req)
	case *ReadResourceRequest:
		return s.readResource(ctx, req)
	case *GetPromptRequest:
		return s.getPrompt(ctx, req)
	case *CompleteRequest:
		return s.complete(ctx, req)
	case *ListToolsRequest:
		return s.toolsResult(ctx, req)
	case *ListPromptsRequest:
		return s.promptsResult(ctx, req)
	case *ListResourcesRequest:
		return s.resourcesResult(ctx, req)
	case *ListResourceTemplatesRequest:
		return s.templatesResult(ctx, req)
	case *DiscoverRequest:
		return s.discoverResult(ctx, req), nil
	}
	return nil, fmt.Errorf("mcp: middleware passed on a %T", req)
}

// callTool is the innermost handler of tools/call behind middleware.
func (s *Server) callTool(ctx context.Context, req *CallToolRequest) (*CallToolResult, error) {
	t, ok := lookup(req.Session.caller, req.Session.reg.tools, []byte(req.Params.Name))
	if !ok {
		return nil, invalidParams("unknown tool")
	}
	out, err := t.call(ctx, req)
	if err != nil {
		return nil, err
	}
	return out.result(), nil
}
