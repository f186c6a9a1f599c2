package server

import (
	"context"
	"iter"
	"runtime/debug"
	"strings"

	"github.com/mooring-mcp/mooring/httpparse"
	"github.com/mooring-mcp/mooring/jsonrpc"
	"github.com/mooring-mcp/mooring/mcp"
)

// startCall hands j to a worker or to its upstream, if there is room for another call.
func (c *conn) startCall(now tick, j *job, run func(*job)) {
	l := c.loop
	if !c.admitCall(now, j) {
		return
	}
	switch {
	case c.state == connStateClosed:
		l.keepDetached(j, j.legacy.due) // the client disconnected while j was being prepared
	case j.forwarded:
		c.startForward(now, j)
		return
	default:
		c.x.job = j
		c.setState(now, connStateCall)
	}
	l.begin(j, run)
}

// admitCall counts a call that is not inline, and gives it a context if a worker will run it. If a
// limit is reached, it responds with an error at once and reports false: calls do not queue.
func (c *conn) admitCall(now tick, j *job) bool {
	l := c.loop
	s := l.srv
	status, refusal := 503, errOverload
	if s.calls.Add(1) > int64(s.opts.MaxCalls) {
		l.count(j.method, outcomeOverload)
	} else if e := j.takeCall(); e.exceeds() {
		l.count(j.method, outcomeOverload)
		status, refusal, c.x.retry = 429, e.error(), e.retry
	} else if refusal = l.register(j); refusal != nil {
		l.count(j.method, outcomeRefused)
		status = refusalStatus(refusal)
	}
	if refusal != nil {
		j.uncount()
		c.respondError(status, j.msg.ID, refusal)
		l.putJob(j)
		c.finish(now)
		return false
	}
	if j.forwarded = j.call.Kind() == mcp.CallForward; j.forwarded {
		return true
	}
	j.ctx, j.stop = context.WithCancelCause(j.parent())
	j.handed = !j.preparing
	return true
}

// run runs a prepared call. A worker calls it.
func (j *job) run() {
	defer j.contain()
	if j.derive() {
		j.call.Run(j.derived, j)
	}
}

// prepareBig prepares a message that is too long to be decoded on the loop, or about which the host
// decides in a function that may wait. A worker calls it; then the loop serves the message like any
// other.
func (j *job) prepareBig() {
	defer j.contain()
	j.meta.NoWait = false
	if j.derive() {
		j.meta.Context = j.derived
		j.refusal = j.prepare()
		j.prepped = true
	}
}

// contain limits a panic to one call; it must be deferred directly. mcp handles the panics of
// handlers, so what arrives here is a bug in this module.
func (j *job) contain() {
	if r := recover(); r != nil {
		j.loop.srv.opts.Logger.Error("panic in a call", "panic", r, "stack", string(debug.Stack()))
		j.loop.m.panics.Add(1)
		j.respond(j.call.Status(errInternal.Code), errInternal.Code, jsonrpc.AppendError(nil, j.msg.ID, errInternal))
	}
}

// handBack returns the job, and with it the worker, to the loop. It returns false when the loop has
// ended.
func (j *job) handBack() bool {
	switch {
	case j.prepped:
		return j.loop.postItem(item{kind: itemPrepared, job: j})
	case j.call.Asking():
		return j.loop.postItem(item{kind: itemPark, job: j})
	}
	j.stop(context.Canceled)
	j.uncount()
	return j.loop.postItem(item{kind: itemReturn, job: j})
}

