package hop

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/mooring-mcp/mooring/gateway/internal/link"
)

var (
	errAbandoned = errors.New("hop: too many requests that were given up are still running")
	errBreaker   = errors.New("hop: the circuit breaker is open")
	errQueueFull = errors.New("hop: the queue is full")
	errQueueTime = errors.New("hop: waited in the queue for too long")
	errStreams   = errors.New("hop: too many streams are open")
)

const (
	// controlTimeout is how long a notification, a response or DELETE may take.
	controlTimeout = 10 * time.Second
	// tailTimeout is how long a stream may stay open after the response it was for.
	tailTimeout = 5 * time.Second
)

// A phase is where a job stands.
type phase uint8

const (
	queued  phase = iota // in a list, or held back until the session begins
	running              // a goroutine sends it, or reads what it gets
	parked               // its stream broke off before the response and will be taken up again
	remote               // it was accepted, and its response comes on the stream of the session
	ended
)

// A verb is what a job sends.
type verb uint8

const (
	request  verb = iota
	other         // a notification, or a response to the upstream
	deletion      // of the session
)

// A job is one message, or the end of a session, on its way to the upstream.
type job struct {
	link     *Link
	verb     verb
	id       int64 // of a request
	method   string
	name     string
	fields   []link.Field
	body     []byte
	endless  bool
	deadline time.Time // zero: never

	// Guarded by Upstream.mu.
	phase     phase
	then      phase // parked or remote: what follows when it has run
	settled   bool  // the Receiver has its response or Failed, or must get neither
	abandoned bool  // settled, and counted by Upstream.abandoned as long as it runs
	place     bool  // occupies one of the places, not the lane
	probe     bool  // the breaker waits for it
	lastID    string
	retry     time.Duration // before the stream is taken up again
	tries     int           // in a row to do so that brought nothing
	resumeAt  time.Time
	wake      time.Time // when timer does something; zero: never
	timer     *time.Timer
	cancel    context.CancelFunc // ends what runs by closing its connection

	in         *list
	prev, next *job
}

func newJob(l *Link, m *link.Message) *job {
	j := &job{
		link: l, method: m.Method, name: m.Name, fields: m.Fields, body: append([]byte{}, m.Body...),
		endless: m.Endless, deadline: m.Deadline,
	}
	if m.Kind == link.Request {
		j.id = m.ID
	} else {
		j.verb, j.endless, j.deadline = other, false, time.Now().Add(controlTimeout)
	}
	return j
}

// arm makes expire run at the time, instead of any earlier plan. Called with mu held.
func (u *Upstream) arm(j *job, at time.Time) {
	j.wake = at
	if at.IsZero() {
		return
	}
	d := time.Until(at)
	if j.timer == nil {
		j.timer = time.AfterFunc(d, func() { u.expire(j) })
	} else {
		j.timer.Reset(d)
	}
}

// expire is the end of the time that j had for what it does.
func (u *Upstream) expire(j *job) {
	u.mu.Lock()
	defer u.mu.Unlock()
	now := time.Now()
	if j.phase == ended || j.wake.IsZero() || now.Before(j.wake) {
		return
	}
	late := !j.deadline.IsZero() && !now.Before(j.deadline)
	switch {
	case j.settled:
		u.hangUp(j)
	case j.verb != request:
		u.settle(j, false)
	case late:
		u.fail(j, &link.Error{Reason: link.Timeout, Unsent: j.phase == queued && j.lastID == ""}, false)
	case j.phase == queued:
		u.fail(j, u.busy(errQueueTime), false)
	case j.phase == parked:
		u.unpark(j)
	}
}

// hangUp closes the connection of j before the response has ended. Called with mu held.
func (u *Upstream) hangUp(j *job) {
	if j.phase == running && j.cancel != nil {
		u.stats.hungUp.Add(1)
		j.cancel()
	}
	j.wake = time.Time{}
}

