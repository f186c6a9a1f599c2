package fleet

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/mooring-mcp/mooring/bench/load"
)

// local holds streams in this process.
type local struct {
	opts   *Options
	client *load.Client
	decks  []*deck
	ids    atomic.Int64
}

// deck holds the streams of one loop. All of it belongs to the loop.
type deck struct {
	*local
	loop   *load.Loop
	st     State
	method []byte // the watched method; empty: any
	marked int64
	epoch  uint64 // counts calls of Mark
	muted  bool   // a FIN would not be acknowledged

	watched, ended *hdrhistogram.Histogram
	streams        map[*load.Conn]struct{}
}

func newLocal(o *Options, firstSource int) (*local, error) {
	client, err := load.New(load.Options{Addr: o.Target.Addr, Sources: load.Sources(o.Target.Addr.Addr(), firstSource, SourcesEach)})
	if err != nil {
		return nil, fmt.Errorf("fleet: %w", err)
	}
	h := &local{opts: o, client: client}
	for _, l := range client.Loops() {
		h.decks = append(h.decks, &deck{local: h, loop: l, watched: newHistogram(), ended: newHistogram(), streams: map[*load.Conn]struct{}{}})
	}
	return h, nil
}

// onDecks runs g on each loop in turn.
func (h *local) onDecks(g func(*deck)) error {
	return h.client.Each(func(l *load.Loop) { g(h.decks[l.Index()]) })
}

func (h *local) open(ctx context.Context, n int, perSecond float64) error {
	var left atomic.Int64
	left.Store(int64(n))
	width := min(n, h.opts.Opening)
	var wg sync.WaitGroup
	pace := pacer{perSecond: perSecond, begin: time.Now()}
	for i := range width {
		d := h.decks[i%len(h.decks)]
		wg.Add(1)
		o := &opener{deck: d, done: wg.Done}
		o.next = func() bool { return ctx.Err() == nil && left.Add(-1) >= 0 }
		o.wait = pace.wait
		o.gone = func() bool { return ctx.Err() != nil }
		if err := d.loop.Do(o.begin); err != nil {
			wg.Done()
			return err
		}
	}
	wg.Wait()
	// Memory that opening took must not count as what the client needs for a stream.
	debug.FreeOSMemory()
	return ctx.Err()
}

// pacer spreads the start of work over time.
type pacer struct {
	perSecond float64
	begin     time.Time
	n         atomic.Int64
}

// wait returns how long the next start has to wait.
func (p *pacer) wait() time.Duration {
	if p.perSecond <= 0 {
		return 0
	}
	due := time.Duration(float64(p.n.Add(1)-1) / p.perSecond * float64(time.Second))
	return max(0, due-time.Since(p.begin))
}

func (h *local) state() (State, error) {
	var mu sync.Mutex
	var sum State
	err := h.onDecks(func(d *deck) {
		mu.Lock()
		defer mu.Unlock()
		s := d.st
		s.Open = len(d.streams)
		sum.add(&s)
	})
	return sum, err
}

func (h *local) mark(method string, at int64) error {
	return h.onDecks(func(d *deck) {
		d.method, d.marked = []byte(method), at
		d.epoch++
		d.st.Watched, d.st.Heard = 0, 0
		d.watched.Reset()
		d.ended.Reset()
	})
}

func (h *local) arrivals() (watched, ended *hdrhistogram.Histogram, err error) {
	watched, ended = newHistogram(), newHistogram()
	err = h.onDecks(func(d *deck) {
		watched.Merge(d.watched)
		ended.Merge(d.ended)
	})
	return watched, ended, err
}

func (h *local) pause(n int) error {
	return h.onDecks(func(d *deck) {
		for c := range d.streams {
			if n--; n < 0 {
				return
			}
			c.Pause()
		}
	})
}

func (h *local) end(how ending, at int64) error {
	var wg sync.WaitGroup
	errs := make([]error, len(h.decks))
	for i, d := range h.decks {
		wg.Go(func() {
			time.Sleep(time.Duration(at - load.Now()))
			var muted error
			err := d.loop.Call(func() { muted = d.endAll(how) })
			errs[i] = errors.Join(err, muted)
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// breath is how many streams are ended in one go. The pause that follows lets the kernel's own
// thread deliver what was sent: on loopback it queues a thousand packets for each processor and
// drops the rest.
const breath = 64

func (d *deck) endAll(how ending) (err error) {
	n := 0
	for c := range d.streams {
		if n++; n%breath == 0 && how != bySilence {
			time.Sleep(50 * time.Microsecond)
		}
		switch {
		case how == bySilence:
			d.muted = true
			if e := c.Mute(); err == nil {
				err = e
			}
		case how == byRST || d.muted:
			c.Reset()
		default:
			c.Close()
		}
	}
	if how != bySilence {
		clear(d.streams)
		d.muted = false
	}
	d.st.LastEnd = load.Now()
	return err
}

func (h *local) usage() (Usage, error) { return ownUsage() }

func (h *local) close() {
	_ = h.end(byFIN, 0)
	h.client.Close()
}
