package server

import (
	"github.com/mooring-mcp/mooring/jsonrpc"
	"github.com/mooring-mcp/mooring/mcp"
)

// This file serves GET and DELETE of the MCP endpoint, which earlier revisions have: the stream of a session, the resumption of a call's stream, the end of a session.

// sessionOf opens the session that the request names. It answers 400 when there is none and 404 when it is not, or no longer, one of ours: forged, expired, deleted and foreign
// ids are told alike.
func (c *conn) sessionOf(now tick, t *ticket) bool {
	s := c.loop.srv
	id := c.x.req.MCPSessionID
	switch {
	case c.x.req.DuplicateMCP:
		c.refuse(now, 400, "field line sent more than once")
	case id == nil:
		c.refuse(now, 400, "Mcp-Session-Id is required")
	case !s.openTicket(t, id):
		c.refuse(now, 404, sessionGone)
	case !s.versionAllowed(c.x.req.MCPProtocolVersion):
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
	l.out = appendRefusal(l.out, &h, reason)
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
	l.out = appendHead(l.out, &h, "", 0)
	c.finish(now)
}

// endHeld ends what a session held when it was deleted.
func (s *Server) endHeld(held *session) {
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
	l, x := c.loop, c.x
	s := l.srv
	if x.req.LastEventID != nil {
		stream, n, ok := parseEventID(x.req.LastEventID)
		if ok && stream != 0 && c.resumeStream(now, &t, stream, n) {
			return
		}
	}
	if !c.enterStream(now, &t, 0) {
		return
	}
	var old target
	var uris []string
	room := s.sessions.with(t.key, true, now, func(ses *session) {
		old, ses.stream = ses.stream, target{l, c.handle()}
		for uri := range ses.uris {
			uris = append(uris, uri)
		}
	})
	if !room {
		c.takeStreamBack(now)
		return
	}
	if old.loop != nil {
		old.loop.postItem(item{kind: itemEndStream, h: old.h})
	}
	c.topics = l.srv.mcp.Topics() &^ mcp.TopicResource
	for _, uri := range uris {
		l.streams.listenTo(l, c, []string{uri})
	}
	if id := x.req.LastEventID; id != nil {
		c.missedSince(id)
	}
	c.startStream(now)
}

// enterStream writes the head of a stream and files c among the streams.
func (c *conn) enterStream(now tick, t *ticket, replay uint64) bool {
	l := c.loop
	s := l.srv
	if s.streams.Add(1) > int64(s.opts.MaxStreams) {
		s.streams.Add(-1)
		c.refuse(now, 503, "too many streams")
		return false
	}
	c.x.mark = len(l.out)
	c.beginStream()
	c.flags |= flagStreaming | flagSession
	c.uris = &uriSet{session: t.key, replay: replay}
	l.m.streams.Add(1)
	l.m.sessionStreams.Add(1)
	l.streams.push(l, c)
	return true
}

// takeStreamBack answers a request whose stream was entered, and for whose session there is no room.
func (c *conn) takeStreamBack(now tick) {
	l := c.loop
	l.endStream(c)
	c.x.began = false
	l.out = l.out[:c.x.mark]
	c.refuse(now, 503, "too many sessions with state")
}

// startStream lets go of the request. The comment makes proxies pass the head on at once.
func (c *conn) startStream(now tick) {
	c.appendHeartbeat()
	c.loop.m.http.Add(1)
	c.x.resetRequest()
	c.setState(now, connStateStream)
	if c.slow() {
		c.arm(now + 1)
	}
	if c.loop.draining {
		c.endSessionStream(now)
	}
}

// missedSince marks what changed after the event id, which named a change, for the stream to be told.
func (c *conn) missedSince(id []byte) {
	_, n, ok := parseEventID(id)
	if !ok || !validNotice(id) {
		return
	}
	s := c.loop.srv
	s.noticeMu.Lock()
	defer s.noticeMu.Unlock()
	c.dirty |= s.log.since(n) & c.topics
	for i := range c.uris.refs {
		if s.log.updatedSince(c.uris.refs[i].list.uri, n) {
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
	var done, found bool
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
		if !done {
			old, r.carrier = r.carrier, target{l, c.handle()}
		}
	})
	if !found {
		return false
	}
	if old.loop != nil {
		old.loop.postItem(item{kind: itemMoved, h: old.h, arg: stream})
	}
	if !c.enterStream(now, t, stream) {
		return true // answered
	}
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
		if c.x.began {
			c.endEvents()
		}
		c.flags |= flagClose
		c.finish(l.now)
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
	l.srv.sessions.with(u.session, false, l.now, func(s *session) {
		if s.stream != own {
			return
		}
		s.stream = target{}
		if c.has(flagTyped) { // of HTTP+SSE: the session ends with it
			calls = append(calls, s.calls...)
			s.info, s.level, s.uris = mcp.SessionInfo{}, "", nil
		}
	})
	for _, r := range calls {
		r.job.loop.postItem(item{kind: itemCancel, job: r.job, gen: r.gen, end: true})
	}
}

// applyOp does what a request wants changed in its session.
func (s *Server) applyOp(now tick, t *ticket, op mcp.SessionOp) *jsonrpc.Error {
	var stream target
	refused := false
	ok := s.sessions.with(t.key, op.Kind != mcp.OpUnsubscribe && !t.sse, now, func(ses *session) {
		if t.sse && ses.stream.loop == nil {
			return // it has ended with its stream
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
			stream = ses.stream
		case mcp.OpUnsubscribe:
			if _, has := ses.uris[op.URI]; has {
				delete(ses.uris, op.URI)
				stream = ses.stream
			}
		}
	})
	switch {
	case !ok:
		return errSessionsFull
	case refused:
		return errManySubscriptions
	}
	if stream.loop != nil {
		stream.loop.postItem(item{kind: itemSubscribe, h: stream.h, uri: op.URI, end: op.Kind == mcp.OpUnsubscribe})
	}
	return nil
}

// maxSessionURIs bounds the resources that a session subscribes to, as a listen request's.
const maxSessionURIs = 1024

var errManySubscriptions = &jsonrpc.Error{Code: jsonrpc.CodeInvalidParams, Message: "too many subscriptions"}

// serveSubscribe adds a resource to those that an open stream listens to, or takes it away.
func (l *loop) serveSubscribe(it *item) {
	c := l.lookup(it.h)
	if c == nil || c.state != connStateStream || c.uris == nil || c.uris.replay != 0 {
		return
	}
	for i := range c.uris.refs {
		if r := &c.uris.refs[i]; r.list.uri == it.uri {
			if it.end {
				l.streams.unlisten(l, c, i)
			}
			return
		}
	}
	if !it.end {
		l.streams.listenTo(l, c, []string{it.uri})
	}
}
