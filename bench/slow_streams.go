package bench

import (
	"context"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/mooring-mcp/mooring/bench/fleet"
	"github.com/mooring-mcp/mooring/bench/load"
)

// changesEach is how many changes are measured in each half of a round.
const changesEach = 5

// Limits for filling the buffers of stalled readers.
const (
	fillStep    = 20 // changes between two checks; the last one is measured
	fillChanges = 1500
	filled      = 4 << 10 // bytes in the kernel for a reader; with fewer it has hardly stalled
	// Before the half without stalled readers, so that the server is equally warm in both halves.
	warmSteps = 5
)

// slowStream is what is known about the stalled streams of the last round.
type slowStream struct {
	others  *fleet.Fleet
	n       int // number of others
	control *control
	table   *peerTable
	stalled int
	since   int64 // when they stalled, by load.Now
	before  int64 // resident bytes at that time
	queued  int64 // bytes that the kernel holds for all stalled streams
	rss     float64
	changes int
	filling *slowdown // while many changes are made
}

// slowStreams measures stalled readers of streams.
func (e *env) slowStreams(ctx context.Context) (err error) {
	w := &slowStream{filling: newSlowdown(), table: newPeerTable(e.target.Addr.Port(), load.Sources(e.target.Addr.Addr(), stalledSource, fleet.SourcesEach))}
	if w.control, err = e.control(ctx); err != nil {
		return err
	}
	if w.others, err = e.fleet(fleet.Options{}); err != nil {
		return err
	}
	_, s, err := e.openStreams(ctx, w.others, max(1, e.Streams-e.Stalled))
	if err != nil {
		return err
	}
	w.n = s.Open
	sum := newSlowdown()
	var rss, queued []float64
	for i := range e.Rounds {
		without, with, err := e.slowRound(ctx, w, i == e.Rounds-1)
		if err != nil {
			return err
		}
		sum.add(without, with)
		rss, queued = append(rss, w.rss), append(queued, float64(w.queued)/float64(w.stalled))
		e.progress("round %d of %d: 99 %% of the others within %.1f ms without stalled readers, and within %.1f ms with them, after %d changes", i+1, e.Rounds, millis(without, 99), millis(with, 99), w.changes)
	}
	e.key("slowdown_p99", "99 % of the others are notified later when readers stall, by", "%", sum.percent(), lower)
	e.figure("others_p99_without", "99 % of the others are notified within, no stalled readers", "ms", median(sum.without), lower)
	e.figure("others_p99_with", "The same with stalled readers", "ms", median(sum.with), lower)
	e.figure("filling_p99_without", "99 % are notified within, one change after many, no stalled readers", "ms", median(w.filling.without), lower)
	e.figure("filling_p99_with", "The same while the buffers for stalled readers fill up", "ms", maximum(w.filling.with), lower)
	e.distribution("others_without", "When others are notified of a change, no stalled readers", sum.allWithout)
	e.distribution("others_with", "When others are notified of a change, with stalled readers", sum.allWith)
	if _, _, ok := w.table.count(); ok {
		if median(queued) < filled {
			e.note("the kernel held only %.0f bytes for each stalled reader: the server sent too little in %v of changes to fill its buffers, so slowdown_p99 says little (a longer --wait makes more changes)", median(queued), e.Wait)
		}
		e.figure("stalled_queued", "Held by the kernel for each stalled reader", "B", median(queued), neither)
	}
	if e.server != nil {
		e.figure("stalled_rss", "Memory of the server for each stalled reader", "B", median(rss), neither)
	}
	if f := w.filling; sum.stalls() {
		e.fault("stalled_reader_stalls_all", "99 %% of %d clients are notified of a change within %.1f ms, and within %.1f ms when %d others do not read", w.n, median(sum.without), median(sum.with), e.Stalled)
	} else if f.stalls() {
		e.fault("stalled_reader_stalls_all", "99 %% of %d clients are notified of a change within %.1f ms, and within %.1f ms while the buffers for %d others that do not read fill up",
			w.n, median(f.without), median(f.with), e.Stalled)
	}
	after, err := w.others.State()
	if err != nil {
		return err
	}
	if lost := w.n - after.Open; lost > 0 {
		e.fault("streams_ended", "the server ended %d of %d streams that were being read", lost, w.n)
	}
	w.others.Close()
	return nil
}

