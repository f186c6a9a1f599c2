package server

import (
	"bytes"
	"context"

	"github.com/mooring-mcp/mooring/jsonrpc"
	"github.com/mooring-mcp/mooring/mcp"
	"github.com/mooring-mcp/mooring/server/internal/session"
	"github.com/mooring-mcp/mooring/sse"
)

// This file serves the HTTP+SSE transport of 2024-11-05 on a path of its own. A GET opens the one
// stream of a session, whose first event, "endpoint", says where to POST messages. A POST gets
// 202, and everything that its message leads to is sent on the stream as events of type
// "message". The server serves whatever revision initialize agrees on.
//
// A session lives as long as its stream. Its id is sealed like any other, but initialize comes
// after the id: what it agrees on is kept in the table of sessions, which has the stream anyway.

// openSSE serves the GET of HTTP+SSE: a stream, and a session with it.
func (c *conn) openSSE(now tick) {
	l := c.loop
	s := l.srv
	t := session.Ticket{SSE: true, Endpoint: c.svc.endpoint, Owner: c.who().owns()}
	id := s.tickets.Issue(nil, &t, s.clock())
	if _, _, ok := c.takeOver(now, t.Key); !ok {
		return
	}
	c.joinStreams(t.Key, 0)
	c.flags |= flagTyped
	where := append([]byte(c.messagesURL()+sessionParam), id...)
	c.appendScratch(sse.AppendEvent(l.event[:0], &sse.Event{Type: "endpoint", Data: where}))
	c.toStreamState(now)
}

// messagesURL returns the URL reference to which the client of the stream posts its messages, up to
// the session's parameter.
func (c *conn) messagesURL() string {
	if g := c.gate(); g != nil && g.mount.sse {
		return g.messages
	}
	return c.loop.srv.opts.SSEPath + messagePath + "?"
}

const sessionParam = "sessionId="

// sessionInQuery returns the session id of a query; nil if there is none. An id has no octets that
// would be encoded.
func sessionInQuery(query []byte) []byte {
	for len(query) > 0 {
		var pair []byte
		pair, query, _ = bytes.Cut(query, []byte{'&'})
		if id, ok := bytes.CutPrefix(pair, []byte(sessionParam)); ok {
			return id
		}
	}
	return nil
}

// messageSSE serves a POST of HTTP+SSE.
func (c *conn) messageSSE(now tick) {
	l, x := c.loop, c.x
	id := sessionInQuery(l.req.Query)
	if id == nil {
		c.refuse(now, 400, "sessionId is required")
		return
	}
	j := l.takeJob()
	j.svc = c.svc.hold()
	c.introduce(j)
	to := j.svc.openSSESession(&j.legacy.ticket, id, j.who, now)
	if to == nil {
		l.putJob(j)
		c.refuse(now, 404, "session not found: open a new stream")
		return
	}
	if to.flooded() {
		l.putJob(j)
		c.refuse(now, 503, errFlooded.Message)
		return
	}
	j.legacy.to = to
	lc := &j.legacy
	j.setLink(linkSSE)
	j.setMembership(membershipMember, id)
	j.h, j.stream, j.json = c.handle(), true, true
	if j.content, x.content = x.content, nil; j.content == nil {
		j.content = takeBuffer(0)
	}
	j.meta.Endpoint = c.svc.path
	j.meta.SSE2024 = true // the transport has no rules for header fields, so those of MCP are ignored
	if jsonrpc.IsBatch(j.content.B) && mcp.AllowsBatches(lc.ticket.Info.Revision) {
		c.startSSECall(now, j, (*job).runBatch)
		return
	}
	if len(j.content.B) > bigContent {
		c.startPreparing(now, j) // the request is answered when it is known what it holds
		return
	}
	j.meta.NoWait = true
	j.refusal = j.prepare()
	c.dispatch(now, j)
}

// openSSESession opens the id of a session whose stream is open, returns the loop of that stream,
// and adds to t what was agreed since the id was issued.
func (svc *service) openSSESession(t *session.Ticket, id []byte, caller *identity, now tick) *loop {
	t.SSE = true
	if !svc.openTicket(t, id, caller) {
		return nil
	}
	s := svc.srv
	info, stream := s.sessions.Agreed(t.Key, now)
	if !stream.IsZero() {
		t.Info = info
	}
	return s.loopOf(stream)
}

// dispatchSSE serves a message of HTTP+SSE that was prepared, or refused. A refusal that belongs
// to no request cannot be sent on the stream, so it is the answer to the POST.
func (c *conn) dispatchSSE(now tick, j *job) {
	s, lc := c.loop.srv, &j.legacy
	lc.earlier = true
	j.method, j.id, j.h = j.call.Method(), j.msg.ID, handle{}
	switch {
	case j.refusal != nil:
		c.refuseSSE(now, j, j.refusal)
		return
	case j.call.ClaimsModern():
		c.refuseSSE(now, j, errModernSSE)
		return
	}
	if d := s.deny(j, &j.call, true); d != nil {
		c.refuseDenied(now, j, d)
		return
	}
	if e := j.overspends(&j.call); e.exceeds() {
		c.refuseExcess(now, j, e)
		return
	}
	switch j.call.Kind() {
	case mcp.CallNotification:
		if id := j.call.Cancelled(); id != nil {
			s.cancelCall(lc.ticket.Key, now, id)
		}
		if !j.call.Inline() {
			c.startSSECall(now, j, (*job).run)
			return
		}
	case mcp.CallAnswer:
		if e := s.deliverAnswer(lc.ticket.Key, now, &j.msg); e != nil {
			l := c.loop
			l.count(j.method, outcomeOverload)
			c.respondError(503, nil, e)
			l.putJob(j)
			c.finish(now)
			return
		}
	case mcp.CallSession:
		if !j.call.Inline() {
			lc.key = string(j.id)
			c.startSSECall(now, j, (*job).run)
			return
		}
		if e := j.svc.applyOp(now, j, j.call.Op()); e != nil {
			c.refuseSSE(now, j, e)
			return
		}
		c.runSSE(now, j)
		return
	case mcp.CallInitialize:
		if !j.call.Inline() {
			c.startSSECall(now, j, (*job).run)
			return
		}
		s.sessions.Agree(lc.ticket.Key, *j.call.NewSession(), now)
		c.runSSE(now, j)
		return
	default:
		if !j.call.Inline() {
			lc.key = string(j.id)
			c.startSSECall(now, j, (*job).run)
			return
		}
		c.runSSE(now, j)
		return
	}
	c.accepted(now, j)
}

