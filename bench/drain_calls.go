package bench

import (
	"context"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/mooring-mcp/mooring/bench/exchange"
	"github.com/mooring-mcp/mooring/bench/load"
)

// openCalls are calls of the slow tool that are in flight.
type openCalls struct {
	client *load.Client
	takes  time.Duration // how long a call takes

	mu      sync.Mutex // guards the rest
	answers []int64    // when each answer came, by load.Now
	losses  []int64    // when each call was lost
	why     string     // why the first one was lost
	up      int        // calls that were sent
}

// allAnswered reports whether no call was lost after the signal.
func (o *openCalls) allAnswered(at int64) bool {
	_, lost, _, _, _ := o.outcome(at)
	return lost == 0
}

// openCalls begins calls of the slow tool, each on a connection of its own, and returns when the
// server has all of them.
func (e *env) openCalls(ctx context.Context) (*openCalls, error) {
	c, err := e.control(ctx)
	if err != nil {
		return nil, err
	}
	o := &openCalls{}
	begin := time.Now()
	if _, err := c.call(ctx, e.SlowTool, e.SlowArgs); err != nil {
		return nil, err
	}
	o.takes = time.Since(begin)
	e.progress("opening %d calls of %s, which takes %v", e.Concurrency, e.SlowTool, o.takes.Round(time.Millisecond))
	if o.client, err = load.New(load.Options{Addr: e.target.Addr, Loops: 1}); err != nil {
		return nil, err
	}
	e.closers = append(e.closers, o.client.Close)
	loop := o.client.Loops()[0]
	var dialErr error
	err = loop.Call(func() {
		for i := range e.Concurrency {
			id := firstID + int64(i) // the control has used the first ids in this session
			if dialErr = o.open(loop, e.target.AppendCall(nil, id, c.session, e.SlowTool, []byte(e.SlowArgs)), id); dialErr != nil {
				return
			}
		}
	})
	if err == nil {
		err = dialErr
	}
	if err != nil {
		return nil, err
	}
	for end := time.Now().Add(5 * time.Second); o.connected() < e.Concurrency && time.Now().Before(end); {
		if err := sleep(ctx, 10*time.Millisecond); err != nil {
			return nil, err
		}
	}
	// The server must have read them all, and must not have answered any.
	return o, sleep(ctx, min(300*time.Millisecond, o.takes/4))
}

func (o *openCalls) open(loop *load.Loop, req []byte, id int64) error {
	c := &exchange.Client{}
	c.Up = func() {
		c.Send(req, id)
		o.mu.Lock()
		o.up++
		o.mu.Unlock()
	}
	c.Answer = func(a *exchange.Answer) {
		at, ok, why := a.At, a.OK, fmt.Sprintf("got status %d %.200s", a.Status, a.Body)
		c.Close()
		if !ok {
			o.lose(why)
			return
		}
		o.mu.Lock()
		defer o.mu.Unlock()
		o.answers = append(o.answers, at)
	}
	c.Lost = func(how load.End) { o.lose("the connection was " + how.String()) }
	return c.Dial(loop, nil)
}

func (o *openCalls) lose(why string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.losses = append(o.losses, load.Now())
	or(&o.why, why)
}

func (o *openCalls) connected() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.up + len(o.losses)
}

// outcome returns how many calls were answered after at, how many were lost, how many had ended
// before, and when the answers came, counted from at. A call that was sent and has neither been
// answered nor ended counts as lost.
func (o *openCalls) outcome(at int64) (answered, lost, early int, last time.Duration, h *hdrhistogram.Histogram) {
	o.mu.Lock()
	defer o.mu.Unlock()
	h = newHistogram()
	for _, t := range o.losses {
		if t < at {
			early++
		} else {
			lost++
		}
	}
	for _, t := range o.answers {
		if t < at {
			early++
			continue
		}
		answered++
		last = max(last, time.Duration(t-at))
		_ = h.RecordValue((t - at) / 1000)
	}
	if n := o.up - len(o.answers) - len(o.losses); n > 0 {
		lost += n
		or(&o.why, "no answer, and the connection did not end")
	}
	return answered, lost, early, last, h
}

// points returns how many calls had been answered, by the seconds since zero.
func (o *openCalls) points(zero int64) [][2]float64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	slices.Sort(o.answers)
	var p [][2]float64
	for i, t := range o.answers {
		p = append(p, [2]float64{float64(t-zero) / 1e9, float64(i + 1)})
	}
	return p
}

// knockEvery is how often knock tries to connect.
const knockEvery = 20 * time.Millisecond

// knock tries to connect, again and again, until the returned function is called.
func (d *drained) knock(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		dialer := net.Dialer{Timeout: time.Second}
		for {
			begin := load.Now()
			if c, err := dialer.DialContext(ctx, "tcp", d.env.target.Addr.String()); err == nil {
				_ = c.Close()
				d.accepted = time.Duration(begin - d.at)
			}
			if sleep(ctx, knockEvery) != nil {
				return
			}
		}
	}()
	return func() {
		cancel()
		<-done
	}
}
