package bench

import (
	"context"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/mooring-mcp/mooring/bench/load"
)

// A measured is what a loop of requests found: what became of them, and what it cost.
type measured struct {
	tallies        []tally
	seconds        float64
	server, client float64 // seconds of processor time
	dials, retries int
	unsent         int                     // requests of the open loop that had no connection when it ended
	late           *hdrhistogram.Histogram // µs from when a request was due to when this side came to it; nil: no open loop
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

// closedLoop has all callers make requests of one kind, each as soon as it has the answer to the one before: for warm, and then for d, which is measured.
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
	// Those under way have begun while it was measured and count, in place of those that were under way when it began; the slowest must not be missing.
	if err := t.each(func(l *lane) { l.over = true }); err != nil {
		return m, err
	}
	if err := t.rest(ctx); err != nil {
		return m, err
	}
	m.tallies, m.dials, m.retries, err = t.take(false)
	return m, err
}

// rest waits until no request is under way.
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

// A schedule says when the requests of a lane are due, whatever becomes of those before: the one number n of them all at start + n/rate. Lanes take turns.
type schedule struct {
	start int64   // load.Now
	each  float64 // nanoseconds from one request of all lanes to the next
	n     int64   // of the lane's next request, among those of all
	step  int64   // how many lanes there are
	kind  func(n int64) int
}

func (s *schedule) due() int64 { return s.start + int64(float64(s.n)*s.each) }

// openLoop has requests made at a rate, each when it is due: by a connection that is idle, else by the first that will be. Their time counts from when they were due. The kinds say which each of
// them is. While it runs, during is called, which decides how long; what it does before measuring begins is to warm up.
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

// drain waits until the requests of the open loop have ended, for a while.
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

// send begins what is due.
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

// abandon ends what the server has not answered in time. What waited for that long counts with the time that it has waited until now, or the slowest would be missing.
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
