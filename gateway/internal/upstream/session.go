package upstream

import (
	"time"

	"github.com/mooring-mcp/mooring/gateway/internal/link"
)

// A key says who shares a session. It has the zero value of what does not matter for the upstream.
type key struct {
	principal string
	class     Class
	front     string
	legacy    bool // a legacy session of an upstream that is modern too
	nth       int  // see freeKey
}

// freeKey returns k, or one for another session of the same fronts while in that of k a call waits
// for a front that may never come back. Nobody could tell whose the questions in it are, and one
// with one call at a time would have no other.
func (s *Server) freeKey(k key) key {
	if !s.opts.Stdio || !s.isolated() || k.class == 0 {
		return k
	}
	for {
		ss := s.home
		if k != s.home.key {
			ss = s.sessions[k]
		}
		if ss == nil || ss.conn == nil || !ss.conn.deserted() {
			return k
		}
		k.nth++
	}
}

// deserted reports whether the upstream has a call that has no front now.
func (k *conn) deserted() bool {
	for _, p := range k.pending {
		if p.call != nil && p.call.handler == nil {
			return true
		}
	}
	return false
}

// A session is what fronts with the same key share. It survives its links: when one is lost, the
// next call opens another. Its fields are guarded by the lock of srv.
type session struct {
	srv      *Server
	key      key
	conn     *conn   // the link for new calls, which may not be ready; nil if there is none
	waiting  []*Call // calls for a conn that is not ready
	level    Level   // the lowest that a call has wanted; LevelNone for none
	used     time.Time
	idle     timer
	again    timer // opens a link after a failure
	failures int   // attempts in a row that have failed, or connections that soon ended
	retryAt  time.Time
	over     bool // its front has left: it ends when its calls have
	lastErr  *link.Error
}

func newSession(s *Server, k key) *session { return &session{srv: s, key: k, used: time.Now()} }

// sessionFor returns the session with the key, which it makes if there is room, or nil.
func (s *Server) sessionFor(k key) *session {
	if k == s.home.key {
		return s.home
	}
	if ss := s.sessions[k]; ss != nil {
		return ss
	}
	if len(s.sessions)+1 >= s.opts.MaxSessions && !s.evict() {
		return nil
	}
	ss := newSession(s, k)
	s.sessions[k] = ss
	return ss
}

// evict closes the session that has been idle longest, and reports whether there was one.
func (s *Server) evict() bool {
	var oldest *session
	for _, ss := range s.sessions {
		if ss.isIdle() && (oldest == nil || ss.used.Before(oldest.used)) {
			oldest = ss
		}
	}
	if oldest == nil {
		return false
	}
	s.counts.Evicted++
	delete(s.sessions, oldest.key)
	s.closeSession(oldest, &link.Error{Reason: link.Closed})
	return true
}

// isIdle reports whether no call needs the session.
func (ss *session) isIdle() bool {
	return len(ss.waiting) == 0 && (ss.conn == nil || ss.conn.state == connReady && ss.conn.calls == 0)
}

// closeSession ends a session and what waits for it. The caller takes it out of sessions.
func (s *Server) closeSession(ss *session, err *link.Error) {
	ss.idle.stop()
	ss.again.stop()
	k, waiting := ss.conn, ss.waiting
	ss.conn, ss.waiting = nil, nil
	s.waiting -= len(waiting)
	for _, c := range waiting {
		s.finish(c, End{Err: err})
	}
	if k != nil {
		k.close(err)
	}
}

// take gives c to the session.
func (s *Server) take(ss *session, c *Call) {
	if ss.conn == nil {
		if err := ss.unavailable(); err != nil {
			s.finish(c, End{Err: err})
			return
		}
	}
	ss.used = time.Now()
	ss.idle.stop()
	if c.LogLevel >= LevelDebug && (ss.level == LevelNone || c.LogLevel < ss.level) {
		ss.level = c.LogLevel
	}
	if k := ss.conn; k != nil && k.state == connReady {
		k.lowerLevel()
		if len(ss.waiting) == 0 && k.takes() {
			k.reserve(c)
			return
		}
	}
	if !s.room(c) {
		return
	}
	c.state, c.session = callWaiting, ss
	ss.waiting = append(ss.waiting, c)
	s.expireAt(c.Deadline)
	s.wake(ss)
	s.pump(ss)
}

