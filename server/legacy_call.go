package server

import (
	"github.com/mooring-mcp/mooring/jsonrpc"
	"github.com/mooring-mcp/mooring/server/internal/session"
)

// This file has the life of a call of an earlier revision: its place in its session, its time
// without a connection, its time limit and its cancellation.

// register enters a call that a worker will serve in its session, behind those in flight. It
// returns the refusal if there are too many. Ids may repeat: some clients send the same one with
// every request, and each answer goes to the POST of its own request, so only a cancellation has
// to choose.
func (l *loop) register(j *job) (refusal *jsonrpc.Error) {
	lc := &j.legacy
	if !lc.inSession() {
		return nil
	}
	settle, err := l.srv.sessions.Charge(lc.ticket.Key, session.Account(j.account))
	if settle {
		defer l.srv.sessions.Settle(lc.ticket.Key)
	}
	if err != nil {
		return refusalOf(err)
	}
	err = l.srv.sessions.Register(lc.ticket.Key, lc.key, j, j.gen, lc.link == linkSSE, l.now)
	lc.registered = err == nil
	return refusalOf(err)
}

// unregister takes a call that has ended from its session.
func (l *loop) unregister(j *job) {
	if !j.legacy.registered {
		return
	}
	j.legacy.registered = false
	l.srv.sessions.Unregister(j.legacy.ticket.Key, j, l.now)
}

// jobRef names a call that continues without its connection. It has ended if its job has another
// generation.
type jobRef struct {
	job *job
	gen uint32
}

// keepDetached keeps a call that has lost its connection, until due. Clients that call and leave
// must not take the places of all others: above half of MaxCalls a disconnect is a cancellation
// after all.
func (l *loop) keepDetached(j *job, due tick) {
	lc := &j.legacy
	if lc.link != linkSSE && j.setLink(linkDetached) > int64(l.srv.opts.MaxCalls)/2 {
		j.cancel(errClientGone)
	}
	lc.due = due
	j.forgetPeer()
	l.detached = append(l.detached, jobRef{j, j.gen})
	switch {
	case lc.phase == phaseParked && j.cancelled():
		l.endParked(j, "it is gone")
	case lc.phase == phaseParked && l.draining:
		l.endParked(j, shuttingDown)
	case lc.phase == phaseParked && j.svc.removed.Load(): // the farewell may have been here before
		l.endParked(j, endpointRemoved)
	}
}

// forgetPeer forgets what is known of the connection that the call has lost. How many bytes waited
// there says nothing about the connection on which the client fetches the rest.
func (j *job) forgetPeer() {
	j.unsent.Store(0)
	j.full.Store(false)
}

// expireDetached ends calls without a connection that have run out of time, at most a slice of
// them in a tick.
func (l *loop) expireDetached() {
	ended := 0
	kept := l.detached[:0]
	for _, r := range l.detached {
		switch j := r.job; {
		case j.gen != r.gen || j.legacy.phase == phaseAnswered:
		case l.now < j.legacy.due || ended == sliceLimit:
			kept = append(kept, r)
			continue
		case j.legacy.link == linkSSE:
			l.count(j.method, outcomeTimeout)
			j.cancel(errCallTimeout)
			if j.id != nil {
				l.sendSSE(j, jsonrpc.AppendError(nil, j.id, l.srv.opts.errTimeout()))
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

// timeOut answers a call that ran out of time. Its handler keeps running until it notices that its
// context is done.
func (l *loop) timeOut(j *job) {
	switch j.legacy.phase {
	case phaseTimedOut:
		return // it was parked, and its answer is on its way
	case phaseParked:
		l.count(j.method, outcomeTimeout)
		l.endParked(j, "the call took longer than the server's limit")
		j.setPhase(phaseTimedOut)
	default:
		l.count(j.method, outcomeTimeout)
		j.setPhase(phaseTimedOut)
		j.cancel(errCallTimeout)
		e := l.srv.opts.errTimeout()
		l.emit(j, 200, e.Code, jsonrpc.AppendError(nil, j.id, e), true)
	}
}

// cancelCall ends the context of the call of session k whose id, JSON text, is id. If several have
// that id, it ends the newest that was not cancelled before. It may be called from any goroutine.
func (s *Server) cancelCall(k session.Key, now tick, id []byte) {
	call, ok := s.sessions.Cancel(k, id, now)
	switch {
	case !ok:
	case call.Stop != nil:
		(*call.Stop)(errCancelled)
	default:
		call.Job.loop.postItem(item{kind: itemCancel, job: call.Job, gen: call.Gen})
	}
}

// serveCancel ends the context of a call. One that waits for its client is answered at once.
func (l *loop) serveCancel(it *item) {
	j := it.job
	if j.gen != it.gen {
		return
	}
	if j.legacy.link == linkSSE {
		cause := errCancelled
		if it.end {
			cause = errClientGone
		}
		j.cancel(cause)
		l.endSSECall(j, outcomeCancelled)
		return
	}
	j.cancel(errCancelled)
	if j.legacy.phase == phaseParked { // otherwise its handler answers, though nobody waits for it
		l.endParked(j, "the call was cancelled")
	}
}

// clientGone handles a call whose connection has closed. On 2026-07-28 that is the cancellation;
// earlier, "disconnection SHOULD NOT be interpreted as the client cancelling its request"
// (2025-11-25, basic/transports).
func (l *loop) clientGone(j *job, c *conn) {
	lc := &j.legacy
	if j.preparing && lc.membership == membershipMember {
		j.setPhase(phaseLeft)
		lc.due = c.x.due
		return
	}
	if !lc.inSession() {
		j.cancel(errClientGone)
		l.count(j.method, outcomeCancelled)
		return
	}
	if lc.stream != 0 {
		l.leaveReplay(j, c.place())
	}
	l.keepDetached(j, c.x.due)
}
