package bench

import (
	"context"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/mooring-mcp/mooring/bench/dialect"
)

var call = Scenario{
	Name:  "call",
	Title: "What a request costs, and how long it takes",
	Help: `Makes requests on --concurrency persistent connections, one at a time on each. Before 2026-07-28
each connection has a session of its own. Every answer is checked.
Closed loop: tools/call with --tool and --args, tools/list, and server/discover (2026-07-28) or ping
(before), each for --duration after a second to warm up (a quarter of --duration at most). A client
sends its next request as soon as it has the answer to the previous one.
Open loop: the same three at --rate, by default half of the rate that the closed loop of each
reached. Only with --rate do several servers get the same load; without it, none is marked as the
best. Each request is due at a fixed time, whatever becomes of the ones before it, and its latency
counts from then: the time that it waits for a free connection counts, and so does any delay of this
client. A second set of figures counts from when a request was sent. It excludes both, but also the
effect of a stalled server on the requests behind.
--order says which idle connection gets the next request.
Client and server share the machine, so processor time says more than throughput.
call_cpu                        seconds of the server's processor time for 100,000 tools/call
list_cpu, discover_cpu/ping_cpu the same for tools/list, and for server/discover or ping
call_rate                       tools/call each second in the closed loop; list_rate and
                                discover_rate or ping_rate are the same for the others
list_p99, discover_p99/ping_p99 99 % of them took at most this long, in the closed loop
call_p50, _p99, _p999, _max     latency of tools/call in the closed loop: median, 99 %, 99.9 %,
                                longest
open_p50, _p99, _p999, _max     the same for the open loop
open_sent_p50, _p99, _p999, _max
                                the same for the open loop, counted from when a tools/call was sent
                                instead of when it was due
open_sent_slow                  tools/call of the open loop that took more than 5 ms after they were
                                sent
open_list_p99, open_discover_p99/open_ping_p99
                                99 % of them took at most this long, in the open loop; the client's
                                own part is how late the client itself was with 99 % of them
open_list_sent_p99, open_discover_sent_p99/open_ping_sent_p99
                                the same, counted from when they were sent
open_rate, open_cpu             tools/call each second that were due in the open loop, and the
                                server's processor time meanwhile, as a share of one core
errors                          requests that failed, in all loops
Findings: call_errors (requests failed).`,
	Uses:     []string{"tool", "concurrency", "rate", "order", "duration"},
	Defaults: Params{Concurrency: 64, Order: lastFirst, Duration: 5 * time.Second},
	skip:     func(e *env) string { return e.hasTool(e.Tool, "tool") },
	// Three closed loops and three open ones.
	bound: func(p *Params) time.Duration { return 10*time.Minute + 7*p.Duration },
	run:   runCall,
}

// warming is how long requests are made before they are counted.
func (e *env) warming() time.Duration { return min(time.Second, e.Duration/4) }

func runCall(ctx context.Context, e *env) error {
	// Looking at the sockets takes processor time, and there is nothing to see there.
	e.watch(time.Second)
	e.progress("connecting %d clients", e.Concurrency)
	t, err := e.traffic(ctx, e.Concurrency, e.callKind(), e.listKind(), e.pingKind())
	if err != nil {
		return err
	}
	errs := failures{}
	short := [...]string{"call", "list", "ping"}
	if e.target.Era == dialect.Modern {
		short[2] = "discover"
	}
	var reached [len(short)]float64
	for i, k := range t.kinds {
		e.progress("%s for %v", k.name, e.Duration)
		m, err := e.closedLoop(ctx, t, i, e.warming(), e.Duration)
		if err != nil {
			return err
		}
		reached[i] = e.tellClosed(short[i], k.name, i, &m)
		errs.add(m.tallies)
		if m.dials > 0 && i == 0 {
			e.note("the server closed connections between requests: %d were opened again during %.0f tools/call", m.dials, m.done())
		}
	}
	for i, rate := range reached {
		if rate == 0 {
			continue
		}
		if err := e.runOpen(ctx, t, i, short[i], rate, &errs); err != nil {
			return err
		}
	}
	e.figure("errors", "Requests that failed", "count", float64(errs.failed), lower)
	errs.tell(e, "call_errors", "requests")
	return nil
}

// tellClosed adds the figures of a closed loop and returns its rate. There are more of them for
// tools/call.
func (e *env) tellClosed(name, method string, kind int, m *measured) float64 {
	h := m.tallies[kind].hist
	rate := m.done() / m.seconds
	add := e.figure
	if name == "call" {
		add = e.key
	}
	if server, client := m.per100k(); e.server != nil && m.done() > 0 {
		add(name+"_cpu", "Processor time of the server for 100,000 "+method, "s", server, lower).Client = &client
	}
	add(name+"_rate", method+" each second, closed loop", "/s", rate, higher)
	if m.done() == 0 {
		return 0
	}
	if name == "call" {
		e.figure("call_p50", "Half of "+method+" within, closed loop", "ms", millis(h, 50), lower)
		e.key("call_p99", "99 % of "+method+" within, closed loop", "ms", millis(h, 99), lower)
		e.figure("call_p999", "99.9 % of "+method+" within, closed loop", "ms", millis(h, 99.9), lower)
		e.figure("call_max", "Slowest "+method+", closed loop", "ms", millis(h, 100), lower)
	} else {
		e.figure(name+"_p99", "99 % of "+method+" within, closed loop", "ms", millis(h, 99), lower)
	}
	e.distribution(name, method+", closed loop", h)
	return rate
}