// slowRound measures the others, first without and then with stalled readers.
func (e *env) slowRound(ctx context.Context, w *slowStream, last bool) (without, with *hdrhistogram.Histogram, err error) {
	f, err := e.fleet(fleet.Options{Dial: slowly, FirstSource: stalledSource})
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	_, s, err := e.openStreams(ctx, f, e.Stalled)
	if err != nil {
		return nil, nil, err
	}
	w.stalled = s.Open
	if err := e.settle(ctx, 2*time.Second); err != nil {
		return nil, nil, err
	}
	warm := newHistogram()
	for end, i := time.Now().Add(e.Wait), 0; i < warmSteps && time.Now().Before(end); i++ {
		if err := e.fillOnce(ctx, w, warm); err != nil {
			return nil, nil, err
		}
	}
	if without, err = e.someChanges(ctx, w); err != nil {
		return nil, nil, err
	}
	if u, ok := e.memory(); ok {
		w.before = u.RSS
	}
	if err := f.Pause(w.stalled); err != nil {
		return nil, nil, err
	}
	w.since = load.Now()
	filling, err := e.fillStalled(ctx, w)
	if err != nil {
		return nil, nil, err
	}
	w.filling.add(warm, filling)
	if with, err = e.someChanges(ctx, w); err != nil {
		return nil, nil, err
	}
	if u, ok := e.memory(); ok {
		w.rss = float64(u.RSS-w.before) / float64(w.stalled)
	}
	if last {
		err = e.awaitDropped(ctx, w)
	}
	_, _, cerr := f.End(true)
	if err == nil {
		err = cerr
	}
	return without, with, err
}

// someChanges makes changes one after another and returns when the others were notified of each. A
// client that was not notified counts with --wait.
func (e *env) someChanges(ctx context.Context, w *slowStream) (*hdrhistogram.Histogram, error) {
	all := newHistogram()
	for range changesEach {
		if err := e.quiet(ctx, w); err != nil {
			return nil, err
		}
		if err := e.oneChange(ctx, w, all); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// oneChange makes a change and adds to h when the others were notified of it. A client that was not
// notified counts with --wait.
func (e *env) oneChange(ctx context.Context, w *slowStream, h *hdrhistogram.Histogram) error {
	if _, err := e.markedChange(ctx, w.control, w.others); err != nil {
		return err
	}
	heard, err := w.others.AwaitWatched(ctx, w.n, e.Wait)
	if err != nil {
		return err
	}
	arrivals, _, err := w.others.Arrivals()
	if err != nil {
		return err
	}
	h.Merge(arrivals)
	if missing := w.n - heard; missing > 0 {
		_ = h.RecordValues(e.Wait.Microseconds(), int64(missing))
	}
	return nil
}

// fillStalled makes changes until the kernel accepts no more data for the stalled readers. If that
// cannot be seen, or does not happen, the time and the number of changes are limited.
func (e *env) fillStalled(ctx context.Context, w *slowStream) (*hdrhistogram.Histogram, error) {
	h := newHistogram()
	end := time.Now().Add(e.Wait)
	still := 0
	w.queued = -1
	for w.changes = 0; w.changes < fillChanges && time.Now().Before(end) && still < 3; {
		if err := e.fillOnce(ctx, w, h); err != nil {
			return nil, err
		}
		w.changes += fillStep
		switch held, now, ok := w.table.count(); {
		case !ok:
		case now > w.queued:
			w.queued, still = now, 0
		// Until then the client's own buffer takes what arrives.
		case held == 0 || now > int64(held)*filled:
			still++
		}
	}
	w.queued = max(0, w.queued)
	return h, nil
}

// fillOnce makes changes in a row and then one more, and adds to h when the others were notified of
// the last one.
func (e *env) fillOnce(ctx context.Context, w *slowStream, h *hdrhistogram.Histogram) error {
	for range fillStep - 1 {
		if _, err := e.change(ctx, w.control); err != nil {
			return err
		}
	}
	if err := e.quiet(ctx, w); err != nil {
		return err
	}
	return e.oneChange(ctx, w, h)
}

// quiet waits until no more events come to the others, for --wait at most: a notification of an
// earlier change must not be taken for one of the next.
func (e *env) quiet(ctx context.Context, w *slowStream) error {
	const every, times = 20 * time.Millisecond, 3
	var events int64
	same := 0
	for end := time.Now().Add(e.Wait); same < times && time.Now().Before(end); {
		s, err := w.others.State()
		if err != nil {
			return err
		}
		if same++; s.Events != events {
			events, same = s.Events, 0
		}
		if err := sleep(ctx, every); err != nil {
			return err
		}
	}
	return nil
}

// awaitDropped continues with changes for --wait, and reports what becomes of the stalled readers.
func (e *env) awaitDropped(ctx context.Context, w *slowStream) error {
	dropped := 0
	var after time.Duration
	for end := time.Now().Add(e.Wait); ; {
		held, _, ok := w.table.count()
		if !ok {
			return nil
		}
		dropped = max(0, w.stalled-held)
		after = time.Duration(load.Now() - w.since)
		if dropped == w.stalled || time.Now().After(end) {
			break
		}
		if _, err := e.change(ctx, w.control); err != nil {
			return err
		}
		if err := sleep(ctx, 100*time.Millisecond); err != nil {
			return err
		}
	}
	e.figure("stalled_dropped", "Stalled readers whose connection the server has ended", "%", 100*float64(dropped)/float64(w.stalled), neither)
	if dropped == w.stalled {
		e.figure("stalled_dropped_after", "From when they stalled until all were dropped", "ms", ms(after), neither)
		return nil
	}
	e.note("stalled_never_dropped: %d of %d stalled readers were still connected %v after they stopped reading, with %d bytes held for them in the kernel and %.0f more bytes for each in the server",
		w.stalled-dropped, w.stalled, after.Round(time.Second), w.queued, w.rss)
	return nil
}
