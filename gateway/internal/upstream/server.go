package upstream

import (
	"math/rand/v2"
	"sync"
	"time"

	"github.com/mooring-mcp/mooring/gateway/internal/link"
)

// A Server is one configured upstream. Its methods may be called from any goroutine, and do not
// block.
type Server struct {
	opts Options

	mu      sync.Mutex
	effects *[]effect // what unlock does; nil for nothing
	closed  bool
	started bool

	era       era
	home      *session
	sessions  map[key]*session // home is not among them
	conns     map[*conn]bool   // all with a link
	queue     []*Call          // calls without a session
	waiting   int              // calls in queue and in the queues of sessions
	calls     int              // calls that have not ended
	expiry    timer            // the earliest deadline of a call that waits
	expiresAt time.Time

	list  lister
	subs  subscriptions
	parks parking

	lastError string
	lastAt    time.Time
	counts    Counts
}

// An era is what is known of the revisions that the upstream speaks.
type era struct {
	known    bool
	modern   bool
	sse      bool // legacy, over HTTP+SSE of 2024-11-05
	sessions bool // legacy, and it keeps sessions

	// Of a modern upstream:
	both     bool // it says that it is legacy too
	wordless bool // and keeps no sessions there
}

// New returns a Server. It does nothing before Start or Connect.
func New(o Options) *Server {
	o.setDefaults()
	s := &Server{opts: o, sessions: map[key]*session{}, conns: map[*conn]bool{}}
	s.home = newSession(s, key{class: s.classOf(o.CatalogueClass)})
	s.list.srv, s.subs.srv, s.parks.srv = s, s, s
	s.subs.byURI = map[string]*subscription{}
	s.parks.byToken = map[string]*parked{}
	return s
}

// Connect connects to the upstream and reads its catalogue, instead of waiting for the first call.
// From then on lost connections are renewed.
func (s *Server) Connect() {
	s.mu.Lock()
	if !s.closed && !s.started {
		s.started = true
		s.wake(s.home)
	}
	s.unlock()
}

// Close ends all calls and sessions. Calls that are started later fail with link.Closed.
func (s *Server) Close() {
	s.mu.Lock()
	defer s.unlock()
	if s.closed {
		return
	}
	s.closed = true
	err := &link.Error{Reason: link.Closed}
	queue := s.queue
	s.queue = nil
	s.waiting -= len(queue)
	s.parks.close()
	for _, c := range queue {
		s.finish(c, End{Err: err})
	}
	for _, ss := range s.sessions {
		s.closeSession(ss, err)
	}
	clear(s.sessions)
	s.closeSession(s.home, err)
	for k := range s.conns {
		k.close(err)
	}
	s.expiry.stop()
	s.list.close()
	s.subs.close()
}

// isolated reports whether a question on stdio, where nothing says which call it belongs to, can
// only belong to one front.
func (s *Server) isolated() bool { return s.opts.Share == ShareClient || s.opts.Concurrency == 1 }

// serial reports whether a session has one call at a time, so that what comes belongs to it.
func (s *Server) serial() bool { return s.opts.Stdio && s.opts.Concurrency == 1 }

// classOf returns the capabilities that a session may declare for fronts of class k.
func (s *Server) classOf(k Class) Class {
	if s.opts.Stdio && !s.isolated() {
		return 0
	}
	return k
}

// keyOf returns the key of the session for c. The era is known.
func (s *Server) keyOf(c *Call) key {
	var k key
	if s.opts.PrincipalCredentials {
		k.principal = c.Principal
	}
	if s.era.modern && s.speaksLegacy(c) {
		k.legacy = true
		if s.era.wordless {
			k.class = s.home.key.class
			return k
		}
	} else if s.era.modern || !s.era.sessions {
		k.class = s.home.key.class
		return k
	}
	k.class = s.classOf(c.Class)
	if s.opts.Share != ShareAll {
		k.principal = c.Principal
	}
	if s.opts.Share == ShareClient {
		k.front = c.SessionKey
	}
	return k
}

