package server

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/mcp"
)

// TestHooks checks that OnSubscribe and OnUnsubscribe are called for the first and the last
// listener of a resource, however it leaves.
func TestHooks(t *testing.T) {
	var mu sync.Mutex
	var edges []string
	note := func(what string) func(string) {
		return func(uri string) {
			mu.Lock()
			edges = append(edges, what+uri)
			mu.Unlock()
		}
	}
	r := newRig(t, nil, func(o *mcp.ServerOptions) { o.OnSubscribe, o.OnUnsubscribe = note("+"), note("-") })
	want := func(why string, edge ...string) {
		t.Helper()
		r.await(why, func() bool {
			mu.Lock()
			defer mu.Unlock()
			return len(edges) >= len(edge)
		})
		mu.Lock()
		defer mu.Unlock()
		if !slices.Equal(edges, edge) {
			t.Fatalf("%s: %q, want %q", why, edges, edge)
		}
		edges = nil
	}
	onA := `"resourceSubscriptions":["rig://a"]`
	for name, leave := range map[string]func(*fakePeer){
		"FIN": (*fakePeer).fin, "RST": (*fakePeer).rst,
		"a failed write": func(p *fakePeer) {
			p.fail = errSocketClosed
			r.change(changeOf("rig://a"))
		},
		"too many bytes": func(p *fakePeer) { p.send(strings.Repeat("x", 70_000)) },
		"a stall":        func(p *fakePeer) { p.slow(0); r.change(changeOf("rig://a")); r.pass(31 * time.Second) },
		"a panic":        func(p *fakePeer) { p.boom = true; r.change(changeOf("rig://a")) },
		"a late RST":     func(p *fakePeer) { p.send("x"); p.rst() },
	} {
		p, q := r.connect(), r.connect()
		p.listenTo("1", onA)
		want("the first listener", "+rig://a")
		q.listenTo("2", onA)
		leave(q)
		if !q.closed {
			t.Fatalf("%s: still open", name)
		}
		if len(edges) > 0 {
			t.Errorf("%s of one of two listeners: hooks called: %q", name, edges)
		}
		p.catchUp()
		leave(p)
		want(name+" of the last", "-rig://a")
	}
}

// TestGracefulEnd checks that a stream that the server ends gets the result of its request, its
// last chunk and a FIN.
func TestGracefulEnd(t *testing.T) {
	r := newRig(t, nil)
	peers := r.listeners(50)
	idle, call, old := r.connect(), r.connect(), r.connect()
	call.send(callTool("wait", `{}`).String())
	old.send(listenTo(`"old"`, everything).http10().String())
	old.take()
	slow := peers[7]
	slow.slow(0)
	r.change(changeOf("tools"))
	r.s.draining.Store(true)
	const spread = 20
	r.l.postDrain(&drainOrder{spread: spread})
	r.run()
	idle.wantClosed("an idle connection goes first", closeDrain)
	open := map[int]bool{}
	for range spread + 2 {
		r.pass(tickUnit)
		n := 0
		for _, p := range peers {
			if !p.closed {
				n++
			}
		}
		open[n] = true
		r.wantInvariants("during the drain")
	}
	if len(open) < 8 {
		t.Errorf("the ends are not spread: only %d steps", len(open))
	}
	for i, p := range peers {
		if p == slow {
			p.wantOpen("while bytes are unsent")
			p.catchUp()
			r.pass(2 * retryTime)
		}
		events := p.more()
		if len(events) != 3 || !strings.Contains(events[0], toolsNotice) || events[2] != "END" {
			t.Fatalf("listener %d: %q, want a notice, the result and the end", i, events)
		}
		if want := fmt.Sprintf(`"io.modelcontextprotocol/subscriptionId":%d`, i); !strings.Contains(events[1], want) ||
			!strings.Contains(events[1], `"resultType":"complete"`) ||
			!strings.HasPrefix(events[1], fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,`, i)) {
			t.Errorf("listener %d: %s", i, events[1])
		}
		p.wantClosed("after its result", closeDrain)
		if p.reset {
			t.Error("ended with an RST")
		}
	}
	if s := old.take(); !strings.HasSuffix(s, "}\n\n") || !strings.Contains(s, `"id":"old"`) {
		t.Errorf("an HTTP/1.0 stream ended with %q", s)
	}
	if call.closed {
		t.Fatal("the call was cut off")
	}
	r.hold <- struct{}{}
	r.await("the call is finished", func() bool { return call.closed })
	call.wantCode("the answer to the call", 200, 0).wantField("the answer to the call", "Connection", "close")

	late := r.connect()
	late.send(listenTo("9", everything).String())
	res := late.wantResponse("a subscription during the drain", 200)
	if events := late.events(res.body); len(events) != 2 || !res.ended {
		t.Errorf("events %q, want the acknowledgement and the result", events)
	}
	late.wantClosed("a subscription during the drain", closeDrain)
}
