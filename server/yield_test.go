package server

import (
	"strings"
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/server/internal/endpoint"
)

// yield asks the loop of the rig for room, and returns how many connections gave way.
func (r *rig) yield(kind yieldKind) int {
	r.t.Helper()
	req := r.s.askToYield(kind, -1)
	r.run()
	select {
	case <-req.done:
	default:
		r.t.Fatal("the loop has not answered")
	}
	return int(req.closed.Load())
}

// What gives way to a client that waits: silent connections alone, of each kind for its request,
// and never what is under way.
func TestWhoGivesWay(t *testing.T) {
	never := numYieldKinds
	for name, c := range map[string]struct {
		begin func(*rig, *fakePeer)
		kind  yieldKind
	}{
		"silent": {func(*rig, *fakePeer) {}, yieldSilent},
		"idle":   {func(_ *rig, p *fakePeer) { p.send(getHealth) }, yieldIdle},
		"idle after a call": {func(r *rig, p *fakePeer) {
			p.send(callTool("echo", `{"text":"x"}`).String())
			r.await("the answer", func() bool { return p.c.state == connStateIdle })
		}, yieldIdle},
		"one byte":   {func(_ *rig, p *fakePeer) { p.send("G") }, never},
		"head":       {func(_ *rig, p *fakePeer) { p.send(getHealth + "GET /he") }, never},
		"body":       {func(_ *rig, p *fakePeer) { s := addCall(1, 2).String(); p.send(s[:len(s)-3]) }, never},
		"call":       {func(_ *rig, p *fakePeer) { p.send(callTool("wait", `{}`).String()) }, never},
		"stream":     {func(_ *rig, p *fakePeer) { p.listen("1") }, never},
		"unsent":     {func(_ *rig, p *fakePeer) { p.leave(4 << 10) }, never},
		"linger":     {func(_ *rig, p *fakePeer) { p.send("nonsense\r\n\r\n") }, never},
		"beyond":     {func(_ *rig, p *fakePeer) { p.c.flags |= flagBeyond; p.c.arm(p.r.l.now + p.c.firstTime()) }, yieldBeyond},
		"drip, late": {func(_ *rig, p *fakePeer) { p.c.flags |= flagBeyond; p.send("GET /") }, yieldBeyond},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, nil)
			p := r.connect()
			c.begin(r, p)
			for kind := range numYieldKinds {
				if r.yield(kind) != 0 {
					t.Fatal("it gave way before it had been silent for long")
				}
			}
			if c.kind == yieldBeyond {
				r.pass(yieldLate)
			} else {
				r.pass(yieldAfter)
			}
			for kind := range numYieldKinds {
				n := r.yield(kind)
				if want := kind == c.kind; want != (n == 1) {
					t.Fatalf("asked for kind %d: %d gave way, state %v", kind, n, p.c.state)
				} else if want {
					p.wantClosed("it gave way", closeDescriptors)
				}
			}
		})
	}
}

// A deadline that is off is no reason to stay.
func TestGivesWayWithoutDeadlines(t *testing.T) {
	for name, o := range map[string]Options{
		"no head time":    {HeadTimeout: -1},
		"no idle time":    {IdleTimeout: -1},
		"neither of them": {HeadTimeout: -1, IdleTimeout: -1},
	} {
		for kind, say := range map[yieldKind]string{yieldSilent: "", yieldIdle: getHealth} {
			r := newRig(t, &o)
			r.pass(time.Hour)
			p := r.connect()
			p.send(say)
			if r.pass(yieldAfter - tickUnit); r.yield(kind) != 0 {
				t.Errorf("%s, kind %d: it gave way too early", name, kind)
			}
			if r.pass(tickUnit); r.yield(kind) != 1 {
				t.Errorf("%s, kind %d: it did not give way", name, kind)
			}
		}
	}
}

// A loop that comes late to a request for room, when there is some, closes nothing.
func TestLateRequestForRoom(t *testing.T) {
	r := newRig(t, nil)
	r.connect()
	r.pass(yieldAfter)
	req := r.s.askToYield(yieldSilent, 1)
	if r.run(); req.closed.Load() != 0 {
		t.Error("there was room")
	}
	req = r.s.askToYield(yieldSilent, 0)
	if r.run(); req.closed.Load() != 1 {
		t.Error("there was none")
	}
}

