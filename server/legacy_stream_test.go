package server

import (
	"strings"
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/mcp"
	"github.com/mooring-mcp/mooring/server/internal/endpoint"
)

// C7: a second GET takes over at once, on whichever loop: 200 for the newcomer, the old stream
// ends, and each message is on one stream only.
func TestGETTakesOver(t *testing.T) {
	r := newPort(t, &Options{MaxStreams: 1})
	s := r.initialize("2025-11-25")
	old := s.get(0, "")
	s.wantTold("the first", old, "")
	for i := range 6 {
		next := s.get(i%2, "")
		s.wantTold("the newcomer", next, "")
		s.wantTold("the old one", old, "END")
		if !old.closed {
			t.Fatal("the old connection stays")
		}
		updated(r.ms, "rig://a") // nobody subscribed
		mcp.AddInlineTool(r.ms, &mcp.Tool{Name: "new"}, func(*mcp.CallToolRequest, noIn) (addOut, error) { return addOut{}, nil })
		r.tell()
		s.wantTold("a change", next, "tools/list_changed")
		old.wantNothing("the old one, of a change")
		r.wantHarmony("taken over")
		old = next
	}
	// The bound on streams is for others.
	other := r.initialize("2025-06-18").get(1, "")
	if res := other.next("GET"); res.status != 503 {
		t.Errorf("one stream more than the bound: %d", res.status)
	}
	other.fin()
	old.fin()
	r.wantNothingHeld("after the last FIN")
}

// A session hears of lists, and of the resources it subscribes to, before its stream and after,
// on any loop.
func TestSessionNotices(t *testing.T) {
	r := newPort(t, nil)
	s := r.initialize("2025-06-18")
	quiet := r.initialize("2025-06-18")
	s.call("resources/subscribe", `"uri":"rig://a"`)
	s.call("resources/subscribe", `"uri":"rig://a"`)
	p, q := s.get(0, ""), quiet.get(1, "")
	s.wantTold("a stream begins", p, "")
	both := func(why, want string) {
		t.Helper()
		updated(r.ms, "rig://a")
		updated(r.ms, "rig://a")
		updated(r.ms, "rig://b")
		r.tell()
		s.wantTold(why, p, want)
	}
	both("subscribed before the stream", "rig://a")
	s.call("resources/subscribe", `"uri":"rig://b"`)
	updated(r.ms, "rig://b")
	r.tell()
	s.wantTold("subscribed after the stream began", p, "rig://b")
	s.call("resources/unsubscribe", `"uri":"rig://a"`)
	both("unsubscribed", "rig://b")
	s.call("resources/subscribe", `"uri":"rig://a"`)
	s.call("resources/unsubscribe", `"uri":"rig://b"`)
	both("subscribed again", "rig://a")
	for range 3 {
		mcp.AddInlineTool(r.ms, &mcp.Tool{Name: "new"}, func(*mcp.CallToolRequest, noIn) (addOut, error) { return addOut{}, nil })
	}
	r.ms.AddPrompt(&mcp.Prompt{Name: "new"}, nil)
	r.tell()
	s.wantTold("lists", p, "tools/list_changed, prompts/list_changed")
	s.wantTold("one without subscriptions", q, "tools/list_changed, prompts/list_changed")
	// A change for lists and resources at once: one notice each, whatever the other session has.
	p.fin()
	p = s.get(1, "")
	s.wantTold("no id, nothing is missed", p, "")
	both("another loop", "rig://a")
	p.fin()
	q.fin()
	s.delete(0, 204)
	r.wantNothingHeld("after all")
}

// last returns the id of the last event that has one.
func last(events []event) (id string) {
	for _, e := range events {
		if e.id != "" {
			id = e.id
		}
	}
	return id
}

