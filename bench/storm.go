package bench

import (
	"context"
	"fmt"
	"time"

	"github.com/mooring-mcp/mooring/bench/fleet"
	"github.com/mooring-mcp/mooring/bench/load"
	"github.com/mooring-mcp/mooring/bench/observe"
	"github.com/mooring-mcp/mooring/bench/result"
)

var storm = Scenario{
	Name:  "storm",
	Title: "What happens when all clients disconnect at once",
	Help: `Opens streams, ends all of them at once, and measures how long the server takes to get rid of them;
--rounds times.
--end says how they end: fin (closed), rst (reset), or silence: the peers no longer answer anything,
as if the network had failed, which a server learns only by sending something or by TCP keepalive.
Silence is simulated by a filter at the clients' sockets that drops what the server sends; it needs
no privileges. Meanwhile a prober makes 100 health checks a second (20 with silence), each on a new
connection. The server is then watched for --wait, which is 10 s by default, or two minutes (and one
round) with silence.
time_to_zero          from the last FIN or RST until no socket of the server is left except in
                      TIME-WAIT, median of the rounds; with silence, until the server itself holds
                      no connection. It is the value of --wait if some sockets were still left then.
                      Counting costs time, too, so sockets are counted less often the more there
                      are: every 30 ms at first, every millisecond at the end
time_to_zero_max      the same for the slowest round
close_wait_peak       sockets in CLOSE-WAIT at once: the client has disconnected, the server has not
                      noticed
close_wait_final      sockets in CLOSE-WAIT after --wait
open_final            sockets in any other state that have not ended after --wait
cpu_per_closed        processor time of the server for each stream that ended, and of this tool for
                      ending it; not with silence
rss_before            resident memory of the server without streams
rss_with              with all of them
rss_after_per_stream  what is left --wait after the first round, for each of its streams
rss_slope_per_stream  how much that memory grows with each stream that has come and gone, over the
                      rounds (three or more)
memory_back           from the end until nine tenths of the memory were given back, median of the
                      rounds; only if it was in all of them
health_p50, _p99, _max
                      latency of health checks from just before the end until the last socket is
                      gone: median, 99 %, longest (the client's own part of health_p99 is how late
                      the prober itself was)
streams_ended         streams that were ended, in all rounds
Findings: close_wait (sockets in CLOSE-WAIT after --wait), connections_kept (others that have not
ended), dead_peers_kept (connections of silent peers that the server still has), health_failed.`,
	Uses:     []string{"streams", "rounds", "concurrency", "open-rate", "end", "wait", "health"},
	Defaults: Params{Streams: 8000, Concurrency: 64},
	adapt: func(p *Params) {
		if p.End == endSilence {
			or(&p.Wait, 2*time.Minute)
			or(&p.Rounds, 1)
		}
		or(&p.Wait, 10*time.Second)
		or(&p.Rounds, 3)
	},
	bound: func(p *Params) time.Duration {
		return time.Duration(p.Rounds) * (5*time.Minute + 2*p.Wait + p.opening())
	},
	run: runStorm,
}

const endFIN, endRST, endSilence = "fin", "rst", "silence"

// probeEvery is the interval of health checks while the server is watched for some seconds.
const probeEvery = 10 * time.Millisecond

// A stormRound is what one round found.
type stormRound struct {
	streams int
	took    time.Duration // until no socket was left
	zero    bool          // no socket was left in the end
	back    time.Duration // how long until the memory was given back
	isBack  bool          // the memory was given back
	peak    int           // sockets in CLOSE-WAIT
	final   observe.States
	base    int // sockets that were there before
	with    observe.Usage
	after   observe.Usage
	server  float64 // seconds of processor time
	client  float64
	drops   uint64
	points  [][2]float64
}

