package server

import (
	"errors"

	"github.com/mooring-mcp/mooring/server/internal/session"
)

// This file has the streams on which a client reconnects: for the rest of a call's stream, or for
// what changed while it was away.

// resumed reports whether c is the stream of a call that continues here.
func (c *conn) resumed() bool { return c.uris != nil && c.uris.replay != 0 }

// missedSince marks what changed after the event id, which names a change, so that the stream
// reports it.
func (c *conn) missedSince(id []byte) {
	_, n, ok := session.ParseEventID(id)
	if !ok || !validNotice(id) {
		return
	}
	notices := &c.svc.notices
	notices.mu.Lock()
	defer notices.mu.Unlock()
	c.dirty |= notices.log.since(n) & c.topics
	for i := range c.uris.refs {
		if notices.log.updatedSince(c.uris.refs[i].list.uri, n) {
			c.uris.refs[i].dirty = true
		}
	}
}

func validNotice(id []byte) bool { return len(id) > 2 && id[0] == '0' && id[1] == '-' }

// resumeStream continues the stream of a call after its event n. It reports false if the session
// has no such stream, or no longer has that position.
func (c *conn) resumeStream(now tick, t *session.Ticket, stream, n uint64) bool {
	l := c.loop
	s := l.srv
	full, a := !s.countStream(), c.streamAccount()
	e := c.takeStream(a)
	from, err := s.sessions.Resume(t.Key, stream, n, c.place(), full || e.exceeds(), now)
	switch {
	case errors.Is(err, session.ErrNoReplay):
		s.streams.Add(-1)
		c.leaveStreamPlace()
		return false
	case err != nil:
		c.refuseStream(now, err, e, full)
		return true
	}
	if e.exceeds() {
		c.forceStream(a)
	}
	s.postTo(from.Old, item{kind: itemMoved, arg: stream})
	c.joinStreams(t.Key, stream)
	for i, msg := range from.Events {
		c.appendScratch(appendFrame(l.event[:0], stream, n+uint64(i)+1, false, msg))
	}
	if from.Done {
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
	if u.replay != 0 {
		l.srv.sessions.LeaveReplay(u.session, u.replay, c.place(), l.now)
		return
	}
	ends := c.has(flagTyped) // a session over HTTP+SSE ends with its stream
	calls, subs := l.srv.sessions.Leave(u.session, c.place(), ends, l.now)
	forgotSubscriptions(subs)
	for _, call := range calls {
		call.Job.loop.postItem(item{kind: itemCancel, job: call.Job, gen: call.Gen, end: true})
	}
}

// closeResumed ends the stream on which the client resumed a call that continues.
func (l *loop) closeResumed(j *job, retry uint64) {
	if j.legacy.stream != 0 {
		carrier := l.srv.sessions.Carrier(j.legacy.ticket.Key, j.legacy.stream, l.now)
		l.srv.postTo(carrier, item{kind: itemEndStream, arg: retry})
	}
}

// leaveReplay notes that the connection from no longer carries the stream of j.
func (l *loop) leaveReplay(j *job, from session.Place) {
	l.srv.sessions.LeaveReplay(j.legacy.ticket.Key, j.legacy.stream, from, l.now)
}
