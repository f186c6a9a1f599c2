package server

import (
	"github.com/mooring-mcp/mooring/jsonrpc"
	"github.com/mooring-mcp/mooring/mcp"
)

// openSession opens the session that a message names, for what the message turns out to be: modern ones have none, and their era is known only once they are decoded.
func (c *conn) openSession(j *job) {
	id := c.loop.req.MCPSessionID
	if id == nil || c.loop.srv.opts.ModernOnly {
		return
	}
	lc := &j.legacy
	lc.named = true
	if lc.known = c.loop.srv.openTicket(&lc.ticket, id); !lc.known {
		return
	}
	j.meta.Session, j.meta.SessionID = &lc.ticket.info, string(id)
	if c.loop.srv.sessions.count.Load() > 0 {
		c.loop.srv.sessions.with(lc.ticket.key, false, c.loop.now, func(s *session) { lc.ticket.info.LogLevel = s.level })
	}
}

// misplaced returns the HTTP status and the error for a message of an earlier revision that is in no session of ours, where it has to be. A message of a modern revision belongs to none,
// whatever session it names.
func (j *job) misplaced() (int, *jsonrpc.Error) {
	lc := &j.legacy
	v := j.meta.ProtocolVersion
	switch {
	case j.call.ClaimsModern():
		return 0, nil
	case j.loop.srv.opts.ModernOnly, j.call.Kind() == mcp.CallInitialize:
		return 0, nil
	case lc.named && j.meta.Duplicate:
		return 400, errTwice
	case lc.named && !lc.known && (v == nil || mcp.LegacyRevision(v)):
		return 404, errSessionGone
	case !lc.named && j.call.Kind() == mcp.CallNotification && v != nil && mcp.LegacyRevision(v):
		return 400, errNoSession // that of a request is told by mcp
	}
	return 0, nil
}

// errModernOnly answers initialize where Options.ModernOnly says so. People read the message, clients of both eras the data.
func errModernOnly(params []byte) *jsonrpc.Error {
	requested, _ := jsonrpc.Member(params, "protocolVersion")
	const longest = 64
	if len(requested) == 0 || len(requested) > longest || requested[0] != '"' {
		requested = []byte(`""`)
	}
	data := append([]byte(`{"supported":["2026-07-28"],"requested":`), requested...)
	return &jsonrpc.Error{Code: mcp.CodeUnsupportedProtocolVersion, Message: "Unsupported protocol version: only 2026-07-28 is served", Data: append(data, '}')}
}

var (
	errSessionGone = &jsonrpc.Error{Code: jsonrpc.CodeInvalidRequest, Message: sessionGone}
	errTwice       = &jsonrpc.Error{Code: jsonrpc.CodeInvalidRequest, Message: "field line sent more than once"}
	errNoSession   = &jsonrpc.Error{Code: jsonrpc.CodeInvalidRequest, Message: "Mcp-Session-Id is required"}
)

// beginLegacy does what a message of an earlier revision asks of its session. It reports false when the message is answered.
func (c *conn) beginLegacy(now tick, j *job) bool {
	lc := &j.legacy
	s := c.loop.srv
	switch j.call.Kind() {
	case mcp.CallInitialize:
		t := ticket{info: *j.call.NewSession()}
		c.x.session = s.tickets.issue(c.x.session[:0], &t, s.clock())
	case mcp.CallSession:
		if e := s.applyOp(now, &lc.ticket, j.call.Op()); e != nil {
			status := 200
			if e == errFlooded {
				status = 503
			}
			c.refuseLegacy(now, j, status, e)
			return false
		}
	case mcp.CallNotification:
		if id := j.call.Cancelled(); id != nil {
			s.cancelCall(lc.ticket.key, now, id)
		}
	case mcp.CallAnswer:
		if e := s.answered(lc.ticket.key, now, &j.msg); e != nil {
			c.refuseLegacy(now, j, 503, e)
			return false
		}
		c.accepted(now, j)
		return false
	case mcp.CallRequest:
		if !j.call.Inline() {
			lc.key = string(j.id)
		}
	}
	return true
}

func (c *conn) refuseLegacy(now tick, j *job, status int, e *jsonrpc.Error) {
	c.loop.count(j.method, outcomeRefused)
	c.respondError(status, j.msg.ID, e)
	c.loop.putJob(j)
	c.finish(now)
}

// clientGone is told that the connection of a call is closed. On 2026-07-28 that is the cancellation; earlier, "disconnection SHOULD NOT be interpreted as the client cancelling
// its request" (2025-11-25, basic/transports).
func (l *loop) clientGone(j *job, c *conn) {
	lc := &j.legacy
	if j.preparing && lc.known {
		lc.left, lc.due = true, c.x.due
		return
	}
	if !lc.on || !lc.known {
		j.cancel(errClientGone)
		l.count(j.method, outcomeCancelled)
		return
	}
	if lc.stream != 0 {
		l.leaveReplay(lc.ticket.key, lc.stream, target{l, c.handle()})
	}
	l.letGoOn(j, c.x.due)
}
