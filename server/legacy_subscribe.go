package server

import (
	"github.com/mooring-mcp/mooring/jsonrpc"
	"github.com/mooring-mcp/mooring/mcp"
	"github.com/mooring-mcp/mooring/server/internal/session"
)

// This file has what requests change in their session: the log level and the subscriptions.

// applyOp makes the change to the session of j that a request asks for. It may be called from any
// goroutine that has j.
func (svc *service) applyOp(now tick, j *job, op mcp.SessionOp) *jsonrpc.Error {
	s, t := svc.srv, &j.legacy.ticket
	settle, err := s.sessions.Charge(t.Key, session.Account(j.account))
	switch {
	case err != nil:
		return refusalOf(err)
	case settle:
		defer s.sessions.Settle(t.Key)
	}
	if op.Kind == mcp.OpSetLevel {
		return refusalOf(s.sessions.SetLevel(t.Key, op.Level, t.SSE, now))
	}
	if l := s.loopOf(s.sessions.Stream(t.Key, now)); l != nil && l.flooded() {
		return errFlooded
	}
	var stream session.Place
	if op.Kind == mcp.OpSubscribe {
		svc.subscribe(op.URI) // first: the session may be forgotten as soon as it is there
		var added bool
		if stream, added, err = s.sessions.Subscribe(t.Key, svc, op.URI, t.SSE, now); !added {
			svc.unsubscribe(op.URI)
		}
	} else {
		var removed bool
		if stream, removed = s.sessions.Unsubscribe(t.Key, svc, op.URI, now); removed {
			svc.unsubscribe(op.URI)
		}
	}
	if err != nil {
		return refusalOf(err)
	}
	s.postTo(stream, item{kind: itemSubscribe, uri: op.URI})
	return nil
}

// opStatus returns the HTTP status of the refusal e of applyOp, 0 for the usual one.
func opStatus(e *jsonrpc.Error) int {
	switch {
	case e == errFlooded:
		return 503
	case isQuotaError(e):
		return 429
	}
	return 0
}

// serveSubscribe makes an open stream listen to a resource if its session subscribes to it, and
// stop listening if not.
func (l *loop) serveSubscribe(it *item) {
	c := l.lookup(it.h)
	if c == nil || c.state != connStateStream || c.uris == nil || c.uris.replay != 0 {
		return
	}
	// This is looked up now and not carried by the item, because requests of a session arrive on
	// several loops, and these items in any order.
	wanted := l.srv.sessions.Subscribed(c.uris.session, c.svc, it.uri, l.now)
	for i := range c.uris.refs {
		if r := &c.uris.refs[i]; r.list.uri == it.uri {
			if !wanted {
				c.streams.unlisten(c.slot, i)
			}
			return
		}
	}
	if wanted {
		c.streams.listen(c.slot, []string{it.uri})
	}
}

// forgotSubscriptions ends subscriptions of a session. In mcp each counts as a listener as long
// as the session has it, even without an open stream, so that changes made while the client is
// away are reported when it returns.
func forgotSubscriptions(subs session.Subscriptions) {
	svc, _ := subs.Owner.(*service)
	for uri := range subs.URIs {
		svc.unsubscribe(uri)
	}
}
