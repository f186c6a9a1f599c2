package server

import (
	"context"
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
		s.changed(mcp.Change{Topic: mcp.TopicTools}) // one that was under way
		s.tellLoops()
		for range 100 {
			mcp.AddTool(m, &mcp.Tool{Name: "t"}, func(_ context.Context, _ *mcp.CallToolRequest, _ struct{}) (*mcp.CallToolResult, any, error) {
				return nil, nil, nil
			})
		}
		s.noticeMu.Lock()
		if !s.notices.empty() {
			t.Error("changes are collected after Shutdown")
		}
		s.noticeMu.Unlock()
		for _, l := range s.loops {
			if !l.in.changes.empty() {
				t.Error("a loop that has ended collects changes")
			}
		}
	}
}
