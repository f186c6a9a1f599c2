package bench

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/mooring-mcp/mooring/bench/dialect"
	"github.com/mooring-mcp/mooring/bench/exchange"
	"github.com/mooring-mcp/mooring/bench/load"
)

// visits are clients that connect, do what a client does, and disconnect without a DELETE. Only one
// goroutine may call its methods.
type visits struct {
	target     *dialect.Target
	tool       string
	args       []byte
	withStream bool // each opens a stream too
	client     *load.Client

	mu sync.Mutex // guards the rest
	quota
	free    []*visitor
	first   *hdrhistogram.Histogram
	whole   *hdrhistogram.Histogram
	gone    int
	failed  int
	why     string
	lastFIN int64 // load.Now
	closed  bool
}

// visitPatience is how long a visit may take.
const visitPatience = 15 * time.Second

// visits returns visits to this server. They are closed when the scenario ends.
func (e *env) visits(withStream bool) (*visits, error) {
	client, err := load.New(load.Options{Addr: e.target.Addr, Sources: load.Sources(e.target.Addr.Addr(), 45_000, 128)})
	if err != nil {
		return nil, err
	}
	v := &visits{target: e.target, tool: e.Tool, args: []byte(e.Args), withStream: withStream, client: client, first: newHistogram(), whole: newHistogram()}
	e.closers = append(e.closers, v.close)
	return v, nil
}

func (v *visits) close() {
	v.mu.Lock()
	v.closed = true
	v.mu.Unlock()
	v.client.Close()
}

// round runs n clients, at most concurrency at a time, and returns when all have disconnected.
func (v *visits) round(ctx context.Context, n, concurrency int) error {
	return v.quota.round(ctx, &v.mu, v.client, n, concurrency, func(l *load.Loop) {
		v.another(&visitor{visits: v, loop: l})
	})
}

// another begins a client of the round, if there is one left.
func (v *visits) another(x *visitor) {
	v.mu.Lock()
	if v.closed {
		v.left = 0
	}
	begin := v.take()
	v.mu.Unlock()
	if !begin {
		return
	}
	x.done = func() { _ = x.loop.Do(func() { v.another(x) }) }
	x.begin(load.Now())
}

// come begins one client that was due at that time, however many others are there.
func (v *visits) come(due int64) error {
	v.mu.Lock()
	var x *visitor
	if n := len(v.free); n > 0 {
		x, v.free = v.free[n-1], v.free[:n-1]
	}
	v.here++
	v.mu.Unlock()
	if x == nil {
		x = &visitor{visits: v, loop: v.client.Next()}
		x.done = func() {
			v.mu.Lock()
			v.free = append(v.free, x)
			v.mu.Unlock()
		}
	}
	return x.loop.Do(func() { x.begin(due) })
}

// present returns how many clients are connected.
func (v *visits) present() int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.here
}

// went counts a client that has disconnected. One that gave up counts with the time until then: a
// server that does not answer must not seem fast.
func (v *visits) went(x *visitor, failure string) {
	now := load.Now()
	v.mu.Lock()
	defer v.mu.Unlock()
	v.here--
	v.lastFIN = max(v.lastFIN, now)
	if failure != "" {
		v.failed++
		or(&v.why, failure)
		if !x.givenUp {
			return
		}
	} else {
		v.gone++
	}
	answered := now
	if x.answered != 0 {
		answered = x.answered
	}
	_ = v.first.RecordValue((answered - x.due) / 1000)
	_ = v.whole.RecordValue((now - x.due) / 1000)
}

// A visitor is one client after another. It belongs to its loop.
type visitor struct {
	visits *visits
	loop   *load.Loop
	done   func()

	ex, stream exchange.Client
	session    []byte
	out        []byte
	step       visitStep
	retried    bool
	due        int64
	began      int64
	answered   int64 // when the first answer arrived
	here       bool
	expiring   bool // expire is scheduled
	givenUp    bool // there was no answer in time
}

// visitStep is what a visitor waits for.
type visitStep uint8

const (
	greeting     visitStep = iota // initialize, or server/discover
	initialized                   // the notification
	visitStream                   // the head of the stream
	visitCalling                  // tools/call
)