// runOpen measures requests of one kind at a rate; reached is the rate of its closed loop. There
// are more figures for tools/call.
func (e *env) runOpen(ctx context.Context, t *traffic, kind int, name string, reached float64, errs *failures) error {
	method := t.kinds[kind].name
	rate, better := e.Rate, lower
	if rate == 0 {
		rate = float64(int(reached/2)/10*10 + 10)
		better = neither // each server then has a load of its own, and slower servers an easier one
		e.note("open loop at %.0f %s each second, half of what the closed loop reached", rate, method)
	}
	e.progress("%s at %.0f/s for %v", method, rate, e.Duration)
	m, err := e.openLoop(ctx, t, rate, func(int64) int { return kind }, func(measure func() error) error {
		if err := sleep(ctx, e.warming()); err != nil {
			return err
		}
		if err := measure(); err != nil {
			return err
		}
		return sleep(ctx, e.Duration)
	})
	if err != nil {
		return err
	}
	if m.unsent > 0 {
		e.note("open loop: %d %s were never sent, because no connection became free; each counts with the time that it waited", m.unsent, method)
	}
	errs.add(m.tallies)
	h, sent := m.tallies[kind].hist, m.tallies[kind].sent
	if name != "call" {
		if m.done() > 0 {
			late := millis(m.late, 99)
			e.figure("open_"+name+"_p99", "99 % of "+method+" within, open loop", "ms", millis(h, 99), better).Client = &late
			e.figure("open_"+name+"_sent_p99", "99 % of "+method+" within, from when they were sent, open loop", "ms", millis(sent, 99), better)
			e.distribution("open_"+name, method+", open loop", h)
		}
		return nil
	}
	client := 100 * m.client / m.seconds
	e.figure("open_rate", method+" each second that were due, open loop", "/s", rate, neither)
	if e.server != nil {
		e.figure("open_cpu", "Processor time of the server in the open loop, of one core", "%", 100*m.server/m.seconds, better).Client = &client
	}
	if m.done() > 0 {
		late := millis(m.late, 99)
		e.figure("open_p50", "Half of "+method+" within, open loop", "ms", millis(h, 50), better)
		e.key("open_p99", "99 % of "+method+" within, open loop", "ms", millis(h, 99), better).Client = &late
		e.figure("open_p999", "99.9 % of "+method+" within, open loop", "ms", millis(h, 99.9), better)
		e.figure("open_max", "Slowest "+method+", open loop", "ms", millis(h, 100), better)
		e.distribution("open", method+", open loop", h)
		e.tellSent(method, sent, better)
	}
	return nil
}

// tellSent adds the figures for tools/call in the open loop that count from when a request was
// sent.
func (e *env) tellSent(method string, h *hdrhistogram.Histogram, better string) {
	e.figure("open_sent_p50", "Half of "+method+" within, from when they were sent, open loop", "ms", millis(h, 50), better)
	e.key("open_sent_p99", "99 % of "+method+" within, from when they were sent, open loop", "ms", millis(h, 99), better)
	e.figure("open_sent_p999", "99.9 % of "+method+" within, from when they were sent, open loop", "ms", millis(h, 99.9), better)
	e.figure("open_sent_max", "Slowest "+method+" from when it was sent, open loop", "ms", millis(h, 100), better)
	e.figure("open_sent_slow", method+" that took more than 5 ms from when they were sent, open loop", "count", float64(above(h, slowCall)), better)
	e.distribution("open_sent", method+" from when they were sent, open loop", h)
}

// slowCall is how long a call of the open loop may take, in µs, without counting as slow.
const slowCall = 5000

// above returns how many values of h are above v.
func above(h *hdrhistogram.Histogram, v int64) (n int64) {
	for _, b := range h.Distribution() {
		if b.From > v {
			n += b.Count
		}
	}
	return n
}

// failures counts requests that failed, and how many were made.
type failures struct {
	failed, all int
	why         string
}

func (f *failures) add(ts []tally) {
	for i := range ts {
		f.failed += ts[i].failed
		f.all += ts[i].failed + ts[i].answered
		or(&f.why, ts[i].why)
	}
}

// tell records a finding if there was a failure.
func (f *failures) tell(e *env, code, what string) {
	if f.failed > 0 {
		e.fault(code, "%d of %d %s failed; the first: %s", f.failed, f.all, what, f.why)
	}
}
