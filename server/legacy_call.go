package server

import (
	"context"
	"errors"
	"slices"
	"strconv"

	"github.com/mooring-mcp/mooring/jsonrpc"
	"github.com/mooring-mcp/mooring/mcp"
)

// A call of an earlier revision differs from a modern one in three ways: a disconnect does not end it, it can be cancelled and answered from other connections, and it can ask
// its client something and wait. While it waits it holds no goroutine.

// errCancelled is the cause of the end of a call that its client cancelled.
var errCancelled = errors.New("server: the client cancelled the call")

// legacyCall is what a job of an earlier revision has besides. The loop owns it, but for what a worker sets before it posts.
type legacyCall struct {
	on         bool // the message is of an earlier revision
	named      bool // it named a session
	known      bool // which could be opened
	ticket     ticket
	key        string // the call among those of its session: the JSON text of its id
	registered bool
	stream     uint64 // names the event stream in event ids; 0: its events have none
	detached   bool   // the connection is gone, the call goes on
	loose      bool   // counted among Server.loose
	left       bool   // its client went while it was prepared
	over       bool   // it was answered, maybe in its handler's stead
	unheard    bool   // a message of it went nowhere: its client has gone and cannot come back for it
	counted    bool   // how it ended is counted
	to         *loop  // of a carried call: the loop of that stream
	carried    bool   // from the beginning: its messages go to the stream of its session
	due        tick   // of a call that was detached, or left
	parked     bool   // it waits for its client, without a worker
	waiting    int    // answers to come
	responses  []byte // the answers so far: members of a JSON object
}

// register files a call that a worker will serve under its session, behind those that are in flight. It returns the refusal of one too many. Ids may repeat: there are clients that send
// the same one with every request, and each answer goes to the request's own POST, so only a cancellation has to choose.
func (l *loop) register(j *job) (refusal *jsonrpc.Error) {
	lc := &j.legacy
	if !lc.on || !lc.known {
		return nil
	}
	if lc.carried {
		refusal = errSessionGone // unless its stream is still there
	}
	ok := l.srv.sessions.with(lc.ticket.key, !lc.carried, l.now, func(s *session) {
		if lc.carried && s.stream.loop == nil {
			return
		}
		refusal = nil
		if len(s.calls) >= maxSessionCalls {
			refusal = errOverload
			return
		}
		s.calls = append(s.calls, callRef{id: lc.key, job: j, gen: j.gen})
		lc.registered = true
	})
	if !ok {
		return l.srv.errRefused(lc.ticket.key)
	}
	return refusal
}

// maxSessionCalls bounds the calls in flight of one session.
const maxSessionCalls = 1024

// errRefused is why a session got no place in the table: there is none, or the session was deleted meanwhile.
func (s *Server) errRefused(k sessionKey) *jsonrpc.Error {
	if s.sessions.isRevoked(k) {
		return errSessionGone
	}
	return errSessionsFull
}

// refusalStatus returns the HTTP status for a refusal of register.
func refusalStatus(e *jsonrpc.Error) int {
	switch e {
	case errSessionsFull, errOverload:
		return 503
	case errSessionGone:
		return 404
	}
	return 400
}

var errSessionsFull = &jsonrpc.Error{Code: jsonrpc.CodeInternalError, Message: "too many sessions with state"}

// unregister takes a call that is over from its session.
func (l *loop) unregister(j *job) {
	if !j.legacy.registered {
		return
	}
	j.legacy.registered = false
	l.srv.sessions.with(j.legacy.ticket.key, false, l.now, func(s *session) {
		l.srv.sessions.forgetAnswers(s, j)
		s.calls = slices.DeleteFunc(s.calls, func(r callRef) bool { return r.job == j })
		kept := s.asks[:0]
		for _, a := range s.asks {
			if a.job != j {
				kept = append(kept, a)
			}
		}
		clear(s.asks[len(kept):])
		s.asks = kept
	})
}

// letGoOn keeps a call whose connection is gone, until due. Clients that call and go cannot take the places of all others: at half of them a disconnect is a cancellation after all.
func (l *loop) letGoOn(j *job, due tick) {
	lc := &j.legacy
	if !lc.carried && !lc.loose {
		lc.loose = true
		if l.srv.loose.Add(1) > int64(l.srv.opts.MaxCalls)/2 {
			j.cancel(errClientGone)
		}
	}
	lc.detached = true
	lc.due = due
	j.forgetPeer()
	l.detached = append(l.detached, callRef{job: j, gen: j.gen})
	switch {
	case lc.parked && j.ctx.Err() != nil:
		l.endParked(j, "it is gone")
	case lc.parked && l.draining:
		l.endParked(j, shuttingDown)
	}
}

// forgetPeer forgets what is known of the connection that the call has lost: how many bytes waited there says nothing of who comes back for the rest.
func (j *job) forgetPeer() {
	j.unsent.Store(0)
	j.full.Store(false)
}