// settle takes j out of the sight of its link: nobody waits for its response any more. If it runs,
// its response is still read to its end; answered says that only that end is missing. It reports
// whether j was not settled before. Called with mu held.
func (u *Upstream) settle(j *job, answered bool) bool {
	if j.settled {
		return false
	}
	j.settled = true
	if j.verb == request {
		delete(j.link.pending, j.id)
	}
	switch j.phase {
	case running:
		if answered {
			u.arm(j, time.Now().Add(tailTimeout))
			break
		}
		if !j.endless {
			j.abandoned = true
			u.abandoned++
		}
		u.arm(j, time.Now().Add(u.opts.AbandonTimeout))
	case remote:
		u.vacate(j)
		u.over(j)
		u.pump()
	case queued, parked:
		if j.phase == parked {
			u.parked--
		}
		u.over(j)
	}
	return true
}

// fail settles j with an error for its Receiver. If j runs, read says that its response has been
// read. Called with mu held.
func (u *Upstream) fail(j *job, err *link.Error, read bool) {
	if !u.settle(j, read) {
		return
	}
	if j.lastID != "" {
		err.Unsent = false // it was sent, and broke off
	}
	if judges(err) {
		u.report(j, false)
	} else if err.Status != 0 {
		u.report(j, true)
	}
	if j.verb == request {
		u.notify(notice{r: j.link.r, id: j.id, err: err})
	}
}

// judges reports whether the error is one that the breaker counts.
func judges(err *link.Error) bool {
	switch err.Reason {
	case link.Timeout:
		return !err.Unsent
	case link.Lost:
		return err.Status == 0 || err.Status >= 500
	case link.Status:
		return err.Status >= 500
	}
	return false
}

// report gives the breaker the verdict on j. Called with mu held.
func (u *Upstream) report(j *job, success bool) {
	if success && j.probe {
		u.tell(slog.LevelInfo, "the upstream answers again, the circuit breaker closes")
	}
	opens := u.breaker.report(time.Now(), success, j.probe)
	j.probe = false
	if !opens {
		return
	}
	u.stats.opened.Add(1)
	wait := time.Until(u.breaker.until)
	u.tell(slog.LevelWarn, "the upstream fails, the circuit breaker opens", "for", wait)
	for k := u.waiting.first; k != nil; k = u.waiting.first {
		u.stats.down.Add(1)
		u.fail(k, &link.Error{Reason: link.Down, Unsent: k.lastID == "", RetryAfter: wait + jitter(wait/4), Err: errBreaker}, false)
	}
}

// finish is the end of j's goroutine's work on it. Called with mu held.
func (u *Upstream) finish(j *job) {
	j.cancel = nil
	if j.abandoned {
		j.abandoned = false
		u.abandoned--
	}
	if j.verb == request && j.then == queued && !j.settled {
		u.fail(j, &link.Error{Reason: link.Lost, Err: errNoMessage}, true)
	}
	then := j.then
	j.then = queued
	switch {
	case !j.settled && then == remote:
		j.phase = remote // its place stays occupied until the response comes
	case !j.settled && then == parked:
		u.vacate(j)
		u.parked++
		j.phase = parked
		u.arm(j, earlier(j.resumeAt, j.deadline))
	default:
		u.vacate(j)
		u.over(j)
	}
}

// over is the end of j. Called with mu held.
func (u *Upstream) over(j *job) {
	if j.in != nil {
		j.in.remove(j)
	}
	j.phase = ended
	if j.timer != nil {
		j.timer.Stop()
	}
	if j.probe {
		j.probe = false
		u.breaker.giveUp()
	}
	u.openGate(j)
}

// park plans to take up the stream of j again after it broke off, and reports whether that is
// possible. Called with mu held.
func (u *Upstream) park(j *job) bool {
	if j.settled || j.endless || j.lastID == "" || j.tries >= maxTries || u.parked >= u.opts.Queue {
		return false
	}
	j.then = parked
	j.resumeAt = time.Now().Add(min(max(j.retry, minRetry), maxRetry))
	return true
}

// unpark queues j again. Called with mu held.
func (u *Upstream) unpark(j *job) {
	u.parked--
	j.phase = queued
	u.arm(j, j.deadline)
	u.waiting.pushFront(j)
	u.pump()
}
