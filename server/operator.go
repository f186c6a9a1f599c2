package server

import (
	"github.com/mooring-mcp/mooring/jsonrpc"
	"github.com/mooring-mcp/mooring/mcp"
	"github.com/mooring-mcp/mooring/server/internal/session"
)

// This file is what a worker does for messages that middleware or handlers have let pass: see
// mcp.Operator. Without them, the loop does it before the call runs.

// OpenSession implements mcp.Operator.
func (j *job) OpenSession(info *mcp.SessionInfo) (string, *jsonrpc.Error) {
	s, lc := j.loop.srv, &j.legacy
	switch {
	case lc.link == linkSSE:
		s.sessions.Agree(lc.ticket.Key, *info, s.tick())
		return j.meta.SessionID, nil
	case lc.membership == membershipStateless:
		return "", nil
	}
	t := session.Ticket{Info: *info, Endpoint: j.svc.endpoint, Owner: j.who.owns()}
	j.opened = s.tickets.Issue(nil, &t, s.clock())
	return string(j.opened), nil
}

// Apply implements mcp.Operator.
func (j *job) Apply(op mcp.SessionOp) *jsonrpc.Error {
	if j.legacy.membership == membershipStateless {
		return nil
	}
	e := j.svc.applyOp(j.loop.srv.tick(), j, op)
	j.refused = opStatus(e)
	return e
}

// Accept implements mcp.Operator.
func (j *job) Accept() { j.respond(202, 0, nil) }

// OpenSession implements mcp.Operator: an initialize cannot be part of a batch.
func (s *batchSink) OpenSession(*mcp.SessionInfo) (string, *jsonrpc.Error) { return "", errBatch }

// Apply implements mcp.Operator.
func (s *batchSink) Apply(op mcp.SessionOp) *jsonrpc.Error { return s.j.Apply(op) }

// Accept implements mcp.Operator.
func (s *batchSink) Accept() {}
