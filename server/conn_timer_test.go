package server

import (
	"strings"
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/server/internal/endpoint"
	"github.com/mooring-mcp/mooring/server/internal/wheel"
)

// waits checks that over turns true when d has passed, give or take two ticks.
func (p *fakePeer) waits(why string, d time.Duration, over func() bool) {
	p.r.t.Helper()
	p.r.pass(d - 2*tickUnit)
	if over() {
		p.r.t.Fatalf("%s: over before %v", why, d)
	}
	p.r.wantInvariants(why)
	p.r.pass(4 * tickUnit)
	if !over() {
		p.r.t.Fatalf("%s: not over after %v, state %v", why, d, p.c.state)
	}
}

func (p *fakePeer) gone() bool { return p.closed }

func (p *fakePeer) answered() bool { return len(p.got) > 0 }

// TestTimeouts checks the timeout of every state.
func TestTimeouts(t *testing.T) {
	opts := &Options{
		HeadTimeout:  7 * time.Second,
		BodyTimeout:  11 * time.Second,
		IdleTimeout:  60 * time.Second,
		CallTimeout:  40 * time.Second,
		WriteTimeout: 9 * time.Second,
	}
	whole := addCall(1, 2).String()
	bodyAt := strings.Index(whole, "\r\n\r\n") + 4
	start := func(t *testing.T) (*rig, *fakePeer) {
		r := newRig(t, opts)
		return r, r.connect()
	}
	t.Run("idle, before a request", func(t *testing.T) {
		_, p := start(t)
		p.waits("silent since it was accepted", opts.HeadTimeout, p.gone)
		p.wantClosed("idle", closeIdleTimeout)
		p.wantNothing("an idle connection is closed without an answer")
	})
	t.Run("idle, after a request", func(t *testing.T) {
		r, p := start(t)
		p.send(whole)
		p.wantCode("the first", 200, 0)
		for range 3 {
			r.pass(opts.IdleTimeout - time.Second)
			p.send(whole)
			p.wantCode("in time", 200, 0)
		}
		p.waits("idle", opts.IdleTimeout, p.gone)
		p.wantClosed("idle", closeIdleTimeout)
	})
	t.Run("idle, after a worker's call", func(t *testing.T) {
		r, p := start(t)
		p.send(callTool("echo", `{"text":"x"}`).String())
		r.await("an answer", p.answered)
		p.waits("idle", opts.IdleTimeout, p.gone)
		p.wantClosed("idle", closeIdleTimeout)
	})
	t.Run("head", func(t *testing.T) {
		r, p := start(t)
		r.pass(opts.HeadTimeout - time.Second)
		p.send("POST /mcp HTTP/1.1\r\nHost: localhost\r\nX: ")
		for range 5 { // a byte now and then does not extend the deadline
			r.pass(time.Second)
			p.send("x")
		}
		p.waits("the head", opts.HeadTimeout-5*time.Second, p.answered)
		p.wantCode("the head", 408, -32600).wantField("the head", "Connection", "close")
		p.wantLinger("the head")
		r.pass(lingerTime)
		p.wantClosed("the head", closeHeadTimeout)
	})
	t.Run("content", func(t *testing.T) {
		r, p := start(t)
		p.send(whole[:bodyAt+1])
		r.pass(5 * time.Second)
		p.send(whole[bodyAt+1 : bodyAt+9])
		p.waits("the content", opts.BodyTimeout-5*time.Second, p.answered)
		p.wantCode("the content", 408, -32600)
		p.wantLinger("the content")
		p.fin()
		p.wantClosed("the content", closeBodyTimeout)
	})
	t.Run("call", func(t *testing.T) {
		for _, accept := range []string{"application/json", "application/json, text/event-stream"} {
			r, p := start(t)
			q := callTool("wait", `{}`)
			q.accept = accept
			p.send(q.String())
			r.pass(opts.CallTimeout - 4*tickUnit)
			if p.c.state != connStateCall {
				t.Fatalf("state %v before the time is up", p.c.state)
			}
			r.pass(8 * tickUnit)
			res := p.wantResponse("the call", 200)
			msg := res.body
			if res.stream {
				events := p.events(res.body)
				for _, e := range events[:len(events)-1] {
					if e != ":" {
						t.Errorf("event %q, want a heartbeat", e)
					}
				}
				if msg = events[len(events)-1]; len(events) < 3 || !res.ended {
					t.Errorf("%d events, ended %v; want heartbeats, the result and the end", len(events), res.ended)
				}
			}
			p.wantCodeIn("the call", msg, -32603)
			if !strings.Contains(msg, `"id":1,`) || !strings.Contains(msg, "40s") {
				t.Errorf("got %s, want the id and the time limit of the call", msg)
			}
			if err := <-r.causes; err != errCallTimeout {
				t.Errorf("the context ended because of %v, want errCallTimeout", err)
			}
			p.wantOpen("a call that timed out keeps the connection")
			p.send(whole)
			p.wantCode("the next request", 200, 0)
			r.await("the call returns late", func() bool { return r.s.calls.Load() == 0 })
			p.wantNothing("the late answer")
		}
	})
	t.Run("call, with a pipelined request", func(t *testing.T) {
		r, p := start(t)
		q := callTool("wait", `{}`)
		q.accept = "application/json"
		p.send(q.String() + whole)
		r.pass(opts.CallTimeout + 4*tickUnit)
		p.wantCode("the call", 200, -32603)
		p.wantCode("the request after it", 200, 0)
	})
	t.Run("write", func(t *testing.T) {
		_, p := start(t)
		p.slow(10)
		p.send(whole)
		p.waits("a peer that takes nothing", opts.WriteTimeout, p.gone)
		p.wantClosed("a peer that reads nothing", closeStalled)
		if !p.reset {
			t.Error("closed without an RST: the kernel would keep sending")
		}
	})
	t.Run("write, with progress", func(t *testing.T) {
		r, p := start(t)
		p.slow(10)
		p.send(whole)
		for range 20 {
			r.pass(opts.WriteTimeout - time.Second)
			p.room = 5
			p.drain()
		}
		p.wantOpen("a peer that keeps reading a little")
		p.catchUp()
		p.wantCode("the whole answer", 200, 0)
		r.pass(opts.IdleTimeout - tickUnit)
		p.wantOpen("the idle time begins when the answer is sent")
		r.pass(opts.WriteTimeout + 2*tickUnit)
		p.wantClosed("idle", closeIdleTimeout)
	})
}

