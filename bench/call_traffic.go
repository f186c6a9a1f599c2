package bench

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/mooring-mcp/mooring/bench/dialect"
	"github.com/mooring-mcp/mooring/bench/exchange"
	"github.com/mooring-mcp/mooring/bench/load"
)

// A kind is one sort of request.
type kind struct {
	name   string // of its method
	append func(dst []byte, id int64, session []byte) []byte
}

// callKind, listKind and pingKind are requests that any MCP server answers, and a call of the tool.
func (e *env) callKind() kind {
	return kind{"tools/call", func(dst []byte, id int64, session []byte) []byte {
		return e.target.AppendCall(dst, id, session, e.Tool, []byte(e.Args))
	}}
}

func (e *env) listKind() kind { return kind{"tools/list", e.target.AppendToolsList} }

func (e *env) pingKind() kind {
	name := "ping"
	if e.target.Era == dialect.Modern {
		name = "server/discover"
	}
	return kind{name, e.target.AppendPing}
}

// traffic is requests on persistent connections, one at a time on each. Only one goroutine may call
// its methods.
type traffic struct {
	target *dialect.Target
	kinds  []kind
	lanes  []*lane
}

// lane is the part of a traffic that one loop drives. It belongs to that loop.
type lane struct {
	traffic *traffic
	loop    *load.Loop
	callers []*caller
	shapes  []shape // one for each kind
	tallies []tally // one for each kind
	dials   int     // connections that were opened for a request
	retries int     // requests that were made again

	closed  bool // a caller that has its answer makes the next request
	kind    int  // the kind of the closed loop
	open    schedule
	waiting []job // due, but without a connection
	first   int   // index of the first one in waiting
	idle    free  // used in the open loop
	// Requests that were due before this are not counted; 0: nothing is counted.
	from    int64
	pending int                     // requests of the open loop that have not ended
	late    *hdrhistogram.Histogram // µs by which this side itself was late
	over    bool
	pace    func()
}

// A tally is what became of the requests of one kind.
type tally struct {
	// µs until the answer, or until the request was given up: a server that does not answer must
	// not seem fast.
	hist *hdrhistogram.Histogram
	// The same for the open loop, from when the request was sent; requests never sent are not in
	// it.
	sent     *hdrhistogram.Histogram
	answered int
	failed   int
	why      string
}

// add adds o to t.
func (t *tally) add(o *tally) {
	t.hist.Merge(o.hist)
	t.sent.Merge(o.sent)
	t.answered += o.answered
	t.failed += o.failed
	or(&t.why, o.why)
}

func newTallies(n int) []tally {
	out := make([]tally, n)
	for i := range out {
		out[i].hist, out[i].sent = newHistogram(), newHistogram()
	}
	return out
}

// callPatience is how long a request may take.
const callPatience = 10 * time.Second

