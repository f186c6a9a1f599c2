package mcp

import (
	"context"
	"errors"
	"fmt"
	"maps"
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

// AddReceivingMiddleware puts middleware around all methods that clients call, custom methods
// included, and around their notifications. The first argument is the outermost of them, but inside
// the middleware that was added before. Each Middleware is called once, and the handlers that it
// returns may run for many requests at once.
//
// Middleware sees a request when it has been found well-formed: requests of methods that the server
// does not have, and those that break the rules of the protocol or of the transport, are refused
// before. Next returns when what the request asks for has been done, with these exceptions. What
// logging/setLevel, resources/subscribe and resources/unsubscribe ask for is done, and the stream
// of a subscriptions/listen begins, after the middleware has returned a result; if the transport
// then refuses, that is the response. Next does not wait for the end of the stream. What
// notifications/cancelled asks for is done at once. For notifications the results are ignored.
//
// A request that middleware refuses has no effect: no session is opened, no subscription made. The
// session of an initialize has its ID when next has returned.
//
// Middleware has a price: the requests that it sees are no longer answered on an event loop, and
// lists are encoded for each request. See [Server.AddReceivingMiddlewareFor].
func (s *Server) AddReceivingMiddleware(middleware ...Middleware) { s.wrap(everyMethod, middleware) }

// AddReceivingMiddlewareFor is like [Server.AddReceivingMiddleware] for the named methods and
// notifications alone, such as "tools/call" or "notifications/initialized". The requests of others
// cost what they cost without middleware, and inline tools stay inline if "tools/call" is not among
// them.
func (s *Server) AddReceivingMiddlewareFor(methods []string, middleware ...Middleware) {
	s.wrap(newMethodSet(methods), middleware)
}

// wrap puts middleware around what there is, for the methods.
func (s *Server) wrap(methods methodSet, middleware []Middleware) {
	s.update(0, func(r *registry) bool {
		if len(middleware) == 0 {
			return false
		}
		inner := r.chain
		if inner == nil {
			inner = s.dispatch
		}
		outer := inner
		for _, m := range slices.Backward(middleware) {
			outer = m(outer)
		}
		r.wanted = r.wanted.union(methods)
		if r.chain = outer; methods.all {
			return true
		}
		r.chain = func(ctx context.Context, method string, req Request) (Result, error) {
			if methods.has(method) {
				return outer(ctx, method, req)
			}
			return inner(ctx, method, req)
		}
		return true
	})
}

// A methodSet is an immutable set of methods.
type methodSet struct {
	all   bool
	known uint32 // a bit for each Method
	names map[string]struct{}
}

var everyMethod = methodSet{all: true}

func newMethodSet(methods []string) methodSet {
	set := methodSet{names: make(map[string]struct{}, len(methods))}
	for _, name := range methods {
		set.names[name] = struct{}{}
		set.known |= 1 << methodOf([]byte(name))
	}
	return set
}

func (set methodSet) has(method string) bool {
	_, ok := set.names[method]
	return ok || set.all
}

// wants reports whether m is in the set. Name is its name, if it is MethodOther.
func (set *methodSet) wants(m Method, name []byte) bool {
	switch {
	case set.all:
		return true
	case set.known&(1<<m) == 0:
		return false
	case m == MethodOther:
		_, ok := set.names[string(name)]
		return ok
	}
	return true
}

func (set methodSet) union(other methodSet) methodSet {
	names := make(map[string]struct{}, len(set.names)+len(other.names))
	maps.Copy(names, set.names)
	maps.Copy(names, other.names)
	return methodSet{set.all || other.all, set.known | other.known, names}
}

// through sends req through the middleware, if there is any for its method, to its handler.
func through[R Result](c *Call, ctx context.Context, req Request) (R, error) {
	handle := c.s.dispatch
	if c.chained {
		handle = c.reg.chain
	}
	res, err := handle(ctx, c.methodName(), req)
	if err != nil {
		var none R
		return none, err
	}
	typed, ok := res.(R)
	if !ok && res != nil {
		return typed, fmt.Errorf("mcp: middleware returned a %T for %s", res, c.methodName())
	}
	return typed, nil
}

// dispatch is the innermost MethodHandler. A nil pointer from a handler means that it has no
// result.
func (s *Server) dispatch(ctx context.Context, method string, req Request) (Result, error) {
	ss, _ := req.GetSession().(*ServerSession)
	if ss != nil && ss.reg != nil {
		if m := ss.reg.custom[method]; m != nil { // its params may be of a type of the protocol
			return m.handle(ctx, req)
		}
	}
	switch req := req.(type) {
	case *ServerRequest[*CancelledParams]:
		return nil, nil // the transport has done it
	case *InitializedRequest:
		return hook(ctx, s.opts.InitializedHandler, req)
	case *RootsListChangedRequest:
		return hook(ctx, s.opts.RootsListChangedHandler, req)
	case *ProgressNotificationServerRequest:
		return hook(ctx, s.opts.ProgressNotificationHandler, req)
	}
	if ss == nil || ss.reg == nil {
		return nil, errors.New("mcp: middleware passed on a request without its session")
	}
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
	case *InitializeRequest:
		return s.openFor(req)
	case *ServerRequest[*PingParams]:
		return new(emptyResult), nil
	case *ServerRequest[*SetLoggingLevelParams]:
		return s.setLevel(req)
	case *SubscribeRequest:
		return s.subscribeTo(ctx, req)
	case *UnsubscribeRequest:
		return s.unsubscribeFrom(ctx, req)
	case *SubscriptionsListenRequest:
		return s.listenTo(ctx, req)
	case *DiscoverRequest:
		return s.discoverResult(ctx, req), nil
	}
	return nil, fmt.Errorf("mcp: middleware passed on a %T as %s", req, method)
}

// callTool is the innermost handler of tools/call behind middleware.
func (s *Server) callTool(ctx context.Context, req *CallToolRequest) (*CallToolResult, error) {
	t, ok := lookup(req.Session.caller, req.Session.reg.tools, []byte(req.Params.Name))
	if !ok {
		return nil, unknown("tool", []byte(req.Params.Name))
	}
	out, err := t.call(ctx, req)
	if err != nil {
		return nil, err
	}
	return out.result(), nil
}
