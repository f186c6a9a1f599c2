package server

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/mcp"
	"github.com/mooring-mcp/mooring/sse"
)

// wantEvents checks that the events on the stream since the last call are exactly as many as
// want, and that each contains its element of want.
func (p *fakePeer) wantEvents(why string, want ...string) {
	p.r.t.Helper()
	got := p.more()
	if len(got) != len(want) {
		p.r.t.Fatalf("%s: events %q, want %q", why, got, want)
	}
	for i, w := range want {
		if !strings.Contains(got[i], w) {
			p.r.t.Fatalf("%s: event %d is %s, want %s", why, i, got[i], w)
		}
	}
}

const (
	toolsNotice     = `"method":"notifications/tools/list_changed"`
	promptsNotice   = `"method":"notifications/prompts/list_changed"`
	resourcesNotice = `"method":"notifications/resources/list_changed"`
	updatedA        = `"uri":"rig://a"`
	updatedB        = `"uri":"rig://b"`
)

// TestListen checks that the acknowledgement is the first event, that it is written in the turn
// of the request, and that it names what the client asked for and the server has.
func TestListen(t *testing.T) {
	r := newRig(t, nil)
	for _, c := range []struct {
		notifications, ack string
		changes            []string // the notices that it then gets
	}{
		{everything,
			`"notifications":{"toolsListChanged":true,"promptsListChanged":true,` +
				`"resourcesListChanged":true,"resourceSubscriptions":["rig://a","rig://b"]}`,
			[]string{toolsNotice, promptsNotice, resourcesNotice, updatedA, updatedB}},
		{`"toolsListChanged":true,"promptsListChanged":false`, `"notifications":{"toolsListChanged":true}`, []string{toolsNotice}},
		{`"resourceSubscriptions":["rig://b","rig://none","rig://b"]`,
			`"notifications":{"resourceSubscriptions":["rig://b"]}`, []string{updatedB}},
		{``, `"notifications":{}`, nil},
	} {
		// A change that the loop has not served yet must not come before the acknowledgement.
		r.post(changeOf("tools"), changeOf("rig://b"))
		p := r.connect()
		p.deliver(listenTo(`"sub-1"`, c.notifications).String())
		p.method = "subscriptions/listen"
		res := p.wantResponse("listen", 200)
		events := p.events(res.body)
		if len(events) != 1 ||
			!strings.Contains(events[0], `"method":"notifications/subscriptions/acknowledged"`) ||
			!strings.Contains(events[0], c.ack) ||
			!strings.Contains(events[0], `"io.modelcontextprotocol/subscriptionId":"sub-1"`) {
			t.Fatalf("events %q, want the acknowledgement of %s", events, c.ack)
		}
		r.run()
		p.more()
		for _, ch := range []string{"tools", "prompts", "resources", "rig://a", "rig://b", "rig://none"} {
			r.change(changeOf(ch))
		}
		p.wantEvents(c.notifications, c.changes...)
		p.wantOpen("listening")
		if p.c.x != nil {
			t.Error("an idle stream holds an exchange")
		}
		p.fin()
	}
}

// TestNoticesOfFeatures checks that removing features, and updates of a resource, send notices by
// themselves.
func TestNoticesOfFeatures(t *testing.T) {
	r := newRig(t, &Options{NoticeDelay: -1})
	p := r.listeners(1)[0]
	for _, c := range []struct {
		do   func()
		want string
	}{
		{func() { r.ms.RemoveTools("echo") }, toolsNotice},
		{func() { r.ms.RemovePrompts("hail") }, promptsNotice},
		{func() { r.ms.RemoveResources("rig://b") }, resourcesNotice},
		{func() {
			updated(r.ms, "rig://a")
		}, updatedA},
	} {
		c.do()
		r.await(c.want, func() bool { return len(p.got) > 0 })
		p.wantEvents("a change", c.want)
	}
	updated(r.ms, "rig://nobody/listens")
	updated(r.ms, "rig://a")
	r.await("the update", func() bool { return len(p.got) > 0 })
	p.wantEvents("an update", updatedA)
}

// TestCoalescing checks that a listener gets a single notice for all changes of a list or a
// resource that the loop serves together.
func TestCoalescing(t *testing.T) {
	r := newRig(t, nil)
	peers := r.listeners(3)
	for range 100 {
		r.post(changeOf("tools"), changeOf("rig://a"), changeOf("tools"))
	}
	r.run()
	for _, p := range peers {
		p.wantEvents("a hundred changes", toolsNotice, updatedA)
	}
	r.pass(14 * time.Second)
	for _, p := range peers {
		for _, e := range p.more() {
			if e != ":" {
				t.Errorf("unexpected second notice: %s", e)
			}
		}
	}
}

