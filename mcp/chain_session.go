package mcp

import (
	"bytes"
	"context"
	"fmt"

	"github.com/mooring-mcp/mooring/jsonrpc"
)

// This file is for the requests that ask something of the transport (initialize, ping,
// logging/setLevel, resources/subscribe, resources/unsubscribe and subscriptions/listen) where
// middleware or a handler of the host takes part in them. Otherwise they are inline, and the
// transport does its share before Run.
//
// The innermost handlers change nothing in the Call, because middleware may have given up on them:
// what they decide is in the approval of the session, until the call is answered.

// An approval is what the innermost handler of a request lets the transport do.
type approval struct {
	id     string       // the JSON text of the request's id
	rev    *revision    // of the session that was opened
	opened *SessionInfo // nil unless one was
	listen *Listen      // nil unless one was agreed on
	ops    []SessionOp  // of a CallSession
}

// An emptyResult is the result of methods that have none.
type emptyResult struct{ ResultBase }

var (
	errLate       = &jsonrpc.Error{Code: jsonrpc.CodeInternalError, Message: "Internal error: the request is answered"}
	errForeign    = &jsonrpc.Error{Code: jsonrpc.CodeInternalError, Message: "Internal error: the request is passed on as another"}
	errNoOperator = &jsonrpc.Error{Code: jsonrpc.CodeInternalError, Message: "Internal error: the transport cannot do this"}
)

// operator returns the Operator of the call. It is called with ss.mu held.
func (ss *ServerSession) operator() (Operator, error) {
	if ss.sink == nil {
		return nil, errLate
	}
	if op, ok := ss.sink.(Operator); ok {
		return op, nil
	}
	return nil, errNoOperator
}

// apply makes the transport do op: once the middleware has let the request pass, or at once if the
// request is of another method.
func (ss *ServerSession) apply(op SessionOp) (Result, error) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	w, err := ss.operator()
	if err != nil {
		return nil, err
	}
	if ss.given != nil {
		ss.given.ops = append(ss.given.ops, op)
	} else if e := w.Apply(op); e != nil {
		return nil, e
	}
	return new(emptyResult), nil
}

// finishSession sends the request of a CallSession through the middleware, makes the transport do
// what was approved, and answers.
func (c *Call) finishSession(ctx context.Context, w Sink, req Request) {
	ss := c.session
	ss.given = new(approval)
	res, err := through[Result](c, ctx, req)
	if err == nil {
		err = ss.applyGiven()
	}
	c.finishResult(w, res, err)
}

// applyGiven makes the transport do what was approved.
func (ss *ServerSession) applyGiven() error {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	for _, op := range ss.given.ops {
		w, err := ss.operator()
		if err != nil {
			return err
		}
		if e := w.Apply(op); e != nil {
			return e
		}
	}
	return nil
}

// openSession makes the transport open the session, unless it has done that.
func (ss *ServerSession) openSession(rev *revision, info *SessionInfo) error {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	w, err := ss.operator()
	if err == nil && ss.given == nil {
		err = errForeign
	}
	if err != nil {
		return err
	}
	if ss.given.opened != nil {
		return nil
	}
	id, e := w.OpenSession(info)
	if e != nil {
		return e
	}
	ss.given.rev, ss.given.opened, ss.id = rev, info, id
	return nil
}

// runPing answers ping.
func runPing(c *Call, ctx context.Context, w Sink) {
	if c.inline {
		runFixed(c, ctx, w)
		return
	}
	x := new(exchange[PingParams, *PingParams])
	ctx = x.open(c, ctx, w)
	c.finishEmpty(ctx, w, &x.req)
}

// runSetLevel answers logging/setLevel.
func runSetLevel(c *Call, ctx context.Context, w Sink) {
	if c.inline {
		runFixed(c, ctx, w)
		return
	}
	x := new(exchange[SetLoggingLevelParams, *SetLoggingLevelParams])
	ctx = x.open(c, ctx, w)
	x.params.Level = c.op.Level
	c.finishSession(ctx, w, &x.req)
}

// setLevel is the innermost handler of logging/setLevel.
func (s *Server) setLevel(req *ServerRequest[*SetLoggingLevelParams]) (Result, error) {
	level := req.Params.Level
	if level.rank() == 0 {
		return nil, errSetLevel
	}
	return req.Session.apply(SessionOp{Kind: OpSetLevel, Level: level})
}

