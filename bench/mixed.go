package bench

import (
	"context"
	"fmt"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/mooring-mcp/mooring/bench/fleet"
	"github.com/mooring-mcp/mooring/bench/load"
)

var mixed = Scenario{
	Name:  "mixed",
	Title: "Everything at once, as in production",
	Help: `Opens --streams streams that wait. Meanwhile, for --duration after a second to warm up (a quarter of
--duration at most), all of this happens at once:
Requests come at --rate on --concurrency persistent connections: for each tools/call with --tool
there are 100 control requests (server/discover or ping, and tools/list). Each is due at a fixed
time and its latency counts from then; one that finds no idle connection waits.
--clients clients in all come one after another, each on a new connection: it sends initialize or
server/discover and tools/call, and disconnects without a DELETE.
If the server can, it changes its tool list every few seconds, and all streams are notified.
control_p50, _p99, _p999    latency of control requests: median, 99 % and 99.9 % (the client's own
                            part of control_p99 is how late the client itself was with 99 % of them)
call_p50, _p99, _p999       the same for tools/call
newcomer_p50, _p99          from when a client was due to the answer to its first request, including
                            connecting
newcomer_whole_p99          from when a client was due until it was done
change_p50, _p99            from the start of a change until a stream was notified
changes                     changes that were made
cpu                         processor time of the server meanwhile, as a share of one core
rss_begin, rss_end          memory of the server with all streams, before the requests and after
                            them
rate                        requests each second that were due
errors                      requests and clients that failed
Findings: request_errors, client_errors (requests or clients that failed), lost_notifications
(streams that were not notified of a change), streams_refused, streams_ended.`,
	Uses:     []string{"streams", "open-rate", "concurrency", "rate", "clients", "duration", "tool", "change-tool", "change-url"},
	Defaults: Params{Streams: 5000, Concurrency: 32, Rate: 2000, Clients: 1000, Duration: 20 * time.Second},
	skip:     func(e *env) string { return e.hasTool(e.Tool, "tool") },
	run:      runMixed,
}

const (
	mixControl = 100 // control requests for each tools/call

	changeEvery    = 4 * time.Second
	changePatience = 10 * time.Second

	newcomersMost = 2000 // at a time
)

// mixKind returns the kind of request number n: the last of every mixControl+1 is a tools/call,
// kind 2; the others are 0 and 1 in turn.
func mixKind(n int64) int {
	if n %= mixControl + 1; n == mixControl {
		return 2
	}
	return int(n & 1)
}

func runMixed(ctx context.Context, e *env) error {
	e.watch(250 * time.Millisecond)
	f, err := e.fleet(fleet.Options{})
	if err != nil {
		return err
	}
	_, s, err := e.openStreams(ctx, f, e.Streams)
	if err != nil {
		return err
	}
	t, err := e.traffic(ctx, e.Concurrency, e.pingKind(), e.listKind(), e.callKind())
	if err != nil {
		return err
	}
	v, err := e.visits(false)
	if err != nil {
		return err
	}
	var changer *control
	if why := e.canChange(); why != "" {
		e.note("no changes are made: %s", why)
	} else if changer, err = e.control(ctx); err != nil {
		return err
	}
	if err := e.settle(ctx, 5*time.Second); err != nil {
		return err
	}
	begin, _ := e.memory()
	e.progress("%.0f requests each second, %d clients that come and go, %d streams", e.Rate, e.Clients, s.Open)
	changes := changed{hist: newHistogram()}
	workers := cpuOfWorkers(f)
	m, err := e.openLoop(ctx, t, e.Rate, mixKind, func(measure func() error) error {
		if err := sleep(ctx, e.warming()); err != nil {
			return err
		}
		if err := measure(); err != nil {
			return err
		}
		return e.mixing(ctx, v, func(end time.Time) error { return changes.make(ctx, e, changer, f, end) })
	})
	if err != nil {
		return err
	}
	if err := v.leave(ctx); err != nil {
		return err
	}
	m.client += cpuOfWorkers(f) - workers
	e.mixedFigures(&m, v, &changes)
	if e.server != nil {
		end, _ := e.memory()
		e.figure("rss_begin", "Memory of the server with all streams, before the requests", "B", float64(begin.RSS), lower)
		e.figure("rss_end", "Memory of the server with all streams, after the requests", "B", float64(end.RSS), lower)
	}
	after, err := f.State()
	if err != nil {
		return err
	}
	if lost := s.Open - after.Open; lost > 0 {
		e.fault("streams_ended", "the server ended %d of %d idle streams", lost, s.Open)
	}
	return nil
}

// mixing has clients come, spread over the duration, and runs meanwhile at the same time. It
// returns when both have ended; an error of meanwhile ends the clients too.
func (e *env) mixing(ctx context.Context, v *visits, meanwhile func(end time.Time) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	end := time.Now().Add(e.Duration)
	done := make(chan error, 1)
	go func() { done <- v.spread(ctx, e.Clients, e.Duration) }()
	err := meanwhile(end)
	if err == nil {
		err = sleep(ctx, time.Until(end))
	}
	if err != nil {
		cancel()
	}
	if serr := <-done; err == nil {
		err = serr
	}
	return err
}