// The longest silent of those that a turn looks at go, a few at a time, and each has its turn to be
// looked at.
func TestLongestSilentGivesWay(t *testing.T) {
	const many = yieldSample + 3*yieldCount
	r := newRig(t, &Options{HeadTimeout: time.Hour, IdleTimeout: time.Hour})
	for range many / 2 {
		r.connect().send(getHealth)
	}
	r.pass(tickUnit)
	old := r.connect()
	r.peers[17].send(getHealth) // it has spoken again
	for len(r.peers) < many {
		r.connect()
	}
	r.pass(yieldAfter)
	old.send(getHealth)
	r.pass(tickUnit)
	if n := r.yield(yieldSilent); n != yieldCount || old.closed {
		t.Fatalf("%d gave way; one that has spoken: %v", n, old.closed)
	}
	for i := range yieldCount {
		if !r.peers[many/2+1+i].closed && !r.peers[i].closed {
			t.Errorf("connection %d did not give way", many/2+1+i)
		}
	}
	gone := yieldCount
	for range many {
		n := r.yield(yieldIdle)
		if n > yieldCount {
			t.Fatalf("%d gave way at a time", n)
		}
		gone += n
	}
	for n := 1; n > 0; gone += n {
		n = r.yield(yieldSilent)
	}
	if !r.peers[17].closed { // the last of them
		t.Error("it did not give way in its turn")
	}
	r.pass(yieldAfter)
	if gone += r.yield(yieldIdle); gone != many {
		t.Errorf("%d of %d gave way", gone, many)
	}
	r.wantInvariants("after all")
}

// A connection that was let in beyond the limit gets an answer to a health check alone, unless
// there is room when it asks.
func TestAdmitLate(t *testing.T) {
	post := addCall(1, 2).String()
	for name, c := range map[string]struct {
		request string
		status  int // without room
		room    int // with room
	}{
		"health":     {getHealth, 200, 200},
		"ready":      {"GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n", 200, 200},
		"head":       {"HEAD /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", 200, 200},
		"no such":    {"GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n", 404, 404},
		"call":       {post, 503, 200},
		"half":       {post[:len(post)-5], 503, 0},
		"stream":     {listenTo("1", everything).String(), 503, 200},
		"GET stream": {"GET /mcp HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\nMcp-Session-Id: x\r\n\r\n", 503, 404},
		"DELETE":     {"DELETE /mcp HTTP/1.1\r\nHost: localhost\r\nMcp-Session-Id: x\r\n\r\n", 503, 404},
		"OPTIONS":    {"OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n", 503, 204},
		"pipelined":  {getHealth + post, 200, 200},
	} {
		for _, room := range []bool{false, true} {
			r := newRig(t, nil)
			r.s.admission.SetDescriptors(4) // for one connection
			if !room {
				r.s.admission.Reserve(false)
			}
			r.s.up.Store(true)
			p := r.connect()
			p.c.flags |= flagBeyond
			p.send(c.request)
			want := c.status
			if room {
				want = c.room
			}
			method := strings.Fields(c.request)[0]
			res := p.next(method)
			if res.status != want {
				t.Fatalf("%s, room %v: status %d, want %d", name, room, res.status, want)
			}
			if room {
				p.wantOpen(name)
				continue
			}
			res.wantField(name, "Connection", "close")
			if want == 503 && res.head.Get("Retry-After") == "" {
				t.Errorf("%s: no Retry-After", name)
			}
			if len(p.got) > 0 || !p.closed && !p.shut {
				t.Errorf("%s: the connection continues, %q", name, p.got)
			}
		}
	}
	for _, part := range []string{"", "G", getHealth[:len(getHealth)-1]} {
		r := newRig(t, nil)
		p := &fakePeer{r: r, room: -1}
		p.c = newConn(r.l, endpoint.TrustLoopback, true)
		r.s.admission.Reserve(false)
		p.c.open(p, r.l.now)
		p.send(part)
		r.pass(beyondTime - tickUnit)
		p.wantOpen("it has a second")
		r.pass(2 * tickUnit)
		if !p.closed && !p.shut {
			t.Errorf("after %q it holds a place that is for health checks", part)
		}
	}
}