// TestStallClock checks that a new stall is not judged by an old clock, and that no other
// deadline hides a stall.
func TestStallClock(t *testing.T) {
	opts := &Options{WriteTimeout: 10 * time.Second, Heartbeat: -1}
	t.Run("an old clock", func(t *testing.T) {
		r := newRig(t, opts)
		p := r.connect()
		p.slow(10)
		p.send(addCall(1, 2).String())
		p.catchUp()
		r.pass(opts.WriteTimeout - 5*tickUnit)
		p.slow(10)
		p.send(request{method: "tools/list"}.String())
		r.pass(2 * time.Second)
		p.wantOpen("the second stall is two seconds old")
	})
	t.Run("changes that keep coming", func(t *testing.T) {
		r := newRig(t, opts)
		p := r.listeners(1)[0]
		p.slow(10)
		for range int(opts.WriteTimeout/tickUnit) + 3 {
			r.change(changeOf("tools"))
			r.pass(tickUnit)
		}
		p.wantClosed("a listener that reads nothing", closeStalled)
	})
	t.Run("what is delivered late stalls again, without heartbeats", func(t *testing.T) {
		r := newRig(t, opts)
		p := r.listeners(1)[0]
		p.slow(10)
		r.change(changeOf("tools"))
		r.change(changeOf("prompts"))
		p.catchUp()
		p.slow(10)
		r.pass(time.Second)
		if p.OutboundBuffered() == 0 {
			t.Fatal("the notice that was missed has not been sent")
		}
		r.pass(opts.WriteTimeout)
		p.wantClosed("a listener that reads nothing", closeStalled)
	})
	t.Run("a call that notifies", func(t *testing.T) {
		r := newRig(t, opts)
		p := r.connect()
		q := callTool("wait", `{}`)
		p.slow(0)
		p.send(q.String())
		j := p.c.x.job
		for range int(opts.WriteTimeout/tickUnit) + 3 {
			if p.closed {
				break // the call is over, and the job no longer ours
			}
			j.Notify([]byte(`{"jsonrpc":"2.0","method":"notifications/progress"}`))
			r.run()
			r.pass(tickUnit)
		}
		p.wantClosed("a client that reads nothing", closeStalled)
	})
}

