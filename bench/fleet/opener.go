package fleet

import (
	"fmt"
	"time"

	"github.com/mooring-mcp/mooring/bench/dialect"
	"github.com/mooring-mcp/mooring/bench/exchange"
	"github.com/mooring-mcp/mooring/bench/load"
)

// opener opens one stream after another. It belongs to its deck's loop.
type opener struct {
	*deck
	next func() bool          // reports whether there is another one to open
	wait func() time.Duration // returns how long to wait before opening it
	gone func() bool          // reports whether opening was given up
	done func()

	client   exchange.Client
	step     step
	retried  bool
	session  []byte
	out      []byte
	deadline int64 // for the stream being opened; 0: none
	over     bool
}

// step is what an opener waits for.
type step uint8

const (
	connecting step = iota
	initializing
	confirming
	streamHead
)

// checkEvery is how often an opener checks its deadline.
const checkEvery = int64(200 * time.Millisecond)

func (o *opener) begin() {
	o.client.Up, o.client.Answer, o.client.Lost, o.client.Stream = o.up, o.answered, o.lost, o.head
	o.expire()
	o.another()
}

// expire ends an opening that takes too long.
func (o *opener) expire() {
	if o.over {
		return
	}
	if o.deadline != 0 && load.Now() > o.deadline {
		o.client.Close()
		o.fail(fmt.Sprintf("no answer after %v to %s", o.opts.Patience, o.step))
	}
	o.loop.At(load.Now()+checkEvery, o.expire)
}

// String names what is waited for.
func (s step) String() string {
	return [...]string{"connect", "initialize", "notifications/initialized", "the stream's request"}[s]
}

func (o *opener) another() {
	if !o.next() {
		o.over = true
		o.done()
		return
	}
	o.pause(load.Now() + int64(o.wait()))
}

// pause waits until that time, or until the opening is given up.
func (o *opener) pause(until int64) {
	switch now := load.Now(); {
	case o.gone():
		o.over = true
		o.done()
	case now >= until:
		o.dial()
	default:
		o.loop.At(min(until, now+checkEvery), func() { o.pause(until) })
	}
}

func (o *opener) dial() {
	o.session = o.session[:0]
	o.retried = false
	o.deadline = load.Now() + int64(o.opts.Patience)
	o.connect(connecting)
}

// connect makes the connection for step s.
func (o *opener) connect(s step) {
	o.step = s
	if err := o.client.Dial(o.loop, &o.opts.Dial); err != nil {
		// Not from here: a thousand failures in a row would nest a thousand calls.
		_ = o.loop.Do(func() { o.fail(err.Error()) })
	}
}

func (o *opener) up() {
	switch {
	case o.step == confirming:
		o.confirm()
	case o.step == streamHead || o.opts.Target.Era != dialect.Legacy:
		o.openStream()
	default:
		o.step = initializing
		id := o.ids.Add(1)
		o.client.Send(o.opts.Target.AppendInitialize(o.out[:0], id), id)
	}
}

func (o *opener) confirm() {
	o.step = confirming
	o.client.Send(o.opts.Target.AppendInitialized(o.out[:0], o.session), exchange.None)
}

func (o *opener) openStream() {
	o.step = streamHead
	o.client.Open(o.opts.Target.AppendStream(o.out[:0], o.ids.Add(1), o.session))
}

func (o *opener) answered(a *exchange.Answer) {
	if !a.OK {
		step := o.step
		body := fmt.Sprintf("%.200s", a.Body)
		o.client.Close()
		o.fail(fmt.Sprintf("%s got status %d %s", step, a.Status, body))
		return
	}
	o.retried = false
	next := streamHead
	if o.step == initializing {
		o.session = append(o.session[:0], a.Session...)
		next = confirming
	}
	if a.Last {
		o.client.Close()
		o.connect(next)
		return
	}
	if next == confirming {
		o.confirm()
	} else {
		o.openStream()
	}
}

func (o *opener) head(r *load.Response) {
	if !r.Stream || r.Status != 200 {
		text := fmt.Sprintf("%s got status %d %.200s", o.step, r.Status, r.Body)
		o.client.Close()
		o.fail(text)
		return
	}
	o.deadline = 0
	o.adopt(o.client.Release())
	o.another()
}

func (o *opener) lost(how load.End) {
	if o.step > initializing && (how == load.ByFIN || how == load.ByRST) && !o.retried {
		o.retried = true // the server does not keep connections open between requests
		o.connect(o.step)
		return
	}
	o.fail(fmt.Sprintf("the connection was %v while waiting for %s", how, o.step))
}

func (o *opener) fail(why string) {
	if o.deadline == 0 {
		return
	}
	o.deadline = 0
	o.st.Failed++
	if o.st.Failure == "" {
		o.st.Failure = why
	}
	_ = o.loop.Do(o.another)
}
