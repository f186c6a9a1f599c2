package upstream

import (
	"strconv"
	"time"

	"github.com/mooring-mcp/mooring/gateway/internal/link"
	"github.com/mooring-mcp/mooring/jsonrpc"
)

// A conn is one link of a session, and what is in flight on it. It is the link's Receiver. Its
// fields are guarded by the lock of srv, except for those that New sets.
type conn struct {
	srv  *Server
	sess *session
	link link.Link

	state    connState
	gone     bool // the link was lost, and is not to be used
	opened   time.Time
	modern   bool
	version  string
	server   serverInfo
	lastID   int64
	heard    bool // something has become of the stream of the session
	streamed bool // the stream of the session was open
	pending  map[int64]pending
	calls    int // calls in pending, and those cancelled that may still run
	step     timer
	probe    int64 // the id of server/discover, while it may still be answered
	initID   int64 // likewise of initialize

	questions map[string]*Question // without an answer, by the upstream's id

	level    Level // what the upstream was told
	leveling bool  // it is being told
}

// A connState says what a conn is good for.
type connState uint8

const (
	connOpening connState = iota
	connReady             // takes calls
	connRetired           // its calls may end, but it takes no more
	connClosed            // what comes is ignored
)

// A pending is what a response is for: a call, or a request of the Server's own. Both are nil if a
// call was cancelled.
type pending struct {
	call  *Call
	inner *inner
	late  bool  // cancelled, and perhaps still running
	level Level // that the call wants
}

// An inner is a request of the Server's own. Done is called under the lock with the response, or
// an error. Parse is called before it without the lock, and only with a result.
type inner struct {
	parse func(result []byte)
	done  func(env *jsonrpc.Envelope, err *link.Error)
}

// newConn opens a link for ss.
func (s *Server) newConn(ss *session, open Opener) *conn {
	k := &conn{srv: s, sess: ss, pending: map[int64]pending{}, questions: map[string]*Question{}, opened: time.Now()}
	ss.conn = k
	s.conns[k] = true
	s.counts.Opened++
	k.link = open(k, ss.key.principal)
	return k
}

// takes reports whether k can send one more call.
func (k *conn) takes() bool {
	o := &k.srv.opts
	return k.state == connReady && !k.leveling && (!o.Stdio || k.calls < o.Concurrency)
}

// reserve gives c an id, and sends it when the lock is free.
func (k *conn) reserve(c *Call) {
	k.lastID++
	c.state, c.session, c.conn, c.id = callFlying, k.sess, k, k.lastID
	k.pending[c.id] = pending{call: c, level: c.LogLevel}
	k.calls++
	k.srv.deliver(c, event{kind: eventLaunch, conn: k, id: c.id})
}

// request sends a request of the Server's own and returns its id.
func (k *conn) request(m link.Message, params []byte, in *inner) int64 {
	k.lastID++
	m.Kind, m.ID = link.Request, k.lastID
	st := stamp{modern: k.modern, clientInfo: k.srv.opts.ClientInfo}
	if k.modern {
		st.capabilities = k.sess.key.class.appendCapabilities(nil)
	}
	m.Body = appendRequest(nil, m.ID, m.Method, params, &st)
	k.pending[m.ID] = pending{inner: in}
	k.link.Send(&m)
	return m.ID
}

func (k *conn) notify(method string) {
	k.link.Send(&link.Message{Kind: link.Notification, Method: method, Body: jsonrpc.AppendNotification(nil, method, nil)})
}

// statusMisdirected is 421 of HTTP: another connection may serve the request.
const statusMisdirected = 421

// abandon gives up the call with its id, as the era of the upstream wants it. The call gets
// nothing more.
func (k *conn) abandon(c *Call, reason string) {
	delete(k.pending, c.id)
	s := k.srv
	if !c.sent {
		k.calls--
		return
	}
	s.counts.Canceled++
	if !k.modern || s.opts.Stdio {
		const method = "notifications/cancelled"
		k.link.Send(&link.Message{Kind: link.Notification, Method: method, Body: appendCancelled(nil, c.id, reason)})
	}
	if !s.opts.Stdio {
		k.calls--
		k.link.Cancel(c.id)
		return
	}
	// What comes next may still belong to it, so that it counts as running for a while.
	id := c.id
	k.pending[id] = pending{late: true, level: c.LogLevel}
	var t timer
	s.set(&t, lateWait, func() { k.settle(id) })
}

// settle forgets a cancelled call that was not answered.
func (k *conn) settle(id int64) {
	if k.state == connClosed || !k.pending[id].late {
		return
	}
	delete(k.pending, id)
	k.calls--
	k.link.Cancel(id)
	k.freed()
}