// Notify implements mcp.Sink. It may be called from any goroutine.
func (j *job) Notify(msg []byte) bool {
	if !j.stream || j.call.Kind() == mcp.CallInitialize && j.legacy.to == nil {
		return false // the head of the response to an initialize waits for the session
	}
	if j.cancelled() || j.legacy.to != nil && j.legacy.to.flooded() {
		return false
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.done {
		return false
	}
	if j.queued.Load()+j.unsent.Load()+int64(len(msg)+frameRoom) > int64(j.loop.srv.opts.MaxUnsent) {
		if j.full.CompareAndSwap(false, true) {
			j.loop.postItem(item{kind: itemFull, job: j, gen: j.gen})
		}
		return false
	}
	j.queued.Add(int64(len(msg) + frameRoom))
	j.loop.postItem(item{kind: itemNotify, job: j, buf: bufferOf(msg)})
	return true
}

// Respond implements mcp.Sink.
func (j *job) Respond(msg []byte, code jsonrpc.Code) {
	msg, code = j.loop.srv.opts.limitResponse(&j.call, msg, code)
	status := j.call.Status(code)
	if j.refused != 0 && code != 0 {
		status = j.refused
	}
	if j.forwarded {
		j.respondForward(status, code, msg)
		return
	}
	j.respond(status, code, msg)
}

func (j *job) respond(status int, code jsonrpc.Code, msg []byte) {
	if w := j.setResponse(status, code, msg); w != nil {
		w.end(true, errNoStream)
	}
}

// setResponse sets the response, unless there is one, and returns who waits for answers.
func (j *job) setResponse(status int, code jsonrpc.Code, msg []byte) *waiters {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.done {
		return nil
	}
	j.done = true
	// This is not a copy: msg belongs to the call until the loop takes the job back and sends it.
	j.status, j.code, j.response = status, code, msg
	return j.legacy.waiters
}

// serveNotify sends a notification that a worker posted.
func (l *loop) serveNotify(it *item) {
	j := it.job
	if j.legacy.earlier {
		l.emit(j, 0, 0, it.buf.B, false)
		return
	}
	c := l.lookup(j.h)
	if c == nil || c.x == nil || c.x.job != j {
		return // the client has disconnected or already has an answer
	}
	l.serving = c
	c.notify(j, it.buf.B)
}

// serveReturn takes a job back from its worker and sends the answer that it carries.
func (l *loop) serveReturn(j *job) {
	if j.worker != nil {
		l.workers.put(j.worker) // first, because the connection's next request may need one
		j.worker = nil
	}
	defer l.putJob(j)
	if !j.done {
		return
	}
	c := l.lookup(j.h)
	if c != nil && (c.x == nil || c.x.job != j) {
		c = nil // it has disconnected or already has an answer
	}
	if c != nil {
		c.x.challenge = append(c.x.challenge[:0], j.challenge...)
		c.x.retry = j.retry
	}
	if j.legacy.earlier {
		l.emit(j, j.status, j.code, j.response, true)
		return
	}
	if c == nil {
		return
	}
	l.serving = c
	c.x.job = nil
	if j.call.Kind() == mcp.CallListen && j.status == 202 {
		c.listen(l.now, j)
		c.resume(l.now)
		return
	}
	l.count(j.call.Method(), outcomeOf(j.code))
	if j.status == 202 {
		c.respondAccepted()
	} else {
		c.respond(j.status, j.response)
	}
	c.finish(l.now)
	c.resume(l.now)
}

// servePrepared takes a message back from the worker that prepared it, and dispatches it.
func (l *loop) servePrepared(j *job) {
	l.workers.put(j.worker)
	j.stop(context.Canceled)
	j.ctx, j.stop, j.worker, j.prepped, j.preparing = nil, nil, nil, false, false
	j.uncount()
	c := l.lookup(j.h)
	if c == nil || c.x == nil || c.x.job != j {
		l.dispatchLeft(j)
		return
	}
	l.serving = c
	c.x.job = nil
	c.dispatch(l.now, j)
	c.resume(l.now)
}

// notify sends a notification of a worker's call. Bytes that the peer has not read count against
// MaxUnsent.
func (c *conn) notify(j *job, msg []byte) {
	c.writeStreamHead()
	c.appendEvent(msg)
	c.flushNotice()
	if c.state == connStateCall {
		j.unsent.Store(int64(c.sk.OutboundBuffered()))
		c.arm(c.nextCallDue())
	}
	// This comes last: while the message was counted nowhere, Notify could accept one more than
	// there is room for.
	j.queued.Add(-int64(len(msg) + frameRoom))
}

// paramFields returns an iterator over the Mcp-Param-* fields of r. It yields the names without the
// prefix.
func paramFields(r *httpparse.Request) iter.Seq2[[]byte, []byte] {
	return func(yield func(name, value []byte) bool) {
		const prefix = "mcp-param-"
		for name, value := range r.Fields() {
			if len(name) > len(prefix) && strings.EqualFold(string(name[:len(prefix)]), prefix) &&
				!yield(name[len(prefix):], value) {
				return
			}
		}
	}
}

// detachMeta copies what m aliases, so that m can be used after the head is gone.
func detachMeta(m *mcp.RequestMeta) {
	m.ProtocolVersion, m.Method, m.Name = cloneBytes(m.ProtocolVersion), cloneBytes(m.Method), cloneBytes(m.Name)
	if m.Params == nil {
		return
	}
	type field struct{ name, value []byte }
	var fields []field
	for name, value := range m.Params {
		fields = append(fields, field{cloneBytes(name), cloneBytes(value)})
	}
	m.Params = func(yield func(name, value []byte) bool) {
		for _, f := range fields {
			if !yield(f.name, f.value) {
				return
			}
		}
	}
}

// cloneBytes returns a copy of b. It keeps nil and empty apart, because an absent field is not the
// same as an empty one.
func cloneBytes(b []byte) []byte {
	if b == nil {
		return nil
	}
	return append([]byte{}, b...)
}
