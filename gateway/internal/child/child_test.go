package child

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/gateway/internal/link"
)

func TestEcho(t *testing.T) {
	g := newRig(t, quick("echo"), NurseryOptions{})
	p := g.open()
	var ids []int64
	for range 1000 {
		p.notify("notifications/nothing")
		ids = append(ids, p.request("ping"))
	}
	var pid int
	for _, id := range ids {
		pid = p.wantAnswer("echo", id)
	}
	st := g.s.Stats()
	if len(st.Children) != 1 || st.Children[0].State != Up || st.Children[0].PID != pid || st.Children[0].InFlight != 0 || st.Children[0].Queued != 0 {
		t.Errorf("children: %+v", st.Children)
	}
	if st.Starts != 1 || st.Restarts != 0 || st.Crashes != 0 || st.BytesIn == 0 || st.BytesOut == 0 || st.StrayLines != 0 || st.Late != 0 {
		t.Errorf("stats: %+v", st)
	}
	g.stop(patience, pid)
	p.wantNotLost("after Shutdown")
	if st := g.s.Stats(); len(st.Children) != 0 || st.LastExit != "exit status 0" || st.Killed != 0 {
		t.Errorf("after Shutdown: %+v", st)
	}
}

// Close ends a child that heeds the end of its input within no grace time.
func TestClose(t *testing.T) {
	g := newRig(t, quick("silent"), NurseryOptions{})
	p := g.open()
	sent := p.request("ping")
	eventually(t, "the request is not written", func() bool { return g.s.Stats().BytesOut > 0 })
	p.Close()
	p.Close()
	p.wantFailed("in flight", sent, link.Closed, false)
	late := p.request("ping")
	p.wantFailed("after Close", late, link.Closed, true)
	eventually(t, "the child is still there", func() bool { return len(g.s.Stats().Children) == 0 })
	p.wantNotLost("after Close")
	if n := g.n.Stats().Children; n != 0 {
		t.Errorf("%d places taken", n)
	}
}

func TestCloseBeforeStart(t *testing.T) {
	g := newRig(t, quick("echo"), NurseryOptions{})
	for range 50 {
		p := g.open()
		id := p.request("ping")
		p.Close()
		o := p.outcome("closed at once", id)
		if o.err == nil || o.err.Reason != link.Closed {
			t.Fatalf("got %+v", o)
		}
	}
	eventually(t, "links are left", func() bool { return len(g.s.Stats().Children) == 0 })
}

func TestCancel(t *testing.T) {
	g := newRig(t, quick("slow"), NurseryOptions{})
	p := g.open()
	queued := p.request("ping") // the child does not run yet
	p.Cancel(queued)
	p.Cancel(queued)
	p.Cancel(4711)
	id := p.request("ping")
	eventually(t, "not written", func() bool { return g.s.Stats().BytesOut >= uint64(len(requestBody(id, "ping"))) })
	p.Cancel(id)
	last := p.request("ping")
	p.wantAnswer("after those that were cancelled", last)
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.outcomes) != 1 {
		t.Errorf("outcomes of cancelled requests: %v", p.outcomes)
	}
	if late := g.s.Stats().Late; late < 1 || late > 2 {
		t.Errorf("%d late responses, want that of the request that was written", late)
	}
}

func TestDeadline(t *testing.T) {
	g := newRig(t, quick("silent"), NurseryOptions{})
	p := g.open()
	now := time.Now()
	third := p.send("ping", now.Add(90*time.Millisecond))
	first := p.send("ping", now.Add(30*time.Millisecond))
	second := p.send("ping", now.Add(60*time.Millisecond))
	endless := p.request("ping")
	for _, id := range []int64{first, second, third} {
		o := p.outcome("deadline", id)
		if o.err == nil || o.err.Reason != link.Timeout {
			t.Fatalf("got %+v", o)
		}
	}
	if d := time.Since(now); d < 90*time.Millisecond {
		t.Errorf("failed after %v", d)
	}
	p.Close()
	o := p.outcome("without a deadline", endless)
	if o.err == nil || o.err.Reason != link.Closed {
		t.Fatalf("got %+v", o)
	}
}