// freed is called when k has one call less that nobody pumps for.
func (k *conn) freed() {
	if k.state == connRetired && k.calls == 0 {
		k.close(&link.Error{Reason: link.Closed})
	} else if k.sess.conn == k {
		k.srv.pump(k.sess)
	}
}

// close ends the link and what is in flight on it.
func (k *conn) close(err *link.Error) {
	if k.state == connClosed {
		return
	}
	if !k.gone {
		k.link.Close()
	}
	k.end(err)
}

// end makes k forget everything. The link is closed, or lost.
func (k *conn) end(err *link.Error) {
	if k.state == connClosed {
		return
	}
	k.state = connClosed
	delete(k.srv.conns, k)
	k.leave()
	k.step.stop()
	if k.sess.conn == k {
		k.sess.conn = nil
	}
	all := k.pending
	k.pending = nil
	for id, p := range all {
		k.fail(id, p, err)
	}
}

// leave is called when k is no longer what the home session is told of changes by.
func (k *conn) leave() {
	if s := k.srv; s.list.conn == k {
		s.list.lost()
		s.subs.lost()
	}
}

// fail ends what waits for the response with the id, which was taken out of pending.
func (k *conn) fail(id int64, p pending, err *link.Error) {
	switch c := p.call; {
	case p.inner != nil:
		p.inner.done(nil, err)
	case p.late:
		k.calls--
		k.freed()
	case c != nil:
		k.calls--
		k.failCall(c, err)
	}
}

// failCall ends c, or places it again if the upstream has certainly not run it.
func (k *conn) failCall(c *Call, err *link.Error) {
	s := k.srv
	switch err.Reason {
	case link.Expired:
		k.expired(err)
		if c.mayResend() {
			s.resend(c)
			k.freed()
			return
		}
	case link.Lost, link.Closed, link.Status:
		if err.Reason == link.Status && err.Status != statusMisdirected {
			break
		}
		if (err.Unsent || !c.sent) && c.mayResend() {
			s.resend(c)
			k.freed()
			return
		}
	case link.Timeout:
		if c.sent && (!k.modern || s.opts.Stdio) && k.state != connClosed {
			const method = "notifications/cancelled"
			k.link.Send(&link.Message{Kind: link.Notification, Method: method, Body: appendCancelled(nil, c.id, "timeout")})
		}
	}
	s.refuseQuestions(c)
	s.failed(err)
	s.finish(c, End{Err: err})
	k.freed()
}

// expired is called when the upstream does not know the session any more. What is in flight may
// still be answered; others open a new session.
func (k *conn) expired(err *link.Error) {
	if k.state != connReady {
		return
	}
	s, ss := k.srv, k.sess
	s.counts.Expired++
	k.state = connRetired
	if k.modern {
		s.forgetEra("the upstream wants a session")
	}
	if ss.conn != k {
		return
	}
	ss.conn = nil
	k.leave()
	if ss == s.home && s.started || len(ss.waiting) > 0 {
		s.wake(ss)
	}
}

// forgetEra makes the Server ask again what the upstream speaks.
func (s *Server) forgetEra(why string) {
	if !s.era.known || s.closed {
		return
	}
	s.opts.Logger.Info("gateway: the upstream is asked again which revision it speaks", "reason", why)
	s.era = era{}
	for _, ss := range s.sessions {
		s.retire(ss)
	}
	s.retire(s.home)
	if s.started || len(s.queue) > 0 {
		s.wake(s.home)
	}
}

// retire makes ss let go of its conn, whose calls may end. Its waiting calls are placed anew.
func (s *Server) retire(ss *session) {
	if k := ss.conn; k != nil {
		ss.conn = nil
		if k.state == connOpening || k.calls == 0 {
			k.close(&link.Error{Reason: link.Closed})
		} else {
			k.state = connRetired
			k.leave()
		}
	}
	for _, c := range ss.waiting {
		c.state, c.session = callQueued, nil
		s.queue = append(s.queue, c)
	}
	ss.waiting = nil
	if ss != s.home {
		ss.idle.stop()
		delete(s.sessions, ss.key)
	}
}

// lowerLevel tells a legacy upstream the lowest level that a call has wanted.
func (k *conn) lowerLevel() {
	want := k.sess.level
	if k.modern || k.leveling || want == LevelNone || k.level != LevelNone && k.level <= want || !k.server.logging {
		return
	}
	k.leveling = true
	params := []byte(`{"level":` + strconv.Quote(want.String()) + `}`)
	m := link.Message{Method: "logging/setLevel", Deadline: time.Now().Add(listTimeout)}
	k.request(m, params, &inner{done: func(_ *jsonrpc.Envelope, err *link.Error) {
		k.leveling = false
		k.level = want
		if err != nil && err.Reason == link.Expired {
			k.expired(err)
		}
		k.freed()
	}})
}
