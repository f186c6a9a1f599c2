// Command bug abandons sessions: initialize, notifications/initialized, tools/call, and then the
// client closes its connection without a DELETE, tens of thousands of times; with a GET stream open
// or not, directly or behind nginx or HAProxy. It measures from outside what the server keeps: the
// kernel's sockets, the server's metrics and heap, and how fast health checks are answered
// meanwhile. It prints a table and exits with 1 if a row is not met. run.sh builds what it needs.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/mooring-mcp/mooring/internal/sockdiag"
)

func main() {
	var o options
	bin := flag.String("bin", "", "`directory` with mooring and subject")
	flag.IntVar(&o.count, "count", 20_000, "sessions in each round of direct clients and in all rounds behind a proxy together; 0: only those of -figures")
	flag.IntVar(&o.rounds, "rounds", 5, "rounds of each scenario")
	flag.IntVar(&o.storm, "storm", 8_000, "number of streams that are closed at once")
	flag.StringVar(&o.proxies, "proxies", "nginx haproxy", "proxies to measure behind, separated by spaces")
	flag.IntVar(&o.figures, "figures", 0, "cycles in each round of the comparison with other servers; 0: no comparison")
	flag.BoolVar(&o.busy, "busy", false, "the machine does other work: report times, but do not judge them")
	flag.Parse()
	o.mooring, o.subject = filepath.Join(*bin, "mooring"), filepath.Join(*bin, "subject")
	dir, err := os.MkdirTemp("", "bug")
	if err != nil {
		fatal(err)
	}
	o.dir = dir
	t, err := measure(o)
	_ = os.RemoveAll(dir)
	t.print(os.Stdout)
	if err != nil {
		fatal(err)
	}
	for _, m := range t.missed {
		fmt.Fprintf(os.Stderr, "not met: %s\n", m)
	}
	if len(t.missed) > 0 {
		os.Exit(1)
	}
}

func fatal(err error) {
	fmt.Fprintf(os.Stderr, "bug: %v\n", err)
	os.Exit(1)
}

type options struct {
	mooring, subject, dir, proxies string
	count, rounds, storm, figures  int
	busy                           bool
}

// measure runs everything; the table has what was measured before an error.
func measure(o options) (*table, error) {
	t := &table{busy: o.busy}
	if o.count > 0 {
		if err := abandon(t, o); err != nil {
			return t, err
		}
	}
	if o.figures > 0 {
		fmt.Fprintln(&t.out)
		progress("cycles")
		if err := figures(t, "Mooring on gnet", o, "--engine", "gnet"); err != nil {
			return t, err
		}
		progress("cycles with the event loop of its own")
		return t, figures(t, "Mooring with its own loop", o, "--engine", "epoll")
	}
	return t, nil
}

func progress(what string) { fmt.Fprintf(os.Stderr, "bug: %s\n", what) }

// abandon measures the scenarios, the storm and the speed after them, against one server.
func abandon(t *table, o options) error {
	b, stop, err := newBench(o)
	if err != nil {
		return err
	}
	defer stop()
	// After this the server has allocated what it keeps permanently.
	for round, stream := range []bool{false, true} {
		warm := &load{addr: b.addr, source: scenario{number: 99}.source(round), stream: stream, n: o.count}
		if _, _, err := warm.run(); err != nil {
			return err
		}
	}
	var ms []*measurement
	for number, proxy := range append([]string{""}, strings.Fields(o.proxies)...) {
		m, err := b.behind(proxy, byte(2*number+1), o.dir)
		ms = append(ms, m...)
		if err != nil {
			t.scenarios(ms)
			return err
		}
	}
	t.scenarios(ms)
	fmt.Fprintln(&t.out)
	t.head("further figures", "Mooring", "bare gnet, or the value before", "")
	if err := b.stormRow(t, o.storm); err != nil {
		return err
	}
	if err := b.speedRow(t, o.mooring); err != nil {
		return err
	}
	return b.goroutineRow(t)
}

// newBench starts the server and the floor.
func newBench(o options) (*bench, func(), error) {
	var addrs [4]string
	for i := range addrs {
		var err error
		if addrs[i], err = freeAddr(); err != nil {
			return nil, nil, err
		}
	}
	b := &bench{addr: addrs[0], health: addrs[1], admin: admin{"http://" + addrs[2]}, floorAddr: addrs[3], count: o.count, rounds: o.rounds}
	server, err := start("mooring", b.addr, o.mooring, "serve", "--log-level", "error", "--listen", b.addr, "--listen", b.health, "--admin", addrs[2])
	if err != nil {
		return nil, nil, err
	}
	floor, err := start("floor", b.floorAddr, o.subject, "floor", b.floorAddr)
	if err != nil {
		server.stop()
		return nil, nil, err
	}
	stop := func() { server.stop(); floor.stop() }
	for _, s := range []struct {
		socks **sockets
		addr  string
	}{{&b.socks, b.addr}, {&b.floorSocks, b.floorAddr}} {
		r, err := sockdiag.NewReader()
		if err != nil {
			stop()
			return nil, nil, err
		}
		*s.socks = &sockets{r, portOf(s.addr)}
	}
	b.server = server
	values, err := b.admin.metrics()
	if err != nil {
		stop()
		return nil, nil, err
	}
	b.goroutines = values["go_goroutines"]
	return b, stop, nil
}