func (s visitStep) String() string {
	return [...]string{"its first request", "notifications/initialized", "the stream's request", "tools/call"}[s]
}

func (x *visitor) begin(due int64) {
	x.due, x.began, x.answered, x.here, x.step, x.session, x.givenUp = due, load.Now(), 0, true, greeting, x.session[:0], false
	if x.ex.Lost == nil {
		x.ex.Up, x.ex.Answer, x.ex.Lost = x.request, x.answer, func(how load.End) { x.lost(how) }
		x.stream.Up = func() {
			x.out = x.visits.target.AppendStream(x.out[:0], 2, x.session)
			x.stream.Open(x.out)
		}
		x.stream.Stream = x.opened
		x.stream.Answer = func(*exchange.Answer) {}
		x.stream.Lost = func(how load.End) {
			if x.step == visitStream {
				x.fail("the connection was " + how.String() + " while waiting for " + x.step.String())
			}
		}
	}
	if !x.expiring {
		x.expiring = true
		x.expire()
	}
	x.connect(&x.ex)
}

func (x *visitor) connect(c *exchange.Client) {
	x.retried = false
	if err := c.Dial(x.loop, nil); err != nil {
		x.fail(err.Error())
	}
}

// expire ends a visit that takes too long. It stops while there is no visit.
func (x *visitor) expire() {
	if !x.here {
		x.expiring = false
		return
	}
	if load.Now()-x.began > int64(visitPatience) {
		x.givenUp = true
		x.fail("no answer after " + visitPatience.String() + " to " + x.step.String())
	}
	x.loop.After(500*time.Millisecond, x.expire)
}

// request sends the request of the step.
func (x *visitor) request() {
	t := x.visits.target
	switch x.step {
	case greeting:
		if t.Era == dialect.Modern {
			x.out = t.AppendDiscover(x.out[:0], 1)
		} else {
			x.out = t.AppendInitialize(x.out[:0], 1)
		}
		x.ex.Send(x.out, 1)
	case initialized:
		x.out = t.AppendInitialized(x.out[:0], x.session)
		x.ex.Send(x.out, exchange.None)
	case visitCalling:
		x.out = t.AppendCall(x.out[:0], 3, x.session, x.visits.tool, x.visits.args)
		x.ex.Send(x.out, 3)
	}
}

func (x *visitor) answer(a *exchange.Answer) {
	if !a.OK {
		x.fail(fmt.Sprintf("%s got status %d %.200s", x.step, a.Status, a.Body))
		return
	}
	x.retried = false
	next := x.step + 1
	switch x.step {
	case greeting:
		x.answered = a.At
		x.session = append(x.session, a.Session...)
		if x.visits.target.Era == dialect.Modern {
			next = visitStream
		}
	case visitCalling:
		x.leave("")
		return
	}
	x.step = next
	if a.Last {
		x.ex.Close()
	}
	if x.step == visitStream {
		if x.visits.withStream {
			x.connect(&x.stream)
			return
		}
		x.step = visitCalling
	}
	x.goOn()
}

// goOn sends the next request on the current connection, or on a new one.
func (x *visitor) goOn() {
	if x.ex.Conn() == nil {
		x.connect(&x.ex)
		return
	}
	x.request()
}

// opened handles the head of the stream.
func (x *visitor) opened(r *load.Response) {
	if !r.Stream || r.Status != 200 {
		x.fail(fmt.Sprintf("%s got status %d %.200s", x.step, r.Status, r.Body))
		return
	}
	x.step = visitCalling
	x.goOn()
}

// lost handles the end of the connection for requests. Some servers close it after each request:
// the request is then made again, once.
func (x *visitor) lost(how load.End) {
	switch {
	case !x.here || x.step == visitStream: // a new connection is opened when it is needed
	case x.step > greeting && (how == load.ByFIN || how == load.ByRST) && !x.retried:
		x.connect(&x.ex)
		x.retried = true
	default:
		x.fail("the connection was " + how.String() + " while waiting for " + x.step.String())
	}
}

func (x *visitor) fail(why string) { x.leave(why) }

// leave ends the connections.
func (x *visitor) leave(failure string) {
	if !x.here {
		return
	}
	x.here = false
	x.ex.Close()
	x.stream.Close()
	x.visits.went(x, failure)
	x.done()
}