// TestSlowListener checks that nothing is queued for a listener that does not read, and that it
// gets one notice of each change that it missed once it has caught up.
func TestSlowListener(t *testing.T) {
	r := newRig(t, nil)
	p, q := r.connect(), r.connect()
	p.listen("1")
	q.listen("2")
	p.slow(10)
	r.change(changeOf("prompts")) // ten bytes of the notice arrive
	waiting := p.OutboundBuffered()
	for range 50 {
		r.change(changeOf("tools"), changeOf("rig://a"), changeOf("prompts"))
		r.pass(tickUnit)
	}
	if n := p.OutboundBuffered(); n != waiting {
		t.Fatalf("%d bytes wait, %d before: notices were queued", n, waiting)
	}
	if n := len(q.more()); n < 150 {
		t.Errorf("its neighbour got %d notices, want at least 150", n)
	}
	writes := p.writes
	p.catchUp()
	r.pass(2 * retryTime)
	p.wantEvents("after it has caught up", promptsNotice, toolsNotice, promptsNotice, updatedA)
	if p.writes == writes || p.c.dirty != 0 || p.c.slow() {
		t.Errorf("%d writes, dirty %v; want some, and no notice owed", p.writes-writes, p.c.dirty)
	}
	r.change(changeOf("rig://b"))
	p.wantEvents("when it reads in time again", updatedB)
	p.wantOpen("after it has caught up")
	t.Run("it does not catch up all at once", func(t *testing.T) {
		p.slow(0)
		r.change(changeOf("resources")) // fills its room
		r.change(changeOf("tools"), changeOf("rig://a"), changeOf("rig://b"))
		p.room = p.OutboundBuffered() + 20
		p.drain()
		r.pass(2 * retryTime) // one notice is tried and fills the room again
		if p.OutboundBuffered() == 0 || !p.c.slow() {
			t.Fatalf("%d bytes wait, slow %v; want some, and a slow listener", p.OutboundBuffered(), p.c.slow())
		}
		p.catchUp()
		r.pass(4 * retryTime)
		p.wantEvents("in the end", resourcesNotice, toolsNotice, updatedA, updatedB)
		p.wantOpen("in the end")
	})
	t.Run("a heartbeat is not queued either", func(t *testing.T) {
		p.slow(0)
		r.change(changeOf("resources"))
		n := p.OutboundBuffered()
		r.pass(25 * time.Second)
		if p.OutboundBuffered() != n {
			t.Errorf("%d bytes wait, %d before: a heartbeat was queued", p.OutboundBuffered(), n)
		}
	})
}

// TestLeavingDuringAWalk checks that listeners that leave, in any way, while a change is being
// delivered do not cost any other listener its notice.
func TestLeavingDuringAWalk(t *testing.T) {
	const n = 3*sliceLimit + 10 // several slices
	for _, what := range []string{"tools", "rig://a"} {
		for name, do := range map[string]func(r *rig, peers []*fakePeer, i int){
			"its own write fails": func(_ *rig, peers []*fakePeer, i int) { peers[i].fail = errSocketClosed },
			"the next leaves within a write": func(_ *rig, peers []*fakePeer, i int) {
				peers[i].onWrite = func() { leave(peers[(i+1)%n]) }
			},
			"the one before leaves within a write": func(_ *rig, peers []*fakePeer, i int) {
				peers[i].onWrite = func() { leave(peers[(i+n-1)%n]) }
			},
			"it leaves within its own write": func(_ *rig, peers []*fakePeer, i int) { peers[i].onWrite = func() { leave(peers[i]) } },
			"a listener connects within a write": func(r *rig, peers []*fakePeer, i int) {
				peers[i].onWrite = func() { r.connect().deliver(listenTo("77", everything).String()) }
			},
		} {
			t.Run(what+", "+name, func(t *testing.T) {
				r := newRig(t, nil)
				peers := r.listeners(n)
				for i := 0; i < n; i += 7 {
					do(r, peers, i)
				}
				r.post(changeOf(what))
				for step := 0; r.step(); step++ {
					r.wantInvariants("between two slices")
					// Some leave between two slices too: at the end of the list and around the
					// walk's position.
					leave(peers[n-1-step])
					leave(peers[sliceLimit+step])
				}
				told := 0
				for i, p := range peers {
					events := len(p.moreUnchecked())
					if p.closed {
						continue
					}
					if told++; events != 1 {
						t.Fatalf("listener %d got %d notices, want 1", i, events)
					}
				}
				if told < n/2 {
					t.Errorf("only %d listeners are left", told)
				}
				r.wantInvariants("after the walk")
			})
		}
	}
}

