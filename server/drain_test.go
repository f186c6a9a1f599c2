package server

import (
	"context"
	"fmt"
	"io"
	"testing"

	"github.com/mooring-mcp/mooring/mcp"
)

// A request that had begun to arrive when the drain came has a second for the rest, wherever it
// was cut; and no longer.
func TestDrainWaitsForRequests(t *testing.T) {
	for _, c := range conversations {
		if c.name != "inline" && c.name != "chunked" {
			continue
		}
		for i := 1; i < len(c.in); i++ {
			r := newRig(t, nil)
			p, slow := r.connect(), r.connect()
			p.send(c.in[:i])
			state := p.c.state
			slow.send(c.in[:i])
			r.l.postDrain(&drainOrder{})
			r.run()
			r.pass(drainHead / 2)
			p.send(c.in[i:])
			if res := p.wantResponse(c.name, 200); res == nil || state != connStateHead && state != connStateBody {
				t.Fatalf("%s cut at %d: the state was %v", c.name, i, state)
			}
			slow.wantOpen("half of its time is over")
			r.pass(drainHead + tickUnit)
			slow.wantResponse("its time is over", 408)
		}
	}
}

// A server that has been shut down is nothing to its mcp.Server any more: another can serve it,
// and no change is collected for the dead loops.
func TestShutdownLeavesMCP(t *testing.T) {
	m := mcp.NewServer(&mcp.Implementation{Name: "t", Version: "1"}, nil)
	for range 3 {
		s := New(m, &Options{Loops: 2})
		l, err := s.Listen("127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		served := make(chan error, 1)
		go func() { served <- s.Serve(l) }()
		for !s.Ready() {
			select {
			case err := <-served:
				t.Fatal(err)
			default:
			}
		}
		if err := s.Shutdown(t.Context()); err != nil {
			t.Fatal(err)
		}
		<-served
		s.notices.add(mcp.Change{Topic: mcp.TopicTools}) // one that was under way
		s.notices.flush()
		for range 100 {
			mcp.AddTool(m, &mcp.Tool{Name: "t"}, func(_ context.Context, _ *mcp.CallToolRequest, _ struct{}) (*mcp.CallToolResult, any, error) {
				return nil, nil, nil
			})
		}
		s.notices.mu.Lock()
		if !s.notices.pending.empty() {
			t.Error("changes are collected after Shutdown")
		}
		s.notices.mu.Unlock()
		for _, l := range s.loops {
			if !l.in.changes.empty() {
				t.Error("a loop that has ended collects changes")
			}
		}
	}
}

// A drain takes the loop for a slice at a time: a call that arrives while thousands of idle
// connections are closed is answered in between, and what comes and goes meanwhile is let go of
// too.
func TestDrainIsSliced(t *testing.T) {
	r := newRig(t, nil)
	var idle []*fakePeer
	for range 1000 {
		idle = append(idle, r.connect())
	}
	busy := r.connect()
	busy.send(addCall(1, 2).String()[:40])
	for range 1000 {
		idle = append(idle, r.connect())
	}
	left := func() (n int) {
		for _, p := range idle {
			if !p.shut && !p.closed {
				n++
			}
		}
		return n
	}
	r.l.postDrain(&drainOrder{})
	before, turns := left(), 0
	for r.step() {
		now := left()
		if before-now > 2*drainSlice {
			t.Fatalf("%d connections end in one turn", before-now)
		}
		if turns++; turns == 3 {
			busy.deliver(addCall(1, 2).String()[40:])
			if now == 0 || len(busy.got) == 0 {
				t.Errorf("%d connections are left, the call is answered by %q", now, busy.got)
			}
			idle[1500].onClose(io.EOF) // one that goes by itself
		}
		before = now
	}
	if n := left(); n != 0 || turns < len(idle)/drainSlice {
		t.Errorf("%d connections are left after %d turns", n, turns)
	}
	r.wantInvariants("drained")
}

// What waits for its client is ended by a drain wherever it is met, in slices as well.
func TestDrainEndsParkedCalls(t *testing.T) {
	r := newPort(t, nil)
	s := r.initialize("2025-11-25")
	const n = 3 * drainSlice
	for i := range n {
		p := r.dial(0)
		s.play(p, fmt.Sprint(i), "a")
		r.cue("a", "ask 1")
		s.until("asked", p, "?question 0")
		if i%2 == 0 {
			p.fin() // its call goes on without it
		}
	}
	r.await("all wait", func() bool { return r.parkedCalls() == n })
	for _, l := range r.loops {
		l.postDrain(&drainOrder{})
	}
	r.callsEnd("all end")
}
