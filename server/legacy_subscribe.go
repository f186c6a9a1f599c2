package server

import (
	"github.com/mooring-mcp/mooring/jsonrpc"
	"github.com/mooring-mcp/mooring/mcp"
)

// This file has what requests change in their session: the log level and the subscriptions.

// applyOp makes the change to its session that a request asks for.
func (s *Server) applyOp(now tick, t *ticket, op mcp.SessionOp) *jsonrpc.Error {
	var stream target
	refused, added, removed, flooded := false, false, false, false
	if op.Kind == mcp.OpSubscribe {
		s.mcp.Subscribe(op.URI) // first: the session may be forgotten as soon as it is there
	}
	ok := s.sessions.with(t.key, op.Kind != mcp.OpUnsubscribe && !t.sse, now, func(ses *session) {
		if t.sse && ses.stream.loop == nil {
			return // it has ended with its stream
		}
		if flooded = op.Kind != mcp.OpSetLevel && ses.stream.loop != nil && ses.stream.loop.flooded(); flooded {
			return
		}
		switch op.Kind {
		case mcp.OpSetLevel:
			ses.level = op.Level
		case mcp.OpSubscribe:
			if _, has := ses.uris[op.URI]; has {
				return
			}
			if refused = len(ses.uris) >= maxSessionURIs; refused {
				return
			}
			if ses.uris == nil {
				ses.uris = make(map[string]struct{})
			}
			ses.uris[op.URI] = struct{}{}
			stream, added = ses.stream, true
		case mcp.OpUnsubscribe:
			if _, has := ses.uris[op.URI]; has {
				delete(ses.uris, op.URI)
				stream, removed = ses.stream, true
			}
		}
	})
	if removed || op.Kind == mcp.OpSubscribe && !added {
		s.mcp.Unsubscribe(op.URI)
	}
	switch {
	case !ok:
		return s.errRefused(t.key)
	case flooded:
		return errFlooded
	case refused:
		return errManySubscriptions
	}
	if stream.loop != nil {
		stream.loop.postItem(item{kind: itemSubscribe, h: stream.h, uri: op.URI})
	}
	return nil
}

// maxSessionURIs is the maximum number of resources that a session, or a listen request, subscribes
// to.
const maxSessionURIs = 1024

// serveSubscribe makes an open stream listen to a resource if its session subscribes to it, and stop
// listening if not.
func (l *loop) serveSubscribe(it *item) {
	c := l.lookup(it.h)
	if c == nil || c.state != connStateStream || c.uris == nil || c.uris.replay != 0 {
		return
	}
	// As of now: requests of a session arrive on several loops, and these items in any order.
	wanted := false
	l.srv.sessions.with(c.uris.session, false, l.now, func(s *session) { _, wanted = s.uris[it.uri] })
	for i := range c.uris.refs {
		if r := &c.uris.refs[i]; r.list.uri == it.uri {
			if !wanted {
				l.streams.unlisten(c.slot, i)
			}
			return
		}
	}
	if wanted {
		l.streams.listen(c.slot, []string{it.uri})
	}
}

// forgotSubscriptions ends subscriptions of a session. In mcp each counts as a listener as long as
// the session has it, even without an open stream, so that changes made while the client is away are
// reported when it returns.
func (s *Server) forgotSubscriptions(uris map[string]struct{}) {
	for uri := range uris {
		s.mcp.Unsubscribe(uri)
	}
}
