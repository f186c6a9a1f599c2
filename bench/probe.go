package bench

import (
	"context"
	"fmt"
	"net/url"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/mooring-mcp/mooring/bench/dialect"
	"github.com/mooring-mcp/mooring/bench/exchange"
	"github.com/mooring-mcp/mooring/bench/load"
	"github.com/mooring-mcp/mooring/bench/result"
)

// A prober asks the server for a sign of life at an interval, each time on a new connection as a load balancer does, whether or not the one before was answered. It shows what others have of the
// server while a scenario keeps it busy.
type prober struct {
	env     *env
	client  *load.Client
	loop    *load.Loop
	every   time.Duration
	request []byte
	place   request // in request, of the id; empty if it has none
	id      int64   // of the last request: in one session none may be used twice
	what    string
	next    int64 // when the next is due
	stopped bool
	held    bool

	mu     sync.Mutex // guards the rest
	hist   *hdrhistogram.Histogram
	late   *hdrhistogram.Histogram // by how much this side was late with asking
	recent *hdrhistogram.Histogram // since window
	points [][2]float64
	asked  int
	failed int
	why    string
	open   map[*probe]struct{}
}

type probe struct {
	ex  exchange.Client
	due int64
	at  int64 // when the answer was there
}

// probePatience is how long a probe waits for its answer; then it has failed.
const probePatience = 10 * time.Second

// probe starts a prober; stop ends it and adds its figures.
func (e *env) probe(ctx context.Context, every time.Duration) (*prober, error) {
	client, err := load.New(load.Options{Addr: e.target.Addr, Loops: 1, Sources: load.Sources(e.target.Addr.Addr(), 50_000, 16)})
	if err != nil {
		return nil, err
	}
	p := &prober{env: e, client: client, loop: client.Loops()[0], every: every, hist: newHistogram(), late: newHistogram(), recent: newHistogram(), open: map[*probe]struct{}{}}
	e.closers = append(e.closers, client.Close)
	if err := p.prepare(ctx); err != nil {
		return nil, err
	}
	p.next = load.Now()
	return p, p.loop.Do(p.begin)
}

// prepare makes the request.
func (p *prober) prepare(ctx context.Context) (err error) {
	e, t := p.env, p.env.target
	p.id = exchange.None
	switch {
	case e.Health != "":
		u, err := url.Parse(t.URL)
		if err != nil {
			return err
		}
		p.what = "GET " + e.Health
		p.request = []byte("GET " + e.Health + " HTTP/1.1\r\nHost: " + u.Host + "\r\nUser-Agent: mooring-bench\r\nConnection: close\r\n\r\n")
		return nil
	case t.Era == dialect.Modern:
		p.what, p.request = "server/discover", t.AppendDiscover(nil, firstID)
	case t.Era == dialect.Legacy:
		c, err := e.control(ctx)
		if err != nil {
			return err
		}
		p.what, p.request = "ping", t.AppendPing(nil, firstID, c.session)
	default:
		return nil
	}
	p.id = firstID
	p.place, err = newRequest(p.request)
	return err
}

// begin begins a probe. What a loop that was late has missed is made up for: each probe counts from when it was due.
func (p *prober) begin() {
	if p.stopped || p.held || p.request == nil {
		return
	}
	now := load.Now()
	for p.next <= now {
		p.one(p.next)
		p.next += int64(p.every)
	}
	p.giveUp(now)
	p.loop.At(p.next, p.begin)
}

func (p *prober) one(due int64) {
	pr := &probe{due: due}
	pr.ex.Up = func() {
		if p.place.b != nil {
			p.id++
			p.place.number(p.id)
		}
		pr.ex.Send(p.request, p.id)
	}
	pr.ex.Answer = func(a *exchange.Answer) {
		pr.at = a.At // an answer that is a stream may end later
		pr.ex.Close()
		if !a.OK {
			p.end(pr, fmt.Sprintf("answered %d %.100q", a.Status, a.Body))
			return
		}
		p.end(pr, "")
	}
	pr.ex.Lost = func(how load.End) { p.end(pr, "connection "+how.String()) }
	p.mu.Lock()
	p.asked++
	_ = p.late.RecordValue((load.Now() - due) / 1000)
	p.open[pr] = struct{}{}
	p.mu.Unlock()
	if err := pr.ex.Dial(p.loop, nil); err != nil {
		p.end(pr, err.Error())
	}
}