func runStorm(ctx context.Context, e *env) error {
	if e.End != endFIN && e.End != endRST && e.End != endSilence {
		return fmt.Errorf("bench: storm: --end must be %s, %s or %s, not %q", endFIN, endRST, endSilence, e.End)
	}
	if e.sockets == nil {
		e.note("the server's sockets cannot be counted: the time until they are gone is not measured")
	}
	stop := e.watch(200 * time.Millisecond)
	if err := e.warmUp(ctx); err != nil {
		return err
	}
	every := probeEvery
	if e.End == endSilence {
		every *= 5
	}
	p, err := e.probe(ctx, every)
	if err != nil {
		return err
	}
	p.hold(true)
	before, known := e.memory()
	var rounds []stormRound
	for range e.Rounds {
		r, err := e.storm(ctx, p, before)
		if err != nil {
			return err
		}
		rounds = append(rounds, r)
	}
	stop()
	e.stormFigures(rounds)
	if known {
		e.stormMemory(rounds, before)
	}
	return p.stop(ctx)
}

// storm runs one round.
func (e *env) storm(ctx context.Context, p *prober, before observe.Usage) (r stormRound, err error) {
	there := e.statesWithout(p.sources)
	r.base = there.Open()
	f, err := e.fleet(fleet.Options{Opening: e.Concurrency})
	if err != nil {
		return r, err
	}
	defer f.Close()
	_, s, err := e.openStreams(ctx, f, e.Streams)
	if err != nil {
		return r, err
	}
	if err := e.settle(ctx, 5*time.Second); err != nil {
		return r, err
	}
	r.streams = s.Open
	r.with, _ = e.memory()
	e.progress("ending %d streams by %s", r.streams, e.End)
	p.hold(false)
	if err := sleep(ctx, 50*time.Millisecond); err != nil {
		return r, err
	}
	used, dropped := e.cpu(), loopbackDrops()
	c := e.countdown(p, r.base)
	var last int64
	if e.End == endSilence {
		_, last, err = f.Silence()
	} else {
		_, last, err = f.End(e.End == endRST)
	}
	if err == nil {
		err = c.await(ctx, last, e.Wait)
	}
	r.took, r.zero, r.peak, r.points = c.stop()
	if err != nil {
		return r, err
	}
	if err := sleep(ctx, 200*time.Millisecond); err != nil {
		return r, err
	}
	r.server, r.client = e.since(used)
	r.drops = loopbackDrops() - dropped
	p.hold(true)
	if r.back, r.isBack, err = e.awaitMemory(ctx, last, before.RSS+(r.with.RSS-before.RSS)/10); err != nil {
		return r, err
	}
	r.after, _ = e.memory()
	r.final = e.statesWithout(p.sources)
	if _, _, err := f.End(true); err != nil { // the silent ones
		return r, err
	}
	return r, nil
}

// awaitMemory waits until --wait has passed since last. It returns when the server's memory was
// down to low.
func (e *env) awaitMemory(ctx context.Context, last, low int64) (back time.Duration, ok bool, err error) {
	const every = 20 * time.Millisecond
	for {
		passed := time.Duration(load.Now() - last)
		if e.server != nil && !ok {
			if u, known := e.glance(); known && u.RSS <= low {
				back, ok = passed, true
			}
		}
		if passed >= e.Wait {
			return back, ok, nil
		}
		if err := sleep(ctx, min(every, e.Wait-passed)); err != nil {
			return back, ok, err
		}
	}
}

// left returns how many sockets are left in CLOSE-WAIT and in other states that have not ended, not
// counting those that were there before.
func (r *stormRound) left() (closeWait, other int) {
	closeWait = r.final.CloseWait
	return closeWait, max(0, r.final.Open()-closeWait-r.base)
}

// held returns how many connections the server itself still has, not counting those that were there
// before.
func (r *stormRound) held() int {
	return max(0, held(r.final)-r.base)
}

// held returns the sockets of connections that the server has not closed.
func held(s observe.States) int { return s.Established + s.CloseWait }

