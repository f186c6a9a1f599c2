package main

import (
	"errors"
	"fmt"
	"log"
	"math"
	"net/netip"
	"slices"
	"time"

	"github.com/mooring-mcp/mooring/bench/load"
)

// The open loop of measureWorker.
const (
	pacedRate  = 1000 // calls each second
	pacedCalls = 8000
	pacedWarm  = 1000
	pacedConns = 64
	slowCall   = 5 * time.Millisecond
)

// measureWorker compares the time from send to answer of a call that a worker serves with that of
// one that the loop serves, while few calls are in flight. It also counts slow calls while few
// connections are used, so that a loop has no other events that would wake it.
func measureWorker(bin string, o *options) []row {
	p99 := row{name: "worker_p99_ratio", what: "p99 of `echo` (worker) against `add` (inline), 1,000 calls/s, 64 connections in turn, from send to answer, same run", bound: [2]float64{2, 2}}
	add := row{name: "inline_p99_us", what: "p99 of `add`, µs", bound: [2]float64{noBound, noBound}}
	echo := row{name: "worker_p99_us", what: "p99 of `echo`, µs", bound: add.bound}
	slow := row{name: "worker_lifo_slow", what: "`echo`s of 8,000 above 5 ms, connections last in, first out", bound: [2]float64{0, 0}}
	slowAdd := row{name: "inline_lifo_slow", what: "`add`s of 8,000 above 5 ms, the same", bound: add.bound}
	for range o.rounds {
		f := start(bin, "-kind=gnet")
		add.floor = append(add.floor, percentile(paced(f.addr, requestOf(f.addr, "add"), true), 99))
		slowAdd.floor = append(slowAdd.floor, above(paced(f.addr, requestOf(f.addr, "add"), false), slowCall))
		f.stop()
		for e, engine := range engines {
			m := start(bin, "-kind=mooring", "-engine="+engine)
			reqAdd, reqEcho := requestOf(m.addr, "add"), requestOf(m.addr, "echo")
			a := percentile(paced(m.addr, reqAdd, true), 99)
			w := percentile(paced(m.addr, reqEcho, true), 99)
			add.on[e], echo.on[e] = append(add.on[e], a), append(echo.on[e], w)
			slow.on[e] = append(slow.on[e], above(paced(m.addr, reqEcho, false), slowCall))
			slowAdd.on[e] = append(slowAdd.on[e], above(paced(m.addr, reqAdd, false), slowCall))
			m.stop()
		}
	}
	for e := range engines {
		p99.on[e] = ratios(echo.on[e], add.on[e])
	}
	return []row{p99, echo, add, slow, slowAdd}
}

// percentile returns the p-th percentile of times, in microseconds. times must be sorted.
func percentile(times []time.Duration, p float64) float64 {
	i := int(math.Ceil(p/100*float64(len(times)))) - 1
	return float64(times[max(i, 0)]) / float64(time.Microsecond)
}

func above(times []time.Duration, limit time.Duration) (n float64) {
	for _, t := range times {
		if t > limit {
			n++
		}
	}
	return n
}

// paced sends req pacedRate times each second, each on an idle connection when it is due, and
// returns the times from send to answer, sorted. They do not include delays of the client.
func paced(addr string, req []byte, inTurn bool) []time.Duration {
	client, err := load.New(load.Options{Addr: netip.MustParseAddrPort(addr), Loops: 1})
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	p := &pacer{loop: client.Loops()[0], req: req, inTurn: inTurn, warm: pacedWarm, all: pacedWarm + pacedCalls, done: make(chan error, 1)}
	times, err := p.run()
	if err != nil {
		log.Fatal(err)
	}
	return times
}

// A pacer is the driver of all connections of paced, and belongs to their loop.
type pacer struct {
	loop   *load.Loop
	req    []byte
	inTurn bool
	warm   int // number of first answers that do not count
	all    int // number of requests

	idle  []*load.Conn
	start int64
	sent  int // requests that were sent
	had   int // answers received
	times []time.Duration
	done  chan error
}

// run returns the times, sorted.
func (p *pacer) run() ([]time.Duration, error) {
	if err := p.loop.Do(p.connect); err != nil {
		return nil, err
	}
	select {
	case err := <-p.done:
		slices.Sort(p.times)
		return p.times, err
	case <-time.After(time.Duration(p.all)*time.Second/pacedRate + 30*time.Second):
		return nil, errors.New("paced: not all calls were answered")
	}
}

func (p *pacer) connect() {
	for range pacedConns {
		if _, err := p.loop.Open(p, 0, nil); err != nil {
			p.fail(err)
			return
		}
	}
}

func (p *pacer) fail(err error) {
	select {
	case p.done <- err:
	default:
	}
}

// due returns when the next request is due.
func (p *pacer) due() int64 { return p.start + int64(p.sent)*int64(time.Second/pacedRate) }

// send sends the requests that are due as long as there are idle connections. The others are sent
// when a connection becomes idle.
func (p *pacer) send() {
	for len(p.idle) > 0 && p.sent < p.all && p.due() <= load.Now() {
		i := len(p.idle) - 1
		if p.inTurn {
			i = 0
		}
		c := p.idle[i]
		p.idle = slices.Delete(p.idle, i, i+1)
		p.sent++
		c.Write(p.req)
	}
}

func (p *pacer) tick() {
	p.send()
	if p.sent < p.all {
		p.loop.At(max(p.due(), load.Now()+int64(time.Millisecond)/4), p.tick)
	}
}

// Opened implements load.Driver.
func (p *pacer) Opened(c *load.Conn) {
	if p.idle = append(p.idle, c); len(p.idle) == pacedConns {
		p.start = load.Now() + int64(100*time.Millisecond) // until then all are accepted
		p.loop.At(p.start, p.tick)
	}
}

// Response implements load.Driver.
func (p *pacer) Response(c *load.Conn, r *load.Response) {
	if r.Status != 200 {
		p.fail(fmt.Errorf("answer: %s", r.Head))
		return
	}
	if p.had++; p.had > p.warm {
		p.times = append(p.times, time.Duration(r.At-r.Sent))
	}
	if p.had == p.all {
		p.fail(nil)
		return
	}
	p.idle = append(p.idle, c)
	p.send()
}

// Event implements load.Driver.
func (p *pacer) Event(*load.Conn, *load.Event) {}

// StreamEnded implements load.Driver.
func (p *pacer) StreamEnded(*load.Conn) {}

// Closed implements load.Driver.
func (p *pacer) Closed(_ *load.Conn, how load.End) {
	p.fail(fmt.Errorf("paced: the connection was %v", how))
}