func TestCrash(t *testing.T) {
	opts := quick("last words")
	opts.Backoff = time.Second
	g := newRig(t, opts, NurseryOptions{})
	p := g.open()
	answered := p.request("ping")
	lost := p.request("ping")
	p.wantAnswer("the last words", answered)
	err := p.wantFailed("in flight", lost, link.Lost, false)
	for _, err := range []*link.Error{err, p.wantLost("crash", link.Lost)} {
		if err.Detail != "panic: out of luck" || err.Err == nil || err.Err.Error() != "exit status 6" || err.RetryAfter < 800*time.Millisecond || err.RetryAfter > 1200*time.Millisecond {
			t.Errorf("got %+v: %v", err, err)
		}
	}
	after := p.request("ping")
	p.wantFailed("after Lost", after, link.Lost, true)
	st := g.s.Stats()
	if st.Crashes != 1 || st.LastExit != "exit status 6" || st.CrashesInARow != 1 || time.Until(st.NextStart) < 0 {
		t.Errorf("stats: %+v", st)
	}
	if !strings.Contains(g.log.String(), `cause="exit status 6"`) || !strings.Contains(g.log.String(), `line="panic: out of luck"`) {
		t.Errorf("log: %s", g.log)
	}
	if g.s.Stderr() != "panic: out of luck\n" {
		t.Errorf("stderr: %q", g.s.Stderr())
	}
}

func TestForms(t *testing.T) {
	for _, behaviour := range []string{"crlf", "byte order mark", "array"} {
		g := newRig(t, quick(behaviour), NurseryOptions{})
		p := g.open()
		ids := []int64{p.request("ping"), p.request("ping"), p.request("ping")}
		for _, id := range ids {
			p.wantAnswer(behaviour, id)
		}
		p.mu.Lock()
		hello := 0
		for _, m := range p.messages {
			if m != `{"jsonrpc":"2.0","method":"hello"}` {
				t.Errorf("%s: got %s", behaviour, m)
			}
			hello++
		}
		p.mu.Unlock()
		wantHello, wantStray := 0, uint64(0)
		switch behaviour {
		case "byte order mark":
			wantHello = 1
		case "array":
			wantHello, wantStray = 1, 1
			p.await("hello", func() bool { return len(p.messages) == 1 })
			hello = 1
		}
		if stray := g.s.Stats().StrayLines; hello != wantHello || stray != wantStray {
			t.Errorf("%s: %d notifications, %d stray", behaviour, hello, stray)
		}
		g.stop(patience)
	}
}

// A response that the child could not write to its end does not count as one.
func TestTruncatedResponse(t *testing.T) {
	g := newRig(t, quick("truncated"), NurseryOptions{})
	p := g.open()
	p.wantFailed("truncated", p.request("ping"), link.Lost, false)
	p.wantLost("truncated", link.Lost)
}

// A child that closes its standard output is of no use any more.
func TestClosedOutput(t *testing.T) {
	opts := quick("half")
	g := newRig(t, opts, NurseryOptions{})
	p := g.open()
	pid := p.wantAnswer("first", p.request("ping"))
	if err := p.wantLost("closed", link.Lost); !errors.Is(err, errStdout) {
		t.Errorf("got %v", err)
	}
	eventually(t, "the process is still there", func() bool { return len(group(t, pid)) == 0 })
}

func TestStartTimeout(t *testing.T) {
	opts := quick("silent")
	opts.StartTimeout = 100 * time.Millisecond
	g := newRig(t, opts, NurseryOptions{})
	p := g.open()
	id := p.request("ping")
	p.wantFailed("silent", id, link.Lost, false)
	if err := p.wantLost("silent", link.Lost); !errors.Is(err, errStartTimeout) {
		t.Errorf("got %v", err)
	}
	eventually(t, "the child is still there", func() bool { return g.n.Stats().Children == 0 })
}

// What is sent before a slow child answers waits, in order.
func TestSlowStart(t *testing.T) {
	g := newRig(t, quick("slow"), NurseryOptions{})
	p := g.open()
	ids := []int64{p.request("initialize"), p.request("tools/list")}
	if st := g.s.Stats(); st.Children[0].State != Starting {
		t.Errorf("stats %+v", st)
	}
	for _, id := range ids {
		p.wantAnswer("slow", id)
	}
	if st := g.s.Stats(); st.Children[0].State != Up {
		t.Errorf("stats %+v", st)
	}
}

func TestCannotStart(t *testing.T) {
	for _, change := range []func(o *Options){
		func(o *Options) { o.Command = "/nonexistent/server" },
		func(o *Options) { o.Command = "no-such-server-anywhere" },
		func(o *Options) { o.Dir = "/nonexistent" },
		func(o *Options) { o.Command, o.Env["PATH"] = "sh", "/nonexistent" },
	} {
		opts := quick("echo")
		change(&opts)
		g := newRig(t, opts, NurseryOptions{})
		p := g.open()
		err := p.wantFailed("cannot start", p.request("ping"), link.Lost, true)
		if err.Err == nil || err.RetryAfter <= 0 {
			t.Errorf("got %+v", err)
		}
		p.wantLost("cannot start", link.Lost)
		if st := g.s.Stats(); st.Crashes != 1 {
			t.Errorf("stats %+v", st)
		}
		g.stop(patience)
	}
	if _, err := NewServer(NewNursery(NurseryOptions{}), Options{}); err == nil {
		t.Error("a server without a command")
	}
}
