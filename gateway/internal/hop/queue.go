package hop

import (
	"time"

	"github.com/mooring-mcp/mooring/gateway/internal/link"
)

// busyWait is the shortest time after which a request that found the queue full may try again.
const busyWait = time.Second

// A list is a queue of jobs that any of them can leave.
type list struct {
	first, last *job
	len         int
}

func (l *list) push(j *job) {
	j.in, j.prev, j.next = l, l.last, nil
	if l.last != nil {
		l.last.next = j
	} else {
		l.first = j
	}
	l.last = j
	l.len++
}

func (l *list) pushFront(j *job) {
	j.in, j.prev, j.next = l, nil, l.first
	if l.first != nil {
		l.first.prev = j
	} else {
		l.last = j
	}
	l.first = j
	l.len++
}

func (l *list) pop() *job {
	j := l.first
	if j != nil {
		l.remove(j)
	}
	return j
}

// remove takes j out of l, which it is in.
func (l *list) remove(j *job) {
	if j.prev != nil {
		j.prev.next = j.next
	} else {
		l.first = j.next
	}
	if j.next != nil {
		j.next.prev = j.prev
	} else {
		l.last = j.prev
	}
	j.in, j.prev, j.next = nil, nil, nil
	l.len--
}

// places returns how many jobs may be in flight. Called with mu held.
func (u *Upstream) places() int {
	if u.open > 0 && u.opts.Concurrency >= 8 {
		return u.opts.Concurrency - 1
	}
	return u.opts.Concurrency
}

// blocked reports whether too many abandoned requests are still read. Called with mu held.
func (u *Upstream) blocked() bool { return u.abandoned > u.opts.MaxAbandoned }

// admit returns why a new request must not be sent, or nil. Called with mu held.
func (u *Upstream) admit(j *job, now time.Time) *link.Error {
	if u.blocked() {
		u.stats.down.Add(1)
		return &link.Error{Reason: link.Down, Unsent: true, RetryAfter: jitter(time.Second), Err: errAbandoned}
	}
	wait, probe, ok := u.breaker.admit(now)
	if !ok {
		u.stats.down.Add(1)
		return &link.Error{Reason: link.Down, Unsent: true, RetryAfter: wait + jitter(wait/4), Err: errBreaker}
	}
	j.probe = probe
	return nil
}

// busy returns why a request cannot wait. Called with mu held.
func (u *Upstream) busy(err error) *link.Error {
	u.stats.busy.Add(1)
	return &link.Error{Reason: link.Busy, Unsent: true, RetryAfter: jitter(busyWait), Err: err}
}

// enqueue puts an admitted request into the queue. Called with mu held.
func (u *Upstream) enqueue(j *job, now time.Time) {
	if u.waiting.len >= u.opts.Queue {
		u.fail(j, u.busy(errQueueFull), false)
		return
	}
	u.waiting.push(j)
	u.pump()
	if j.in != nil {
		u.arm(j, earlier(now.Add(u.opts.QueueTimeout), j.deadline))
	}
}

// enqueueControl puts another job into the queue. Called with mu held.
func (u *Upstream) enqueueControl(j *job) {
	if u.control.len >= u.opts.Queue {
		u.drop(j, "the queue is full")
		return
	}
	u.control.push(j)
	u.pump()
}

// drop forgets a job that is not a request. Called with mu held.
func (u *Upstream) drop(j *job, why string) {
	j.phase, j.settled = ended, true
	u.tellDropped(j.method, why)
	u.openGate(j)
}

// pump starts jobs as long as there are places. Called with mu held.
func (u *Upstream) pump() {
	if !u.lane {
		if j := u.control.pop(); j != nil {
			u.lane = true
			u.start(j, false)
		}
	}
	for u.active < u.places() {
		j := u.take()
		if j == nil {
			return
		}
		u.start(j, true)
	}
}

// take returns the next job for one of the places, or nil. Called with mu held.
func (u *Upstream) take() *job {
	if j := u.control.pop(); j != nil {
		return j
	}
	if u.blocked() {
		return nil
	}
	return u.waiting.pop()
}

// start gives j a goroutine. Called with mu held.
func (u *Upstream) start(j *job, place bool) {
	u.occupy(j, place)
	u.enter()
	go u.work(j)
}

// occupy makes j a running job. Called with mu held.
func (u *Upstream) occupy(j *job, place bool) {
	j.phase, j.place = running, place
	if place {
		u.active++
	} else {
		u.lane = true
	}
	u.arm(j, j.deadline)
}

// work runs jobs until none waits.
func (u *Upstream) work(j *job) {
	s := newSender(u, u.pool)
	for j != nil {
		s.run(j)
		j = u.following(j)
	}
}

// following ends j and returns the next job for the goroutine, which must end if it is nil.
func (u *Upstream) following(j *job) *job {
	u.mu.Lock()
	defer u.mu.Unlock()
	place := j.place
	u.finish(j)
	var next *job
	switch {
	case !place && !u.lane:
		next = u.control.pop()
	case place && u.active < u.places():
		next = u.take()
	}
	if next == nil {
		u.pump()
		u.leave()
		return nil
	}
	u.occupy(next, place)
	u.pump()
	return next
}

// vacate gives the place of j back. Called with mu held.
func (u *Upstream) vacate(j *job) {
	if j.place {
		u.active--
	} else {
		u.lane = false
	}
}

// earlier returns the earlier of two times. The zero time means never.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
