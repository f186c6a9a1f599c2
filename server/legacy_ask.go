package server

import (
	"context"
	"strconv"

	"github.com/mooring-mcp/mooring/jsonrpc"
	"github.com/mooring-mcp/mooring/mcp"
)

// This file has the questions that a handler asks its client, their answers, and the time in
// between, in which the call is parked: it has no worker.

const (
	askRoom = 256 // bytes that a question or an answer needs for more than its content, about
	maxAsks = 64  // questions that a handler may ask at once
)

// Request implements mcp.Requester: it sends what a handler asks of the client on the stream of its
// call. It runs on the worker.
func (j *job) Request(asks []mcp.Ask) bool {
	lc := &j.legacy
	if !lc.inSession() || !j.stream && lc.to == nil || len(asks) > maxAsks || j.ctx.Err() != nil {
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

// deliverAnswer posts a client's answer to the loop of the call that asked. An answer to no question
// is ignored. If there is no room for the answer, deliverAnswer returns the refusal, and the
// question stays open. It may be called from any goroutine.
func (s *Server) deliverAnswer(k sessionKey, now tick, m *jsonrpc.Message) (refusal *jsonrpc.Error) {
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

// takeAnswer counts an answer of n bytes to a question of j, if there is room for it: in max for all
// sessions, and for one session in a quarter of what the others leave.
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

// forgetAnswers takes the answers of j out of the count: its handler has run with them, or will not.
func (t *sessions) forgetAnswers(s *session, j *job) {
	for i := range s.calls {
		if c := &s.calls[i]; c.job == j {
			t.answers.Add(-c.answers)
			c.answers = 0
		}
	}
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

// park takes the worker back from a call that asked its client.
func (l *loop) park(j *job) {
	l.workers.put(j.worker)
	j.worker = nil
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
	case j.ctx.Err() != nil:
		l.endParked(j, "the call was cancelled")
	case l.draining:
		l.endParked(j, shuttingDown)
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
	l.hand(j, (*job).resume)
}

// resume runs the handler again, with the answers. It runs on the worker.
func (j *job) resume() {
	defer j.contain()
	responses := append(j.legacy.responses, '}')
	j.legacy.responses = nil // the handler's, which may keep it longer than the job
	j.call.Resume(j.ctx, j, responses)
}

// endParked answers a call that no worker runs, and takes it back: its client will not answer, for
// the given reason.
func (l *loop) endParked(j *job, reason string) {
	if j.legacy.phase == phaseParked {
		j.setPhase(phaseRunning)
	}
	j.call.Abandon(j, reason)
	j.stop(context.Canceled)
	l.srv.calls.Add(-1)
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