// behind measures both scenarios behind a proxy, or without one.
func (b *bench) behind(proxy string, number byte, dir string) ([]*measurement, error) {
	front, floorFront, name := b.addr, b.floorAddr, "direct"
	if proxy != "" {
		name = "behind " + proxy
		for _, f := range []struct {
			front *string
			to    string
			dir   string
		}{{&front, b.addr, proxy}, {&floorFront, b.floorAddr, proxy + "-floor"}} {
			addr, err := freeAddr()
			if err != nil {
				return nil, err
			}
			own := filepath.Join(dir, f.dir)
			if err := os.Mkdir(own, 0o700); err != nil {
				return nil, err
			}
			p, err := startProxy(proxy, own, addr, f.to)
			if err != nil {
				return nil, err
			}
			defer p.stop()
			*f.front = addr
		}
	}
	var ms []*measurement
	for i, s := range []scenario{{name: name, proxy: proxy}, {name: name + ", GET stream open", proxy: proxy, stream: true}} {
		s.number = number + byte(i)
		progress(s.name)
		m, err := b.run(s, front, floorFront)
		if err != nil {
			return ms, fmt.Errorf("%s: %w", s.name, err)
		}
		ms = append(ms, m)
	}
	return ms, nil
}

func (b *bench) stormRow(t *table, n int) error {
	progress("all streams at once")
	ours, floors, counting, health, err := b.storms(n)
	if err != nil {
		return err
	}
	var faults []string
	if late(ours, floors, counting) {
		faults = append(faults, fmt.Sprintf(ofTime+"sockets gone %v after the last FIN, the floor's %v", median(ours), median(floors)))
	}
	t.row(faults, fmt.Sprintf("%d GET streams closed at once: no socket left after the last FIN", n), ms1(median(ours)), ms1(median(floors)))
	faults = nil
	if p99 := percentile(health, 99); p99 >= healthBound {
		faults = append(faults, fmt.Sprintf(ofTime+"healthz p99 %v", p99))
	}
	t.row(faults, "healthz p50 / p99 meanwhile", ms1(median(health))+" / "+ms1(percentile(health, 99)), "")
	return nil
}

// speedRow runs new clients at the end, alternating with clients of a server that has just started.
func (b *bench) speedRow(t *table, mooring string) error {
	progress("new clients")
	addr, err := freeAddr()
	if err != nil {
		return err
	}
	fresh, err := start("mooring", addr, mooring, "serve", "--log-level", "error", "--listen", addr)
	if err != nil {
		return err
	}
	defer fresh.stop()
	rates := map[string][]float64{}
	for round := range 4 {
		for i, to := range []string{addr, b.addr} {
			l := &load{addr: to, source: scenario{number: byte(90 + i)}.source(round), n: b.count}
			took, _, err := l.run()
			if err != nil {
				return err
			}
			if round > 0 { // the first round is the fresh server's warm-up
				rates[to] = append(rates[to], float64(l.n)/took.Seconds())
			}
		}
	}
	ours, want := medianOf(rates[b.addr]), medianOf(rates[addr])
	var faults []string
	if ours < speedAfter*want {
		faults = append(faults, fmt.Sprintf(ofTime+"%.0f sessions/s, a fresh server has %.0f", ours, want))
	}
	t.row(faults, "new clients at the end, sessions/s", fmt.Sprintf("%.0f", ours), fmt.Sprintf("%.0f (a fresh Mooring)", want))
	return nil
}

// goroutineRow waits until idle workers have ended, and compares.
func (b *bench) goroutineRow(t *table) error {
	progress("idle workers")
	values, err := b.admin.settle(30*time.Second, map[string]float64{"go_goroutines": b.goroutines, "mooring_connections": 0})
	if err != nil {
		return err
	}
	var faults []string
	if values["go_goroutines"] > b.goroutines || values["mooring_connections"] > 0 {
		faults = append(faults, "more than before")
	}
	t.row(faults, "goroutines · connections at the end", fmt.Sprintf("%g · %g", values["go_goroutines"], values["mooring_connections"]), fmt.Sprintf("%g · 0", b.goroutines))
	return nil
}