// unavailable returns an error if the session has failed so often that calls do not wait for the
// next attempt.
func (ss *session) unavailable() *link.Error {
	left := time.Until(ss.retryAt)
	if ss.conn != nil || ss.failures < patience || left <= 0 {
		return nil
	}
	err := &link.Error{Reason: link.Down, Unsent: true, RetryAfter: left}
	if ss.lastErr != nil {
		err.Err = ss.lastErr
	}
	return err
}

// wake opens a link for ss unless it has one.
func (s *Server) wake(ss *session) {
	if ss.conn == nil && !s.closed {
		ss.again.stop()
		s.open(ss)
	}
}

// pump sends the calls that wait for ss as far as that is possible, and notices if nobody needs
// ss.
func (s *Server) pump(ss *session) {
	if k := ss.conn; k != nil && k.state == connReady {
		k.lowerLevel()
		for len(ss.waiting) > 0 && k.takes() {
			c := ss.waiting[0]
			ss.waiting = ss.waiting[1:]
			s.waiting--
			k.reserve(c)
		}
	}
	if s.closed {
		return
	}
	if !ss.isIdle() {
		ss.idle.stop()
		return
	}
	ss.used = time.Now()
	switch {
	case ss.over:
		s.dropSession(ss)
	case len(s.queue) > 0 && s.era.known && ss != s.home:
		s.dropSession(ss) // a call waits for a session
	case s.opts.SessionIdle > 0 && !ss.idle.running() && !ss.stays():
		s.set(&ss.idle, s.opts.SessionIdle, func() { s.idled(ss) })
	}
}

// stays reports whether an idle session is kept: the home session is told of changes. A child that
// nobody needs is stopped all the same.
func (ss *session) stays() bool {
	s := ss.srv
	return ss == s.home && s.started && (!s.opts.Stdio || s.subs.wanted > 0)
}

// idled closes ss, which nobody has used for a while.
func (s *Server) idled(ss *session) {
	if ss.isIdle() && !ss.stays() {
		s.dropSession(ss)
	}
}

// dropSession closes ss, which nobody needs.
func (s *Server) dropSession(ss *session) {
	if s.sessions[ss.key] == ss {
		delete(s.sessions, ss.key)
	}
	s.closeSession(ss, &link.Error{Reason: link.Closed})
	ss.failures, ss.lastErr = 0, nil
	if len(s.queue) > 0 && s.era.known {
		s.placeQueued() // there is room now
	}
}

// Forget says that the session of a front is over. With ShareClient its upstream session ends when
// its calls have.
func (s *Server) Forget(principal, sessionKey string) {
	if s.opts.Share != ShareClient || sessionKey == "" {
		return
	}
	s.mu.Lock()
	for k, ss := range s.sessions {
		if k.principal != principal || k.front != sessionKey {
			continue
		}
		ss.over = true
		if ss.isIdle() {
			s.dropSession(ss)
		}
	}
	s.unlock()
}

// lostLink records that a link of ss is gone, and opens another if somebody needs it.
func (s *Server) lostLink(ss *session, lived time.Duration, err *link.Error) {
	s.failed(err)
	if lived >= maxBackoff {
		ss.failures = 0
	}
	ss.failures++
	wait := max(backoff(ss.failures), err.RetryAfter)
	ss.lastErr, ss.retryAt = err, time.Now().Add(wait)
	if ss == s.home && s.started {
		s.set(&ss.again, wait, func() { s.wake(ss) })
		return
	}
	if len(ss.waiting) > 0 {
		s.wake(ss)
	} else if ss.over {
		s.dropSession(ss)
	} else if ss != s.home && s.opts.SessionIdle > 0 {
		s.set(&ss.idle, s.opts.SessionIdle, func() { s.idled(ss) })
	}
	if len(s.queue) > 0 && s.era.known {
		s.placeQueued()
	}
}