// spread has n clients come, spread evenly over d. It returns when the last has come.
func (v *visits) spread(ctx context.Context, n int, d time.Duration) error {
	start := load.Now()
	for i := range n {
		due := start + int64(float64(d)*float64(i)/float64(n))
		if err := sleep(ctx, time.Duration(due-load.Now())); err != nil {
			return err
		}
		if v.present() >= newcomersMost {
			v.refuse(fmt.Sprintf("%d earlier clients were still waiting for their answers", newcomersMost))
			continue
		}
		if err := v.come(due); err != nil {
			return err
		}
	}
	return nil
}

// refuse counts a client that could not come.
func (v *visits) refuse(why string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.failed++
	or(&v.why, why)
}

// leave waits until all clients have disconnected; each does so within visitPatience.
func (v *visits) leave(ctx context.Context) error {
	for end := time.Now().Add(visitPatience + time.Second); v.present() > 0 && time.Now().Before(end); {
		if err := sleep(ctx, 10*time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}

// changed is what became of changes.
type changed struct {
	hist   *hdrhistogram.Histogram // µs until each stream was notified
	made   int
	missed int // streams that were not notified, over all changes
}

// make makes a change every changeEvery until end, the last one early enough for its notifications
// to arrive. Without a control it makes none.
func (h *changed) make(ctx context.Context, e *env, c *control, f *fleet.Fleet, end time.Time) error {
	if c == nil {
		return nil
	}
	every := min(changeEvery, e.Duration/3)
	for next := time.Now().Add(every / 2); next.Before(end); next = next.Add(every) {
		if err := sleep(ctx, time.Until(next)); err != nil {
			return err
		}
		s, err := f.State()
		if err != nil {
			return err
		}
		if _, err := e.markedChange(ctx, c, f); err != nil {
			return err
		}
		heard, err := f.AwaitWatched(ctx, s.Open, changePatience)
		if err != nil {
			return err
		}
		arrivals, _, err := f.Arrivals()
		if err != nil {
			return err
		}
		h.made++
		h.missed += max(0, s.Open-heard)
		if missing := int64(s.Open) - arrivals.TotalCount(); missing > 0 {
			// A missing notification is not a fast one.
			_ = arrivals.RecordValues(changePatience.Microseconds(), missing)
		}
		h.hist.Merge(arrivals)
	}
	return nil
}

func (e *env) mixedFigures(m *measured, v *visits, changes *changed) {
	control := newHistogram()
	control.Merge(m.tallies[0].hist)
	control.Merge(m.tallies[1].hist)
	call := m.tallies[2].hist
	e.figure("rate", "Requests each second that were due", "/s", e.Rate, neither)
	if control.TotalCount() > 0 {
		late := millis(m.late, 99)
		e.key("control_p99", "99 % of control requests within", "ms", millis(control, 99), lower).Client = &late
		e.figure("control_p50", "Half of control requests within", "ms", millis(control, 50), lower)
		e.figure("control_p999", "99.9 % of control requests within", "ms", millis(control, 99.9), lower)
		e.distribution("control", "Control requests", control)
	}
	if call.TotalCount() > 0 {
		e.key("call_p99", "99 % of tools/call within", "ms", millis(call, 99), lower)
		e.figure("call_p50", "Half of tools/call within", "ms", millis(call, 50), lower)
		e.figure("call_p999", "99.9 % of tools/call within", "ms", millis(call, 99.9), lower)
		e.distribution("call", "tools/call", call)
	}
	if v.gone > 0 {
		e.key("newcomer_p99", "99 % of new clients have their first answer within", "ms", millis(v.first, 99), lower)
		e.figure("newcomer_p50", "Half of new clients have their first answer within", "ms", millis(v.first, 50), lower)
		e.figure("newcomer_whole_p99", "99 % of new clients have all their answers within", "ms", millis(v.whole, 99), lower)
		e.distribution("newcomer", "First answer to a new client", v.first)
	}
	if changes.made > 0 {
		e.figure("changes", "Changes of the list of tools", "count", float64(changes.made), neither)
		e.figure("change_p50", "A change reached half of the streams within", "ms", millis(changes.hist, 50), lower)
		e.figure("change_p99", "A change reached 99 % of the streams within", "ms", millis(changes.hist, 99), lower)
		e.distribution("change", "From a change to each stream", changes.hist)
		if changes.missed > 0 {
			e.fault("lost_notifications", "with %d changes, %d times a stream was not notified within %v", changes.made, changes.missed, changePatience)
		}
	}
	if e.server != nil {
		client := 100 * m.client / m.seconds
		e.key("cpu", "Processor time of the server, of one core", "%", 100*m.server/m.seconds, lower).Client = &client
	}
	if m.unsent > 0 {
		e.note("%d requests were never sent, because no connection became free; each counts with the time that it waited", m.unsent)
	}
	var errs failures
	errs.add(m.tallies)
	e.figure("errors", "Requests and clients that failed", "count", float64(errs.failed+v.failed), lower)
	errs.tell(e, "request_errors", "requests")
	newcomers := failures{failed: v.failed, all: v.failed + v.gone, why: v.why}
	newcomers.tell(e, "client_errors", "clients")
}