// A client that reconnects with the ID of a notice is notified of exactly what changed since,
// wherever it reconnects.
func TestNoticesResume(t *testing.T) {
	r := newPort(t, nil)
	s := r.initialize("2025-11-25")
	s.call("resources/subscribe", `"uri":"rig://a"`)
	s.call("resources/subscribe", `"uri":"rig://b"`)
	tools := func() {
		mcp.AddInlineTool(r.ms, &mcp.Tool{Name: "new"}, func(*mcp.CallToolRequest, noIn) (addOut, error) { return addOut{}, nil })
	}
	p := s.get(0, "")
	s.wantTold("begin", p, "")
	tools()
	r.tell()
	id := last(s.wantTold("tools", p, "tools/list_changed"))
	if !validNotice([]byte(id)) {
		t.Fatalf("event id %q", id)
	}
	p.fin()
	for i, step := range []struct{ change, want string }{
		{"", ""}, {"tools", "tools/list_changed"}, {"a", "rig://a"}, {"b unheard", "rig://b"}, {"tools a a tools", "tools/list_changed, rig://a"}, {"nobody's", ""}, {"tools nobody's", "tools/list_changed"},
	} {
		for _, c := range strings.Fields(step.change) {
			switch c {
			case "tools":
				tools()
			case "a", "b":
				updated(r.ms, "rig://"+c)
			case "nobody's":
				updated(r.ms, "rig://nobody's")
			}
			r.tell()
		}
		p = s.get(i%2, id)
		r.wait(500 * time.Millisecond)
		events := s.wantTold("missed: "+step.change, p, step.want)
		if next := last(events); next != "" {
			id = next
		} else if len(events) > 0 {
			t.Fatalf("missed: %s: no id in %v", step.change, events)
		}
		p.fin()
		p = s.get(i%2, id)
		r.wait(500 * time.Millisecond)
		s.wantTold("missed nothing after "+step.change, p, "")
		p.fin()
	}
	// What is no number of ours: all may have changed.
	for _, foreign := range []string{"0-1", "0-zzzzzzzzzzz"} {
		p = s.get(0, foreign)
		r.wait(500 * time.Millisecond)
		if got := s.told(p); got != "tools/list_changed, prompts/list_changed, resources/list_changed, rig://a, rig://b" && got != "tools/list_changed, prompts/list_changed, resources/list_changed, rig://b, rig://a" {
			t.Errorf("the id %s of another process: %q", foreign, got)
		}
		p.fin()
	}
	for _, bad := range []string{"nonsense", "0-", "0-%", "-", "zz-1"} {
		p = s.get(1, bad)
		r.wait(500 * time.Millisecond)
		s.wantTold("the id "+bad, p, "")
		p.fin()
	}
}

// An ID never promises more than was sent: a stream that is slow, or is ended in the middle of a
// change, gets the rest when its client reconnects.
func TestSlowStreamsAreToldTheRest(t *testing.T) {
	r := newPort(t, nil)
	s := r.initialize("2025-11-25")
	s.call("resources/subscribe", `"uri":"rig://a"`)
	s.call("resources/subscribe", `"uri":"rig://b"`)
	p := s.get(0, "")
	s.wantTold("begin", p, "")
	updated(r.ms, "rig://a")
	r.tell()
	id := last(s.wantTold("a", p, "rig://a"))
	p.slow(10)
	for range 3 {
		updated(r.ms, "rig://b") // begins to be sent, and is stuck
		r.tell()
		updated(r.ms, "rig://a")
		mcp.AddInlineTool(r.ms, &mcp.Tool{Name: "new"}, func(*mcp.CallToolRequest, noIn) (addOut, error) { return addOut{}, nil })
		r.tell()
	}
	p.rst()
	p.take()
	p = s.get(1, id)
	r.wait(500 * time.Millisecond)
	events := s.events(p)
	for _, want := range []string{"tools/list_changed", "rig://a", "rig://b"} {
		if strings.Count(line(events), want) != 1 {
			t.Fatalf("%s is missing in %q", want, line(events))
		}
	}
	for _, e := range events[:len(events)-1] {
		if e.id != "" {
			t.Errorf("an id before the last of the notices: %v", events)
		}
	}
	// A slow stream that catches up is notified on its own connection.
	p.slow(3)
	updated(r.ms, "rig://a")
	r.tell()
	updated(r.ms, "rig://a")
	updated(r.ms, "rig://b")
	r.tell()
	p.catchUp()
	r.wait(time.Second)
	got := s.told(p)
	if !strings.HasPrefix(got, "rig://a, ") || strings.Count(got, "rig://a") != 2 || strings.Count(got, "rig://b") != 1 {
		t.Errorf("caught up: %q", got)
	}
	r.wantHarmony("caught up")
}

// B1, B15: heartbeats keep the stream of a session, and the server's end is the end of the stream.
func TestSessionStreamHeartbeatAndDrain(t *testing.T) {
	r := newPort(t, nil)
	s := r.initialize("2025-03-26")
	p := s.get(0, "")
	if res := p.next("GET"); res.body != endpoint.Heartbeat || res.head.Get("X-Accel-Buffering") != "no" {
		t.Fatalf("begins with %q", res.body)
	}
	r.wait(40 * time.Second)
	if n := strings.Count(p.take(), endpoint.HeartbeatChunk); n < 2 || n > 4 {
		t.Errorf("%d heartbeats in 40 s", n)
	}
	for _, l := range r.loops {
		l.startDrain(&drainOrder{spread: 5})
	}
	r.wait(time.Second)
	s.wantTold("drain", p, "END")
	if !p.closed {
		t.Error("the connection stays")
	}
	r.wantNothingHeld("drained")
}

// A session whose server declares no list any more is not sent an event without a message, which
// clients take for a broken one (C12).
func TestNoNoticeWithoutAMessage(t *testing.T) {
	r := newPort(t, nil)
	s := r.initialize("2025-11-25")
	p := s.get(0, "")
	s.wantTold("begin", p, "")
	r.ms.RemovePrompts("hail")
	r.ms.RemoveResources("rig://a", "rig://b")
	r.tell()
	r.wait(time.Second)
	for _, e := range s.events(p) {
		if e.data == "" {
			t.Errorf("an event without a message: %+v", e)
		}
	}
}
