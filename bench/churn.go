package bench

import (
	"context"
	"fmt"
	"time"

	"github.com/mooring-mcp/mooring/bench/dialect"
	"github.com/mooring-mcp/mooring/bench/load"
	"github.com/mooring-mcp/mooring/bench/observe"
)

var churn = Scenario{
	Name:  "churn",
	Title: "What clients leave behind when they disconnect without a DELETE",
	Help: `Runs --clients clients in --rounds rounds, --concurrency at a time. Each does what a client does
(initialize, notifications/initialized, tools/call; at 2026-07-28 server/discover, tools/call) and
then closes its connection without a DELETE, as most clients do. With --with-stream each also opens
a stream on a second connection. After each round the server gets time to rest and its memory is
read; --wait passes after the last one. Meanwhile a prober makes 50 health checks a second.
retained_per_client  memory that each client leaves behind: the slope of the server's resident
                     memory over the clients that have come and gone, without the first round. The
                     notes report its confidence interval; the figure is 0 if the interval includes
                     0, because it may then be chance. It includes what the server's allocator holds
                     on top: a garbage collector commonly doubles the live memory. A server that
                     forgets sessions after a time shows what it holds until then
client_cpu           processor time of the server for each client that got what it asked for
clients_rate         clients each second
close_wait_max       most sockets of the server in CLOSE-WAIT at a time: the client has
                     disconnected, the server has not closed its end
close_wait_final     sockets in CLOSE-WAIT after --wait, minus those that were there before
established_final    sockets in ESTABLISHED then, minus those that were there before, although no
                     client is left
sockets_gone         from the end of the last client of a round to the end of its socket at the
                     server, slowest round; reported only if all sockets ended within --wait
rss_growth           memory of the server after the last round, minus that after the first
left_per_client      memory of the server after --wait, minus that before the first round, for each
                     client
client_errors        clients that did not get what they asked for
health_p50, _p99, _max
                     latency of the prober's health checks: median, 99 %, longest (the client's own
                     part of health_p99 is how late the prober itself was)
Findings: close_wait (close_wait_final is not 0), connections_kept (established_final is not 0),
sessions_kept or, where there are no sessions, memory_kept (memory grows with each client, by more
than chance, and to more than twice what the server had), client_errors, health_failed.`,
	Uses:     []string{"clients", "rounds", "concurrency", "with-stream", "wait", "tool", "health"},
	Defaults: Params{Clients: 20000, Rounds: 5, Concurrency: 64, Wait: 5 * time.Second},
	skip:     func(e *env) string { return e.hasTool(e.Tool, "tool") },
	run:      runChurn,
}

const (
	churnProbe = 20 * time.Millisecond

	// Below these limits a slope is not a finding: an allocator's steps can cause that much.
	keptEach = 256 // bytes for each client, with 95 % confidence
	// Bytes in all, and at least what the server had before: a garbage collector may let memory
	// double before it runs.
	keptGrowth = 2 << 20
)

func runChurn(ctx context.Context, e *env) error {
	stop := e.watch(100 * time.Millisecond)
	p, err := e.probe(ctx, churnProbe)
	if err != nil {
		return err
	}
	v, err := e.visits(e.WithStream)
	if err != nil {
		return err
	}
	base, err := e.calm(ctx, p)
	if err != nil {
		return err
	}
	if base.CloseWait > 0 {
		e.note("%d sockets were in CLOSE-WAIT before; only additional ones count", base.CloseWait)
	}
	before, _ := e.memory()
	rounds, each := max(1, e.Rounds), max(1, e.Clients/max(1, e.Rounds))
	var memory [][2]float64
	var busy time.Duration
	var server, client float64
	gone := sockets{slowest: 0, all: true}
	for r := range rounds {
		e.progress("round %d of %d: %d clients", r+1, rounds, each)
		used, begin := e.cpu(), time.Now()
		if err := v.round(ctx, each, e.Concurrency); err != nil {
			return err
		}
		busy += time.Since(begin)
		s, c := e.since(used)
		server, client = server+s, client+c
		p.hold(true)
		limit := min(e.Wait, 2*time.Second)
		if r == rounds-1 {
			limit = e.Wait
		}
		if err := e.awaitGone(ctx, v.lastFIN, base, limit, &gone); err != nil {
			return err
		}
		if err := e.rest(ctx); err != nil {
			return err
		}
		if u, ok := e.memory(); ok {
			memory = append(memory, [2]float64{float64((r + 1) * each), float64(u.RSS)})
		}
		p.hold(false)
	}
	e.progress("waiting for %v", e.Wait)
	p.hold(true) // answers of an otherwise idle server would be counted in
	if err := sleep(ctx, e.Wait-time.Duration(load.Now()-v.lastFIN)); err != nil {
		return err
	}
	after, known := e.memory()
	final, err := e.calm(ctx, p)
	if err != nil {
		return err
	}
	w := stop()
	if n := float64(v.gone); n > 0 { // a refused client was not served
		if e.server != nil {
			own := client / n * 1e6
			e.key("client_cpu", "Processor time of the server for each client", "µs", server/n*1e6, lower).Client = &own
		}
		e.figure("clients_rate", "Clients each second", "/s", n/busy.Seconds(), higher)
	}
	if e.sockets != nil {
		most, _ := w.Peak("close_wait")
		e.figure("close_wait_max", "Most sockets in CLOSE-WAIT at a time", "count", most, lower)
		e.churnSockets(base, final, &gone)
	} else {
		e.note("the server's sockets are unknown: it is not on this machine")
	}
	e.retained(memory, float64(before.RSS))
	if n := float64(rounds * each); known {
		e.figure("left_per_client", "Memory of the server after the wait minus that before, for each client", "B", float64(after.RSS-before.RSS)/n, lower)
	}
	e.figure("client_errors", "Clients that did not get what they asked for", "count", float64(v.failed), lower)
	if v.failed > 0 {
		e.fault("client_errors", "%d of %d clients did not get what they asked for; the first: %s", v.failed, rounds*each, v.why)
	}
	return p.stop(ctx)
}

