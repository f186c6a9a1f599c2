package server

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/mcp"
	"github.com/mooring-mcp/mooring/server/internal/engine"
	"github.com/mooring-mcp/mooring/server/internal/wheel"
)

// setClock sets the server's clock to the middle of tick n.
func (r *rig) setClock(n tick) {
	r.s.start = time.Now().Add(-time.Duration(n)*tickUnit - tickUnit/2)
}

// tickAt does what the ticker does at tick n: it gives the loop a tick if one is due.
func (r *rig) tickAt(n tick) {
	r.setClock(n)
	if r.l.restsUntil() <= n {
		r.l.postTick(r.s.clock())
	}
	r.run()
}

// TestRestChangesNothing runs the same clients on a loop that rests whenever it can and on one
// that gets every tick. Each client must see the same at the same ticks, however long the rests
// are.
func TestRestChangesNothing(t *testing.T) {
	opts := Options{
		HeadTimeout: 3 * time.Second,
		BodyTimeout: 5 * time.Second,
		IdleTimeout: 70 * time.Second,
		Heartbeat:   900 * time.Millisecond,
	}
	waits := []tick{1, 2, 9, 11, 12, 15, 30, 31, 60, 200, 511, 512, 513, 800, 5000}
	late := 0 // seeds that are run again because the machine was so slow that the clock moved on
	for seed := uint64(0); seed < 20; seed++ {
		var seen [2][]string
		rested, slow := 0, false
		for mode := range 2 {
			r := newRig(t, &opts)
			rng := rand.New(rand.NewPCG(seed, 1))
			r.l.rng = rand.New(rand.NewPCG(seed, 2))
			r.l.now, r.l.wheel = 0, wheel.New(0)
			var peers []*fakePeer
			var logs [][]string
			var now tick
			wait := func(n tick) {
				for range n {
					now++
					if mode == 1 {
						r.l.quiet = -1 << 30 // so that it never rests
					}
					r.tickAt(now)
					slow = slow || r.s.tick() != now
					if mode == 0 && r.l.restsUntil() > now {
						rested++
					}
					for i, p := range peers {
						if n := len(p.got); n > 0 {
							logs[i] = append(logs[i], fmt.Sprintf("%d: %d bytes", now, n))
							p.got = nil
						}
						if p.closed && !p.reset {
							logs[i] = append(logs[i], fmt.Sprintf("%d: closed: %v", now, p.c.reason))
							p.reset = true // already logged
						}
					}
				}
			}
			for range 60 {
				wait(waits[rng.IntN(len(waits))])
				r.setClock(now)
				op, which := rng.IntN(6), rng.IntN(1<<20)
				if op == 0 || len(peers) == 0 {
					peers, logs = append(peers, r.connect()), append(logs, nil)
					slow = slow || r.s.tick() != now
					continue
				}
				p := peers[which%len(peers)]
				if p.closed || !p.c.canReceive() && op != 5 {
					continue
				}
				switch op {
				case 1:
					p.send(addCall(1, 2).String())
				case 2:
					p.send("POST /mcp HTTP/1.1\r\nHost: localhost\r\n")
				case 3:
					p.send(addCall(1, 2).String()[:400])
				case 4:
					if seed%2 == 0 { // the other seeds have long rests
						p.send(listenTo("7", everything).String())
					}
				case 5:
					p.onClose(nil)
				}
				r.run()
				slow = slow || r.s.tick() != now
			}
			wait(1500)
			for i, l := range logs {
				seen[mode] = append(seen[mode], fmt.Sprintf("client %d: %v", i, l))
			}
			r.wantInvariants("at the end")
		}
		if slow && late < 100 {
			late++
			seed--
			continue
		}
		for i := range seen[0] {
			if seen[0][i] != seen[1][i] {
				t.Fatalf("seed %d\nwith rests:    %s\nwithout rests: %s", seed, seen[0][i], seen[1][i])
			}
		}
		if rested < 1000 {
			t.Errorf("seed %d: only %d ticks of rest", seed, rested)
		}
	}
}

// TestRest checks how long a loop rests, depending on what it has to do.
func TestRest(t *testing.T) {
	for _, tt := range []struct {
		why  string
		with func(*rig)
		want func(*rig) tick
	}{
		{"nothing to do", func(*rig) {}, func(*rig) tick { return wheel.Never }},
		{"a connection", func(r *rig) { r.connect() }, func(r *rig) tick { return r.l.wheel.Next() }},
		{"workers", func(r *rig) {
			r.l.workers.idle = append(r.l.workers.idle, &worker[*job]{work: make(chan work[*job])})
		}, func(r *rig) tick { return r.l.workers.until }},
		{"a call without its connection", func(r *rig) {
			j := &job{loop: r.l}
			j.legacy.link, j.legacy.due = linkDetached, wheel.Never
			r.l.detached = append(r.l.detached, jobRef{job: j})
		}, func(*rig) tick { return awake }},
		{"more to do", func(r *rig) { r.l.kicked = true }, func(*rig) tick { return awake }},
	} {
		r := newRig(t, nil)
		tt.with(r)
		n := r.l.now
		for range restAfter {
			if got := r.l.restsUntil(); got != awake {
				t.Errorf("%s: the loop rests until %d before it has been quiet long enough", tt.why, got)
			}
			n++
			r.tickAt(n)
		}
		if got := r.l.restsUntil(); got != tt.want(r) {
			t.Errorf("%s: the loop rests until %d, want %d (now %d)", tt.why, got, tt.want(r), n)
		}
	}
}

