package bench

import (
	"context"
	"fmt"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/mooring-mcp/mooring/bench/fleet"
	"github.com/mooring-mcp/mooring/bench/load"
	"github.com/mooring-mcp/mooring/bench/result"
)

var fanout = Scenario{
	Name:  "fanout",
	Title: "How long a change takes to reach every client",
	Help: `Opens streams that wait for changes of the tool list, then makes the server change the list once
(--change-tool, or a POST to --change-url), waits until every stream has received the notification,
and lets the server rest. This is done --rounds times, after a first time that does not count.
Before 2026-07-28 each stream belongs to a session of its own.
Times count from when the request for the change was begun. Servers may collect changes for a while
before they send a notification; the client sees that delay, and the figures include it.
fanout_p50        until half of the clients have been notified, median of the rounds
fanout_p99        until 99 of 100 have been notified
fanout_last       until all have been notified
fanout_last_max   the same for the slowest round
cpu_per_delivery  processor time of the server for each client that was notified, including the
                  request for the change; next to it, what the clients used
deliveries        how many times a client was notified, in all rounds
lost              how many times a client was not notified within --wait. It counts as --wait in the
                  times above. After three such rounds there are no more
Findings: lost_notifications (clients that were not notified of a change), streams_ended (streams
that the server ended meanwhile).`,
	Uses:     []string{"streams", "rounds", "concurrency", "open-rate", "wait", "change-tool"},
	Defaults: Params{Streams: 8000, Rounds: 10, Concurrency: 64, Wait: 30 * time.Second},
	bound:    func(p *Params) time.Duration { return 10*time.Minute + time.Duration(p.Rounds)*(time.Minute+p.Wait) },
	skip:     (*env).canChange,
	run:      runFanout,
}

// A fanoutRound is the outcome of one change.
type fanoutRound struct {
	arrivals       *hdrhistogram.Histogram
	streams, heard int
	server, client float64 // seconds of processor time
	second         float64 // when it began, in seconds since the scenario began
}

func runFanout(ctx context.Context, e *env) error {
	stop := e.watch(200 * time.Millisecond)
	c, err := e.control(ctx)
	if err != nil {
		return err
	}
	f, err := e.fleet(fleet.Options{Opening: e.Concurrency})
	if err != nil {
		return err
	}
	_, s, err := e.openStreams(ctx, f, e.Streams)
	if err != nil {
		return err
	}
	if err := e.settle(ctx, 10*time.Second); err != nil {
		return err
	}
	if _, err := e.fanOut(ctx, c, f); err != nil {
		return err
	}
	var rounds []fanoutRound
	bad := 0
	for i := 0; i < e.Rounds && bad < 3; i++ {
		if err := e.settle(ctx, 2*time.Second); err != nil {
			return err
		}
		r, err := e.fanOut(ctx, c, f)
		if err != nil {
			return err
		}
		if r.heard < r.streams {
			bad++
		}
		e.progress("change %d of %d: %d streams in %.0f ms", i+1, e.Rounds, r.heard, millis(r.arrivals, 100))
		rounds = append(rounds, r)
	}
	stop()
	after, err := f.State()
	if err != nil {
		return err
	}
	e.fanoutFigures(rounds)
	if lost := s.Open - after.Open; lost > 0 {
		e.fault("streams_ended", "the server ended %d of %d streams during %d changes", lost, s.Open, e.Rounds+1)
	}
	return nil
}

// lead is how long in advance the start of a change is announced, so that all processes of a fleet
// know it.
const lead = 20 * time.Millisecond