// runSubscribe answers resources/subscribe.
func runSubscribe(c *Call, ctx context.Context, w Sink) {
	if c.inline {
		runFixed(c, ctx, w)
		return
	}
	x := new(exchange[SubscribeParams, *SubscribeParams])
	ctx = x.open(c, ctx, w)
	x.params.URI = string(c.name)
	c.finishSession(ctx, w, &x.req)
}

// subscribeTo is the innermost handler of resources/subscribe.
func (s *Server) subscribeTo(ctx context.Context, req *SubscribeRequest) (Result, error) {
	ss, uri := req.Session, req.Params.URI
	if len(uri) > s.opts.MaxListenBytes {
		return nil, errLongURI
	}
	switch s.subscribable(ss.reg, ss.caller, uri) {
	case subscribeUnknown:
		return nil, ResourceNotFoundError(uri)
	case subscribeNever:
		return nil, errNoUpdates
	}
	if h := s.opts.SubscribeHandler; h != nil {
		if err := h(ctx, req); err != nil {
			return nil, err
		}
	}
	key := normalURI(uri)
	s.subscribe.spell(key, uri)
	return ss.apply(SessionOp{Kind: OpSubscribe, URI: key})
}

// runUnsubscribe answers resources/unsubscribe.
func runUnsubscribe(c *Call, ctx context.Context, w Sink) {
	if c.inline {
		runFixed(c, ctx, w)
		return
	}
	x := new(exchange[UnsubscribeParams, *UnsubscribeParams])
	ctx = x.open(c, ctx, w)
	x.params.URI = string(c.name)
	c.finishSession(ctx, w, &x.req)
}

// unsubscribeFrom is the innermost handler of resources/unsubscribe.
func (s *Server) unsubscribeFrom(ctx context.Context, req *UnsubscribeRequest) (Result, error) {
	if h := s.opts.UnsubscribeHandler; h != nil {
		if err := h(ctx, req); err != nil {
			return nil, err
		}
	}
	return req.Session.apply(SessionOp{Kind: OpUnsubscribe, URI: normalURI(req.Params.URI)})
}

// hooked reports whether the host has a handler for what the call asks of its session, or for a
// notification of the session.
func (c *Call) hooked() bool {
	switch o := &c.s.opts; c.method {
	case MethodNotifyInitialized:
		return o.InitializedHandler != nil && c.Legacy()
	case MethodNotifyRootsListChanged:
		return o.RootsListChangedHandler != nil && c.Legacy()
	case MethodNotifyProgress:
		return o.ProgressNotificationHandler != nil && c.Legacy()
	case MethodSubscribe:
		return o.SubscribeHandler != nil
	case MethodUnsubscribe:
		return o.UnsubscribeHandler != nil
	}
	return false
}

// finishEmpty sends req through the middleware and answers with its result, which is empty.
func (c *Call) finishEmpty(ctx context.Context, w Sink, req Request) {
	res, err := through[Result](c, ctx, req)
	c.finishResult(w, res, err)
}

// finishResult answers with err or, if it is nil, with res.
func (c *Call) finishResult(w Sink, res Result, err error) {
	if err != nil {
		c.fail(w, protocolError(err, c.rev))
		return
	}
	c.finishPlain(w, res)
}

// finishPlain answers with a result that is written as it is. Nil is an empty result.
func (c *Call) finishPlain(w Sink, res Result) {
	var meta Meta
	if res != nil {
		meta = res.GetMeta()
	}
	msg, err := c.head().appendStart(c.buf[:0], c.id, meta)
	if _, empty := res.(*emptyResult); err == nil && !empty && res != nil {
		msg, err = appendPlain(msg, res)
	}
	if err != nil {
		c.failEncoding(w, err)
		return
	}
	c.respond(w, append(bytes.TrimSuffix(msg, []byte{','}), `}}`...), 0)
}

// appendPlain appends the members of the JSON of res, except those that the server writes.
func appendPlain(dst []byte, res Result) ([]byte, error) {
	text, err := marshal(res)
	if err == nil && !isObject(text) {
		err = fmt.Errorf("mcp: a %T is not an object", res)
	}
	if err != nil {
		return dst, err
	}
	for name, value := range jsonrpc.Members(text) {
		switch string(unescaped(name)) {
		case "_meta", "resultType":
			continue
		}
		dst = append(append(append(dst, '"'), name...), `":`...)
		dst = append(append(dst, value...), ',')
	}
	return dst, nil
}
