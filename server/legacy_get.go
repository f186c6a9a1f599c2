package server

import (
	"errors"
	"time"

	"github.com/mooring-mcp/mooring/mcp"
	"github.com/mooring-mcp/mooring/server/internal/endpoint"
	"github.com/mooring-mcp/mooring/server/internal/session"
	"github.com/mooring-mcp/mooring/sse"
)

// This file serves GET and DELETE of the MCP endpoint, which earlier revisions have: the stream
// of a session, and the end of a session.

// sessionOf opens the session that the request names. If the request names none it gets 400. If
// the id is not, or no longer, one of ours it gets 404, with the same text whether the id was
// forged, expired, deleted or belongs to someone else.
func (c *conn) sessionOf(now tick, t *session.Ticket) bool {
	id := c.loop.req.MCPSessionID
	switch {
	case c.loop.req.DuplicateMCP:
		c.refuse(now, 400, "field line sent more than once")
	case id == nil:
		c.refuse(now, 400, "Mcp-Session-Id is required")
	case !c.svc.openTicket(t, id, c.who()):
		c.refuse(now, 404, sessionGone)
	case !c.loop.srv.versionAllowed(c.loop.req.MCPProtocolVersion):
		c.refuse(now, 400, "unsupported MCP-Protocol-Version")
	default:
		return true
	}
	return false
}

// openTicket opens a session ID of the service that was not deleted, and that is of one of the
// caller's sessions.
func (svc *service) openTicket(t *session.Ticket, id []byte, caller *identity) bool {
	s := svc.srv
	t.Endpoint = svc.endpoint
	return s.tickets.Open(t, id, caller.owns(), s.clock()) && !s.sessions.Deleted(t.Key)
}

// versionAllowed reports whether a request of a session may carry the MCP-Protocol-Version. If the
// field is absent, the session's revision holds.
func (s *Server) versionAllowed(version []byte) bool {
	return version == nil || mcp.LegacyRevision(version)
}

// deleteSession serves DELETE: from now on the id is refused, and everything the session held
// ends.
func (c *conn) deleteSession(now tick) {
	var t session.Ticket
	if !c.sessionOf(now, &t) {
		return
	}
	l := c.loop
	s := l.srv
	l.m.http.Add(1)
	s.endHeld(s.sessions.Delete(t.Key, s.tickets.Expires(&t)))
	h := c.respHead(204)
	l.out = endpoint.AppendHead(l.out, &h, "", 0)
	c.finish(now)
}

// endHeld ends what a session held when it was deleted.
func (s *Server) endHeld(held session.Held[*job]) {
	forgotSubscriptions(held.Subscriptions)
	for _, at := range held.Streams {
		s.postTo(at, item{kind: itemEndStream})
	}
	for _, call := range held.Calls {
		call.Job.loop.postItem(item{kind: itemCancel, job: call.Job, gen: call.Gen})
	}
}

// serveEndStream ends a stream whose place another stream has taken, whose session was deleted, or
// which the handler of its call closes.
func (l *loop) serveEndStream(it *item) {
	c := l.lookup(it.h)
	if c == nil || c.state != connStateStream {
		return
	}
	l.serving = c
	if it.arg > 0 {
		c.appendScratch(sse.AppendRetry(l.event[:0], time.Duration(it.arg)))
	}
	c.endSessionStream(l.now)
	c.flush()
}

// serveGET serves GET: the stream of a call that is resumed, or else the session's own. If the
// session has a stream already, the new one replaces it, because the client that reconnects knows
// best that its old connection is useless.
func (c *conn) serveGET(now tick) {
	var t session.Ticket
	if !c.sessionOf(now, &t) {
		return
	}
	l := c.loop
	s := l.srv
	if l.req.LastEventID != nil {
		stream, n, ok := session.ParseEventID(l.req.LastEventID)
		if ok && stream != 0 && c.resumeStream(now, &t, stream, n) {
			return
		}
	}
	old, uris, ok := c.takeOver(now, t.Key)
	if !ok {
		return
	}
	c.joinStreams(t.Key, 0)
	s.postTo(old, item{kind: itemEndStream})
	c.topics = c.offered()
	for _, uri := range uris {
		c.streams.listen(c.slot, []string{uri})
	}
	if id := l.req.LastEventID; id != nil {
		c.missedSince(id)
	}
	c.toStreamState(now)
}

// takeOver makes c the stream of session k, if there is room for it or it takes the place of
// another: see session.Table.TakeOver. It reports false if the request has been refused.
func (c *conn) takeOver(now tick, k session.Key) (old session.Place, uris []string, ok bool) {
	s := c.loop.srv
	a := c.streamAccount()
	settle, err := s.sessions.Charge(k, session.Account(a))
	if settle {
		defer s.sessions.Settle(k)
	}
	full := !s.countStream()
	e := c.takeStream(a)
	if err == nil {
		old, uris, err = s.sessions.TakeOver(k, c.svc, c.place(), full || e.exceeds(), now)
	}
	if err != nil {
		c.refuseStream(now, err, e, full)
		return old, uris, false
	}
	if e.exceeds() {
		c.forceStream(a)
	}
	return old, uris, true
}

// countStream counts a stream that is about to begin, and reports whether there is room for it. If
// there is none, the stream may begin only in the place of another.
func (s *Server) countStream() bool {
	return s.streams.Add(1) <= int64(s.opts.MaxStreams)
}

// joinStreams writes the head of a stream that was admitted, and adds c to the streams of its
// loop. The stream is that of session k, or, if replay is not 0, that of a call which c resumes.
func (c *conn) joinStreams(k session.Key, replay uint64) {
	l := c.loop
	c.writeStreamHead()
	c.flags |= flagStreaming | flagSession
	c.uris = &uriSet{session: k, replay: replay}
	l.m.sessionStreams.Add(1)
	c.joinBerth(c.who())
}

// refuseStream refuses a request for a stream that was counted: there is no room for it or for its
// session, its client has too many, which is most, or the session was deleted meanwhile. full says
// that the server has too many.
func (c *conn) refuseStream(now tick, err error, most excess, full bool) {
	c.loop.srv.streams.Add(-1)
	c.leaveStreamPlace()
	if most.exceeds() && !full && errors.Is(err, session.ErrManyStreams) {
		c.x.retry = most.retry
		c.refuse(now, 429, most.error().Message)
		return
	}
	e := refusalOf(err)
	c.refuse(now, refusalStatus(e), e.Message)
}

// toStreamState ends the request and leaves its stream open. The comment that it writes makes
// proxies pass the head on at once.
func (c *conn) toStreamState(now tick) {
	c.appendHeartbeat()
	c.loop.m.http.Add(1)
	c.loop.resetRequest(c.x)
	c.setState(now, connStateStream)
	if c.slow() || c.orphaned() {
		c.arm(now + 1)
	}
	if c.leaves() && !c.resumed() {
		c.endSessionStream(now)
	}
}

// endSessionStream ends a stream of an earlier revision, which has no result that could say so.
func (c *conn) endSessionStream(now tick) {
	c.loop.endStream(c)
	c.unmoor()
	c.endEvents()
	c.flags |= flagClose
	c.reason = closeDone
	c.setState(now, connStateLinger)
}
