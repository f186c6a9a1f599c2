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
	Title: "What stays behind of clients that go without a word",
	Help: `Has --clients clients come in --rounds rounds, --concurrency at a time. Each does what a client does (initialize, notifications/initialized, tools/call; at 2026-07-28 server/discover, tools/call)
and then closes its connection, without DELETE, as most clients end. With --with-stream each opens a stream on a second connection too. After each round the server gets time to rest and its memory
is read; after the last one --wait passes. Meanwhile a prober asks for a sign of life 50 times a second.

retained_per_client  memory that each client leaves behind: the slope of the server's resident memory over the clients that have come and gone, the first round left out; the notes tell its interval,
                     and it is 0 where that has 0 in it: what cannot be told from chance is not told as a figure.
                     What the server's allocator holds for it besides is among it: a garbage collector commonly doubles what lives. A server that forgets sessions after a time shows what it holds until then
client_cpu           processor time of the server for each client that got what it asked for
clients_rate         clients each second
close_wait_max       most sockets of the server in CLOSE-WAIT at a time: the client has gone, the server has not closed
close_wait_final     those that there are after --wait, beyond those that there were before
established_final    sockets in ESTABLISHED then, beyond those that there were before, though no client is there
sockets_gone         from the end of the last client of a round to that of its socket at the server, of the slowest round; only if all ended within --wait
rss_growth           memory of the server after the last round, less that after the first
left_per_client      memory of the server after --wait, less that before the first round, for each client
client_errors        clients that did not get what they asked for
health_…             what the prober saw: see the titles (the client's own part of health_p99: by how much it was itself late with asking)

Findings: close_wait (close_wait_final is not 0), connections_kept (established_final is not 0), sessions_kept or, where there are no sessions, memory_kept (memory grows with each client, by more than chance, and to more than twice of what the server had),
client_errors, health_failed.`,
	Uses:     []string{"clients", "rounds", "concurrency", "with-stream", "wait", "tool", "health"},
	Defaults: Params{Clients: 20000, Rounds: 5, Concurrency: 64, Wait: 5 * time.Second},
	skip:     func(e *env) string { return e.hasTool(e.Tool, "tool") },
	run:      runChurn,
}

const (
	churnProbe = 20 * time.Millisecond

	// Below these a slope is not told as a fault: an allocator's steps make some of that.
	keptEach   = 256     // bytes for each client, with 95 %
	keptGrowth = 2 << 20 // bytes in all, and no less than what the server had before: a garbage collector may let memory double before it looks
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
		e.note("%d sockets were in CLOSE-WAIT before; only those beyond count", base.CloseWait)
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
	p.hold(true) // a server that has nothing else to do would be counted in
	if err := sleep(ctx, e.Wait-time.Duration(load.Now()-v.lastFIN)); err != nil {
		return err
	}
	after, known := e.memory()
	final, err := e.calm(ctx, p)
	if err != nil {
		return err
	}
	w := stop()
	if n := float64(v.gone); n > 0 { // who was refused was not served
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
		e.note("the sockets of the server are not known: it is not on this machine")
	}
	e.retained(memory, float64(before.RSS))
	if n := float64(rounds * each); known {
		e.figure("left_per_client", "Memory of the server after the wait less that before, for each client", "B", float64(after.RSS-before.RSS)/n, lower)
	}
	e.figure("client_errors", "Clients that did not get what they asked for", "count", float64(v.failed), lower)
	if v.failed > 0 {
		e.fault("client_errors", "%d of %d clients did not get what they asked for; the first: %s", v.failed, rounds*each, v.why)
	}
	return p.stop(ctx)
}

// calm returns the sockets of the server when nobody has just come or gone: of several looks the one with the fewest.
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

// sockets is how the server's end after those of the clients.
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

// churnSockets adds the figures of sockets and tells which are left.
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
		e.fault("close_wait", "%d sockets are in CLOSE-WAIT %v after the last client has closed: the server has not noticed, or does not close", closeWait, e.Wait)
	}
	if established > 0 {
		e.fault("connections_kept", "%d sockets are in ESTABLISHED %v after the last client has closed", established, e.Wait)
	}
}

// retained adds what each client has left behind, by the memory after each round and that before the first.
func (e *env) retained(memory [][2]float64, before float64) {
	if len(memory) == 0 {
		return
	}
	first, last := memory[0], memory[len(memory)-1]
	e.figure("rss_growth", "Memory of the server after the last round, less that after the first", "B", last[1]-first[1], lower)
	line, ok := observe.Fit(memory[1:])
	if !ok {
		e.note("what a client leaves behind needs four rounds and more, of which the first does not count")
		return
	}
	e.key("retained_per_client", "Memory that each client leaves behind", "B", sureSlope(&line), lower)
	e.note("retained_per_client is %s: the slope over %d rounds after the first", interval(&line, "B"), len(memory)-1)
	switch judgeKept(&line, last[1]-before, before) {
	case keptNothing:
		return
	case keptPerhaps:
		e.note("memory grew with each client, but by less than the server had before: that may be what a garbage collector has not looked at; more --clients show it")
		return
	}
	code, what := "memory_kept", "client"
	if e.target.Era == dialect.Legacy && e.target.Sessions {
		code, what = "sessions_kept", "session that is not ended by DELETE"
	}
	e.fault(code, "each %s leaves %.0f B behind (%s); after %.0f clients the server had %.1f MB more than after %.0f", what, line.Slope, interval(&line, "B"), last[0], (last[1]-memory[1][1])/1e6, memory[1][0])
}

// sureSlope returns the slope, or 0 if chance may have made it.
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
	keptPerhaps         // it grows, but not by more than a garbage collector lets it
	keptSurely
)

// judgeKept judges a slope of memory, of a server that has grown by so much since it had before.
func judgeKept(l *observe.Line, growth, before float64) verdict {
	switch {
	case l.Low <= keptEach || growth <= keptGrowth:
		return keptNothing
	case growth <= before:
		return keptPerhaps
	}
	return keptSurely
}

// interval returns the slope and between what it lies.
func interval(l *observe.Line, unit string) string {
	return fmt.Sprintf("%.0f %s, with 95 %% between %.0f and %.0f", l.Slope, unit, l.Low, l.High)
}
