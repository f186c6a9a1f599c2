package fleet

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/mooring-mcp/mooring/bench/dialect"
	"github.com/mooring-mcp/mooring/bench/load"
)

// Options says what a fleet is.
type Options struct {
	Target *dialect.Target
	// Worker is the command of a process that runs bench.Work. If nil, this process holds all
	// streams.
	Worker []string
	// PerProcess is how many streams one process holds. Zero: as many as its descriptor limit
	// allows, with some to spare.
	PerProcess int
	// Opening is how many streams a process opens at once. Zero: 64.
	Opening int
	// Patience is how long opening a stream may take. Zero: 10 s.
	Patience time.Duration
	// FirstSource is the number of the first source address; see load.Sources. Each process takes
	// SourcesEach of them.
	FirstSource int
	// Dial says how each stream's connection is made.
	Dial load.Dial
}

// SourcesEach is how many source addresses a process of a fleet uses.
const SourcesEach = 64

// spareDescriptors is how many descriptors a process needs in addition to its streams.
const spareDescriptors = 512

// A State is what has become of the streams.
type State struct {
	Open     int // streams that are open now
	Opened   int // streams that have been open
	Failed   int // streams that could not be opened
	Failure  string
	Complete int // ended streams whose HTTP response the server completed
	Closed   int // ended streams whose connection the server closed in the middle of the response
	Reset    int
	Lost     int
	// Results counts streams whose request got its result, which is how a stream should end at
	// 2026-07-28.
	Results  int
	Events   int64
	Comments int64
	Bytes    int64 // of the events' data
	Watched  int64 // events with the method given to Mark, only the first one of each stream
	Heard    int   // streams that received anything, even a comment, since the last Mark
	LastEnd  int64 // when the last stream ended, by itself or by End; load.Now
}

func (s *State) add(t *State) {
	s.Open += t.Open
	s.Opened += t.Opened
	s.Failed += t.Failed
	if s.Failure == "" {
		s.Failure = t.Failure
	}
	s.Complete += t.Complete
	s.Closed += t.Closed
	s.Reset += t.Reset
	s.Lost += t.Lost
	s.Results += t.Results
	s.Events += t.Events
	s.Comments += t.Comments
	s.Bytes += t.Bytes
	s.Watched += t.Watched
	s.Heard += t.Heard
	s.LastEnd = max(s.LastEnd, t.LastEnd)
}

// Ended returns how many streams have ended without having been closed from here.
func (s *State) Ended() int { return s.Complete + s.Closed + s.Reset + s.Lost }

// holder holds streams: in this process, or in a worker to which it is the near end.
type holder interface {
	open(ctx context.Context, n int, perSecond float64) error
	state() (State, error)
	mark(method string, at int64) error
	arrivals() (watched, ended *hdrhistogram.Histogram, err error)
	pause(n int) error
	end(how ending, at int64) error
	usage() (Usage, error)
	close()
}

// Usage is what a client process has used.
type Usage struct {
	CPU time.Duration
	RSS int64
}

// A Fleet is a set of streams. Only one goroutine at a time may call its methods, except State,
// which may be called from any goroutine.
type Fleet struct {
	opts Options
	held []int // number of streams of each holder
	per  int

	mu      sync.Mutex // guards the slice, not its elements
	holders []holder
}

// New returns a fleet without streams. The caller must call Close.
func New(o Options) (*Fleet, error) {
	if o.Target == nil {
		return nil, errors.New("fleet: no target")
	}
	if o.Opening == 0 {
		o.Opening = 64
	}
	if o.Patience == 0 {
		o.Patience = 10 * time.Second
	}
	limit := descriptorLimit() - spareDescriptors
	if o.PerProcess == 0 || o.PerProcess > limit {
		o.PerProcess = max(1, limit)
	}
	return &Fleet{opts: o, per: o.PerProcess}, nil
}

// Open opens n more streams and returns when each of them is open or has failed, as State reports.
// It begins at most perSecond streams each second; 0: as fast as possible.
func (f *Fleet) Open(ctx context.Context, n int, perSecond float64) error {
	share := make([]int, len(f.holders))
	for i := range share {
		share[i] = min(n, f.per-f.held[i])
		n -= share[i]
	}
	for n > 0 {
		h, err := f.start()
		if err != nil {
			return err
		}
		k := min(n, f.per)
		f.mu.Lock()
		f.holders = append(f.holders, h)
		f.mu.Unlock()
		f.held, share = append(f.held, 0), append(share, k)
		n -= k
	}
	total := 0
	for _, k := range share {
		total += k
	}
	return f.each(func(i int, h holder) error {
		f.held[i] += share[i]
		return h.open(ctx, share[i], perSecond*float64(share[i])/float64(max(1, total)))
	})
}

