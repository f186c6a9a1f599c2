package server

import (
	"runtime"
	"time"
)

// A worker that gets a call is runnable at once, but it has to wait for one of Go's processors,
// first for the one that its loop runs on. A loop that blocks in a system call keeps that
// processor, and whatever waits for it, until Go's monitor takes it away, after 10 ms or more. So a
// loop that has handed out calls gives up its processor before it looks at its sockets again. As
// long as handlers are quick, it serves their answers in the same turn.

const (
	// After a lend that took longer than lendLong, the loop does not lend again for lendPause times
	// that long, because sockets wait for it.
	lendLong  = 200 * time.Microsecond
	lendPause = 20
)

// lend is called after a socket has been served, if a worker was handed a call. While handlers are
// quick, the worker runs first and its answer is sent at once. Otherwise the workers wait until all
// sockets of the turn are served, because handlers that compute would hold these up.
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

// hand gives j to a worker, which begins when the loop gives up its processor: see lend.
func (l *loop) hand(j *job, run func(*job)) {
	j.worker = l.workers.take()
	l.handed++
	l.gave = true
	j.worker.start(j, run)
}

// yield lets the workers begin that were handed a call. Gosched puts the loop into Go's global
// queue, which the scheduler prefers once in 61 rounds. So the loop may run again before any worker
// has begun, and it does so at the latest after 61 others. It yields as often as the number of
// waiting workers requires.
func (l *loop) yield() {
	l.gave = false
	for n := 2 + (l.handed-l.begun.Load())/32; n > 0 && l.begun.Load() < l.handed; n-- {
		runtime.Gosched()
	}
}
