package server

import (
	"fmt"
	"testing"
	"time"
)

// turns runs the tasks of the loop one by one until none is left, and calls look after each one.
func (r *rig) turns(look func()) {
	r.t.Helper()
	for rounds := 0; ; rounds++ {
		todo := append(r.base.take(), r.base.later...)
		r.base.later = nil
		if len(todo) == 0 {
			return
		}
		if rounds > 100_000 {
			r.t.Fatal("the loop does not come to rest")
		}
		for _, t := range todo {
			t()
			look()
		}
	}
}

// slices returns look, which fails the test if n has changed by more than sliceLimit since the
// last call, and turns, which counts the calls that saw a change.
func (r *rig) slices(why string, n func() int) (look func(), turns *int) {
	r.t.Helper()
	before := n()
	turns = new(int)
	return func() {
		r.t.Helper()
		now := n()
		if done := max(now-before, before-now); done > sliceLimit {
			r.t.Fatalf("%s: %d in one turn, want at most %d", why, done, sliceLimit)
		} else if done > 0 {
			*turns++
		}
		before = now
	}, turns
}

// A drain ends at most a slice of connections in a turn, whatever their state, and other
// connections are served in between.
func TestDrainOfAllStatesIsSliced(t *testing.T) {
	const many = 2_000
	for name, begin := range map[string]func(*fakePeer, int){
		"idle":   func(p *fakePeer, _ int) { p.send(getHealth); p.take() },
		"silent": func(*fakePeer, int) {},
		"head":   func(p *fakePeer, _ int) { p.send("GET /he") },
		"body":   func(p *fakePeer, _ int) { s := addCall(1, 2).String(); p.send(s[:len(s)-5]) },
		"stream": func(p *fakePeer, i int) { p.listen(fmt.Sprint(i)) },
		"gaps": func(p *fakePeer, i int) {
			if i%3 > 0 {
				p.fin()
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, nil)
			for i := range many {
				begin(r.connect(), i)
			}
			first, last := r.peers[0], r.connect()
			r.l.postDrain(&drainOrder{spread: 20})
			look, turns := r.slices(name, func() (n int) {
				for _, c := range r.l.slots {
					if c != nil && !c.has(flagClose) {
						n++
					}
				}
				return n
			})
			served, calls := 0, 0
			r.turns(func() {
				look()
				switch {
				case r.l.drain.order == nil:
				case served == 0:
					// The walk is in progress: the connection it reaches last is still served,
					// with Connection: close.
					last.method = "tools/call"
					last.deliver(addCall(1, 2).String())
					last.wantCode("in between", 200, 0).wantField("in between", "Connection", "close")
					last.wantClosed("in between", closeDone)
					// One client connects and one disconnects, ahead of and behind the cursor.
					late := r.connect()
					first.c.close(closePeer)
					early := r.connect()
					if !late.c.has(flagClose) || !early.c.has(flagClose) {
						t.Error("a connection opened during the drain is not closed")
					}
					served++
					look()
				}
				calls++
			})
			if served == 0 || *turns < many/3/drainSlice {
				t.Errorf("%d connections were closed in %d of %d turns", many, *turns, calls)
			}
			r.wantInvariants("after the drain")
			r.pass(15 * time.Second)
			if n := r.s.admission.Connections(); n != 0 {
				t.Errorf("%d connections are left", n)
			}
		})
	}
}

const getHealth = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"

// Calls without a connection that all time out at once end slice by slice.
func TestDetachedExpireSliced(t *testing.T) {
	const many = 700
	r := detachedCalls(t, many, &Options{CallTimeout: 10 * time.Minute})
	for _, d := range r.l.detached {
		d.job.legacy.due = r.l.now + 1
	}
	look, turns := r.slices("calls out of time", func() int { return int(r.s.calls.Load()) })
	for range many/sliceLimit + 1 {
		r.l.now++
		r.l.guard(r.l.onTick)()
		look()
		r.turns(look)
	}
	if n := r.s.calls.Load(); n != 0 || *turns < many/sliceLimit {
		t.Errorf("%d calls are left; the others ended in %d turns", n, *turns)
	}
	r.wait(time.Second)
	if len(r.l.detached) != 0 {
		t.Errorf("%d calls are still listed", len(r.l.detached))
	}
}

// detachedCalls returns a port on whose first loop n calls wait for their clients, which have
// disconnected.
func detachedCalls(t *testing.T, n int, o *Options) *port {
	r := newPort(t, o)
	s := r.initialize("2025-11-25")
	var peers []*fakePeer
	for i := range n {
		if i%512 == 0 && i > 0 {
			s = r.initialize("2025-11-25")
		}
		p := r.dial(0)
		peers = append(peers, p)
		s.play(p, fmt.Sprint(i), "a")
		r.cue("a", "ask 1")
		r.await("the call is parked", func() bool { return p.c.x.job.legacy.phase == phaseParked })
	}
	for _, p := range peers {
		p.take()
		p.fin()
	}
	for _, c := range r.l.slots { // the connections that began the sessions
		if c != nil && c.state == connStateIdle {
			c.close(closePeer)
		}
	}
	return r
}

// When all connections are reset because of what their peers leave unread, they are closed slice
// by slice, and the loop serves its sockets in between.
func TestReliefIsSliced(t *testing.T) {
	const many = 700
	r := newRig(t, &Options{UnsentTotal: 8 << 20})
	for range many {
		r.connect().leave(4 << 10)
	}
	r.s.opts.UnsentTotal = 1
	look, turns := r.slices("resets", func() int { return int(r.s.admission.Connections()) })
	r.l.postRelief()
	for _, t := range r.base.take() {
		t()
		look()
	}
	if len(r.base.tasks) != 0 || len(r.base.later) != 1 {
		t.Errorf("%d tasks wait to run before the sockets and %d after them, want 0 and 1", len(r.base.tasks), len(r.base.later))
	}
	r.turns(look)
	if n := r.s.admission.Connections(); n != 0 || *turns < many/sliceLimit {
		t.Errorf("%d connections are left; the others were closed in %d turns", n, *turns)
	}
}