// leave closes p as a FIN does that arrives in the middle of something.
func leave(p *fakePeer) {
	if !p.closed {
		p.onClose(errSocketClosed)
	}
}

// moreUnchecked is more without the check against the schema, for large numbers of listeners.
func (p *fakePeer) moreUnchecked() []string {
	content, n, _ := p.dechunk(p.got)
	p.got = append(p.got[:0], p.got[n:]...)
	return strings.SplitAfter(content, "\n\n")[:strings.Count(content, "\n\n")]
}

// TestFrames checks that a listener gets what sse.AppendData would write, whatever the length of
// its id and of the ids before it.
func TestFrames(t *testing.T) {
	r := newRig(t, nil)
	ids := []string{
		`0`, `7`, `1023`, `1024`, `-1`, `9007199254740993`,
		`""`, `"a"`, `"b"`, "\"\u2028\"",
		"\"x\u2028y\u2029z\u0085\"", `"\u2028"`, `"` + strings.Repeat("n", 256) + `"`, `"a\"b\\"`, `"ä"`, `12`, `34`,
	}
	var peers []*fakePeer
	for _, id := range append(ids, ids...) {
		p := r.connect()
		p.listen(id)
		peers = append(peers, p)
	}
	for _, ch := range []mcp.Change{changeOf("tools"), changeOf("rig://a"), changeOf("resources")} {
		r.change(ch)
		for i, p := range peers {
			prefix, suffix := r.ms.ChangeMessage(ch)
			frame := sse.AppendData(nil, slices.Concat(prefix, []byte(ids[i%len(ids)]), suffix))
			p.wantBytes(ids[i%len(ids)], fmt.Sprintf("%x\r\n%s\r\n", len(frame), frame))
		}
	}
	t.Run("on HTTP/1.0", func(t *testing.T) {
		for _, id := range ids {
			p := r.connect()
			p.send(listenTo(id, everything).http10().String())
			p.take()
			r.change(changeOf("tools"))
			prefix, suffix := r.ms.ChangeMessage(changeOf("tools"))
			p.wantBytes(id, string(sse.AppendData(nil, slices.Concat(prefix, []byte(id), suffix))))
			p.fin()
		}
	})
}

// TestUnsent checks that the notifications that a client leaves unread are limited. Beyond the
// limit the client is disconnected and its call is cancelled.
func TestUnsent(t *testing.T) {
	r := newRig(t, &Options{MaxUnsent: 5000})
	p := r.connect()
	p.slow(0)
	p.send(callTool("wait", `{}`).String())
	j := p.c.x.job
	msg := []byte(`{"jsonrpc":"2.0","method":"notifications/message","params":{"x":"` + strings.Repeat("y", 900) + `"}}`)
	taken := 0
	for range 10 {
		if j.Notify(msg) {
			taken++
		}
	}
	if taken != 4 {
		t.Errorf("%d notifications were accepted while the loop was busy, want 4", taken)
	}
	for range 3 {
		if r.run(); j.Notify(msg) {
			t.Error("a notification was accepted for a client that does not read")
		}
		r.pass(500 * time.Millisecond)
	}
	r.pass(time.Second)
	p.wantClosed("a client that does not read", closeUnsent)
	if !p.reset {
		t.Error("closed without an RST: the kernel would keep sending")
	}
	if err := <-r.causes; err != errClientGone {
		t.Errorf("the context ended because of %v", err)
	}
	t.Run("one long notification passes", func(t *testing.T) {
		r := newRig(t, &Options{MaxUnsent: 5000})
		p := r.connect()
		steps := callTool("steps", `{"text":"`+strings.Repeat("z", 4000)+`"}`)
		steps.meta = `,"progressToken":1`
		p.send(steps.String())
		r.await("the call is over", func() bool { return r.s.calls.Load() == 0 && len(p.got) > 0 })
		p.wantOpen("a client that reads")
	})
}
