package server

import (
	"context"
	"strings"
	"testing"

	"github.com/mooring-mcp/mooring/mcp"
)

// newShyRig returns a rig that hides the tool "echo", the prompt "hail" and the resource rig://b.
// If waits, a call of Visible about one of them returns when the test sends to hold.
func newShyRig(t *testing.T, waits bool) (r *rig, hold chan struct{}) {
	t.Helper()
	hold = make(chan struct{}, 16)
	r = newRig(t, &Options{SSEPath: "/sse"}, func(o *mcp.ServerOptions) {
		o.VisibleInline = !waits
		o.Visible = func(_ context.Context, _ *mcp.Caller, _ mcp.FeatureKind, name string) bool {
			hidden := name == "echo" || name == "hail" || name == "rig://b"
			if hidden && waits {
				<-hold
			}
			return !hidden
		}
	})
	return r, hold
}

// awaited awaits the response and returns it.
func (p *fakePeer) awaited(why string) *response {
	p.r.t.Helper()
	p.r.await(why, func() bool { return len(p.got) > 0 })
	return p.next("POST")
}

// While Visible waits, the loop serves others.
func TestVisibleDoesNotHoldTheLoop(t *testing.T) {
	r, hold := newShyRig(t, true)
	slow, other := r.connect(), r.connect()
	slow.send(request{method: "tools/list"}.String())
	other.send(request{method: "server/discover"}.String())
	other.wantCode("discovery needs no Visible", 200, 0)
	other.send(addCall(1, 2).String())
	if res := other.awaited("a visible tool"); res.status != 200 || !strings.Contains(res.body, `"sum":3`) {
		t.Errorf("%d %s", res.status, res.body)
	}
	slow.wantNothing("before the decision")
	hold <- struct{}{}
	if res := slow.awaited("the list"); res.status != 200 || strings.Contains(res.body, `"echo"`) || !strings.Contains(res.body, `"wait"`) {
		t.Errorf("%d %s", res.status, res.body)
	}
	hold <- struct{}{}
	slow.send(callTool("echo", `{"text":"x"}`).String())
	if res := slow.awaited("a hidden tool"); res.status != 400 || !strings.Contains(res.body, "unknown tool") {
		t.Errorf("%d %s", res.status, res.body)
	}
	r.wantInvariants("in the end")
	if n := r.s.calls.Load(); n != 0 {
		t.Errorf("%d calls are counted", n)
	}
}

// A Visible that does not wait is asked in the turn of the request.
func TestVisibleInline(t *testing.T) {
	r, _ := newShyRig(t, false)
	p := r.connect()
	p.deliver(request{method: "tools/list"}.String() + addCall(1, 2).String())
	if res := p.wantResponse("the list", 200); strings.Contains(res.body, `"echo"`) {
		t.Errorf("listed %s", res.body)
	}
	p.wantResponse("an inline tool", 200)
}

// Requests of clients that leave meanwhile leave nothing behind.
func TestVisibleClientLeaves(t *testing.T) {
	r, hold := newShyRig(t, true)
	for _, msg := range []string{
		request{method: "tools/list"}.String(),
		callTool("echo", `{"text":"x"}`).String(),
		listenTo(`"l"`, everything).String(),
	} {
		p := r.connect()
		p.send(msg)
		p.fin()
		hold <- struct{}{}
		r.await("the worker returns", func() bool { return r.s.calls.Load() == 0 })
	}
	r.wantInvariants("after three clients")
	if n := r.l.m.streams.Load(); n != 0 {
		t.Errorf("%d streams", n)
	}
}

// A listener gets no notices about a resource that it cannot see, in either era.
func TestVisibleNotices(t *testing.T) {
	for _, waits := range []bool{false, true} {
		r, hold := newShyRig(t, waits)
		p := r.connect()
		p.send(listenTo(`"l"`, everything).String())
		if waits {
			hold <- struct{}{}
		}
		if res := p.awaited("listen"); !res.stream || strings.Contains(res.body, "rig://b") || !strings.Contains(res.body, "rig://a") {
			t.Fatalf("acknowledged %s", res.body)
		}
		r.change(changeOf("rig://b"))
		p.wantNothing("about a hidden resource")
		r.change(changeOf("rig://a"))
		if got := p.more(); len(got) != 1 || !strings.Contains(got[0], "rig://a") {
			t.Errorf("notified %q", got)
		}

		old := r.connect()
		old.send(post("", "", initializeBody("2025-11-25")))
		id := old.wantResponse("initialize", 200).head.Get("Mcp-Session-Id")
		for uri, code := range map[string]int{"rig://a": 0, "rig://b": -32002} {
			old.method = ""
			old.send(post(id, "2025-11-25", `{"jsonrpc":"2.0","id":1,"method":"resources/subscribe","params":{"uri":"`+uri+`"}}`))
			if waits && code != 0 {
				hold <- struct{}{}
			}
			if res := old.awaited(uri); res.status != 200 || strings.Contains(res.body, "-32002") != (code != 0) {
				t.Errorf("subscribing to %s: %d %s", uri, res.status, res.body)
			}
		}
		r.wantInvariants("in the end")
	}
}

// Over HTTP+SSE the POST is answered when Visible has decided, and the result comes on the stream.
func TestVisibleSSE(t *testing.T) {
	for _, waits := range []bool{false, true} {
		r, hold := newShyRig(t, waits)
		p := r.openSSE()
		p.initialize("2024-11-05", "")
		p.methods["7"], p.methods["8"] = "prompts/list", "prompts/get"
		for _, tt := range []struct{ msg, want string }{
			{`{"jsonrpc":"2.0","id":7,"method":"prompts/list","params":{}}`, `"prompts":[]`},
			{`{"jsonrpc":"2.0","id":8,"method":"prompts/get","params":{"name":"hail"}}`, "unknown prompt"},
		} {
			via := r.connect()
			via.send(ssePost(p.where, tt.msg))
			if waits {
				p.wantSilence("before the decision")
				hold <- struct{}{}
			}
			if res := via.awaited(tt.msg); res.status != 202 {
				t.Errorf("%s: POST answered %d %s", tt.msg, res.status, res.body)
			}
			p.want(tt.msg, tt.want)
		}
		r.wantInvariants("in the end")
	}
}