// fanOut makes one change and waits until all streams have received the notification.
func (e *env) fanOut(ctx context.Context, c *control, f *fleet.Fleet) (r fanoutRound, err error) {
	s, err := f.State()
	if err != nil {
		return r, err
	}
	r.streams = s.Open
	workers := cpuOfWorkers(f)
	used := e.cpu()
	r.second = time.Since(e.began).Seconds()
	if _, err := e.markedChange(ctx, c, f); err != nil {
		return r, err
	}
	if r.heard, err = f.AwaitWatched(ctx, r.streams, e.Wait); err != nil {
		return r, err
	}
	// Let the server's threads come to rest, so that their times are final.
	if err := sleep(ctx, 100*time.Millisecond); err != nil {
		return r, err
	}
	r.server, r.client = e.since(used)
	r.client += cpuOfWorkers(f) - workers
	if r.arrivals, _, err = f.Arrivals(); err != nil {
		return r, err
	}
	// A stream that got nothing counts with the time waited: a server that notifies few clients
	// must not seem the quickest.
	if missing := int64(r.streams) - r.arrivals.TotalCount(); missing > 0 {
		_ = r.arrivals.RecordValues(max(1, e.Wait.Microseconds()), missing)
	}
	return r, nil
}

// markedChange makes a change and returns when it began. The fleets measure arrivals from then.
func (e *env) markedChange(ctx context.Context, c *control, fleets ...*fleet.Fleet) (at int64, err error) {
	at = load.Now() + int64(lead)
	for _, f := range fleets {
		if err := f.Mark(e.event(), at); err != nil {
			return at, err
		}
	}
	if d := time.Duration(at - load.Now()); d > time.Millisecond {
		if err := sleep(ctx, d-time.Millisecond); err != nil {
			return at, err
		}
	}
	for load.Now() < at { // a sleep may end a millisecond late
	}
	if _, err := e.change(ctx, c); err != nil {
		return at, fmt.Errorf("making a change: %w", err)
	}
	return at, nil
}

// cpuOfWorkers returns the seconds of processor time that the fleet's other processes have used.
func cpuOfWorkers(f *fleet.Fleet) float64 {
	u, _, _ := f.Usage()
	return u.CPU.Seconds()
}

func (e *env) fanoutFigures(rounds []fanoutRound) {
	all := newHistogram()
	var p50, p99, last []float64
	var server, client float64
	deliveries, expected, bad := 0, 0, 0
	points := make([][2]float64, 0, len(rounds))
	for i := range rounds {
		r := &rounds[i]
		all.Merge(r.arrivals)
		p50, p99, last = append(p50, millis(r.arrivals, 50)), append(p99, millis(r.arrivals, 99)), append(last, millis(r.arrivals, 100))
		server, client = server+r.server, client+r.client
		deliveries += r.heard
		expected += r.streams
		if r.heard < r.streams {
			bad++
		}
		points = append(points, [2]float64{r.second, millis(r.arrivals, 100)})
	}
	e.key("fanout_p50", "Until half of the clients are notified of a change", "ms", median(p50), lower)
	e.key("fanout_p99", "Until 99 % of the clients are notified of a change", "ms", median(p99), lower)
	e.key("fanout_last", "Until all clients are notified of a change", "ms", median(last), lower)
	e.figure("fanout_last_max", "The slowest round", "ms", maximum(last), lower)
	if e.server != nil && deliveries > 0 {
		own := client / float64(deliveries) * 1e6
		e.key("cpu_per_delivery", "Processor time of the server for each notified client", "µs", server/float64(deliveries)*1e6, lower).Client = &own
	}
	lost := expected - deliveries
	e.figure("deliveries", "How many times a client was notified", "count", float64(deliveries), neither)
	e.figure("lost", "How many times a client was not notified", "count", float64(lost), lower)
	e.distribution("fanout", "When a client is notified of a change", all)
	e.out.Series = append(e.out.Series, result.Series{Name: "fanout_last", Title: "Until all clients are notified of a change, each round", Unit: "ms", Points: points})
	if lost > 0 {
		e.fault("lost_notifications", "in %d of %d rounds clients were not notified of the change within %v: %d of %d times", bad, len(rounds), e.Wait, lost, expected)
	}
}
