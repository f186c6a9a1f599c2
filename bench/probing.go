package bench

import (
	"context"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/mooring-mcp/mooring/bench/exchange"
	"github.com/mooring-mcp/mooring/bench/load"
)

// probing is what makes probes: in this process, or in a worker to which it is the near end. Its
// methods may be called from any goroutine.
type probing interface {
	// hold suspends probes if rest is set, and resumes them otherwise.
	hold(rest bool) error
	// waiting returns how many probes have no answer yet.
	waiting() (int, error)
	// window returns the latencies since it was last called.
	window() (*hdrhistogram.Histogram, error)
	// end ends probing and returns what was found. Probes without an answer get one more second.
	end(ctx context.Context) (*probed, error)
	close()
}

// probeOptions say what to request, and how often.
type probeOptions struct {
	Addr    netip.AddrPort
	Sources []netip.Addr // addresses that probes come from; nil: any
	Request []byte
	// Of the request; each copy gets the next one. exchange.None: the request has no id.
	ID    int64
	Every time.Duration
}

// probed is what probes have found. Times are those of load.Now, and latencies are in microseconds.
type probed struct {
	hist   *hdrhistogram.Histogram
	late   *hdrhistogram.Histogram // how late this side was with its requests
	Points [][2]float64            // when each probe was due, and its latency, both in nanoseconds
	Asked  int
	Failed int
	Why    string // why the first failed probe failed
}

// localProbing probes from this process. Its fields belong to its loop, except those under mu.
type localProbing struct {
	probeOptions
	client  *load.Client
	loop    *load.Loop
	place   request // position of the id in the request; empty if it has none
	next    int64   // when the next probe is due
	stopped bool
	held    bool

	mu     sync.Mutex // guards the rest
	found  probed
	recent *hdrhistogram.Histogram // since the last call of window
	open   map[*probe]struct{}
}

type probe struct {
	ex  exchange.Client
	due int64
	at  int64 // when the answer arrived
}

// probePatience is how long a probe waits for its answer before it has failed.
const probePatience = 10 * time.Second

// newLocalProbing starts probing.
func newLocalProbing(o *probeOptions) (*localProbing, error) {
	client, err := load.New(load.Options{Addr: o.Addr, Loops: 1, Sources: o.Sources})
	if err != nil {
		return nil, err
	}
	p := &localProbing{probeOptions: *o, client: client, loop: client.Loops()[0], recent: newHistogram(), open: map[*probe]struct{}{}}
	p.found.hist, p.found.late = newHistogram(), newHistogram()
	if p.ID != exchange.None {
		if p.place, err = newRequest(p.Request); err != nil {
			client.Close()
			return nil, err
		}
	}
	p.next = load.Now()
	if err := p.loop.Do(p.begin); err != nil {
		client.Close()
		return nil, err
	}
	return p, nil
}

func (p *localProbing) close() { p.client.Close() }

// begin begins the probes that are due, including those that a late loop has missed: each counts
// from when it was due.
func (p *localProbing) begin() {
	if p.stopped || p.held {
		return
	}
	now := load.Now()
	for p.next <= now {
		p.one(p.next)
		p.next += int64(p.Every)
	}
	p.giveUp(now)
	p.loop.At(p.next, p.begin)
}

func (p *localProbing) one(due int64) {
	pr := &probe{due: due}
	pr.ex.Up = func() {
		if p.place.b != nil {
			p.ID++ // an id must not be used twice in one session
			p.place.number(p.ID)
		}
		pr.ex.Send(p.Request, p.ID)
	}
	pr.ex.Answer = func(a *exchange.Answer) {
		pr.at = a.At // an answer that is a stream may end later
		pr.ex.Close()
		if !a.OK {
			p.done(pr, fmt.Sprintf("got status %d %.100q", a.Status, a.Body))
			return
		}
		p.done(pr, "")
	}
	pr.ex.Lost = func(how load.End) { p.done(pr, "connection "+how.String()) }
	p.mu.Lock()
	p.found.Asked++
	_ = p.found.late.RecordValue((load.Now() - due) / 1000)
	p.open[pr] = struct{}{}
	p.mu.Unlock()
	if err := pr.ex.Dial(p.loop, nil); err != nil {
		p.done(pr, err.Error())
	}
}

func (p *localProbing) done(pr *probe, failure string) {
	took := pr.at - pr.due
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.open, pr)
	if failure != "" {
		p.found.Failed++
		or(&p.found.Why, failure)
		return
	}
	p.record(took)
	p.found.Points = append(p.found.Points, [2]float64{float64(pr.due), float64(took)})
}

// record counts a latency. The caller holds mu.
func (p *localProbing) record(ns int64) {
	_ = p.found.hist.RecordValue(ns / 1000)
	_ = p.recent.RecordValue(ns / 1000)
}

func (p *localProbing) hold(rest bool) error {
	return p.loop.Call(func() {
		was := p.held
		p.held = rest
		switch {
		case was && !rest:
			p.next = load.Now()
			p.begin()
		case rest && !was:
			p.rest()
		}
	})
}

// rest gives up probes that are overdue while no new ones begin.
func (p *localProbing) rest() {
	if p.stopped || !p.held {
		return
	}
	p.giveUp(load.Now())
	if n, _ := p.waiting(); n > 0 {
		p.loop.After(100*time.Millisecond, p.rest)
	}
}

func (p *localProbing) waiting() (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.open), nil
}

func (p *localProbing) window() (*hdrhistogram.Histogram, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	h := p.recent
	p.recent = newHistogram()
	return h, nil
}

// giveUp ends the probes that have waited too long.
func (p *localProbing) giveUp(now int64) {
	p.abandon(func(pr *probe) bool { return now-pr.due > int64(probePatience) }, "no answer after "+probePatience.String())
}

// abandon ends the unanswered probes that which selects. They count with the time that they have
// waited: otherwise the slowest would be missing, and a server that does not answer would look
// fast.
func (p *localProbing) abandon(which func(*probe) bool, failure string) {
	now := load.Now()
	p.mu.Lock()
	var late []*probe
	for pr := range p.open {
		if which(pr) {
			late = append(late, pr)
			p.record(now - pr.due)
		}
	}
	p.mu.Unlock()
	for _, pr := range late {
		pr.ex.Close()
		p.done(pr, failure)
	}
}

// maxProbePoints limits the series of a prober.
const maxProbePoints = 2000

func (p *localProbing) end(ctx context.Context) (*probed, error) {
	// Otherwise some probes would always have just begun.
	if err := p.loop.Call(func() { p.stopped = true }); err != nil {
		return nil, err
	}
	for end := time.Now().Add(time.Second); time.Now().Before(end); {
		if n, _ := p.waiting(); n == 0 || sleep(ctx, 10*time.Millisecond) != nil {
			break
		}
	}
	if err := p.loop.Call(func() { p.abandon(func(*probe) bool { return true }, "no answer when the scenario ended") }); err != nil {
		return nil, err
	}
	p.found.Points = thinned(p.found.Points, maxProbePoints)
	return &p.found, nil
}

// thinned returns at most limit points. Of two neighbours the higher one stays, because peaks
// matter. The limit must be at least one. It overwrites points.
func thinned(points [][2]float64, limit int) [][2]float64 {
	for len(points) > limit {
		half := points[:0]
		for i := 0; i < len(points); i += 2 {
			higher := points[i]
			if i+1 < len(points) && points[i+1][1] >= higher[1] {
				higher = points[i+1]
			}
			half = append(half, higher)
		}
		points = half
	}
	return points
}
