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
	Title: "What a stream costs that waits",
	Help: `Opens streams (subscriptions/listen at 2026-07-28, initialize and GET before) and lets them wait.
A few streams are opened and closed before, so that what the server allocates once is there already.

rss_per_stream      resident memory of the server for each stream, when all have waited for --duration: with streams less without, divided by their number. Of a server of several processes it is
                    PSS, in which what they share counts once
rss_before          that memory without streams
rss_after           with all of them, at the end
rss_opened          with all of them, --wait after the last was opened
kernel_per_stream   memory of the kernel for the server's end of each connection
streams_open        streams that could be opened
streams_heard       streams that got anything while they waited
open_rate           streams opened each second, with as many at once as --concurrency
idle_cpu            processor time of the server while all wait, of one core
heartbeats          comments that came to each stream in a minute; without any, neither the server nor a proxy notices a dead peer

The stream of a server of the plain era is the answer to a GET of its URL.
Faults: no_heartbeat (no stream got anything, for longer than --silence), streams_ended (streams that only waited and were ended), streams_refused`,
	Uses:     []string{"streams", "concurrency", "open-rate", "wait", "duration", "silence"},
	Defaults: Params{Streams: 8000, Concurrency: 64, Wait: 5 * time.Second, Duration: time.Minute}, // four heartbeats of 15 s, and no less than Silence
	run:      runIdle,
	// A million streams take half an hour and more to open where the machine is emulated.
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
		e.figure("kernel_per_stream", "Memory of the kernel for the server's end of each", "B", kernel.Sub(kernelBefore).PerConnection(s.Open, true), lower)
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
		e.figure("rss_after", "Resident memory of the server with all streams, which have waited", "B", float64(after.RSS), lower)
		e.figure("rss_opened", "The same when they had just been opened", "B", float64(opened.RSS), lower)
	}
	return nil
}

// waitIdle measures what the waiting costs.
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
			better = neither // who sends nothing has nothing to do
		}
		percent := 100 * client / waited
		e.key("idle_cpu", "Processor time of the server while all wait, of one core", "%", 100*server/waited, better).Client = &percent
	}
	e.figure("heartbeats", "Comments to each stream in a minute", "", beats, neither)
	e.figure("streams_heard", "Streams that got anything while they waited", "count", float64(after.Heard), neither)
	if after.Heard == 0 {
		e.note("no stream got a heartbeat in %v; a server that sends none does not notice peers that have gone without a FIN, and proxies close what is silent (commonly after 60 s)", e.Duration)
		if e.Duration >= e.Silence {
			e.fault("no_heartbeat", "no stream got anything in %v", e.Duration)
		}
	}
	if lost := opened - after.Open; lost > 0 {
		e.fault("streams_ended", "the server ended %d of %d streams that only waited", lost, opened)
	}
	return nil
}

// ownMemory returns the resident memory of this process, without what its collector has not looked at: up to 4 MB of that would be 500 B for each of 8,000 streams.
func (e *env) ownMemory() (float64, bool) {
	if e.self == nil {
		return 0, false
	}
	debug.FreeOSMemory()
	u, err := e.self.Glance()
	return float64(u.RSS), err == nil
}
