package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"github.com/mooring-mcp/mooring/bench/dialect"
	"github.com/mooring-mcp/mooring/bench/fleet"
	"github.com/mooring-mcp/mooring/bench/load"
	"github.com/mooring-mcp/mooring/bench/result"
)

var drain = Scenario{
	Name:  "drain",
	Title: "How a server shuts down",
	Help: `ENDS THE SERVER: opens streams and calls of a slow tool (--slow-tool, --concurrency of them) and,
once all are in flight, sends SIGTERM to the server. It does so only to a process on this machine
that --pid names and that listens on a loopback address. If the server has several processes, the
first one gets the signal: the one that started the others.
A stream ended properly if its HTTP response was complete and, at 2026-07-28, if the request that
opened it got its result first.
streams_graceful    percentage of streams that ended properly
streams_cut         streams whose connection was closed or reset in the middle
streams_left        streams that had not ended when the server had, or after --wait
streams_no_result   at 2026-07-28: streams that got no result
stream_ended_p50    from the signal until half of the streams had ended
stream_ended_last   from the signal until all had ended. All at once is not better, because the
                    clients then reconnect at once, too. The distribution shows how they are spread
calls_answered      percentage of calls that were answered although the signal came first
calls_lost          calls that were not
calls_last          from the signal until the last answer
accepted_until      from the signal until the last new connection was accepted
time_to_exit        from the signal until the process had exited
A server needs time for its calls: losing calls of a tool that takes longer than 10 s is not a
finding. The exit status is known only to the parent of the process, and is not reported here.
Findings: lost_results (calls without an answer), streams_cut, streams_no_result, not_ended (the
process was still there after --wait).`,
	Uses:     []string{"streams", "concurrency", "open-rate", "wait", "slow-tool"},
	Defaults: Params{Streams: 8000, Concurrency: 100, Wait: 30 * time.Second},
	skip:     skipDrain,
	run:      runDrain,
}

func skipDrain(e *env) string {
	switch {
	case !e.target.Addr.Addr().Unmap().IsLoopback():
		return "the server is not on a loopback address of this machine"
	case e.opts.PID == 0 && !e.opts.MayEnd:
		// What holds the port may be a forwarder, not the server.
		return "drain ends the server: --pid gives permission and names the process"
	case e.server == nil:
		return "the server's process is unknown"
	case e.server.PID() <= 1 || e.server.PID() == os.Getpid():
		return fmt.Sprintf("process %d must not be ended", e.server.PID())
	}
	return ""
}

// fairGrace is how long a call may take and still be expected to be answered by a server that was
// asked to exit: orchestrators commonly give 30 s in all, servers 10 s.
const fairGrace = 10 * time.Second

func runDrain(ctx context.Context, e *env) error {
	stop := e.watch(100 * time.Millisecond)
	f, err := e.fleet(fleet.Options{Opening: 64})
	if err != nil {
		return err
	}
	_, s, err := e.openStreams(ctx, f, e.Streams)
	if err != nil {
		return err
	}
	if err := e.settle(ctx, 5*time.Second); err != nil {
		return err
	}
	d := &drained{env: e, fleet: f, streams: s.Open}
	if why := e.hasTool(e.SlowTool, "slow-tool"); why != "" {
		e.note("no calls are made: %s", why)
	} else if d.calls, err = e.openCalls(ctx); err != nil {
		return err
	}
	if err := d.signal(ctx); err != nil {
		return err
	}
	stop()
	return d.figures()
}

// drained is what became of a server that was asked to exit.
type drained struct {
	env      *env
	fleet    *fleet.Fleet
	streams  int
	calls    *openCalls // nil: no calls were made
	at       int64      // of the signal, by load.Now
	exit     time.Duration
	exited   bool
	accepted time.Duration // when the last connection was accepted
}

// terminate sends SIGTERM to a process.
func terminate(pid int) error {
	p, err := os.FindProcess(pid)
	if err != nil {
		return err
	}
	defer func() { _ = p.Release() }()
	return p.Signal(syscall.SIGTERM)
}

