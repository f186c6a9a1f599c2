package server

import (
	"time"

	"github.com/mooring-mcp/mooring/jsonrpc"
	"github.com/mooring-mcp/mooring/mcp"
	"github.com/mooring-mcp/mooring/server/internal/endpoint"
	"github.com/mooring-mcp/mooring/sse"
)

// This file serves GET and DELETE of the MCP endpoint, which earlier revisions have: the stream of a session, the resumption of a call's stream, the end of a session.

// sessionOf opens the session that the request names. It answers 400 when there is none and 404 when it is not, or no longer, one of ours: forged, expired, deleted and foreign
// ids are told alike.
func (c *conn) sessionOf(now tick, t *ticket) bool {
	s := c.loop.srv
	id := c.loop.req.MCPSessionID
	switch {
	case c.loop.req.DuplicateMCP:
		c.refuse(now, 400, "field line sent more than once")
	case id == nil:
		c.refuse(now, 400, "Mcp-Session-Id is required")
	case !s.openTicket(t, id):
		c.refuse(now, 404, sessionGone)
	case !s.versionAllowed(c.loop.req.MCPProtocolVersion):
		c.refuse(now, 400, "unsupported MCP-Protocol-Version")
	default:
		return true
	}
	return false
}

const sessionGone = "session not found: initialize a new one"

// openTicket opens a session id that was not deleted.
func (s *Server) openTicket(t *ticket, id []byte) bool {
	return s.tickets.open(t, id, "", s.clock()) && !s.sessions.isRevoked(t.key)
}

// versionAllowed reports whether a request of a session may carry the MCP-Protocol-Version: an absent one means the session's.
func (s *Server) versionAllowed(version []byte) bool {
	return version == nil || mcp.LegacyRevision(version)
}

// refuse answers a request for its head alone.
func (c *conn) refuse(now tick, status int, reason string) {
	l := c.loop
	l.m.refused.Add(1)
	h := c.respHead(status)
	l.out = endpoint.AppendRefusal(l.out, &h, reason)
	c.finish(now)
}

// deleteSession serves DELETE: the id is refused from now on, and all that the session held ends.
func (c *conn) deleteSession(now tick) {
	var t ticket
	if !c.sessionOf(now, &t) {
		return
	}
	l := c.loop
	s := l.srv
	l.m.http.Add(1)
	held := s.sessions.revoke(t.key, s.tickets.expires(&t))
	s.endHeld(&held)
	h := c.respHead(204)
	l.out = endpoint.AppendHead(l.out, &h, "", 0)
	c.finish(now)
}

// endHeld ends what a session held when it was deleted.
func (s *Server) endHeld(held *session) {
	s.forgotSubscriptions(held.uris)
	if held.stream.loop != nil {
		held.stream.loop.postItem(item{kind: itemEndStream, h: held.stream.h})
	}
	for _, r := range held.replays {
		if r.carrier.loop != nil {
			r.carrier.loop.postItem(item{kind: itemEndStream, h: r.carrier.h})
		}
	}
	for _, r := range held.calls {
		r.job.loop.postItem(item{kind: itemCancel, job: r.job, gen: r.gen})
	}
}

// serveEndStream ends a stream that another took over, or whose session was deleted.
func (l *loop) serveEndStream(it *item) {
	c := l.lookup(it.h)
	if c == nil || c.state != connStateStream {
		return
	}
	l.serving = c
	if it.arg > 0 {
		c.appendScratch(sse.AppendRetry(l.frame[:0], time.Duration(it.arg)))
	}
	c.endSessionStream(l.now)
	c.flush()
}

// openStream serves GET: the stream of a call that is resumed, or else the session's own. A stream that is there already is taken over: the client that comes back knows best
// that its old connection is of no use.
func (c *conn) openStream(now tick) {
	var t ticket
	if !c.sessionOf(now, &t) {
		return
	}
	l := c.loop
	s := l.srv
	if l.req.LastEventID != nil {
		stream, n, ok := parseEventID(l.req.LastEventID)
		if ok && stream != 0 && c.resumeStream(now, &t, stream, n) {
			return
		}
	}
	var old target
	var uris []string
	admitted := true
	room := s.sessions.with(t.key, true, now, func(ses *session) {
		if admitted = s.admitStream(ses.stream.loop != nil); !admitted {
			return
		}
		old, ses.stream = ses.stream, target{l, c.handle()}
		for uri := range ses.uris {
			uris = append(uris, uri)
		}
	})
	if !room || !admitted {
		c.refuseStream(now, t.key, admitted)
		return
	}
	c.enterStream(t.key, 0)
	if old.loop != nil {
		old.loop.postItem(item{kind: itemEndStream, h: old.h})
	}
	c.topics = l.srv.mcp.Topics() &^ mcp.TopicResource
	for _, uri := range uris {
		l.streams.listen(c.slot, []string{uri})
	}
	if id := l.req.LastEventID; id != nil {
		c.missedSince(id)
	}
	c.startStream(now)
}

// admitStream counts a stream that is about to begin, if there is room for one or it takes another's place.
func (s *Server) admitStream(takesOver bool) bool {
	if s.streams.Add(1) > int64(s.opts.MaxStreams) && !takesOver {
		s.streams.Add(-1)
		return false
	}
	return true
}

// enterStream writes the head of a stream that was admitted and files c among the streams.
func (c *conn) enterStream(k sessionKey, replay uint64) {
	l := c.loop
	c.beginStream()
	c.flags |= flagStreaming | flagSession
	c.uris = &uriSet{session: k, replay: replay}
	l.m.streams.Add(1)
	l.m.sessionStreams.Add(1)
	l.streams.push(c.slot)
}

