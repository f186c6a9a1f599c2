package bench

import (
	"context"
	"runtime/debug"
	"time"

	"github.com/mooring-mcp/mooring/bench/fleet"
	"github.com/mooring-mcp/mooring/bench/load"
	"github.com/mooring-mcp/mooring/bench/observe"
)

var idle = Scenario{
	Name:  "idle",
	Title: "What an idle stream costs",
	Help: `Opens streams (subscriptions/listen at 2026-07-28, initialize and GET before) and lets them wait. A
few streams are opened and closed first, so that the server has allocated what it allocates only
once.
rss_per_stream      resident memory of the server for each stream, after all have waited for
                    --duration: the memory with the streams minus that without, divided by their
                    number. If the server has several processes it is their PSS, in which shared
                    pages count once
rss_before          that memory without streams
rss_after           with all of them, at the end
rss_opened          with all of them, --wait after the last was opened
kernel_per_stream   kernel memory for the server's end of each connection
streams_open        streams that could be opened
streams_heard       streams that received anything while they waited
open_rate           streams opened each second, --concurrency at a time
idle_cpu            processor time of the server while all streams wait, as a share of one core
heartbeats          comments that each stream received in a minute; without them, neither the server
                    nor a proxy notices a dead peer
For a server of the plain era, a stream is the response to a GET of its URL.
Findings: no_heartbeat (no stream received anything, for longer than --silence), streams_ended (idle
streams that the server ended), streams_refused.`,
	Uses: []string{"streams", "concurrency", "open-rate", "wait", "duration", "silence"},
	// The duration has four heartbeats at 15 s, and is no shorter than Silence.
	Defaults: Params{Streams: 8000, Concurrency: 64, Wait: 5 * time.Second, Duration: time.Minute},
	run:      runIdle,
	// On an emulated machine a million streams take half an hour or more to open.
	bound: func(p *Params) time.Duration {
		return 10*time.Minute + p.Duration + p.Wait + time.Duration(p.Streams)*6*time.Millisecond + p.opening()
	},
}

func runIdle(ctx context.Context, e *env) error {
	stop := e.watch(200 * time.Millisecond)
	if err := e.warmUp(ctx); err != nil {
		return err
	}
	before, known := e.memory()
	kernelBefore, kerr := observe.KernelMemory()
	self, _ := e.ownMemory()
	f, err := e.fleet(fleet.Options{Opening: e.Concurrency})
	if err != nil {
		return err
	}
	took, s, err := e.openStreams(ctx, f, e.Streams)
	if err != nil {
		return err
	}
	e.figure("streams_open", "Streams that are open", "count", float64(s.Open), higher)
	e.key("open_rate", "Streams opened each second", "/s", float64(s.Open)/took.Seconds(), higher)
	if err := sleep(ctx, e.Wait); err != nil {
		return err
	}
	opened, _ := e.memory()
	if kernel, err := observe.KernelMemory(); err == nil && kerr == nil && e.sockets != nil {
		e.figure("kernel_per_stream", "Kernel memory for the server's end of each", "B", kernel.Sub(kernelBefore).PerConnection(s.Open, true), lower)
	}
	if err := e.waitIdle(ctx, f, s, stop); err != nil {
		return err
	}
	own, _ := e.ownMemory()
	if workers, _, err := f.Usage(); err == nil {
		own += float64(workers.RSS)
	}
	if after, ok := e.memory(); known && ok {
		n := float64(s.Open)
		client := (own - self) / n
		e.key("rss_per_stream", "Resident memory of the server for each stream", "B", float64(after.RSS-before.RSS)/n, lower).Client = &client
		e.figure("rss_before", "Resident memory of the server without streams", "B", float64(before.RSS), lower)
		e.figure("rss_after", "Resident memory of the server with all streams, after the wait", "B", float64(after.RSS), lower)
		e.figure("rss_opened", "The same just after they were opened", "B", float64(opened.RSS), lower)
	}
	return nil
}

// waitIdle measures what waiting costs.
func (e *env) waitIdle(ctx context.Context, f *fleet.Fleet, s fleet.State, stop func() *observe.Watcher) error {
	e.progress("waiting for %v with %d streams", e.Duration, s.Open)
	if err := f.Mark("", load.Now()); err != nil {
		return err
	}
	opened := s.Open
	s, err := f.State() // comments have come before
	if err != nil {
		return err
	}
	workers, _, err := f.Usage()
	if err != nil {
		return err
	}
	used, begin := e.cpu(), time.Now()
	if err := sleep(ctx, e.Duration); err != nil {
		return err
	}
	server, client := e.since(used)
	if now, _, err := f.Usage(); err == nil {
		client += (now.CPU - workers.CPU).Seconds()
	}
	waited := time.Since(begin).Seconds()
	after, err := f.State()
	if err != nil {
		return err
	}
	stop()
	beats := float64(after.Comments-s.Comments) / float64(max(1, s.Open)) / waited * 60
	if e.server != nil {
		better := lower
		if beats == 0 {
			better = neither // a server that sends nothing has nothing to do
		}
		percent := 100 * client / waited
		e.key("idle_cpu", "Processor time of the server while all wait, of one core", "%", 100*server/waited, better).Client = &percent
	}
	e.figure("heartbeats", "Comments to each stream in a minute", "", beats, neither)
	e.figure("streams_heard", "Streams that received anything while they waited", "count", float64(after.Heard), neither)
	if after.Heard == 0 {
		e.note("no stream got a heartbeat in %v; a server that sends none does not notice peers that vanish without a FIN, and proxies close silent connections (commonly after 60 s)", e.Duration)
		if e.Duration >= e.Silence {
			e.fault("no_heartbeat", "no stream received anything in %v", e.Duration)
		}
	}
	if lost := opened - after.Open; lost > 0 {
		e.fault("streams_ended", "the server ended %d of %d idle streams", lost, opened)
	}
	return nil
}

// ownMemory returns the resident memory of this process, without garbage: up to 4 MB of garbage
// would be 500 B for each of 8,000 streams.
func (e *env) ownMemory() (float64, bool) {
	if e.self == nil {
		return 0, false
	}
	debug.FreeOSMemory()
	u, err := e.self.Glance()
	return float64(u.RSS), err == nil
}