// signal sends the signal and waits until everything has ended, for --wait at most.
func (d *drained) signal(ctx context.Context) error {
	e := d.env
	e.progress("sending SIGTERM to process %d", e.server.PID())
	d.at = load.Now() + int64(lead)
	if err := d.fleet.Mark("", d.at); err != nil {
		return err
	}
	if err := sleep(ctx, time.Duration(d.at-load.Now())); err != nil {
		return err
	}
	if err := terminate(e.server.PID()); err != nil {
		return fmt.Errorf("bench: SIGTERM to process %d: %w", e.server.PID(), err)
	}
	ctx, cancel := context.WithTimeout(ctx, e.Wait)
	defer cancel()
	stopKnocking := d.knock(ctx)
	err := e.server.AwaitExit(ctx)
	d.exit, d.exited = time.Duration(load.Now()-d.at), err == nil
	stopKnocking()
	if err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	// What the server sent before it exited may still be on its way.
	_, err = d.fleet.AwaitEnded(context.WithoutCancel(ctx), d.streams, 2*time.Second)
	return err
}

// figures reports what became of streams and calls.
func (d *drained) figures() error {
	e := d.env
	s, err := d.fleet.State()
	if err != nil {
		return err
	}
	_, ended, err := d.fleet.Arrivals()
	if err != nil {
		return err
	}
	graceful := min(s.Complete, d.streams)
	if e.target.Era == dialect.Modern {
		graceful = min(graceful, s.Results)
		e.figure("streams_no_result", "Streams without their result", "count", float64(max(0, d.streams-s.Results)), lower)
		if n := d.streams - s.Results; n > 0 {
			e.fault("streams_no_result", "%d of %d streams got no result for the request that opened them", n, d.streams)
		}
	}
	cut := s.Closed + s.Reset + s.Lost
	e.key("streams_graceful", "Streams that ended properly", "%", 100*float64(graceful)/float64(d.streams), higher)
	e.figure("streams_cut", "Streams that were cut in the middle", "count", float64(cut), lower)
	e.figure("streams_left", "Streams that had not ended", "count", float64(s.Open), lower)
	if cut > 0 {
		e.fault("streams_cut", "%d of %d streams were cut in the middle of the answer", cut, d.streams)
	}
	if ended.TotalCount() > 0 {
		e.figure("stream_ended_p50", "From SIGTERM until half of the streams had ended", "ms", millis(ended, 50), neither)
		e.figure("stream_ended_last", "From SIGTERM until all streams had ended", "ms", millis(ended, 100), neither)
		e.distribution("stream_ended", "From SIGTERM until a stream had ended", ended)
	}
	if d.calls != nil {
		d.calls.figures(d)
	}
	e.figure("accepted_until", "From SIGTERM until the last new connection was accepted", "ms", ms(d.accepted), neither)
	better := neither // a quick exit is no merit if something was left unanswered
	if graceful == d.streams && (d.calls == nil || d.calls.allAnswered(d.at)) {
		better = lower
	}
	e.key("time_to_exit", "From SIGTERM until the process had exited", "ms", ms(d.exit), better)
	if !d.exited {
		e.fault("not_ended", "the process was still there %v after SIGTERM", e.Wait)
	}
	return nil
}

// figures adds what became of the calls.
func (c *openCalls) figures(d *drained) {
	e := d.env
	answered, lost, early, last, hist := c.outcome(d.at)
	if early > 0 {
		e.note("%d calls of %s had ended before the signal and do not count; a call takes %v", early, e.SlowTool, c.takes.Round(time.Millisecond))
	}
	if answered+lost == 0 {
		e.note("no call was in flight when the signal was sent")
		return
	}
	e.key("calls_answered", "Calls in flight that were answered", "%", 100*float64(answered)/float64(answered+lost), higher)
	e.figure("calls_lost", "Calls in flight that were not answered", "count", float64(lost), lower)
	e.figure("calls_last", "From SIGTERM until the last answer", "ms", ms(last), neither)
	e.distribution("calls", "From SIGTERM until a call was answered", hist)
	switch {
	case lost == 0:
	case c.takes > fairGrace:
		e.note("%d of %d calls got no answer; each takes %v, longer than a server can be expected to wait", lost, answered+lost, c.takes.Round(time.Millisecond))
	default:
		e.fault("lost_results", "%d of %d calls in flight got no answer, although a call takes only %v; the first: %s", lost, answered+lost, c.takes.Round(time.Millisecond), c.why)
	}
	e.out.Series = append(e.out.Series, result.Series{Name: "calls_answered", Title: "Calls that were answered", Points: c.points(load.Now() - int64(time.Since(e.began)))})
}