func (e *env) stormFigures(rounds []stormRound) {
	var took, server, client, peak []float64
	missed, streams, drops := 0, 0, uint64(0)
	for i := range rounds {
		r := &rounds[i]
		if !r.zero {
			missed++
			r.took = e.Wait
		}
		took, peak = append(took, ms(r.took)), append(peak, float64(r.peak))
		n := float64(max(1, r.streams))
		server, client = append(server, r.server/n*1e6), append(client, r.client/n*1e6)
		streams += r.streams
		drops += r.drops
	}
	if drops > 0 {
		e.note("this machine's kernel dropped %d packets between its processors meanwhile: their content was sent again 200 ms or more later, which affects time_to_zero and health", drops)
	}
	last := &rounds[len(rounds)-1]
	if e.sockets != nil {
		title := "From the last " + map[string]string{endFIN: "FIN", endRST: "RST", endSilence: "packet"}[e.End] + " until all sockets are gone"
		e.key("time_to_zero", title, "ms", median(took), lower)
		e.figure("time_to_zero_max", "The slowest round", "ms", maximum(took), lower)
		if missed > 0 {
			e.note("in %d of %d rounds not all sockets were gone within %v: time_to_zero counts these rounds with that time", missed, len(rounds), e.Wait)
		}
		e.figure("close_wait_peak", "Sockets in CLOSE-WAIT at once", "count", maximum(peak), lower)
		closeWait, other := last.left()
		e.key("close_wait_final", "Sockets in CLOSE-WAIT at the end", "count", float64(closeWait), lower)
		e.figure("open_final", "Other sockets that have not ended at the end", "count", float64(other), lower)
		e.out.Series = append(e.out.Series, result.Series{Name: "countdown", Title: "Sockets of the server that are left, last round", Points: last.points})
		e.stormFaults(last)
	}
	if e.server != nil && e.End != endSilence {
		own := median(client)
		e.figure("cpu_per_closed", "Processor time of the server for each stream that ended", "µs", median(server), lower).Client = &own
	}
	e.figure("streams_ended", "Streams that were ended, all rounds", "count", float64(streams), neither)
}

func (e *env) stormFaults(r *stormRound) {
	if e.End == endSilence {
		if n := r.held(); n > 0 {
			e.fault("dead_peers_kept", "%d of %d connections to silent peers were still held %v later", n, r.streams, e.Wait)
		}
		return
	}
	closeWait, other := r.left()
	if closeWait > 0 {
		e.fault("close_wait", "%d of %d connections were in CLOSE-WAIT %v after their clients closed them", closeWait, r.streams, e.Wait)
	}
	if other > 0 {
		e.fault("connections_kept", "%d sockets of %d connections were left %v after their clients ended them", other, r.streams, e.Wait)
	}
}

func (e *env) stormMemory(rounds []stormRound, before observe.Usage) {
	first := &rounds[0]
	e.figure("rss_before", "Resident memory of the server without streams", "B", float64(before.RSS), lower)
	e.figure("rss_with", "With all of them", "B", float64(first.with.RSS), lower)
	e.key("rss_after_per_stream", "Resident memory that is left when they are gone, for each stream, first round", "B", float64(first.after.RSS-before.RSS)/float64(max(1, first.streams)), lower)
	var points [][2]float64
	var back []float64
	gone := 0
	for i := range rounds {
		r := &rounds[i]
		gone += r.streams
		points = append(points, [2]float64{float64(gone), float64(r.after.RSS)})
		if r.isBack {
			back = append(back, ms(r.back))
		}
	}
	if l, ok := observe.Fit(points); ok {
		e.figure("rss_slope_per_stream", "How much that grows with each stream that has come and gone", "B", l.Slope, lower)
	}
	if len(back) == len(rounds) {
		e.figure("memory_back", "From the end until nine tenths of the memory were given back", "ms", median(back), lower)
	} else {
		e.note("in %d of %d rounds the memory was not given back within %v", len(rounds)-len(back), len(rounds), e.Wait)
	}
}