// traffic connects n callers that make requests of these kinds, each with a session of its own if
// the era has sessions. They are closed when the scenario ends.
func (e *env) traffic(ctx context.Context, n int, kinds ...kind) (*traffic, error) {
	client, err := load.New(load.Options{Addr: e.target.Addr, Sources: load.Sources(e.target.Addr.Addr(), 40_000, 64)})
	if err != nil {
		return nil, err
	}
	e.closers = append(e.closers, client.Close)
	t := &traffic{target: e.target, kinds: kinds}
	for _, l := range client.Loops() {
		ln := &lane{traffic: t, loop: l, shapes: make([]shape, len(kinds)), tallies: newTallies(len(kinds)), late: newHistogram()}
		ln.pace = ln.send
		t.lanes = append(t.lanes, ln)
	}
	n = max(n, len(t.lanes))
	ready := make(chan error, n)
	for i := range n {
		ln := t.lanes[i%len(t.lanes)]
		if err := ln.loop.Do(func() { ln.join(ready) }); err != nil {
			return nil, err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for i := range n {
		select {
		case err := <-ready:
			if err != nil {
				return nil, err
			}
		case <-ctx.Done():
			return nil, fmt.Errorf("bench: %d of %d clients got no answer: %w", n-i, n, ctx.Err())
		}
	}
	return t, t.each((*lane).expire)
}

// each runs f for each lane, on its loop.
func (t *traffic) each(f func(*lane)) error {
	for _, l := range t.lanes {
		if err := l.loop.Call(func() { f(l) }); err != nil {
			return err
		}
	}
	return nil
}

// join adds a caller, and sends its outcome to ready once it is connected.
func (l *lane) join(ready chan<- error) {
	c := &caller{lane: l}
	if l.traffic.target.Era != dialect.Legacy {
		l.callers = append(l.callers, c)
		if err := c.prepare(); err != nil {
			ready <- err
			return
		}
		c.ready = ready
		if c.again(); c.conn == nil {
			c.tell(errors.New("bench: no connection could be made"))
		}
		return
	}
	x, t := &c.setup, l.traffic.target
	failed := func(what string) { ready <- errors.New("bench: " + what) }
	done := func(a *exchange.Answer) {
		if a.Last {
			x.Close()
		} else {
			c.conn = x.Release()
			c.conn.SetDriver(c)
		}
		l.callers = append(l.callers, c)
		ready <- c.prepare()
	}
	confirming, retried := false, false
	x.Up = func() {
		if confirming {
			x.Send(t.AppendInitialized(nil, c.session), exchange.None)
			return
		}
		x.Send(t.AppendInitialize(nil, 1), 1)
	}
	x.Answer = func(a *exchange.Answer) {
		switch {
		case !a.OK:
			text := fmt.Sprintf("a session was refused: status %d %.200s", a.Status, a.Body)
			x.Close()
			failed(text)
		case confirming:
			done(a)
		default:
			confirming = true
			c.session = append(c.session, a.Session...)
			if !a.Last {
				x.Up()
				return
			}
			x.Close()
			if err := x.Dial(l.loop, nil); err != nil {
				failed(err.Error())
			}
		}
	}
	x.Lost = func(how load.End) {
		if confirming && !retried && (how == load.ByFIN || how == load.ByRST) {
			retried = true // the server does not keep connections open between requests
			if err := x.Dial(l.loop, nil); err != nil {
				failed(err.Error())
			}
			return
		}
		failed("the connection for a session was " + how.String())
	}
	if err := x.Dial(l.loop, nil); err != nil {
		failed(err.Error())
	}
}

// right reports whether body answers the request of that kind and id.
func (l *lane) right(kind int, body []byte, id int64) bool { return l.shapes[kind].right(body, id) }

// expire ends requests that take too long. It repeats itself.
func (l *lane) expire() {
	now := load.Now()
	for _, c := range l.callers {
		if c.busy && c.got && now-c.at > int64(exchange.EndOfStream) {
			c.drop() // the result has arrived, but the server does not end the stream
			c.end(c.failure)
			continue
		}
		if c.busy && now-c.began > int64(callPatience) {
			c.drop()
			c.giveUp("no answer for " + callPatience.String())
		}
	}
	l.loop.After(200*time.Millisecond, l.expire)
}

// ended is called by a caller when its request has ended.
func (l *lane) ended(c *caller, failure string) {
	j := c.job
	if l.from != 0 && j.due >= l.from {
		t := &l.tallies[j.kind]
		if failure == "" {
			t.answered++
			l.took(t, c, c.at)
		} else {
			t.failed++
			or(&t.why, failure)
		}
		if c.givenUp {
			l.took(t, c, load.Now())
		}
	}
	if l.closed {
		l.next(c, failure)
		return
	}
	l.pending--
	if l.first < len(l.waiting) {
		l.first++
		j := l.waiting[l.first-1]
		if failure != "" {
			// Not from here: a row of failures would nest one call in the other.
			_ = l.loop.Do(func() { c.begin(j) })
			c.busy, c.job, c.began = true, j, load.Now()
			return
		}
		c.begin(j)
		return
	}
	l.idle.put(c)
}

// took records the latency of a request that ended at end: from when it was due, and in the open
// loop also from when it was sent.
func (l *lane) took(t *tally, c *caller, end int64) {
	_ = t.hist.RecordValue((end - c.job.due) / 1000)
	if !l.closed {
		_ = t.sent.RecordValue((end - c.began) / 1000)
	}
}

// next has a caller of the closed loop make its next request. After a failure it waits a little, so
// that a server that refuses requests does not get them as fast as possible.
func (l *lane) next(c *caller, failure string) {
	if l.over {
		return
	}
	if failure == "" {
		c.begin(job{l.kind, load.Now()})
		return
	}
	l.loop.After(10*time.Millisecond, func() {
		if !l.over && l.closed && !c.busy {
			c.begin(job{l.kind, load.Now()})
		}
	})
}

// take returns what was counted and starts over. If count is set, it counts what is due from now
// on.
func (t *traffic) take(count bool) (sum []tally, dials, retries int, err error) {
	sum = newTallies(len(t.kinds))
	now := load.Now()
	err = t.each(func(l *lane) {
		for i := range sum {
			sum[i].add(&l.tallies[i])
		}
		dials, retries = dials+l.dials, retries+l.retries
		l.tallies, l.dials, l.retries, l.from = newTallies(len(t.kinds)), 0, 0, 0
		if count {
			l.from = now
		}
	})
	return sum, dials, retries, err
}