// errModernSSE refuses a request of a revision that has no sessions, and so no use for this
// transport.
var errModernSSE = &jsonrpc.Error{
	Code: mcp.CodeUnsupportedProtocolVersion, Message: "Unsupported protocol version: HTTP+SSE is served to earlier revisions",
	Data: []byte(`{"supported":["2025-11-25","2025-06-18","2025-03-26","2024-11-05"],"requested":"2026-07-28"}`),
}

// refuseSSE answers a message that was refused before its method ran.
func (c *conn) refuseSSE(now tick, j *job, e *jsonrpc.Error) {
	l := c.loop
	l.count(j.method, outcomeRefused)
	if j.msg.Kind != jsonrpc.KindRequest || j.msg.ID == nil {
		c.respondError(400, j.msg.ID, e)
	} else {
		l.sendSSE(j, jsonrpc.AppendError(nil, j.msg.ID, e))
		c.respondAccepted()
	}
	l.putJob(j)
	c.finish(now)
}

// runSSE runs an inline call.
func (c *conn) runSSE(now tick, j *job) {
	l := c.loop
	j.call.Run(context.Background(), &sseSink{l, j})
	c.respondAccepted()
	l.putJob(j)
	c.finish(now)
}

// startSSECall hands j to a worker or to its upstream. If a limit is reached, the POST gets the
// refusal at once.
func (c *conn) startSSECall(now tick, j *job, run func(*job)) {
	l := c.loop
	j.legacy.earlier = true
	j.h = handle{}
	if !c.admitCall(now, j) {
		return
	}
	l.keepDetached(j, now+l.srv.deadlines.call)
	c.respondAccepted()
	c.finish(now)
	l.begin(j, run)
}

// sendSSE sends a message on the stream of j's session. Without the stream it is dropped.
func (l *loop) sendSSE(j *job, msg []byte) {
	to := l.srv.sessions.Stream(j.legacy.ticket.Key, l.now)
	if to.IsZero() {
		return
	}
	it := item{kind: itemEvents, buf: takeBuffer(len(msg) + frameRoom)}
	it.buf.B = appendFrame(it.buf.B[:0], 0, 0, true, msg)
	if j.call.Kind() == mcp.CallInitialize && j.code == 0 {
		it.arg = sseOpened
	}
	if !l.srv.postTo(to, it) {
		release(it.buf)
	}
}

// sseOpened marks the answer to initialize: from then on the stream may report changes.
const sseOpened = 1

// emitSSE is emit for a call of HTTP+SSE.
func (l *loop) emitSSE(j *job, status int, code jsonrpc.Code, msg []byte, final bool) {
	lc := &j.legacy
	if !final {
		j.queued.Add(-int64(len(msg) + frameRoom))
	}
	if lc.phase == phaseAnswered {
		return // it was cancelled, or took too long
	}
	if lc.to.flooded() { // by what was let in before
		if !final {
			return
		}
		if len(msg) > 0 && j.id != nil {
			code, msg = errFlooded.Code, jsonrpc.AppendError(nil, j.id, errFlooded)
		}
	}
	if final {
		j.setPhase(phaseAnswered)
		l.unregister(j)
		l.count(j.method, outcomeOf(code))
	}
	// A batch without requests has no answer, and an array that is not a batch has no id to answer.
	if len(msg) > 0 && (status < 400 || j.id != nil) {
		l.sendSSE(j, msg)
	}
}

// endSSECall ends a call of HTTP+SSE whose answer nobody wants any more.
func (l *loop) endSSECall(j *job, o outcome) {
	if j.legacy.phase != phaseAnswered {
		l.unregister(j)
		l.count(j.method, o)
	}
	l.abandon(j)
}

// sseBusy reports whether calls in flight will be answered on the stream c of HTTP+SSE.
func (l *loop) sseBusy(c *conn) bool {
	return c.has(flagTyped) && l.srv.sessions.InFlight(c.uris.session, l.now) > 0
}

// flushSSE is flushNotice for a stream that has the responses of many calls: more may wait there,
// by the length of one.
func (c *conn) flushSSE() {
	o := &c.loop.srv.opts
	if waiting := c.sk.OutboundBuffered(); waiting > 0 && waiting+len(c.loop.out)-o.MaxUnsent > o.MaxResponse {
		c.loop.out = c.loop.out[:0]
		c.abort(closeUnsent)
		return
	}
	c.flush()
}

// sseSink takes the messages of an inline call of HTTP+SSE.
type sseSink struct {
	l *loop
	j *job
}

// Notify implements mcp.Sink.
func (s *sseSink) Notify(msg []byte) bool {
	s.l.sendSSE(s.j, msg)
	return true
}

// Respond implements mcp.Sink.
func (s *sseSink) Respond(msg []byte, code jsonrpc.Code) {
	j := s.j
	msg, code = s.l.srv.opts.limitResponse(&j.call, msg, code)
	s.l.count(j.method, outcomeOf(code))
	s.l.sendSSE(j, msg)
}
