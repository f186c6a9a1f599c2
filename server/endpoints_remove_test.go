package server

import (
	"strings"
	"sync/atomic"
	"testing"

	"github.com/mooring-mcp/mooring/mcp"
)

// A request that came before its endpoint was removed is served, but no stream of it outlives the
// removal, in either era, although the loop has looked for streams before that begins.
func TestRemovedBeforeItsStreamBegins(t *testing.T) {
	r, _ := newHarbour(t, nil)
	s := r.initializeAt("/other", "2025-11-25")
	r.s.endpoints.Load().services[2].removed.Store(true) // the loops have looked
	for request, end := range map[string]string{
		listenTo("1", everything).String(): `"result"`,
		s.getText(""):                      "",
	} {
		p := r.dial(0)
		p.send(at("/other", request))
		p.wantResponse(request, 200)
		r.wait(2 * tickUnit)
		if got := p.take(); !strings.Contains(got, end) || !strings.HasSuffix(got, "0\r\n\r\n") || p.c.has(flagStreaming) {
			t.Errorf("the stream of %q is not over: %q", request, got)
		}
	}
	r.wantHarmony("at the end")
}

// Streams of other endpoints do not notice that one is removed, sessions are unknown, and calls end
// as they would have, except those that wait for their client. The endpoint can come back.
func TestRemove(t *testing.T) {
	r, other := newHarbour(t, nil)
	stays := r.dial(0)
	stays.send(at("/twin", listenTo("1", everything).String()))
	stays.wantResponse("listen", 200)
	r.s.Handle("/rig", r.ms)
	s := r.initializeAt("/rig", "2025-11-25")
	calls, asks, lost := r.dial(0), r.dial(1), r.dial(0)
	play := func(p *fakePeer, part string) {
		p.send(at("/rig", s.message(`{"jsonrpc":"2.0","id":"`+part+`","method":"tools/call","params":{"name":"play","arguments":{"part":"`+part+`"}}}`)))
	}
	play(calls, "a")
	play(asks, "b")
	play(lost, "c")
	r.cue("b", "ask 1")
	r.cue("c", "ask 1")
	r.await("both calls wait for their client", func() bool {
		return strings.Contains(string(asks.got), "elicitation/create") && strings.Contains(string(lost.got), "elicitation/create")
	})
	lost.fin() // its call goes on without a connection
	if !r.s.Remove("/rig") {
		t.Fatal("not removed")
	}
	r.run()
	r.await("the call that asks ends", func() bool { return strings.Contains(string(asks.got), endpointRemoved) })
	r.cue("a", "end")
	r.await("the other call has its answer", func() bool { return strings.Contains(string(calls.got), `"result"`) })
	p := r.dial(0)
	p.send(at("/rig", s.message(`{"jsonrpc":"2.0","id":1,"method":"ping"}`)))
	p.wantResponse("at the removed endpoint", 404)

	r.s.Handle("/rig", other)
	p.send(at("/rig", s.message(`{"jsonrpc":"2.0","id":1,"method":"ping"}`)))
	p.wantResponse("with a session of before", 404)
	again := r.initializeAt("/rig", "2025-11-25")
	if got := again.callAt("/rig", "who"); !strings.Contains(got, "other") {
		t.Errorf("the new endpoint answers %s", got)
	}
	if got := stays.take(); got != "" {
		t.Errorf("a stream of another endpoint got %q", got)
	}
	mcp.AddInlineTool(r.ms, &mcp.Tool{Name: "news"}, func(*mcp.CallToolRequest, noIn) (map[string]int, error) { return nil, nil })
	r.tellAll()
	if got := stays.take(); !strings.Contains(got, "tools/list_changed") {
		t.Errorf("a stream of another endpoint got %q", got)
	}
	r.callsEnd("all calls")
}

// Subscriptions of sessions at a removed endpoint no longer count at its mcp.Server.
func TestRemoveEndsSubscriptions(t *testing.T) {
	var subscribed, unsubscribed atomic.Int64
	r, _ := newHarbour(t, nil)
	m := newNamed(t, "counts", &mcp.ServerOptions{
		OnSubscribe:   func(string) { subscribed.Add(1) },
		OnUnsubscribe: func(string) { unsubscribed.Add(1) },
	})
	r.s.Handle("/counts", m)
	s := r.initializeAt("/counts", "2025-11-25")
	p := r.dial(0)
	p.send(at("/counts", s.message(`{"jsonrpc":"2.0","id":1,"method":"resources/subscribe","params":{"uri":"rig://a"}}`)))
	p.wantResponse("subscribe", 200)
	listens := r.dial(1)
	listens.send(at("/counts", listenTo("1", `"resourceSubscriptions":["rig://b"]`).String()))
	listens.wantResponse("listen", 200)
	r.await("both count", func() bool { return subscribed.Load() == 2 })
	r.s.Remove("/counts")
	r.run()
	r.wait(2 * tickUnit)
	r.await("neither counts", func() bool { return unsubscribed.Load() == 2 })
	if n := r.s.sessions.Stats().Sessions; n != 0 {
		t.Errorf("%d sessions with state are left", n)
	}
}

// The metadata of an endpoint come and go with it, and stay those of their paths.
func TestRemoveEndsMetadata(t *testing.T) {
	r, _ := newAuthRig(t, nil)
	paths := []string{"/a", "/b", "/c"}
	for _, path := range paths {
		r.s.Handle(path, r.ms)
	}
	r.s.Remove("/a")
	r.s.Remove("/missing")
	want := map[string]bool{"/mcp": true, "/a": false, "/b": true, "/c": true}
	check := func(why string) {
		t.Helper()
		for path, served := range want {
			p := r.connect()
			p.send("GET /.well-known/oauth-protected-resource" + path + " HTTP/1.1\r\nHost: localhost\r\n\r\n")
			res := p.wantResponse(why+": "+path, map[bool]int{true: 200, false: 404}[served])
			if served && !strings.Contains(res.body, path+`"`) {
				t.Errorf("%s: the metadata of %s are %s", why, path, res.body)
			}
			p.fin()
		}
	}
	check("one removed")
	r.s.Handle("/a", r.ms)
	r.s.Remove("/b")
	want["/a"], want["/b"] = true, false
	check("one back, another removed")
}
