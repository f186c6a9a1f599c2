package main

import (
	"fmt"
	"net"
	"time"

	"github.com/mooring-mcp/mooring/internal/sockdiag"
)

// A scenario is one way to abandon sessions, for several rounds.
type scenario struct {
	name   string
	proxy  string // "" for clients that connect to the server directly
	stream bool
	number byte // distinguishes the clients' addresses of the scenarios
}

// source returns the one address that all clients of a round have. No two rounds share it, so that
// connections in TIME-WAIT leave enough ports.
func (s scenario) source(round int) net.IP { return net.IPv4(127, 1, s.number, byte(round+1)) }

// A measurement is what all rounds of a scenario showed.
type measurement struct {
	scenario
	sessions    int
	rates       []float64       // sessions per second, for each round
	closeWait   int             // the most at once
	gone        []time.Duration // time after the last FIN, for each round
	floor       []time.Duration // the same for the floor
	counting    []time.Duration // how long a count of the kernel's sockets took
	end         sockdiag.Counts
	connections float64
	withState   float64
	streams     float64
	heap        []float64
	goroutines  float64 // after the last round, including idle workers
	health      []time.Duration
	faults      []error
}

// A bench is where scenarios are measured: the servers and what reads their figures.
type bench struct {
	server     *process
	addr       string // where clients connect
	health     string // another address of the same server, for health checks
	admin      admin
	socks      *sockets
	floorAddr  string
	floorSocks *sockets
	count      int
	rounds     int
	goroutines float64 // before the first client
}

// number returns how many sessions each round has. Behind a proxy, which needs most of the
// processor, all rounds together have as many as one round of direct clients.
func (b *bench) number(s scenario) int {
	if s.proxy != "" {
		return max(1, b.count/b.rounds)
	}
	return b.count
}

// run measures a scenario. front and floorFront are where the clients connect for the server and
// for the floor. An error is a failure of the bench; failures of the server are in the measurement.
func (b *bench) run(s scenario, front, floorFront string) (*measurement, error) {
	m := &measurement{scenario: s}
	for round := range b.rounds {
		if err := b.round(m, round, front); err != nil {
			return nil, err
		}
		took, err := b.floorRound(s, round, floorFront)
		if err != nil {
			return nil, fmt.Errorf("the floor: %w", err)
		}
		m.floor = append(m.floor, took)
		progress(fmt.Sprintf("%s: round %d, %.0f sessions/s, gone after %v (floor %v), sockets %s", s.name, round+1, m.rates[round], m.gone[round], took, &m.end))
	}
	return m, nil
}

func (b *bench) round(m *measurement, round int, front string) error {
	p, err := startProbe(b.health)
	if err != nil {
		return err
	}
	stop := make(chan struct{})
	most, err := b.socks.watch(stop)
	if err != nil {
		return err
	}
	l := &load{addr: front, source: m.source(round), stream: m.stream, n: b.number(m.scenario)}
	took, last, err := l.run()
	if err != nil {
		m.faults = append(m.faults, err)
	}
	close(stop)
	gone, counting, counts, err := b.socks.gone(last, m.proxy != "")
	if err != nil {
		return err
	}
	m.closeWait = max(m.closeWait, <-most)
	if err := p.end(); err != nil {
		m.faults = append(m.faults, err)
	}
	m.sessions += l.n
	m.rates = append(m.rates, float64(l.n)/took.Seconds())
	m.gone = append(m.gone, gone)
	m.counting = append(m.counting, counting)
	m.end = counts
	m.health = append(m.health, p.times...)
	return b.leftovers(m)
}

// floorRound abandons a quarter of the sessions on the floor, watched in the same way, and returns
// when its sockets were gone.
func (b *bench) floorRound(s scenario, round int, front string) (time.Duration, error) {
	stop := make(chan struct{})
	most, err := b.floorSocks.watch(stop)
	if err != nil {
		return 0, err
	}
	l := &load{addr: front, source: s.source(100 + round), stream: s.stream, n: max(1, b.number(s)/4)}
	_, last, err := l.run()
	close(stop)
	if err != nil {
		return 0, err
	}
	took, _, _, err := b.floorSocks.gone(last, s.proxy != "")
	<-most
	return took, err
}

// leftovers reads what the server holds after a round, once it has had a moment to release it.
func (b *bench) leftovers(m *measurement) error {
	most := map[string]float64{"mooring_sessions_with_state": 0, `mooring_streams{kind="session"}`: 0}
	if m.proxy == "" {
		most["mooring_connections"] = 0
	}
	values, err := b.admin.settle(10*time.Second, most)
	if err != nil {
		return err
	}
	m.connections = values["mooring_connections"]
	m.withState = values["mooring_sessions_with_state"]
	m.streams = values[`mooring_streams{kind="session"}`]
	m.goroutines = values["go_goroutines"]
	heap, err := b.admin.liveHeap()
	if err != nil {
		return err
	}
	m.heap = append(m.heap, heap)
	return nil
}
