package mcp

import (
	"context"

	"github.com/mooring-mcp/mooring/jsonrpc"
)

// joinSession gives c what its session says. A request that makes no modern claim must belong to a
// session. Without one it gets the refusals of a modern request: they tell a client of neither era
// best what its request lacks.
func (c *Call) joinSession(meta *RequestMeta) *jsonrpc.Error {
	if e := c.headerVersion(meta); e != nil {
		return e
	}
	if !meta.inSession() {
		if meta.HTTP && meta.ProtocolVersion != nil {
			return errNoSession
		}
		return errNoMeta
	}
	name := sessionRevision(meta)
	if c.rev = c.s.served.legacy(name); c.rev == nil {
		return c.s.served.unsupportedVersion([]byte(name))
	}
	c.env.logRank = LevelInfo.rank()
	if i := meta.Session; i != nil {
		c.caps = i.Capabilities & c.rev.asks
		c.client = i.client()
		if rank := i.LogLevel.rank(); rank != 0 {
			c.env.logRank = rank
		}
	}
	c.sessionID = meta.SessionID
	// The revision does not have these members, and they would be taken for what a handler left
	// with the client.
	c.p.inputResponses, c.p.requestState = nil, nil
	return nil
}

// inSession reports whether the message belongs to a session, provided that it makes no modern
// claim.
func (meta *RequestMeta) inSession() bool { return meta.Session != nil || meta.SSE2024 }

// sessionRevision returns the name of the session's revision. "If the server does
// not receive an MCP-Protocol-Version header, and has no other way to identify the version […] the
// server SHOULD assume protocol version 2025-03-26" (basic/transports of 2025-06-18).
func sessionRevision(meta *RequestMeta) string {
	switch {
	case meta.Session != nil && meta.Session.Revision != "":
		return meta.Session.Revision
	case meta.SSE2024:
		return "2024-11-05"
	}
	return "2025-03-26"
}

// headerVersion refuses a message without a modern claim if its version header names a revision
// that is not served, or a modern one, which the body then had to claim too.
func (c *Call) headerVersion(meta *RequestMeta) *jsonrpc.Error {
	if !meta.HTTP || meta.ProtocolVersion == nil {
		return nil
	}
	switch rev := revisionNamed(meta.ProtocolVersion); {
	case !c.s.served.has(rev):
		return c.s.served.unsupportedVersion(meta.ProtocolVersion)
	case rev.requestMeta:
		return errNoMeta
	}
	return nil
}

// prepareNotification readies c for a notification. Only its version header can be refused. Modern
// revisions define no notifications over HTTP, but clients send a cancellation when they close,
// without any _meta. Unknown notifications of sessions must be ignored.
func (c *Call) prepareNotification(m *jsonrpc.Envelope, meta *RequestMeta) *jsonrpc.Error {
	c.env.version = claimOf(m.Params)
	if meta.inSession() && c.env.version == nil {
		if e := c.headerVersion(meta); e != nil && e != errNoMeta {
			return e
		}
		c.rev = c.s.served.legacy(sessionRevision(meta))
	}
	if c.method == MethodNotifyCancelled {
		if id := member(m.Params, "requestId"); id != nil && validToken(id) {
			c.cancelled = id
		}
	}
	c.kind, c.inline = CallNotification, true
	if c.chained = c.method != MethodOther && c.reg.wanted.wants(c.method, m.Method); c.chained || c.hooked() {
		c.readyNotification(m, meta)
	}
	return nil
}

// claimOf returns the modern claim that params make, or nil if they make none.
func claimOf(params []byte) []byte {
	return member(member(params, "_meta"), MetaKeyProtocolVersion)
}

// prepareAnswer readies c for a response of the client. Only in sessions does the server send
// requests.
func (c *Call) prepareAnswer(meta *RequestMeta) *jsonrpc.Error {
	if !meta.inSession() || c.id == nil {
		return errResponse
	}
	if e := c.headerVersion(meta); e != nil {
		return e
	}
	c.rev = c.s.served.legacy(sessionRevision(meta))
	c.kind = CallAnswer
	return nil
}

// shapeInitialize checks the params of initialize and agrees on a revision.
func shapeInitialize(c *Call) *jsonrpc.Error {
	asked, ok := stringOf(c.p.version)
	if !ok {
		return invalidParams("protocolVersion is required and must be a string")
	}
	caps := member(c.p.raw, "capabilities")
	if !validCapabilities(caps) {
		return invalidParams("capabilities is required and must be an object of objects")
	}
	info := member(c.p.raw, "clientInfo")
	name, ok := stringOf(member(info, "name"))
	if !isObject(info) || !ok {
		return invalidParams("clientInfo is required and must have a name")
	}
	if rev := c.s.served.legacy(string(asked)); rev != nil {
		c.rev = rev
	}
	c.opened = &SessionInfo{
		Revision:     c.rev.name,
		Capabilities: c.rev.agreed(capabilityBits(caps)),
	}
	version, _ := stringOf(member(info, "version"))
	c.opened.setClient(string(name), string(version))
	return nil
}