// expireDetached ends the calls without a connection whose time is up, a slice of them a tick.
func (l *loop) expireDetached() {
	ended := 0
	kept := l.detached[:0]
	for _, r := range l.detached {
		switch j := r.job; {
		case j.gen != r.gen || !j.legacy.detached: // it has ended
		case l.now < j.legacy.due || ended == sliceLimit:
			kept = append(kept, r)
			continue
		case j.legacy.carried:
			l.count(j.method, outcomeTimeout)
			j.legacy.detached = false
			j.cancel(errCallTimeout)
			if j.id != nil {
				l.carry(j, jsonrpc.AppendError(nil, j.id, l.srv.opts.errTimeout()))
			}
			l.abandon(j)
		default:
			l.timeOut(j)
		}
		ended++
	}
	clear(l.detached[len(kept):])
	l.detached = kept
}

// timeOut answers a call whose time is up: in its handler's stead, that goes on until it heeds its context.
func (l *loop) timeOut(j *job) {
	lc := &j.legacy
	if lc.counted {
		return // the answer of one that was parked is on its way
	}
	l.count(j.method, outcomeTimeout)
	lc.counted = true
	if lc.parked {
		l.endParked(j, "the call took longer than the server's limit")
		return
	}
	j.cancel(errCallTimeout)
	e := l.srv.opts.errTimeout()
	l.emit(j, 200, e.Code, jsonrpc.AppendError(nil, j.id, e), true)
}

// abandon takes back a call that was answered in its stead, if it has no worker to do so.
func (l *loop) abandon(j *job) {
	if j.legacy.parked {
		l.endParked(j, "nobody waits for the call")
	}
}

// endParked answers a call that no worker runs, and takes it back: its client will not answer, for the reason given.
func (l *loop) endParked(j *job, reason string) {
	j.legacy.parked = false
	j.call.Abandon(j, reason)
	j.stop(context.Canceled)
	l.srv.calls.Add(-1)
	l.postItem(item{kind: itemReturn, job: j}) // behind the answer
}

