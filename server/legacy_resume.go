package server

import (
	"github.com/mooring-mcp/mooring/mcp"
	"github.com/mooring-mcp/mooring/server/internal/wheel"
)

// This file has the streams on which a client comes back: for the rest of a call's stream, or for
// what changed while it was away.

// resumed reports whether c is the stream of a call that goes on here.
func (c *conn) resumed() bool { return c.uris != nil && c.uris.replay != 0 }

// missedSince marks what changed after the event id, which names a change, so that the stream
// reports it.
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

// resumeStream continues the stream of a call after its event n. It reports false if the session has
// no such stream, or no longer has that position.
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
	c.joinStreams(t.key, stream)
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
	c.toStreamState(now)
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
		l.keepDetached(j, c.x.due)
		c.handOver(l.now)
	}
	c.flush()
}

// handOver ends the connection of a call whose stream goes to another, or to none any more.
func (c *conn) handOver(now tick) {
	if c.x.began {
		c.endEvents()
	}
	c.flags |= flagClose
	c.finish(now)
	c.flush()
}

// leaveSession takes the stream c, which has ended, from its session.
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

// closeResumed ends the stream on which the client came back for a call that goes on.
func (l *loop) closeResumed(j *job, retry uint64) {
	var carrier target
	if j.legacy.stream != 0 {
		l.srv.sessions.with(j.legacy.ticket.key, false, l.now, func(s *session) {
			if r := s.replay(j.legacy.stream); r != nil {
				carrier = r.carrier
			}
		})
	}
	if carrier.loop != nil {
		carrier.loop.postItem(item{kind: itemEndStream, h: carrier.h, arg: retry})
	}
}

// leaveReplay notes that the connection from no longer carries a call's stream.
func (l *loop) leaveReplay(k sessionKey, stream uint64, from target) {
	l.srv.sessions.with(k, false, l.now, func(s *session) {
		r := s.replay(stream)
		if r == nil || r.carrier != from {
			return
		}
		r.carrier = target{}
		if r.done {
			r.expires = l.now + wheel.Ticks(l.srv.opts.ReplayAge)
		}
	})
}
