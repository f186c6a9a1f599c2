package bench

import (
	"context"
	"net/netip"
	"net/url"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/mooring-mcp/mooring/bench/dialect"
	"github.com/mooring-mcp/mooring/bench/exchange"
	"github.com/mooring-mcp/mooring/bench/load"
	"github.com/mooring-mcp/mooring/bench/result"
)

// A prober makes health checks at an interval, each on a new connection as a load balancer would,
// whether or not the previous one was answered. It shows how the server treats others while a
// scenario keeps it busy. If there is a command for workers, the prober is a process of its own, so
// that work in this process does not count against the server.
//
// An error of that process is returned by stop, which every scenario that completes calls; so hold
// and waiting return none.
type prober struct {
	env     *env
	what    string
	sources []netip.Addr // reserved for probes; nil: probes have no addresses of their own
	probing probing      // nil: there is nothing to request
}

// probeSource is the number of the first source address of probes; probeSources is how many there
// are.
const probeSource, probeSources = 50_000, 16

// probe starts a prober. Its stop method ends it and adds its figures.
func (e *env) probe(ctx context.Context, every time.Duration) (*prober, error) {
	p := &prober{env: e, sources: load.Sources(e.target.Addr.Addr(), probeSource, probeSources)}
	o := &probeOptions{Addr: e.target.Addr, Sources: p.sources, Every: every, ID: firstID}
	if err := p.prepare(ctx, o); err != nil || o.Request == nil {
		return p, err
	}
	var err error
	if len(e.opts.Worker) > 0 {
		p.probing, err = newRemoteProbing(ctx, e.opts.Worker, o)
	} else {
		p.probing, err = newLocalProbing(o)
	}
	if err != nil {
		return nil, err
	}
	e.closers = append(e.closers, p.probing.close)
	return p, nil
}

// prepare builds the request, if there is one.
func (p *prober) prepare(ctx context.Context, o *probeOptions) error {
	e, t := p.env, p.env.target
	switch {
	case e.Health != "":
		u, err := url.Parse(t.URL)
		if err != nil {
			return err
		}
		p.what, o.ID = "GET "+e.Health, exchange.None
		o.Request = []byte("GET " + e.Health + " HTTP/1.1\r\nHost: " + u.Host + "\r\nUser-Agent: mooring-bench\r\nConnection: close\r\n\r\n")
	case t.Era == dialect.Modern:
		p.what, o.Request = "server/discover", t.AppendDiscover(nil, firstID)
	case t.Era == dialect.Legacy:
		c, err := e.control(ctx)
		if err != nil {
			return err
		}
		p.what, o.Request = "ping", t.AppendPing(nil, firstID, c.session)
	}
	return nil
}

// hold suspends the prober if rest is set, and resumes it otherwise.
func (p *prober) hold(rest bool) {
	if p.probing != nil {
		_ = p.probing.hold(rest)
	}
}

// waiting returns how many probes have no answer yet.
func (p *prober) waiting() int {
	if p.probing == nil {
		return 0
	}
	n, _ := p.probing.waiting()
	return n
}

// window returns the latencies since it was last called.
func (p *prober) window() (*hdrhistogram.Histogram, error) {
	if p.probing == nil {
		return newHistogram(), nil
	}
	return p.probing.window()
}

// during returns the latencies of the next d.
func (p *prober) during(ctx context.Context, d time.Duration) (*hdrhistogram.Histogram, error) {
	if _, err := p.window(); err != nil {
		return nil, err
	}
	if err := sleep(ctx, d); err != nil {
		return nil, err
	}
	return p.window()
}

// stop ends the prober and adds its figures, series and distribution.
func (p *prober) stop(ctx context.Context) error {
	if p.probing == nil {
		return nil
	}
	found, err := p.probing.end(ctx)
	if err != nil {
		return err
	}
	e := p.env
	what := p.what + " on a new connection"
	if found.hist.TotalCount() > 0 { // otherwise 0 ms would be the best value
		late := millis(found.late, 99)
		e.key("health_p99", "99 % of "+what+" within", "ms", millis(found.hist, 99), lower).Client = &late
		e.figure("health_p50", "Half of "+what+" within", "ms", millis(found.hist, 50), lower)
		e.figure("health_max", "Slowest "+what, "ms", millis(found.hist, 100), lower)
	}
	e.figure("health_failed", "Failed "+what+"", "count", float64(found.Failed), lower)
	e.distribution("health", "Health checks: "+what, found.hist)
	began := float64(load.Now() - time.Since(e.began).Nanoseconds())
	for i, at := range found.Points {
		found.Points[i] = [2]float64{(at[0] - began) / 1e9, at[1] / 1e6}
	}
	e.out.Series = append(e.out.Series, result.Series{Name: "health", Title: "Health checks: " + what, Unit: "ms", Points: found.Points})
	if found.Failed > 0 {
		e.fault("health_failed", "%d of %d %s failed; the first: %s", found.Failed, found.Asked, what, found.Why)
	}
	return nil
}
