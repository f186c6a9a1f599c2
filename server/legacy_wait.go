package server

import (
	"context"
	"errors"
	"sync"

	"github.com/mooring-mcp/mooring/jsonrpc"
	"github.com/mooring-mcp/mooring/mcp"
	"github.com/mooring-mcp/mooring/server/internal/session"
)

// This file has the questions for whose answers a handler waits on its goroutine. Such a call keeps
// its worker, and its place within MaxCalls, unlike one that returns its questions: see
// legacy_ask.go.

// errNoStream is why a call cannot ask its client: it is a member of a batch, its client does not
// accept an event stream, or it has ended.
var errNoStream = errors.New("server: the call has no stream on which its client can be asked")

// errDraining is why there is no answer: the client cannot send one any more.
var errDraining = errors.New("server: the server is shutting down")

// Ask implements mcp.Asker: it sends a question on the stream of the call. It may be called from
// any goroutine until Respond.
func (j *job) Ask(a *mcp.Ask, reply func([]byte, error)) (stop func(), err error) {
	lc := &j.legacy
	s := j.loop.srv
	switch {
	case !lc.inSession() || !j.stream && lc.to == nil:
		return nil, errNoStream
	case s.draining.Load():
		return nil, errDraining
	case j.ctx.Err() != nil:
		return nil, context.Cause(j.ctx)
	}
	key := lc.ticket.Key
	w := j.waiting()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.over {
		return nil, errNoStream
	}
	var n uint64
	if n, err = s.sessions.AskOne(key, j, j.gen, func(result []byte, err error) { w.answer(n, result, err) }, s.tick()); err != nil {
		return nil, err
	}
	// The handler may wait with a context that does not end with the call.
	unhook := context.AfterFunc(w.ctx, func() { w.answer(n, nil, context.Cause(w.ctx)) })
	w.open[n] = waiter{reply, unhook}
	var id [32]byte
	w.post(mcp.AppendAsk(nil, session.AppendQuestionID(id[:0], n), a))
	return func() {
		unhook()
		if s.sessions.TakeBack(key, n, s.tick()) {
			w.takeBack(n)
		}
	}, nil
}

// waiting returns the questions of j. It runs on the worker or a goroutine of its handler.
func (j *job) waiting() *waiters {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.legacy.waiters == nil {
		j.legacy.waiters = &waiters{job: j, ctx: j.ctx, open: make(map[uint64]waiter)}
	}
	return j.legacy.waiters
}

// A waiters holds the questions of one call for whose answers handlers wait. It may outlive the
// call, and its job may then serve another. Its methods may be called from any goroutine.
type waiters struct {
	ctx context.Context // of the call

	mu   sync.Mutex // guards the rest; job.mu may be taken while it is held
	over bool       // the call is answered, and job is another's
	job  *job
	open map[uint64]waiter // by the number of the question
}

// A waiter is who waits for an answer.
type waiter struct {
	reply  session.Reply
	unhook func() bool // ends the report of the end of the call
}

// post sends msg with the messages of the call. It is called with w.mu held, while w is not over.
func (w *waiters) post(msg []byte) {
	j := w.job
	j.mu.Lock()
	defer j.mu.Unlock()
	j.queued.Add(int64(len(msg) + frameRoom))
	j.loop.postItem(item{kind: itemNotify, job: j, buf: bufferOf(msg)})
}

// answer gives the answer to question n, or the reason why there is none, to who waits for it.
func (w *waiters) answer(n uint64, result []byte, err error) {
	w.mu.Lock()
	who, ok := w.open[n]
	delete(w.open, n)
	w.mu.Unlock()
	if ok {
		who.unhook()
		who.reply(result, err)
	}
}

// takeBack tells the client that nobody waits for the answer to question n any more.
func (w *waiters) takeBack(n uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.open, n)
	if w.over || w.ctx.Err() != nil {
		return
	}
	var id [32]byte
	params := append([]byte(`{"requestId":`), session.AppendQuestionID(id[:0], n)...)
	w.post(jsonrpc.AppendNotification(nil, mcp.MethodNotifyCancelled.String(), append(params, '}')))
}

// end answers all questions with err. If over, nothing more is sent.
func (w *waiters) end(over bool, err error) {
	w.mu.Lock()
	open := w.open
	w.open = make(map[uint64]waiter)
	w.over = w.over || over
	w.mu.Unlock()
	for _, who := range open {
		who.unhook()
		who.reply(nil, err)
	}
}

// endWaiting answers all questions of j with err, because its client will not. It runs on the loop.
func (j *job) endWaiting(err error) {
	j.mu.Lock()
	w := j.legacy.waiters
	j.mu.Unlock()
	if w != nil {
		w.end(false, err)
	}
}

// replyOf gives the client's answer m to a handler that waits for it. It copies what it needs.
func replyOf(reply session.Reply, m *jsonrpc.Envelope) {
	if e := m.ErrorObject(); e != nil {
		reply(nil, e)
		return
	}
	reply(cloneBytes(m.Result), nil)
}