// start makes a holder: first one in this process, then workers.
func (f *Fleet) start() (holder, error) {
	first := f.opts.FirstSource + len(f.holders)*SourcesEach
	if len(f.holders) == 0 {
		return newLocal(&f.opts, first)
	}
	if len(f.opts.Worker) == 0 {
		return nil, fmt.Errorf("fleet: more than %d streams need more processes, and there is no command to start them", f.per)
	}
	return startRemote(&f.opts, first)
}

// each runs g for all holders at once and returns their errors, joined.
func (f *Fleet) each(g func(i int, h holder) error) error {
	f.mu.Lock()
	holders := f.holders
	f.mu.Unlock()
	errs := make([]error, len(holders))
	var wg sync.WaitGroup
	for i, h := range holders {
		wg.Go(func() { errs[i] = g(i, h) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// State returns what has become of the streams. A worker that is opening streams answers
// afterwards.
func (f *Fleet) State() (State, error) {
	var mu sync.Mutex
	var sum State
	err := f.each(func(_ int, h holder) error {
		s, err := h.state()
		mu.Lock()
		defer mu.Unlock()
		sum.add(&s)
		return err
	})
	return sum, err
}

// Mark starts a new measurement of arrivals: for each stream, the first event with that method
// counts, with its time since at, a load.Now. An empty method means any event. The ends of streams
// are measured since at, too.
func (f *Fleet) Mark(method string, at int64) error {
	return f.each(func(_ int, h holder) error { return h.mark(method, at) })
}

// Arrivals returns when the watched event came to each stream, and when each stream that has ended
// did, in microseconds since the time given to Mark.
func (f *Fleet) Arrivals() (watched, ended *hdrhistogram.Histogram, err error) {
	watched, ended = newHistogram(), newHistogram()
	var mu sync.Mutex
	err = f.each(func(_ int, h holder) error {
		w, e, err := h.arrivals()
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		watched.Merge(w)
		ended.Merge(e)
		return nil
	})
	return watched, ended, err
}

// AwaitWatched waits until n streams have received the watched event since Mark, for limit at most.
// It returns how many have.
func (f *Fleet) AwaitWatched(ctx context.Context, n int, limit time.Duration) (int, error) {
	return f.await(ctx, n, limit, func(s *State) int { return int(s.Watched) })
}

// AwaitEnded waits until n streams have ended by themselves, since New, for limit at most. It
// returns how many have.
func (f *Fleet) AwaitEnded(ctx context.Context, n int, limit time.Duration) (int, error) {
	return f.await(ctx, n, limit, (*State).Ended)
}

func (f *Fleet) await(ctx context.Context, n int, limit time.Duration, count func(*State) int) (int, error) {
	end := time.Now().Add(limit)
	for {
		s, err := f.State()
		if have := count(&s); err != nil || have >= n || time.Now().After(end) {
			return have, err
		}
		select {
		case <-ctx.Done():
			return count(&s), ctx.Err()
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// Pause makes n streams of the first process stop reading, permanently.
func (f *Fleet) Pause(n int) error {
	if len(f.holders) == 0 {
		return nil
	}
	return f.holders[0].pause(n)
}

// An ending is how streams are closed from here.
type ending uint8

const (
	byFIN ending = iota
	byRST
	bySilence // they are not closed, but no longer answer anything
)

// End closes all streams at once, with a FIN or an RST, and returns when the first and the last
// were closed, by load.Now.
func (f *Fleet) End(reset bool) (first, last int64, err error) {
	if reset {
		return f.endBy(byRST)
	}
	return f.endBy(byFIN)
}

// Silence makes all streams fall silent at once, as if their machines had lost the network: they no
// longer answer anything, and send no FIN. State counts them as open until End(true) or Close, and
// they receive nothing. Silence returns when the first and the last fell silent, by load.Now.
func (f *Fleet) Silence() (first, last int64, err error) { return f.endBy(bySilence) }

func (f *Fleet) endBy(how ending) (first, last int64, err error) {
	first = load.Now()
	if len(f.holders) > 1 {
		first += int64(50 * time.Millisecond) // so that all processes begin together
	}
	if err = f.each(func(_ int, h holder) error { return h.end(how, first) }); err != nil {
		return first, first, err
	}
	s, err := f.State()
	return first, max(first, s.LastEnd), err
}

// Usage returns what the other processes have used, and how many there are.
func (f *Fleet) Usage() (u Usage, processes int, err error) {
	var mu sync.Mutex
	err = f.each(func(_ int, h holder) error {
		if _, here := h.(*local); here {
			return nil
		}
		one, err := h.usage()
		mu.Lock()
		defer mu.Unlock()
		u.CPU += one.CPU
		u.RSS += one.RSS
		processes++
		return err
	})
	return u, processes, err
}

// Close ends all streams and the workers.
func (f *Fleet) Close() {
	_ = f.each(func(_ int, h holder) error { h.close(); return nil })
	f.mu.Lock()
	f.holders, f.held = nil, nil
	f.mu.Unlock()
}

// newHistogram returns a histogram of microseconds, up to ten minutes.
func newHistogram() *hdrhistogram.Histogram { return hdrhistogram.New(1, 600_000_000, 3) }
