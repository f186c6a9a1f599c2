package bench

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/mooring-mcp/mooring/bench/load"
	"github.com/mooring-mcp/mooring/bench/observe"
)

var hostile = Scenario{
	Name:  "hostile",
	Title: "What malicious or broken clients can do",
	Help: `For each cheap kind of misbehaviour, opens --clients connections in --rounds rounds, --concurrency at
a time. Each sends one message, and the client closes it when there is an answer or when there has
been none for a while. The kinds are bytes that are not HTTP (garbage), heads of 128 KiB
(oversize_head), contents that are announced with 1 TiB and begun (oversize_body), requests to be
refused for their method, path, type, JSON, tool or session (refused), and heads and contents that
the client abandons in the middle (broken_head, broken_body). After each round the server gets time
to rest and its memory is read. Then 500 clients send heads that never end and 500 send contents
that never end, one byte every half second, for --wait. Meanwhile a prober makes 50 health checks a
second. The notes report what the server answered.
retained_per_100k           memory that 100,000 connections leave behind, with equal shares of all
                            kinds: the slopes of the server's memory over the connections, without
                            the first round. A kind whose slope may be chance counts as 0; the notes
                            report the confidence intervals
retained_garbage, retained_oversize_head, retained_oversize_body, retained_refused,
retained_broken_head, retained_broken_body
                            the same for each kind, for 100,000 connections
connection_cpu              processor time of the server for each connection of the cheap kinds
slow_memory                 memory of the server for each slow client, while it sends
slow_head_dropped           clients with slow heads that the server dropped within --wait
slow_body_dropped           the same for clients with slow contents
server_errors               answers that report a failure of the server (5xx except 501 and 505)
close_wait_final            sockets in CLOSE-WAIT at the end, minus those that were there before
health_p50, _p99, _max      latency of the prober's health checks: median, 99 %, longest (the
                            client's own part of health_p99 is how late the prober itself was)
Findings: server_error (see server_errors), server_gone (the process has exited, or refuses
connections), memory_kept (memory grows with each connection, by more than chance, and to more than
twice what the server had), close_wait, slow_head_kept (no client with a slow head was dropped
within a minute; only with --wait 60s or more), health_failed.`,
	Uses:     []string{"clients", "rounds", "concurrency", "wait", "health"},
	Defaults: Params{Clients: 20000, Rounds: 5, Concurrency: 64, Wait: 12 * time.Second},
	run:      runHostile,
}

// mostGrowth ends a kind early: a server that keeps everything it is sent must not exhaust the
// machine.
const mostGrowth = 512 << 20

func runHostile(ctx context.Context, e *env) error {
	e.watch(200 * time.Millisecond)
	w, err := newWire(e.target)
	if err != nil {
		return err
	}
	client, err := load.New(load.Options{Addr: e.target.Addr, Sources: load.Sources(e.target.Addr.Addr(), 35_000, 128)})
	if err != nil {
		return err
	}
	e.closers = append(e.closers, client.Close)
	p, err := e.probe(ctx, churnProbe)
	if err != nil {
		return err
	}
	base, err := e.calm(ctx, p)
	if err != nil {
		return err
	}
	h := &hostility{env: e, client: client, prober: p}
	for _, a := range w.assaults() {
		if err := h.wave(ctx, &a); err != nil {
			return err
		}
		if h.gone {
			break
		}
	}
	if !h.gone {
		if err := e.slowClients(ctx, client, w, slowEnough); err != nil {
			return err
		}
		h.checkServer(ctx)
	}
	h.figures()
	if h.gone {
		return p.stop(ctx)
	}
	if err := sleep(ctx, time.Second); err != nil { // time to see the slow clients' connections end
		return err
	}
	final, err := e.calm(ctx, p)
	if err != nil {
		return err
	}
	if e.sockets != nil {
		left := max(0, final.CloseWait-base.CloseWait)
		e.figure("close_wait_final", "Sockets in CLOSE-WAIT at the end", "count", float64(left), lower)
		if left > 0 {
			e.fault("close_wait", "%d sockets are in CLOSE-WAIT a second after the last client disconnected", left)
		}
	}
	return p.stop(ctx)
}

// hostility is what has been found so far.
type hostility struct {
	*env
	client *load.Client
	prober *prober

	done         int // connections so far
	server, mine float64
	slopes       []float64
	failed       int // answers that report a failure of the server
	gone         bool
}

