package server

import (
	"context"

	"github.com/mooring-mcp/mooring/jsonrpc"
)

// This file has the calls that an upstream answers: see mcp.Backend. Such a call has no worker, no
// goroutine and no context. It is started on the loop, and its last act, on whichever goroutine,
// returns the job. In between it is like a call that a worker runs.

// The states of job.start.
const (
	startOver    uint32 = iota // the last act of the call posts the job
	startRunning               // mcp.Call.Forward is running, and the loop waits for it
	startEnded                 // likewise, and the call has been answered
)

// startForward starts a call that has been admitted and whose client is connected.
func (c *conn) startForward(now tick, j *job) {
	l := c.loop
	c.x.job = j
	j.start.Store(startRunning)
	j.call.Forward(j)
	if j.start.CompareAndSwap(startRunning, startOver) {
		c.setState(now, connStateCall)
		return
	}
	j.start.Store(startOver)
	if j.queued.Load() > 0 { // its notifications have been posted, and come first
		c.setState(now, connStateCall)
		j.returnForward()
		return
	}
	c.x.job = nil
	l.srv.calls.Add(-1)
	l.count(j.call.Method(), outcomeOf(j.code))
	c.respond(j.status, j.response)
	l.putJob(j)
	c.finish(now)
}

// begin starts a call that has been admitted: with run on a worker, or at an upstream.
func (l *loop) begin(j *job, run func(*job)) {
	if j.forwarded {
		j.call.Forward(j)
		return
	}
	l.hand(j, run)
}

// endForward is the last act of a forwarded call. It may run on any goroutine, and j is not the
// caller's any more.
func (j *job) endForward() {
	if !j.start.CompareAndSwap(startRunning, startEnded) {
		j.returnForward()
	}
}

// returnForward returns the job of a forwarded call to the loop.
func (j *job) returnForward() {
	l := j.loop
	l.srv.calls.Add(-1)
	l.postItem(item{kind: itemReturn, job: j})
}

// parkForward posts that a forwarded call waits for its client.
func (j *job) parkForward() {
	j.loop.postItem(item{kind: itemPark, job: j})
}

// respondForward is Respond for a forwarded call.
func (j *job) respondForward(status int, code jsonrpc.Code, msg []byte) {
	j.respond(status, code, msg)
	j.endForward()
}

// cancelled reports whether nobody waits for the call any more. It may be called from any goroutine
// until the call has been answered.
func (j *job) cancelled() bool {
	return j.over.Load() || j.ctx != nil && j.ctx.Err() != nil
}

// resumeForward continues a forwarded call with the answers of its client.
func (j *job) resumeForward() {
	responses := append(j.legacy.responses, '}')
	j.legacy.responses = nil
	j.call.Resume(context.Background(), j, responses)
}

// cancelForwards cancels the forwarded calls of the loop, because of cause. Calls of workers end
// with the context of the server.
func (l *loop) cancelForwards(cause error) {
	for _, c := range l.slots {
		if c != nil && c.x != nil && c.x.job != nil && c.x.job.forwarded {
			c.x.job.cancel(cause)
		}
	}
	for _, r := range l.detached {
		if r.job.gen == r.gen && r.job.forwarded {
			r.job.cancel(cause)
		}
	}
}

// cancelForwards cancels the forwarded calls of all loops that are not held.
func (s *Server) cancelForwards(cause error) {
	for _, l := range s.loops {
		l.execute(l.guard(func() { l.cancelForwards(cause) }))
	}
}
