package server

import (
	"runtime"
	"time"
)

// A worker that a loop hands a call to is runnable at once, but it waits for a processor of Go's: first for the one that the loop has. A loop that goes to sleep in a system call keeps that processor, and
// whoever waits for it, until Go's monitor takes it away, after 10 ms or more. So a loop that has handed out calls lets go of its processor before it looks at its sockets again, and as long as handlers
// are quick it serves their answers in the same turn.

const (
	lendLong  = 200 * time.Microsecond // a loop that waited longer for its processor, with sockets waiting for it, …
	lendPause = 20                     // … lets so many times as long pass before it does so again
)

// lend is called after a socket has been served, if a worker was handed a call. While handlers are quick the worker goes first, and its answer is sent at once. Otherwise the workers have to wait until all
// sockets of the turn are served: handlers that compute would hold them up.
func (l *loop) lend() {
	l.gave = false
	now := l.srv.clock()
	if now.Before(l.lendAfter) {
		l.in.call()
		return
	}
	l.in.attend()
	l.runInbox()
	if took := l.srv.clock().Sub(now); took > lendLong {
		l.lendAfter = now.Add(lendPause * took)
	}
}

// hand gives j to a worker, which begins as soon as the loop lets it: see lend.
func (l *loop) hand(j *job, run func(*job)) {
	j.worker = l.workers.take()
	l.handed++
	l.gave = true
	j.worker.start(j, run)
}

// yield lets the workers begin that were handed something. One turn of Go's scheduler in 61 begins with those that let go of their processor, of which the loop is one, and ends with them after as many.
func (l *loop) yield() {
	l.gave = false
	for n := 2 + (l.handed-l.begun.Load())/32; n > 0 && l.begun.Load() < l.handed; n-- {
		runtime.Gosched()
	}
}