// wave runs the rounds of one kind.
func (h *hostility) wave(ctx context.Context, a *assault) error {
	e := h.env
	rounds, each := max(1, e.Rounds), max(1, e.Clients/max(1, e.Rounds))
	w := newWave(h.client, a)
	before, _ := e.memory()
	var memory [][2]float64
	for r := range rounds {
		e.progress("%s: round %d of %d, %d connections", a.title, r+1, rounds, each)
		used := e.cpu()
		if err := w.round(ctx, each, e.Concurrency); err != nil {
			return err
		}
		server, mine := e.since(used)
		h.server, h.mine, h.done = h.server+server, h.mine+mine, h.done+each
		if h.checkServer(ctx); h.gone {
			break
		}
		h.prober.hold(true)
		if err := e.settle(ctx, 10*time.Second); err != nil {
			return err
		}
		u, ok := e.memory()
		h.prober.hold(false)
		if !ok {
			continue
		}
		memory = append(memory, [2]float64{float64((r + 1) * each), float64(u.RSS)})
		if grown := u.RSS - int64(memory[0][1]); grown > mostGrowth && r < rounds-1 {
			e.note("%s: stopped after %d connections, because the server had grown by %d MB", a.title, (r+1)*each, grown/1e6)
			break
		}
	}
	e.note("%s: %v", a.title, w.outcomes)
	if n, status := w.outcomes.serverErrors(); n > 0 {
		h.failed += n
		e.fault("server_error", "%d of %d connections with %s got a server error: %s", n, w.next, a.title, status)
	}
	if n := w.outcomes.taken(); n > 0 {
		e.note("%s: %d got a success", a.title, n)
	}
	h.retained(a, memory, float64(before.RSS))
	return nil
}

// retained adds what connections of a kind leave behind.
func (h *hostility) retained(a *assault, memory [][2]float64, before float64) {
	if len(memory) < 2 {
		return
	}
	line, ok := observe.Fit(memory[1:])
	if !ok {
		// There are too few rounds for more than the difference.
		first, last := memory[0], memory[len(memory)-1]
		line.Slope = (last[1] - first[1]) / (last[0] - first[0])
		if last[1]-first[1] > mostGrowth {
			h.fault("memory_kept", "%s: each connection leaves %.0f B behind; the server grew by %.0f MB with %.0f connections", a.title, line.Slope, (last[1]-first[1])/1e6, last[0]-first[0])
		}
	} else {
		switch judgeKept(&line, memory[len(memory)-1][1]-before, before) {
		case keptSurely:
			h.fault("memory_kept", "%s: each connection leaves %.0f B behind (%s)", a.title, line.Slope, interval(&line, "B"))
		case keptPerhaps:
			h.note("%s: memory grew, but by less than the server had before: it may be garbage that is not collected yet; use more --clients to find out", a.title)
		}
	}
	if ok {
		h.note("%s: each connection leaves %s behind", a.title, interval(&line, "B"))
	}
	slope := line.Slope
	if ok {
		slope = sureSlope(&line)
	}
	h.slopes = append(h.slopes, slope)
	h.figure("retained_"+a.name, "Memory that 100,000 connections leave behind: "+a.title, "B", slope*100_000, lower)
}

// checkServer finds out whether the server is still there.
func (h *hostility) checkServer(ctx context.Context) {
	if h.gone {
		return
	}
	if h.env.server != nil {
		if _, err := h.env.server.Glance(); errors.Is(err, observe.ErrEnded) {
			h.lose("the process has exited")
			return
		}
	}
	d := net.Dialer{Timeout: patience}
	c, err := d.DialContext(ctx, "tcp", h.target.Addr.String())
	if err != nil {
		if ctx.Err() == nil {
			h.lose(fmt.Sprintf("it accepts no connections: %v", err))
		}
		return
	}
	_ = c.Close()
}

func (h *hostility) lose(why string) {
	h.gone = true
	h.fault("server_gone", "after %d hostile connections the server is gone: %s", h.done, why)
}

func (h *hostility) figures() {
	if n := len(h.slopes); n > 0 {
		sum := 0.0
		for _, s := range h.slopes {
			sum += s
		}
		h.key("retained_per_100k", "Memory that 100,000 hostile connections leave behind", "B", sum/float64(n)*100_000, lower)
	}
	if h.env.server != nil && h.done > 0 {
		mine := h.mine / float64(h.done) * 1e6
		h.figure("connection_cpu", "Processor time of the server for each hostile connection", "µs", h.server/float64(h.done)*1e6, lower).Client = &mine
	}
	h.figure("server_errors", "Answers that report a failure of the server", "count", float64(h.failed), lower)
}