// refuseStream answers a request for whose stream, or for whose session, there is no room.
func (c *conn) refuseStream(now tick, k sessionKey, admitted bool) {
	switch {
	case c.loop.srv.sessions.isRevoked(k):
		c.refuse(now, 404, sessionGone)
	case admitted:
		c.refuse(now, 503, errSessionsFull.Message)
	default:
		c.refuse(now, 503, "too many streams")
	}
}

// startStream lets go of the request. The comment makes proxies pass the head on at once.
func (c *conn) startStream(now tick) {
	c.appendHeartbeat()
	c.loop.m.http.Add(1)
	c.loop.resetRequest(c.x)
	c.setState(now, connStateStream)
	if c.slow() {
		c.arm(now + 1)
	}
	if c.loop.draining && !c.resumed() {
		c.endSessionStream(now)
	}
}

// resumed reports whether c is the stream of a call that goes on here.
func (c *conn) resumed() bool { return c.uris != nil && c.uris.replay != 0 }

// missedSince marks what changed after the event id, which named a change, for the stream to be told.
func (c *conn) missedSince(id []byte) {
	_, n, ok := parseEventID(id)
	if !ok || !validNotice(id) {
		return
	}
	s := c.loop.srv
	s.notices.mu.Lock()
	defer s.notices.mu.Unlock()
	c.dirty |= s.notices.log.since(n) & c.topics
	for i := range c.uris.refs {
		if s.notices.log.updatedSince(c.uris.refs[i].list.uri, n) {
			c.uris.refs[i].dirty = true
		}
	}
}

func validNotice(id []byte) bool { return len(id) > 2 && id[0] == '0' && id[1] == '-' }

// resumeStream goes on with the stream of a call behind its event n. It reports false when the session has no such stream, or not that position any more.
func (c *conn) resumeStream(now tick, t *ticket, stream, n uint64) bool {
	l := c.loop
	s := l.srv
	var events [][]byte
	var done, found, admitted bool
	var old target
	s.sessions.with(t.key, false, now, func(ses *session) {
		r := ses.replay(stream)
		if r == nil {
			return
		}
		if events, found = r.after(n); !found {
			return
		}
		done = r.done
		if admitted = s.admitStream(done || r.carrier.loop != nil); admitted && !done {
			old, r.carrier = r.carrier, target{l, c.handle()}
		}
	})
	switch {
	case !found:
		return false
	case !admitted:
		c.refuseStream(now, t.key, false)
		return true
	}
	if old.loop != nil {
		old.loop.postItem(item{kind: itemMoved, h: old.h, arg: stream})
	}
	c.enterStream(t.key, stream)
	for i, msg := range events {
		c.appendScratch(appendFrame(l.frame[:0], stream, n+uint64(i)+1, false, msg))
	}
	if done {
		l.m.http.Add(1)
		l.endStream(c)
		c.endEvents()
		c.finish(now)
		return true
	}
	c.startStream(now)
	return true
}

// serveMoved closes a connection whose call's stream was resumed on another.
func (l *loop) serveMoved(it *item) {
	c := l.lookup(it.h)
	if c == nil {
		return
	}
	l.serving = c
	switch {
	case c.state == connStateStream && c.uris != nil && c.uris.replay == it.arg:
		c.endSessionStream(l.now)
	case c.state == connStateCall && c.x.job != nil && c.x.job.legacy.stream == it.arg:
		j := c.x.job
		c.x.job = nil
		l.letGoOn(j, c.x.due)
		c.handOver(l.now)
	}
	c.flush()
}

// leaveSession is told that the stream c of a session is over.
func (l *loop) leaveSession(c *conn, u *uriSet) {
	own := target{l, c.handle()}
	if u.replay != 0 {
		l.leaveReplay(u.session, u.replay, own)
		return
	}
	var calls []callRef
	var uris map[string]struct{}
	l.srv.sessions.with(u.session, false, l.now, func(s *session) {
		if s.stream != own {
			return
		}
		s.stream = target{}
		if c.has(flagTyped) { // of HTTP+SSE: the session ends with it
			calls = append(calls, s.calls...)
			uris = s.uris
			s.info, s.level, s.uris = mcp.SessionInfo{}, "", nil
		}
	})
	l.srv.forgotSubscriptions(uris)
	for _, r := range calls {
		r.job.loop.postItem(item{kind: itemCancel, job: r.job, gen: r.gen, end: true})
	}
}

// forgotSubscriptions is told which subscriptions of a session are gone. Each is a listener of mcp's as long as it is there, stream or not: what changes while its client is away is told when it is back.
func (s *Server) forgotSubscriptions(uris map[string]struct{}) {
	for uri := range uris {
		s.mcp.Unsubscribe(uri)
	}
}

// applyOp does what a request wants changed in its session.
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

// maxSessionURIs bounds the resources that a session subscribes to, as a listen request's.
const maxSessionURIs = 1024

var errManySubscriptions = &jsonrpc.Error{Code: jsonrpc.CodeInvalidParams, Message: "too many subscriptions"}

// serveSubscribe makes an open stream listen to a resource if its session subscribes to it, and no longer if not.
func (l *loop) serveSubscribe(it *item) {
	c := l.lookup(it.h)
	if c == nil || c.state != connStateStream || c.uris == nil || c.uris.replay != 0 {
		return
	}
	wanted := false // by now: requests of a session come by way of several loops, and these items in any order
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
