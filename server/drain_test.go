package server

import (
	"context"
	"fmt"
	"io"
	"testing"

	"github.com/mooring-mcp/mooring/mcp"
)

// A request that has begun to arrive when the drain starts has one second for the rest, and no
// longer, wherever it is cut.
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
				t.Fatalf("%s cut at %d: state %v, want head or body", c.name, i, state)
			}
			slow.wantOpen("after half of its time")
			r.pass(drainHead + tickUnit)
			slow.wantResponse("after all of its time", 408)
		}
	}
}

// A server that has been shut down no longer concerns its mcp.Server: another can serve it, and
// no change is collected for the ended loops.
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
		s.main.notices.add(mcp.Change{Topic: mcp.TopicTools}) // a change that was in progress
		s.main.notices.flush()
		for range 100 {
			mcp.AddTool(m, &mcp.Tool{Name: "t"}, func(_ context.Context, _ *mcp.CallToolRequest, _ struct{}) (*mcp.CallToolResult, any, error) {
				return nil, nil, nil
			})
		}
		s.main.notices.mu.Lock()
		if !s.main.notices.pending.empty() {
			t.Error("the server still collects changes after Shutdown")
		}
		s.main.notices.mu.Unlock()
		for _, l := range s.loops {
			if len(l.in.changed) > 0 {
				t.Error("a loop that has ended still collects changes")
			}
		}
	}
}

// A drain takes the loop for one slice at a time: a call that arrives while thousands of idle
// connections are being closed is answered in between, and a connection that ends by itself
// meanwhile does not disturb the drain.
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
			t.Fatalf("%d connections were closed in one turn, want at most two slices", before-now)
		}
		if turns++; turns == 3 {
			busy.deliver(addCall(1, 2).String()[40:])
			if now == 0 || len(busy.got) == 0 {
				t.Errorf("with %d connections left, the call has got %q", now, busy.got)
			}
			idle[1500].onClose(io.EOF) // a client that disconnects by itself
		}
		before = now
	}
	if n := left(); n != 0 || turns < len(idle)/drainSlice {
		t.Errorf("%d connections are left after %d turns", n, turns)
	}
	r.wantInvariants("after the drain")
}

// A drain ends calls that wait for their client, whichever slice they are in.
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
			p.fin() // its call continues without the connection
		}
	}
	r.await("all calls wait", func() bool { return r.parkedCalls() == n })
	for _, l := range r.loops {
		l.postDrain(&drainOrder{})
	}
	r.callsEnd("all end")
}
