package server

import (
	"context"
	"errors"

	"github.com/mooring-mcp/mooring/jsonrpc"
	"github.com/mooring-mcp/mooring/mcp"
	"github.com/mooring-mcp/mooring/server/internal/session"
)

// This file has the questions that a handler asks its client, their answers, and the time in
// between, in which the call is parked: it has no worker.

const (
	askRoom = 256 // bytes that a question or an answer needs for more than its content, about
	maxAsks = 64  // questions that a handler may ask at once
)

// Request implements mcp.Requester: it sends what a handler asks of the client on the stream of
// its call. It runs on the worker.
func (j *job) Request(asks []mcp.Ask) bool {
	lc := &j.legacy
	if !lc.inSession() || !j.stream && lc.to == nil || len(asks) > maxAsks || j.cancelled() {
		return false
	}
	s := j.loop.srv
	lc.waiting, lc.responses = len(asks), []byte{'{'}
	first, err := s.sessions.Ask(lc.ticket.Key, j, j.gen, asks, s.tick())
	if err != nil {
		return false
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	for i := range asks {
		var id [32]byte
		buf := takeBuffer(askRoom)
		buf.B = mcp.AppendAsk(buf.B[:0], session.AppendQuestionID(id[:0], first+uint64(i)), &asks[i])
		j.queued.Add(int64(len(buf.B) + frameRoom))
		j.loop.postItem(item{kind: itemNotify, job: j, buf: buf})
	}
	if j.forwarded {
		j.parkForward()
	}
	return true
}

// deliverAnswer posts a client's answer to the loop of the call that asked. An answer to no
// question is ignored. If there is no room for the answer, deliverAnswer returns the refusal, and
// the question stays open. It may be called from any goroutine.
func (s *Server) deliverAnswer(k session.Key, now tick, m *jsonrpc.Envelope) (refusal *jsonrpc.Error) {
	if j, ok := s.sessions.Asked(k, m.ID, now); ok && j.loop.flooded() {
		return errFlooded
	}
	q, err := s.sessions.Answer(k, m.ID, len(m.Result)+askRoom, now)
	switch {
	case errors.Is(err, session.ErrNoQuestion):
		return nil
	case err != nil:
		return refusalOf(err)
	case q.Reply != nil:
		replyOf(q.Reply, m)
		return nil
	}
	buf := takeBuffer(len(m.Result) + askRoom)
	buf.B = mcp.AppendAskAnswer(buf.B[:0], q.Key, m)
	q.Job.loop.postItem(item{kind: itemAnswer, job: q.Job, gen: q.Gen, buf: buf})
	return nil
}

// serveAnswer adds an answer to those of its call, and runs the call again after the last.
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

// park takes the worker back from a call that asked its client, if it had one.
func (l *loop) park(j *job) {
	if j.worker != nil {
		l.workers.put(j.worker)
		j.worker = nil
	}
	lc := &j.legacy
	if lc.phase == phaseAnswered {
		l.endParked(j, "nobody waits for the call")
		return
	}
	j.setPhase(phaseParked)
	c := l.lookup(j.h)
	switch {
	case lc.link == linkAttached && (c == nil || c.x == nil || c.x.job != j):
		l.endParked(j, "nobody waits for the call")
	case j.cancelled():
		l.endParked(j, "the call was cancelled")
	case l.draining:
		l.endParked(j, shuttingDown)
	case j.svc.removed.Load():
		l.endParked(j, endpointRemoved)
	case lc.link == linkLost:
		l.endParked(j, "it is gone") // before it was asked
	default:
		l.resumeParked(j)
	}
}

// resumeParked runs a call again that has all its answers.
func (l *loop) resumeParked(j *job) {
	if j.legacy.phase != phaseParked || j.legacy.waiting > 0 {
		return
	}
	j.setPhase(phaseRunning)
	if j.forwarded {
		j.resumeForward()
		return
	}
	l.hand(j, (*job).resume)
}

// resume runs the handler again, with the answers. It runs on the worker.
func (j *job) resume() {
	defer j.contain()
	responses := append(j.legacy.responses, '}')
	j.legacy.responses = nil // the handler's, which may keep it longer than the job
	j.call.Resume(j.derived, j, responses)
}

// endParked answers a call that no worker runs, and takes it back: its client will not answer, for
// the given reason.
func (l *loop) endParked(j *job, reason string) {
	if j.legacy.phase == phaseParked {
		j.setPhase(phaseRunning)
	}
	if j.forwarded {
		j.over.Store(true)
		j.call.Abandon(j, reason) // which returns the job
		return
	}
	j.call.Abandon(j, reason)
	j.stop(context.Canceled)
	j.uncount()
	l.postItem(item{kind: itemReturn, job: j}) // behind the answer
}

// abandon ends a call that was answered without its handler, or that nobody waits for. If it is
// parked, abandon takes it back; otherwise its worker gives it back when the handler returns.
func (l *loop) abandon(j *job) {
	parked := j.legacy.phase == phaseParked
	j.setPhase(phaseAnswered)
	if parked {
		l.endParked(j, "nobody waits for the call")
	}
}