// calm returns the server's sockets while no client comes or goes: the smallest of several counts.
func (e *env) calm(ctx context.Context, p *prober) (least observe.States, err error) {
	p.hold(true)
	defer p.hold(false)
	for end := time.Now().Add(2 * time.Second); p.waiting() > 0 && time.Now().Before(end); {
		if err := sleep(ctx, 5*time.Millisecond); err != nil {
			return least, err
		}
	}
	for i := range 5 {
		if err := sleep(ctx, 10*time.Millisecond); err != nil {
			return least, err
		}
		if s, ok := e.states(); ok && (i == 0 || s.Open() < least.Open()) {
			least = s
		}
	}
	return least, nil
}

// sockets says when the server's sockets end after those of the clients.
type sockets struct {
	slowest time.Duration
	all     bool // all have ended in time
}

// awaitGone waits until no more sockets are open than before, for limit at most.
func (e *env) awaitGone(ctx context.Context, last int64, base observe.States, limit time.Duration, out *sockets) error {
	if e.sockets == nil {
		return nil
	}
	for {
		s, ok := e.states()
		since := time.Duration(load.Now() - last)
		switch {
		case ok && s.Open() <= base.Open():
			out.slowest = max(out.slowest, since)
			return nil
		case since >= limit:
			out.all = false
			return nil
		}
		if err := sleep(ctx, 2*time.Millisecond); err != nil {
			return err
		}
	}
}

// churnSockets adds the figures about sockets and records findings for those that are left.
func (e *env) churnSockets(base, final observe.States, gone *sockets) {
	closeWait, established := max(0, final.CloseWait-base.CloseWait), max(0, final.Established-base.Established)
	e.key("close_wait_final", "Sockets in CLOSE-WAIT after the wait", "count", float64(closeWait), lower)
	e.figure("established_final", "Sockets in ESTABLISHED after the wait, without a client", "count", float64(established), lower)
	if gone.all {
		e.figure("sockets_gone", "From the last client's end to that of the last socket, slowest round", "ms", ms(gone.slowest), lower)
	} else {
		e.note("after a round not all sockets of the server had ended within %v", min(e.Wait, 2*time.Second))
	}
	if closeWait > 0 {
		e.fault("close_wait", "%d sockets are in CLOSE-WAIT %v after the last client disconnected: the server has not noticed, or does not close them", closeWait, e.Wait)
	}
	if established > 0 {
		e.fault("connections_kept", "%d sockets are in ESTABLISHED %v after the last client disconnected", established, e.Wait)
	}
}

// retained adds what each client has left behind, from the memory after each round and before the
// first.
func (e *env) retained(memory [][2]float64, before float64) {
	if len(memory) == 0 {
		return
	}
	first, last := memory[0], memory[len(memory)-1]
	e.figure("rss_growth", "Memory of the server after the last round minus that after the first", "B", last[1]-first[1], lower)
	line, ok := observe.Fit(memory[1:])
	if !ok {
		e.note("measuring what a client leaves behind takes four rounds or more, because the first does not count")
		return
	}
	e.key("retained_per_client", "Memory that each client leaves behind", "B", sureSlope(&line), lower)
	e.note("retained_per_client is %s: the slope over %d rounds after the first", interval(&line, "B"), len(memory)-1)
	switch judgeKept(&line, last[1]-before, before) {
	case keptNothing:
		return
	case keptPerhaps:
		e.note("memory grew with each client, but by less than the server had before: it may be garbage that is not collected yet; use more --clients to find out")
		return
	}
	code, what := "memory_kept", "client"
	if e.target.Era == dialect.Legacy && e.target.Sessions {
		code, what = "sessions_kept", "session that is not ended by a DELETE"
	}
	e.fault(code, "each %s leaves %.0f B behind (%s); after %.0f clients the server had %.1f MB more than after %.0f", what, line.Slope, interval(&line, "B"), last[0], (last[1]-memory[1][1])/1e6, memory[1][0])
}

// sureSlope returns the slope, or 0 if it may be chance.
func sureSlope(l *observe.Line) float64 {
	if l.Low > 0 {
		return l.Slope
	}
	return 0
}

// A verdict says whether memory is kept.
type verdict uint8

const (
	keptNothing verdict = iota
	keptPerhaps         // it grows, but not by more than a garbage collector allows
	keptSurely
)

// judgeKept judges a slope of the memory of a server that has grown by growth from before.
func judgeKept(l *observe.Line, growth, before float64) verdict {
	switch {
	case l.Low <= keptEach || growth <= keptGrowth:
		return keptNothing
	case growth <= before:
		return keptPerhaps
	}
	return keptSurely
}

// interval returns the slope and its confidence interval.
func interval(l *observe.Line, unit string) string {
	return fmt.Sprintf("%.0f %s, 95 %% confidence: %.0f to %.0f", l.Slope, unit, l.Low, l.High)
}