// Request implements mcp.Requester: it sends what a handler asks of the client on the stream of its call.
func (j *job) Request(asks []mcp.Ask) bool {
	lc := &j.legacy
	if !lc.on || !lc.known || !j.stream && !lc.carried || len(asks) > maxAsks || j.ctx.Err() != nil {
		return false
	}
	s := j.loop.srv
	msgs := make([]*buffer, len(asks))
	lc.waiting, lc.responses = len(asks), []byte{'{'}
	room := s.sessions.with(lc.ticket.key, true, s.tick(), func(ses *session) {
		s.sessions.forgetAnswers(ses, j) // its handler has run with those
		for i := range asks {
			id := strconv.AppendUint([]byte(`"ask-`), s.sessions.askIDs.Add(1), 36)
			id = append(id, '"')
			ses.asks = append(ses.asks, ask{string(id), asks[i].Key, j, j.gen})
			msgs[i] = takeBuffer(askRoom)
			msgs[i].B = mcp.AppendAsk(msgs[i].B[:0], id, &asks[i])
		}
	})
	if !room {
		return false
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, buf := range msgs {
		j.queued.Add(int64(len(buf.B) + frameRoom))
		j.loop.postItem(item{kind: itemNotify, job: j, buf: buf})
	}
	return true
}

// askRoom is what a question or an answer needs besides its content, about.
const askRoom = 256

// maxAsks bounds what a handler may ask at once.
const maxAsks = 64

// answered takes a client's answer to where its question waits; one to no question is ignored. It may be called from any goroutine. It returns the refusal of an answer for which there is
// no room: the question is still open then.
func (s *Server) answered(k sessionKey, now tick, m *jsonrpc.Message) (refusal *jsonrpc.Error) {
	var a ask
	s.sessions.with(k, false, now, func(ses *session) {
		for i := range ses.asks {
			if ses.asks[i].id != string(m.ID) {
				continue
			}
			if ses.asks[i].job.loop.flooded() {
				refusal = errFlooded
			} else if !s.sessions.takeAnswer(ses, ses.asks[i].job, int64(len(m.Result)+askRoom), int64(s.opts.AnswersTotal)) {
				refusal = errManyAnswers
			} else {
				a = ses.asks[i]
				ses.asks = append(ses.asks[:i], ses.asks[i+1:]...)
			}
			return
		}
	})
	if a.job == nil {
		return refusal
	}
	buf := takeBuffer(len(m.Result) + askRoom)
	buf.B = mcp.AppendAskAnswer(buf.B[:0], a.key, m)
	a.job.loop.postItem(item{kind: itemAnswer, job: a.job, gen: a.gen, buf: buf})
	return nil
}

var errManyAnswers = &jsonrpc.Error{Code: jsonrpc.CodeInternalError, Message: "too many bytes of answers wait for their calls"}

// takeAnswer counts an answer of n bytes to a question of j, if there is room for it: in max for all, and for one session in a quarter of what others leave.
func (t *sessions) takeAnswer(s *session, j *job, n, max int64) bool {
	mine, at := n, -1
	for i := range s.calls {
		mine += s.calls[i].answers
		if s.calls[i].job == j && s.calls[i].stop == nil {
			at = i
		}
	}
	used := t.answers.Add(n)
	if at < 0 || mine > (max-(used-mine))/4 {
		t.answers.Add(-n)
		return at < 0 // its call has ended: the answer is dropped where it arrives
	}
	s.calls[at].answers += n
	return true
}

// forgetAnswers is told that the handler of j has run with the answers so far, or will not.
func (t *sessions) forgetAnswers(s *session, j *job) {
	for i := range s.calls {
		if c := &s.calls[i]; c.job == j {
			t.answers.Add(-c.answers)
			c.answers = 0
		}
	}
}

// serveAnswer adds an answer to those of its call, and lets the call go on after the last.
func (l *loop) serveAnswer(it *item) {
	j := it.job
	if j.gen != it.gen {
		return // the call has ended
	}
	lc := &j.legacy
	if len(it.buf.B) > 0 {
		if len(lc.responses) > 1 {
			lc.responses = append(lc.responses, ',')
		}
		lc.responses = append(lc.responses, it.buf.B...)
	}
	lc.waiting--
	l.resumeParked(j)
}

// parkedJob takes the worker back from a call that asked its client.
func (l *loop) parkedJob(j *job) {
	l.workers.put(j.worker)
	j.worker = nil
	j.legacy.parked = true
	lc := &j.legacy
	c := l.lookup(j.h)
	attached := c != nil && c.x != nil && c.x.job == j
	switch {
	case !attached && !lc.detached:
		l.endParked(j, "nobody waits for the call")
	case j.ctx.Err() != nil:
		l.endParked(j, "the call was cancelled")
	case l.draining:
		l.endParked(j, "the server is shutting down")
	case lc.unheard:
		l.endParked(j, "it is gone") // before it was asked
	default:
		l.resumeParked(j)
	}
}

// resumeParked runs a call again that has all its answers.
func (l *loop) resumeParked(j *job) {
	lc := &j.legacy
	if !lc.parked || lc.waiting > 0 {
		return
	}
	lc.parked = false
	l.hand(j, (*job).resume)
}

// resume runs the handler again, with the answers.
func (j *job) resume() {
	defer j.contain()
	responses := append(j.legacy.responses, '}')
	j.legacy.responses = nil // the handler's, which may keep it longer than the job
	j.call.Resume(j.ctx, j, responses)
}

// cancelCall ends the context of the call with the id, JSON text, of session k. Of several with that id it is the newest that no one has cancelled yet. It may be called from any goroutine.
func (s *Server) cancelCall(k sessionKey, now tick, id []byte) {
	var ref callRef
	s.sessions.with(k, false, now, func(ses *session) {
		for i := len(ses.calls) - 1; i >= 0; i-- {
			if r := &ses.calls[i]; r.id == string(id) && !r.cancelled {
				r.cancelled = true
				ref = *r
				return
			}
		}
	})
	switch {
	case ref.stop != nil:
		(*ref.stop)(errCancelled)
	case ref.job != nil:
		ref.job.loop.postItem(item{kind: itemCancel, job: ref.job, gen: ref.gen})
	}
}

// serveCancel ends the context of a call; one that waits for its client is answered at once.
func (l *loop) serveCancel(it *item) {
	j := it.job
	if j.gen != it.gen {
		return
	}
	if j.legacy.carried {
		cause := errCancelled
		if it.end {
			cause = errClientGone
		}
		j.cancel(cause)
		l.endCarried(j, outcomeCancelled)
		return
	}
	j.cancel(errCancelled)
	if j.legacy.parked { // otherwise its handler will answer, to nobody's interest
		l.endParked(j, "the call was cancelled")
	}
}

// serveLegacy sends a notification that a worker posted for a call of an earlier revision.
func (l *loop) serveLegacy(it *item) {
	l.emit(it.job, 0, 0, it.buf.B, false)
	release(it.buf)
}

// serveSession serves an item that has to do with sessions.
func (l *loop) serveSession(it *item) {
	switch it.kind {
	case itemPark:
		l.parkedJob(it.job)
	case itemAnswer:
		l.serveAnswer(it)
	case itemCancel:
		l.serveCancel(it)
	case itemCarry:
		l.serveCarry(it)
	case itemCloseStream:
		l.serveCloseStream(it)
	case itemEndStream:
		l.serveEndStream(it)
	case itemMoved:
		l.serveMoved(it)
	case itemSubscribe:
		l.serveSubscribe(it)
	}
	release(it.buf)
}
