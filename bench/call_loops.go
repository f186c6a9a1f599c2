package bench

import (
	"context"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/mooring-mcp/mooring/bench/load"
)

// A measured is what a loop of requests found: what became of them, and what they cost.
type measured struct {
	tallies        []tally
	seconds        float64
	server, client float64 // seconds of processor time
	dials, retries int
	unsent         int // requests of the open loop that had no connection when it ended
	// µs between when a request was due and when this side got to it; nil: not an open loop.
	late *hdrhistogram.Histogram
}

// done returns how many requests were answered.
func (m *measured) done() (n float64) {
	for i := range m.tallies {
		n += float64(m.tallies[i].answered)
	}
	return n
}

// per100k returns seconds of processor time for 100,000 requests.
func (m *measured) per100k() (server, client float64) {
	n := m.done()
	if n == 0 {
		return 0, 0
	}
	return m.server / n * 100_000, m.client / n * 100_000
}

// closedLoop has all callers make requests of one kind, each as soon as it has the answer to the
// previous one. It does so for warm, which is not measured, and then for d, which is.
func (e *env) closedLoop(ctx context.Context, t *traffic, kind int, warm, d time.Duration) (m measured, err error) {
	begin := func(l *lane) {
		l.closed, l.over, l.kind, l.from = true, false, kind, 0
		for _, c := range l.callers {
			if !c.busy {
				c.begin(job{kind, load.Now()})
			}
		}
	}
	if err := t.each(begin); err != nil {
		return m, err
	}
	if err := sleep(ctx, warm); err != nil {
		return m, err
	}
	if _, _, _, err := t.take(true); err != nil {
		return m, err
	}
	used, at := e.cpu(), time.Now()
	if err := sleep(ctx, d); err != nil {
		return m, err
	}
	m.server, m.client = e.since(used)
	m.seconds = time.Since(at).Seconds()
	// Requests in flight at the end began while the loop was measured. They count instead of those
	// that were in flight at the start, so that the slowest are not missing.
	if err := t.each(func(l *lane) { l.over = true }); err != nil {
		return m, err
	}
	if err := t.rest(ctx); err != nil {
		return m, err
	}
	m.tallies, m.dials, m.retries, err = t.take(false)
	return m, err
}

// rest waits until no request is in flight.
func (t *traffic) rest(ctx context.Context) error {
	for end := time.Now().Add(callPatience + time.Second); time.Now().Before(end); {
		busy := 0
		if err := t.each(func(l *lane) {
			for _, c := range l.callers {
				if c.busy {
					busy++
				}
			}
		}); err != nil || busy == 0 {
			return err
		}
		if err := sleep(ctx, time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}

// A schedule says when the requests of a lane are due, whatever becomes of the ones before: request
// number n of all lanes is due at start + n/rate. The lanes take turns.
type schedule struct {
	start int64   // load.Now
	each  float64 // nanoseconds from one request of any lane to the next
	n     int64   // number of the lane's next request, counted over all lanes
	step  int64   // how many lanes there are
	kind  func(n int64) int
}

func (s *schedule) due() int64 { return s.start + int64(float64(s.n)*s.each) }

// openLoop makes requests at a rate, each when it is due: on an idle connection, or else on the
// first one to become idle. Their latency counts from when they were due. kinds says which kind
// each request is. The loop runs until during returns; what during does before it calls measure is
// warm-up.
func (e *env) openLoop(ctx context.Context, t *traffic, rate float64, kinds func(n int64) int, during func(measure func() error) error) (m measured, err error) {
	start := load.Now()
	err = t.each(func(l *lane) {
		l.closed, l.over, l.from = false, false, 0
		l.waiting, l.first, l.pending = nil, 0, 0
		l.idle.fill(e.Order == inTurn, l.callers)
		l.open = schedule{start: start, each: 1e9 / rate, n: int64(l.loop.Index()), step: int64(len(t.lanes)), kind: kinds}
		l.send()
	})
	if err != nil {
		return m, err
	}
	var used cpu
	at := time.Now()
	err = during(func() error {
		_, _, _, err := t.take(true)
		used, at = e.cpu(), time.Now()
		return err
	})
	m.server, m.client = e.since(used)
	m.seconds = time.Since(at).Seconds()
	if serr := t.each(func(l *lane) { l.over = true }); err == nil {
		err = serr
	}
	if err != nil {
		return m, err
	}
	if err := t.drain(ctx); err != nil {
		return m, err
	}
	m.late = newHistogram()
	if err := t.each(func(l *lane) {
		m.unsent += l.abandon()
		m.late.Merge(l.late)
		l.late.Reset()
	}); err != nil {
		return m, err
	}
	m.tallies, m.dials, m.retries, err = t.take(false)
	return m, err
}

// drain waits until the requests of the open loop have ended, for a limited time.
func (t *traffic) drain(ctx context.Context) error {
	for end := time.Now().Add(callPatience); time.Now().Before(end); {
		pending := 0
		if err := t.each(func(l *lane) { pending += l.pending }); err != nil || pending == 0 {
			return err
		}
		if err := sleep(ctx, 2*time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}

// send begins the requests that are due.
func (l *lane) send() {
	if l.over {
		return
	}
	s := &l.open
	now := load.Now()
	for ; s.due() <= now; s.n += s.step {
		l.pending++
		if l.from != 0 {
			_ = l.late.RecordValue((now - s.due()) / 1000)
		}
		j := job{s.kind(s.n), s.due()}
		if c := l.idle.take(); c != nil {
			c.begin(j)
			continue
		}
		if l.first > 1024 && l.first > len(l.waiting)/2 {
			l.waiting = append(l.waiting[:0], l.waiting[l.first:]...)
			l.first = 0
		}
		l.waiting = append(l.waiting, j)
	}
	l.loop.At(s.due(), l.pace)
}

// abandon ends the requests that the server has not answered in time. A request that still waits
// counts with the time that it has waited, or the slowest would be missing.
func (l *lane) abandon() (unsent int) {
	now := load.Now()
	for _, j := range l.waiting[l.first:] {
		unsent++
		if l.from != 0 && j.due >= l.from {
			_ = l.tallies[j.kind].hist.RecordValue((now - j.due) / 1000)
		}
	}
	l.waiting, l.first = nil, 0
	for _, c := range l.callers {
		if c.busy {
			c.drop()
			c.giveUp("no answer when the scenario ended")
		}
	}
	l.pending = 0
	return unsent
}
