package mcp

import (
	"context"
	"fmt"
	"maps"
	"reflect"

	"github.com/mooring-mcp/mooring/jsonrpc"
)

// A customMethod is a method that the protocol does not have. It is immutable.
type customMethod struct {
	name   string
	run    func(*Call, context.Context, Sink)
	handle func(context.Context, Request) (Result, error) // behind the middleware
}

// customSpec says how requests of custom methods are prepared.
var customSpec = methodSpec{
	bind: func(*Call, *RequestMeta) *jsonrpc.Error { return nil },
	run:  func(c *Call, ctx context.Context, w Sink) { c.custom.run(c, ctx, w) },
}

// AddReceivingCustomMethod adds a method that the protocol does not have, such as "acme/search", or
// replaces that method. It exists in all revisions. Its requests obey the rules for all requests:
// at 2026-07-28 they carry the envelope and, over HTTP, Mcp-Method; before that they belong to a
// session. They pass through middleware, and h is a worker handler, see [ToolHandlerFor].
//
// The params are decoded into a P, which is not nil even if the request has none. If that fails,
// the client gets -32602. A nil result is an empty one. P and R are pointers to types that embed
// [ParamsBase] and [ResultBase]. The _meta of the result gets what the server adds to all results.
//
// AddReceivingCustomMethod returns an error if the protocol has a method or notification of that
// name, or if the name is empty. It may be called from any goroutine.
func AddReceivingCustomMethod[P paramsOf[T], R Result, T any](s *Server, method string, h func(ctx context.Context, ss *ServerSession, params P) (R, error)) error {
	if method == "" || methodOf([]byte(method)) != MethodOther {
		return fmt.Errorf("mcp: AddReceivingCustomMethod: %q is a method of the protocol, or empty", method)
	}
	m := &customMethod{name: method}
	m.run = func(c *Call, ctx context.Context, w Sink) {
		x := new(exchange[T, P])
		ctx = x.open(c, ctx, w)
		if c.p.raw != nil && decodeExact(c.p.raw, &x.params) != nil {
			c.fail(w, errCustomParams)
			return
		}
		c.finishEmpty(ctx, w, &x.req)
	}
	m.handle = func(ctx context.Context, req Request) (Result, error) {
		r, ok := req.(*ServerRequest[P])
		if !ok {
			return nil, fmt.Errorf("mcp: middleware passed on a %T as %s", req, method)
		}
		res, err := h(ctx, r.Session, r.Params)
		if v := reflect.ValueOf(res); err != nil || !v.IsValid() || v.Kind() == reflect.Pointer && v.IsNil() {
			return nil, err
		}
		return res, nil
	}
	s.update(0, func(r *registry) bool {
		r.custom = maps.Clone(r.custom)
		if r.custom == nil {
			r.custom = make(map[string]*customMethod)
		}
		r.custom[method] = m
		return true
	})
	return nil
}

var errCustomParams = invalidParams("the params have members of the wrong types")
