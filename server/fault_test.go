package server

import (
	"strings"
	"testing"

	"github.com/mooring-mcp/mooring/mcp"
)

// TestBigListen checks that a subscription whose content a worker decodes returns its job only
// once. If it were returned twice, two connections would share it.
func TestBigListen(t *testing.T) {
	r := newRig(t, nil)
	var peers []*fakePeer
	for range 4 {
		p := r.connect()
		p.send(listenTo(`"big"`, `"toolsListChanged":true`).big().String())
		r.await("a long subscription is acknowledged", func() bool { return p.c.state == connStateStream && r.s.calls.Load() == 0 })
		peers = append(peers, p)
	}
	seen := map[*job]bool{}
	for _, j := range r.l.jobs {
		if seen[j] {
			t.Fatal("a job is in the free list twice")
		}
		seen[j] = true
	}
	for _, p := range peers {
		p.wantOpen("listening")
		p.take()
	}
	r.change(mcp.Change{Topic: mcp.TopicTools})
	for _, p := range peers {
		if got := p.more(); len(got) != 1 || !strings.Contains(got[0], "tools/list_changed") {
			t.Errorf("events %q, want one list_changed", got)
		}
	}
}

// TestPanicInATask checks that a panic while one connection is being served closes only that
// connection. The rest of the task is done, and no byte meant for one client reaches another.
func TestPanicInATask(t *testing.T) {
	t.Run("inbox", func(t *testing.T) {
		r := newRig(t, nil)
		var peers []*fakePeer
		for range 5 {
			p := r.connect()
			p.send(callTool("wait", `{}`).String())
			peers = append(peers, p)
		}
		bad := peers[2]
		bad.boom = true
		for range peers {
			r.hold <- struct{}{}
		}
		r.await("all calls are over", func() bool { return r.s.calls.Load() == 0 })
		for _, p := range peers {
			if p == bad {
				bad.wantClosed("its write panicked", closePanic)
				bad.wantNothing("after the panic")
				continue
			}
			p.wantOpen("a neighbour of the panic")
			p.wantCode("a neighbour of the panic", 200, 0)
		}
		p := r.connect()
		p.send(callTool("echo", `{"text":"x"}`).String())
		r.await("a later call is answered", func() bool { return len(p.got) > 0 })
	})
	t.Run("heartbeats", func(t *testing.T) {
		r := newRig(t, nil)
		peers := r.listeners(5)
		peers[3].boom = true
		r.pass(40 * tickUnit * 10)
		for i, p := range peers {
			if i == 3 {
				p.wantClosed("its write panicked", closePanic)
				continue
			}
			p.wantOpen("a neighbour of the panic")
			if p.take() == "" {
				t.Errorf("listener %d got no heartbeat", i)
			}
		}
	})
	t.Run("fan-out", func(t *testing.T) {
		r := newRig(t, nil)
		peers := r.listeners(5)
		peers[1].boom, peers[4].boom = true, true
		r.change(mcp.Change{Topic: mcp.TopicTools}, mcp.Change{Topic: mcp.TopicResource, URI: "rig://a"})
		for i, p := range peers {
			if i == 1 || i == 4 {
				p.wantClosed("its write panicked", closePanic)
				continue
			}
			p.wantOpen("a neighbour of the panic")
			if got := p.more(); len(got) != 2 {
				t.Errorf("listener %d got %q, want two notices", i, got)
			}
		}
	})
	t.Run("traffic", func(t *testing.T) {
		r := newRig(t, nil)
		p, q := r.connect(), r.connect()
		p.boom = true
		p.send(addCall(1, 2).String())
		p.wantClosed("its write panicked", closePanic)
		q.send(addCall(3, 4).String())
		if res := q.wantCode("a neighbour of the panic", 200, 0); !strings.Contains(res.body, `"sum":7`) {
			t.Errorf("got %s, want the sum 7", res.body)
		}
		if r.l.m.panics.Load() != 1 || !strings.Contains(r.log.String(), "panic on an event loop") {
			t.Error("the panic is not counted and logged")
		}
	})
}
