package server

// This file is for messages that are too long to be decoded on a loop, or that cannot be prepared
// there, and whose client disconnects while a worker prepares them. Those of earlier revisions are
// served nevertheless: "disconnection SHOULD NOT be interpreted as the client cancelling its
// request" (2025-11-25, basic/transports).

// startPreparing has a worker prepare the message, which is then served like any other.
func (c *conn) startPreparing(now tick, j *job) {
	j.preparing = true
	c.startCall(now, j, (*job).prepareBig)
}

// dispatchLeft serves a message whose connection has closed. One of 2026-07-28 is cancelled
// instead.
func (l *loop) dispatchLeft(j *job) {
	if j.legacy.phase != phaseLeft { // it was answered in the meantime, or its end is counted
		l.putJob(j)
		return
	}
	if j.legacy.link != linkSSE && j.call.ClaimsModern() {
		l.count(j.call.Method(), outcomeCancelled)
		l.putJob(j)
		return
	}
	j.setPhase(phaseRunning)
	// A message needs a connection. This one is closed: what is written to it is dropped.
	c := &conn{berth: l.berth(j.svc), x: &exchange{requestState: new(requestState)}, state: connStateClosed}
	c.x.verdict.JSON = true
	c.dispatch(l.now, j)
	l.keepScratch(l.out)
}