// TestHeartbeats checks that every idle stream gets a comment at the heartbeat period ± 10 %, and
// that the first heartbeats are spread over the period.
func TestHeartbeats(t *testing.T) {
	const n = 400
	r := newRig(t, &Options{Heartbeat: 20 * time.Second})
	peers := r.listeners(n)
	last := make([]tick, n)
	first := map[tick]int{}
	beats := make([]int, n)
	gaps := map[tick]int{}
	for range 1200 {
		r.pass(tickUnit)
		for i, p := range peers {
			s := p.take()
			if s == "" {
				continue
			}
			if s != "3\r\n:\n\n\r\n" {
				t.Fatalf("got %q, want a heartbeat", s)
			}
			if beats[i]++; beats[i] > 1 {
				gaps[r.l.now-last[i]]++
			} else {
				first[r.l.now]++
			}
			last[i] = r.l.now
		}
	}
	for gap, times := range gaps {
		if gap < 180 || gap > 221 { // ± 10 %, and the tick in which it is written
			t.Errorf("%d heartbeats came after %v, want 20s ± 10 %%", times, time.Duration(gap)*tickUnit)
		}
	}
	if len(gaps) < 30 {
		t.Errorf("only %d different gaps: there is no jitter", len(gaps))
	}
	for at, times := range first {
		if at > 201 || times > n/20 {
			t.Errorf("%d first heartbeats in tick %d", times, at)
		}
	}
	if len(first) < 100 {
		t.Errorf("the first heartbeats fall into only %d ticks", len(first))
	}
	for i, k := range beats {
		if k < 5 || k > 7 {
			t.Errorf("listener %d: %d heartbeats in six periods, want 5 to 7", i, k)
		}
	}
	r.wantInvariants("after two minutes")
	t.Run("on HTTP/1.0 they are not chunks", func(t *testing.T) {
		r := newRig(t, nil)
		p := r.connect()
		p.send(listenTo("1", everything).http10().String())
		p.take()
		got := ""
		// the second heartbeat may come 15 s ± 10 % after the first
		for range wheel.Ticks(15*time.Second) + 1 {
			if r.pass(tickUnit); got == "" {
				got = p.take()
			}
		}
		if got != ":\n\n" {
			t.Errorf("got %q, want a heartbeat", got)
		}
	})
	t.Run("off", func(t *testing.T) {
		r := newRig(t, &Options{Heartbeat: -1})
		p := r.listeners(1)[0]
		r.pass(time.Hour)
		p.wantNothing("heartbeats are off")
		p.wantOpen("after an hour")
	})
}

// TestLongCallBecomesStream checks that the answer to a long call becomes a stream at its first
// heartbeat, if its client accepts one.
func TestLongCallBecomesStream(t *testing.T) {
	r := newRig(t, &Options{Heartbeat: 10 * time.Second})
	p := r.connect()
	p.send(callTool("wait", `{}`).String())
	r.pass(9*time.Second - tickUnit)
	p.wantNothing("before a heartbeat is due")
	r.pass(2*time.Second + 2*tickUnit)
	res := p.wantResponse("the first heartbeat", 200)
	if !res.stream || res.body != ":\n\n" || res.ended {
		t.Fatalf("got %q, want a stream with a heartbeat", res.body)
	}
	r.pass(11*time.Second + tickUnit)
	if s := p.take(); !strings.HasPrefix(s, endpoint.HeartbeatChunk) {
		t.Fatalf("got %q, want a second heartbeat", s)
	}
	r.hold <- struct{}{}
	r.await("the result", p.answered)
	events := p.more()
	if len(events) != 2 || events[1] != "END" {
		t.Fatalf("events %q, want the result and the end", events)
	}
	p.wantCodeIn("the result", events[0], 0)
	p.wantOpen("the stream of a call ends, the connection does not")

	q := callTool("wait", `{}`)
	q.accept = "application/json"
	p.send(q.String())
	r.pass(time.Minute)
	p.wantNothing("a client that accepts only JSON gets no heartbeat")
	r.hold <- struct{}{}
	r.await("the result", p.answered)
	p.wantCode("the result", 200, 0)
}

// TestNoTimerOutlivesItsConnection checks that there are as many deadlines as connections,
// whatever these do, and none when they have all disconnected.
func TestNoTimerOutlivesItsConnection(t *testing.T) {
	r := newRig(t, nil)
	ways := []string{
		"",
		"POST",
		addCall(1, 2).String(),
		callTool("echo", `{"text":"x"}`).String(),
		callTool("wait", `{}`).String(),
		listenTo("1", everything).String(),
		"BAD\r\n\r\n",
		addCall(1, 2).String()[:300],
		addCall(1, 2).with("Connection: close\r\n").String(),
	}
	for i := range 200 {
		p := r.connect()
		if i%5 == 0 {
			p.slow(i)
		}
		p.send(ways[i%len(ways)])
		r.pass(tickUnit)
		r.wantInvariants("while clients connect")
	}
	for i, p := range r.peers {
		if p.closed {
			continue
		}
		if i%2 == 0 {
			p.fin()
		} else {
			p.rst()
		}
		r.wantInvariants("while clients disconnect")
	}
	r.await("the calls are over", func() bool { return r.s.calls.Load() == 0 })
	if r.l.wheel.Armed() != 0 || len(r.l.stalls.clocks) != 0 {
		t.Errorf("%d deadlines and %d stall clocks are left", r.l.wheel.Armed(), len(r.l.stalls.clocks))
	}
}