// speaksLegacy reports whether c goes to a legacy session of a modern upstream.
func (s *Server) speaksLegacy(c *Call) bool {
	return c.Legacy && s.era.both && s.opts.Era == EraAuto && s.classOf(c.Class) != 0
}

// place finds a session for c, or makes one, or lets c wait. C is nowhere yet.
func (s *Server) place(c *Call) {
	switch {
	case s.closed:
		s.finish(c, End{Err: &link.Error{Reason: link.Closed, Unsent: true}})
	case !c.Deadline.IsZero() && !time.Now().Before(c.Deadline):
		s.finish(c, End{Err: &link.Error{Reason: link.Timeout, Unsent: true}})
	case !s.era.known:
		if err := s.home.unavailable(); err != nil {
			s.finish(c, End{Err: err})
			return
		}
		if s.enqueue(c) {
			s.wake(s.home)
		}
	default:
		if ss := s.sessionFor(s.freeKey(s.keyOf(c))); ss != nil {
			s.take(ss, c)
		} else {
			s.enqueue(c)
		}
	}
}

// enqueue lets c wait for a session, and reports whether there was room.
func (s *Server) enqueue(c *Call) bool {
	if !s.room(c) {
		return false
	}
	c.state = callQueued
	s.queue = append(s.queue, c)
	s.expireAt(c.Deadline)
	return true
}

// room reports whether one more call may wait, and ends it if not.
func (s *Server) room(c *Call) bool {
	if s.waiting >= s.opts.MaxWaiting {
		s.finish(c, End{Err: &link.Error{Reason: link.Busy, Unsent: true, RetryAfter: time.Second}})
		return false
	}
	s.waiting++
	return true
}

// placeQueued places the calls that waited for the era or for a session.
func (s *Server) placeQueued() {
	queue := s.queue
	s.queue = nil
	for _, c := range queue {
		s.waiting--
		c.state = callNew
		s.place(c)
	}
}

// failQueued ends the calls that wait for the era.
func (s *Server) failQueued(err *link.Error) {
	queue := s.queue
	s.queue = nil
	s.waiting -= len(queue)
	for _, c := range queue {
		s.finish(c, End{Err: err})
	}
}

// expireAt makes sure that waiting calls are looked at when the deadline is over.
func (s *Server) expireAt(deadline time.Time) {
	if deadline.IsZero() || s.expiry.running() && !deadline.Before(s.expiresAt) {
		return
	}
	s.expiresAt = deadline
	s.set(&s.expiry, max(time.Until(deadline), 10*time.Millisecond), s.expire)
}

// expire ends the waiting calls whose deadline is over.
func (s *Server) expire() {
	now := time.Now()
	var over []*Call
	sort := func(calls []*Call) []*Call {
		keep := calls[:0]
		for _, c := range calls {
			if !c.Deadline.IsZero() && !now.Before(c.Deadline) {
				over = append(over, c)
				continue
			}
			keep = append(keep, c)
			s.expireAt(c.Deadline)
		}
		clear(calls[len(keep):])
		return keep
	}
	s.queue = sort(s.queue)
	s.home.waiting = sort(s.home.waiting)
	for _, ss := range s.sessions {
		ss.waiting = sort(ss.waiting)
	}
	s.waiting -= len(over)
	for _, c := range over {
		s.finish(c, End{Err: &link.Error{Reason: link.Timeout, Unsent: true}})
	}
}

// failed remembers err for operators.
func (s *Server) failed(err error) {
	s.lastError, s.lastAt = err.Error(), time.Now()
}

// backoff returns how long to wait after n failures in a row.
func backoff(n int) time.Duration {
	d := maxBackoff
	if n < 8 {
		d = min(minBackoff<<max(n-1, 0), maxBackoff)
	}
	return jitter(d, 0.2)
}

// jitter returns a duration that differs from d by at most the part.
func jitter(d time.Duration, part float64) time.Duration {
	return time.Duration(float64(d) * (1 - part + 2*part*rand.Float64()))
}