// agreed returns the part of caps that the revision has. In a revision without modes of
// elicitation, elicitation means forms.
func (rev *revision) agreed(caps CapabilityBits) CapabilityBits {
	if caps&CapabilityElicitation != 0 && rev.asks&CapabilityElicitationURL == 0 {
		caps |= CapabilityElicitationForm
	}
	return caps & rev.asks
}

// bindInitialize finds the response to initialize.
func bindInitialize(c *Call, _ *RequestMeta) *jsonrpc.Error {
	c.kind, c.inline = CallInitialize, !c.chained
	c.page = c.s.initialization(c.reg, c.rev)
	return nil
}

// initialization returns the text of the response to initialize after its id.
func (s *Server) initialization(r *registry, rev *revision) []byte {
	d := &r.initialize[rev.index]
	d.once.Do(func() {
		id := s.identity.Load()
		b := append([]byte(nil), id.heads[rev.index].complete...)
		b = jsonrpc.AppendString(append(b, `"protocolVersion":`...), rev.name)
		b = s.appendCapabilities(append(b, `,"capabilities":`...), r, rev)
		b = append(append(b, `,"serverInfo":`...), id.infos[rev.index]...)
		if text := s.instructions(r); text != "" {
			b = jsonrpc.AppendString(append(b, `,"instructions":`...), text)
		}
		d.body = append(b, `}}`...)
	})
	return d.body
}

// appendCapabilities appends what the server declares in the revision.
func (s *Server) appendCapabilities(dst []byte, r *registry, rev *revision) []byte {
	dst, err := appendValue(dst, rev.capabilities(s.capabilities(r)))
	if err != nil {
		// NewServer has encoded the host's capabilities before; the rest is this package's.
		panic(err)
	}
	return dst
}

// emptyPage is the text after the id of a response with an empty result.
var emptyPage = []byte(`,"result":{}}`)

// bindPing readies the response to ping.
func bindPing(c *Call, _ *RequestMeta) *jsonrpc.Error {
	c.inline, c.page = !c.chained, emptyPage
	return nil
}

// shapeSetLevel checks the params of logging/setLevel.
func shapeSetLevel(c *Call) *jsonrpc.Error {
	level, ok := stringOf(member(c.p.raw, "level"))
	if !ok || LoggingLevel(level).rank() == 0 {
		return errSetLevel
	}
	c.op = SessionOp{Kind: OpSetLevel, Level: LoggingLevel(level)}
	return nil
}

// shapeSubscribe checks the params of resources/subscribe and resources/unsubscribe.
func shapeSubscribe(c *Call) *jsonrpc.Error {
	uri, ok := stringOf(c.p.uri)
	if !ok {
		return invalidParams("uri is required and must be a string")
	}
	c.name = uri
	c.op = SessionOp{Kind: OpSubscribe, URI: normalURI(string(uri))}
	if c.method == MethodUnsubscribe {
		c.op.Kind = OpUnsubscribe
	}
	return nil
}

// bindSubscribe checks that the resource is served, so that a client cannot make the server
// remember invented URIs. With middleware or a SubscribeHandler, subscribeTo does that.
func bindSubscribe(c *Call, meta *RequestMeta) *jsonrpc.Error {
	if c.chained || c.s.opts.SubscribeHandler != nil {
		return bindSessionOp(c, meta)
	}
	if len(c.name) > c.s.opts.MaxListenBytes {
		return errLongURI
	}
	switch c.s.subscribable(c.reg, c.caller, string(c.name)) {
	case subscribeUnknown:
		return c.noResource(string(c.name))
	case subscribeNever:
		return errNoUpdates
	}
	c.s.subscribe.spell(c.op.URI, string(c.name))
	return bindSessionOp(c, meta)
}

// bindSessionOp leaves c.op to the transport.
func bindSessionOp(c *Call, _ *RequestMeta) *jsonrpc.Error {
	c.kind, c.inline, c.page = CallSession, !c.chained && !c.hooked(), emptyPage
	return nil
}

// runFixed answers with a response that needs no handler.
func runFixed(c *Call, _ context.Context, w Sink) {
	c.respond(w, append(appendID(c.buf[:0], c.id), c.page...), 0)
}

func offersLogging(s *Server, r *registry) bool {
	return s.opts.Capabilities.Logging != nil || r.declared.Logging != nil
}

func offersSubscribe(s *Server, r *registry) bool { return s.topics(r)&TopicResource != 0 }