// TestLagAges checks that a loop that rests does not report an old lag.
func TestLagAges(t *testing.T) {
	var m loopMetrics
	m.lag(5*lagTicks+10, 900)
	m.lag(5*lagTicks+11, 100)
	for _, tt := range []struct {
		at   tick
		want int64
	}{{5*lagTicks + 11, 900}, {6 * lagTicks, 900}, {7*lagTicks - 1, 900}, {7 * lagTicks, 0}, {70 * lagTicks, 0}} {
		if got := m.lagAt(tt.at); got != tt.want {
			t.Errorf("at tick %d the lag is %d, want %d", tt.at, got, tt.want)
		}
	}
	m.lag(9*lagTicks, 7)
	if got := m.lagAt(9 * lagTicks); got != 7 {
		t.Errorf("after a rest the lag is %d, want 7", got)
	}
}

// A connection that closes may leave a call behind, so the loop gets ticks again.
func TestStirredByAnEnd(t *testing.T) {
	r := newRig(t, nil)
	p := r.connect()
	n := r.l.now
	for range restAfter + 1 {
		n++
		r.tickAt(n)
	}
	if r.l.restsUntil() == awake {
		t.Fatal("the loop is not resting")
	}
	r.setClock(n + 200)
	p.onClose(nil)
	if r.l.restsUntil() != awake || r.l.now != n+200 {
		t.Errorf("after a connection closed the loop rests until %d at tick %d, want awake", r.l.restsUntil(), r.l.now)
	}
}

// chanBase runs the tasks of a loop on a goroutine of the test.
type chanBase struct {
	fakeBase
	work chan engine.Task
}

func (c *chanBase) Execute(t engine.Task) { c.work <- t }

// TestNoWakeIsLost makes the loops of many servers rest and wake at random moments, and checks
// that each deadline is served.
func TestNoWakeIsLost(t *testing.T) {
	ms := mcp.NewServer(&mcp.Implementation{Name: "rest", Version: "1"}, nil)
	defer ms.Close()
	const servers, loops, rounds = 64, 2, 8
	var all sync.WaitGroup
	var parked atomic.Int64
	for n := range servers {
		s := New(ms, &Options{Loops: loops})
		var bases []*chanBase
		for i := range loops {
			r := &chanBase{work: make(chan engine.Task, 1000)}
			bases = append(bases, r)
			s.loops = append(s.loops, newLoop(s, i, r))
		}
		s.helper.Go(s.runTicker)
		all.Go(func() {
			var both sync.WaitGroup
			for i, l := range s.loops {
				both.Go(func() {
					stirAndRest(t, l, bases[i].work, rounds, rand.New(rand.NewPCG(uint64(n), uint64(i))), &parked)
				})
			}
			both.Wait()
			close(s.halt)
			s.helper.Wait()
		})
	}
	all.Wait()
	if parked.Load() < servers {
		t.Errorf("tickers were parked only %d times", parked.Load())
	}
}

// stirAndRest lets the loop rest for some time, then arms a deadline and waits for it.
func stirAndRest(t *testing.T, l *loop, work <-chan engine.Task, rounds int, rng *rand.Rand, parked *atomic.Int64) {
	l.wheel.Grow(0)
	l.slots = []*conn{nil}
	for range rounds {
		for rest := time.After(time.Duration(rng.IntN(int(250 * time.Millisecond)))); ; {
			l.quiet = restAfter // so that the next tick lets the loop rest
			select {
			case f := <-work:
				f()
				continue
			case <-rest:
			}
			break
		}
		if l.srv.parked.Load() {
			parked.Add(1)
		}
		due := l.present() + 1
		if rng.IntN(2) == 0 {
			due += restLeast + 1 // so that the loop rests until then
		}
		for l.wheel.Arm(0, due); l.wheel.Armed() > 0; {
			l.quiet = restAfter
			select {
			case f := <-work:
				f()
			case <-time.After(5 * time.Second):
				t.Errorf("a deadline at tick %d was not served at tick %d: the loop rests until %d", due, l.srv.tick(), l.restsUntil())
				return
			}
		}
	}
}
