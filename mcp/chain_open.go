package mcp

import (
	"context"

	"github.com/mooring-mcp/mooring/jsonrpc"
)

// runInitialize answers initialize.
func runInitialize(c *Call, ctx context.Context, w Sink) {
	if c.inline {
		runFixed(c, ctx, w)
		return
	}
	x := new(exchange[InitializeParams, *InitializeParams])
	ctx = x.open(c, ctx, w)
	x.sess.given = new(approval)
	c.initializeParams(&x.params)
	res, err := through[*InitializeResult](c, ctx, &x.req)
	if err == nil {
		err = x.sess.openSession(c.rev, c.opened) // middleware may have answered itself
	}
	if err != nil {
		c.fail(w, protocolError(err, c.rev))
		return
	}
	x.sess.mu.Lock()
	c.rev, c.opened = x.sess.given.rev, x.sess.given.opened
	x.sess.mu.Unlock()
	if res == nil {
		res = c.s.initializeResult(c.reg, c.rev)
	}
	msg, err := c.appendInitialize(c.buf[:0], res)
	if err != nil {
		c.failEncoding(w, err)
		return
	}
	c.respond(w, append(msg, `}}`...), 0)
}

// initializeParams fills p from params whose shape has been checked.
func (c *Call) initializeParams(p *InitializeParams) {
	meta := p.Meta
	if decodeExact(c.p.raw, p) == nil {
		return
	}
	// Something that the server does not use has the wrong type.
	version, _ := stringOf(c.p.version)
	name, _ := stringOf(member(member(c.p.raw, "clientInfo"), "name"))
	*p = InitializeParams{
		Meta:            meta,
		ProtocolVersion: string(version),
		Capabilities:    capabilityBits(member(c.p.raw, "capabilities")).clientCapabilities(),
		ClientInfo:      &Implementation{Name: string(name)},
	}
}

// openFor is the innermost handler of initialize.
func (s *Server) openFor(req *InitializeRequest) (Result, error) {
	ss, p := req.Session, req.Params
	rev := s.served.legacy(p.ProtocolVersion)
	if rev == nil {
		rev = s.served.newestLegacy()
	}
	info := &SessionInfo{Revision: rev.name}
	if p.ClientInfo != nil {
		info.setClient(p.ClientInfo.Name, p.ClientInfo.Version)
	}
	if p.Capabilities != nil {
		caps, err := marshal(p.Capabilities)
		if err != nil {
			return nil, err
		}
		info.Capabilities = rev.agreed(capabilityBits(caps))
	}
	if err := ss.openSession(rev, info); err != nil {
		return nil, err
	}
	return s.initializeResult(ss.reg, rev), nil
}

func (s *Server) initializeResult(r *registry, rev *revision) *InitializeResult {
	impl := s.identity.Load().impl
	return &InitializeResult{
		Capabilities:    rev.capabilities(s.capabilities(r)),
		Instructions:    s.instructions(r),
		ProtocolVersion: rev.name,
		ServerInfo:      rev.wire.implementation(&impl),
	}
}

// appendInitialize appends the response with res, except for its closing braces. The revision is
// the one that the session has, whatever the result says.
func (c *Call) appendInitialize(dst []byte, res *InitializeResult) ([]byte, error) {
	dst, err := c.head().appendStart(dst, c.id, res.Meta)
	if err != nil {
		return dst, err
	}
	dst = jsonrpc.AppendString(append(dst, `"protocolVersion":`...), c.rev.name)
	if dst, err = appendMember(dst, `,"capabilities":`, res.Capabilities); err != nil {
		return dst, err
	}
	if dst, err = appendMember(dst, `,"serverInfo":`, res.ServerInfo); err != nil {
		return dst, err
	}
	return appendStringMember(dst, `,"instructions":`, res.Instructions), nil
}

// runListen decides about a subscriptions/listen.
func runListen(c *Call, ctx context.Context, w Sink) {
	x := new(exchange[SubscriptionsListenParams, *SubscriptionsListenParams])
	ctx = x.open(c, ctx, w)
	x.sess.given = &approval{id: string(c.id)}
	x.params.Notifications = new(NotificationSubscriptions)
	if decodeExact(c.p.notifications, x.params.Notifications) != nil {
		c.fail(w, errNotifications)
		return
	}
	res, err := through[Result](c, ctx, &x.req)
	if err == nil {
		x.sess.mu.Lock()
		_, err = x.sess.operator()
		c.listen = x.sess.given.listen
		x.sess.mu.Unlock()
	}
	switch {
	case err != nil:
		c.fail(w, protocolError(err, c.rev))
	case c.listen == nil:
		c.finishPlain(w, res) // middleware has answered itself
	default:
		c.accept(w)
	}
}

// listenTo is the innermost handler of subscriptions/listen.
func (s *Server) listenTo(ctx context.Context, req *SubscriptionsListenRequest) (Result, error) {
	ss, want := req.Session, req.Params.Notifications
	switch {
	case ss.given == nil:
		return nil, errForeign
	case want == nil:
		return nil, errNotifications
	}
	a := s.newAgreement(ss.reg, ss.caller, ss.given.id)
	a.add(TopicTools, want.ToolsListChanged)
	a.add(TopicPrompts, want.PromptsListChanged)
	a.add(TopicResources, want.ResourcesListChanged)
	for _, uri := range want.ResourceSubscriptions {
		if e := a.addURI([]byte(uri)); e != nil {
			return nil, e
		}
	}
	l := a.done()
	if h := s.opts.SubscribeHandler; h != nil {
		for _, uri := range l.URIs {
			params := &SubscribeParams{Meta: req.Params.Meta, URI: l.spelling(uri)}
			if err := h(ctx, &SubscribeRequest{Session: ss, Params: params, Extra: req.Extra}); err != nil {
				return nil, err
			}
		}
	}
	ss.mu.Lock()
	defer ss.mu.Unlock()
	ss.given.listen = l
	return &SubscriptionsListenResult{Meta: Meta{MetaKeySubscriptionID: idValue(ss.given.id)}}, nil
}

// idValue returns the value of an id, which is JSON text.
func idValue(id string) any {
	if n, ok := jsonrpc.IntValue([]byte(id)); ok {
		return n
	}
	s, _ := jsonrpc.StringValue([]byte(id))
	return s
}

// spelling returns the URI with the key in the client's spelling.
func (l *Listen) spelling(key string) string {
	if spelling, ok := l.spelled[key]; ok {
		return spelling
	}
	return key
}
