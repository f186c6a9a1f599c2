package server

import (
	"github.com/mooring-mcp/mooring/jsonrpc"
	"github.com/mooring-mcp/mooring/mcp"
	"github.com/mooring-mcp/mooring/server/internal/session"
)

// This file has what requests change in their session: the log level and the subscriptions.

// applyOp makes the change to its session that a request asks for.
func (svc *service) applyOp(now tick, t *session.Ticket, op mcp.SessionOp) *jsonrpc.Error {
	s := svc.srv
	if op.Kind == mcp.OpSetLevel {
		return refusalOf(s.sessions.SetLevel(t.Key, op.Level, t.SSE, now))
	}
	if l := s.loopOf(s.sessions.Stream(t.Key, now)); l != nil && l.flooded() {
		return errFlooded
	}
	var stream session.Place
	var err error
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