func (p *prober) end(pr *probe, failure string) {
	now := pr.at
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.open, pr)
	if failure != "" {
		p.failed++
		or(&p.why, failure)
		return
	}
	_ = p.hist.RecordValue((now - pr.due) / 1000)
	_ = p.recent.RecordValue((now - pr.due) / 1000)
	p.points = append(p.points, [2]float64{time.Since(p.env.began).Seconds() - float64(now-pr.due)/1e9, float64(now-pr.due) / 1e6})
}

// hold makes the prober rest, or go on after that.
func (p *prober) hold(rest bool) {
	_ = p.loop.Call(func() {
		was := p.held
		if p.held = rest; was && !rest {
			p.next = load.Now()
			p.begin()
		}
	})
}

// waiting returns how many probes have no answer yet.
func (p *prober) waiting() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.open)
}

// window returns what there was since it was last called.
func (p *prober) window() *hdrhistogram.Histogram {
	p.mu.Lock()
	defer p.mu.Unlock()
	h := p.recent
	p.recent = newHistogram()
	return h
}

func (p *prober) giveUp(now int64) {
	p.mu.Lock()
	var late []*probe
	for pr := range p.open {
		if now-pr.due > int64(probePatience) {
			late = append(late, pr)
		}
	}
	p.mu.Unlock()
	for _, pr := range late {
		pr.ex.Close()
		p.waited(now - pr.due)
		p.end(pr, "no answer for "+probePatience.String())
	}
}

// waited counts a probe that has waited so long in vain: without it the slowest would be missing, and a server that does not answer would look quick.
func (p *prober) waited(ns int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	_ = p.hist.RecordValue(ns / 1000)
	_ = p.recent.RecordValue(ns / 1000)
}

// maxProbePoints bounds the series of a prober.
const maxProbePoints = 2000

// stop ends the prober and adds its figures, series and distribution. Those that have no answer yet get a second more.
func (p *prober) stop(ctx context.Context) {
	if p.request == nil {
		return
	}
	_ = p.loop.Call(func() { p.stopped = true }) // or there would always be some that have just begun
	for end := time.Now().Add(time.Second); time.Now().Before(end); {
		p.mu.Lock()
		n := len(p.open)
		p.mu.Unlock()
		if n == 0 || sleep(ctx, 10*time.Millisecond) != nil {
			break
		}
	}
	_ = p.loop.Call(func() {
		now := load.Now()
		p.mu.Lock()
		late := p.open
		p.open = map[*probe]struct{}{}
		p.mu.Unlock()
		for pr := range late {
			pr.ex.Close()
			p.waited(now - pr.due)
			p.mu.Lock()
			p.failed++
			or(&p.why, "no answer when the scenario ended")
			p.mu.Unlock()
		}
	})
	e := p.env
	what := p.what + " on a new connection"
	if p.hist.TotalCount() > 0 { // else 0 ms would be the best there is
		late := millis(p.late, 99)
		e.key("health_p99", "99 % of "+what+" within", "ms", millis(p.hist, 99), lower).Client = &late
		e.figure("health_p50", "Half of "+what+" within", "ms", millis(p.hist, 50), lower)
		e.figure("health_max", "Slowest "+what, "ms", millis(p.hist, 100), lower)
	}
	e.figure("health_failed", "Of "+what+", failed", "count", float64(p.failed), lower)
	e.distribution("health", "Service to others: "+what, p.hist)
	points := p.points
	for len(points) > maxProbePoints {
		half := points[:0:0]
		for i := 0; i+1 < len(points); i += 2 { // the slower of two: the peaks matter
			if points[i][1] > points[i+1][1] {
				half = append(half, points[i])
			} else {
				half = append(half, points[i+1])
			}
		}
		points = half
	}
	e.out.Series = append(e.out.Series, result.Series{Name: "health", Title: "Service to others: " + what, Unit: "ms", Points: points})
	if p.failed > 0 {
		e.fault("health_failed", "%d of %d times %s failed; the first: %s", p.failed, p.asked, what, p.why)
	}
}
