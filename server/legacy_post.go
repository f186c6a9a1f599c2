package server

import (
	"github.com/mooring-mcp/mooring/jsonrpc"
	"github.com/mooring-mcp/mooring/mcp"
	"github.com/mooring-mcp/mooring/server/internal/session"
)

// openSession opens the session that a message names. It is used if the message turns out to be
// of an earlier revision: modern messages have no session, but the era of a message is known only
// once it is decoded.
func (c *conn) openSession(j *job) {
	id := c.loop.req.MCPSessionID
	if j.legacy.membership == membershipStateless {
		j.legacy.ticket.Info.Revision = string(j.meta.ProtocolVersion)
		j.meta.Session = &j.legacy.ticket.Info
		return
	}
	if id == nil || c.loop.srv.opts.ModernOnly {
		return
	}
	lc := &j.legacy
	if !c.svc.openTicket(&lc.ticket, id, j.who) {
		j.setMembership(membershipUnknown, nil)
		return
	}
	j.setMembership(membershipMember, id)
	lc.ticket.Info.LogLevel = c.loop.srv.sessions.Level(lc.ticket.Key, c.loop.now)
}

// misplaced returns the HTTP status and the error for a message of an earlier revision that is in
// no session of ours, though it has to be. A message of a modern revision belongs to none,
// whatever session it names.
func (j *job) misplaced() (int, *jsonrpc.Error) {
	m := j.legacy.membership
	v := j.meta.ProtocolVersion
	switch {
	case j.call.ClaimsModern():
		return 0, nil
	case j.loop.srv.opts.ModernOnly, j.call.Kind() == mcp.CallInitialize:
		return 0, nil
	case m != membershipNone && j.meta.Duplicate:
		return 400, errTwice
	case m == membershipUnknown && (v == nil || mcp.LegacyRevision(v)):
		return 404, errSessionGone
	case m == membershipNone && j.call.Kind() == mcp.CallNotification && v != nil && mcp.LegacyRevision(v):
		return 400, errNoSession // mcp refuses a request without one
	}
	return 0, nil
}

// errModernOnly answers initialize if Options.ModernOnly is set. People read the message, and
// clients of both eras the data.
func errModernOnly(params []byte) *jsonrpc.Error {
	requested, _ := jsonrpc.Member(params, "protocolVersion")
	const longest = 64
	if len(requested) == 0 || len(requested) > longest || requested[0] != '"' {
		requested = []byte(`""`)
	}
	data := append([]byte(`{"supported":["2026-07-28"],"requested":`), requested...)
	return &jsonrpc.Error{Code: mcp.CodeUnsupportedProtocolVersion, Message: "Unsupported protocol version: only 2026-07-28 is served", Data: append(data, '}')}
}

// beginLegacy does what a message of an earlier revision asks of its session, unless middleware or
// a handler decides about that first. It reports false if the message was answered.
func (c *conn) beginLegacy(now tick, j *job) bool {
	lc := &j.legacy
	s := c.loop.srv
	if lc.membership == membershipStateless {
		if j.call.Kind() == mcp.CallAnswer {
			c.accepted(now, j)
			return false
		}
		return true
	}
	switch j.call.Kind() {
	case mcp.CallInitialize:
		if !j.call.Inline() {
			return true
		}
		t := session.Ticket{Info: *j.call.NewSession(), Endpoint: j.svc.endpoint, Owner: j.who.owns()}
		c.x.session = s.tickets.Issue(c.x.session[:0], &t, s.clock())
	case mcp.CallSession:
		if !j.call.Inline() {
			lc.key = string(j.id)
			return true
		}
		if e := j.svc.applyOp(now, j, j.call.Op()); e != nil {
			c.refuseLegacy(now, j, max(200, opStatus(e)), e)
			return false
		}
	case mcp.CallNotification:
		if id := j.call.Cancelled(); id != nil {
			s.cancelCall(lc.ticket.Key, now, id)
		}
	case mcp.CallAnswer:
		if e := s.deliverAnswer(lc.ticket.Key, now, &j.msg); e != nil {
			c.refuseLegacy(now, j, 503, e)
			return false
		}
		c.accepted(now, j)
		return false
	case mcp.CallRequest, mcp.CallForward:
		if !j.call.Inline() {
			lc.key = string(j.id)
		}
	}
	return true
}

// refuseLegacy answers a message of an earlier revision that was refused before its method ran.
func (c *conn) refuseLegacy(now tick, j *job, status int, e *jsonrpc.Error) {
	c.loop.count(j.method, outcomeRefused)
	c.respondError(status, j.msg.ID, e)
	c.loop.putJob(j)
	c.finish(now)
}
