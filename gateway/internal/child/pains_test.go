package child

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/gateway/internal/link"
)

// The tests of this file prove that what users of other gateways complained about does not occur
// here. The numbers are those of the comments.

// Pain 3: 64 KiB of stderr that nobody reads stop the child.
func TestStderrIsDrained(t *testing.T) {
	g := newRig(t, quick("stderr"), NurseryOptions{})
	p := g.open()
	p.wantAnswer("after 1 MB of stderr", p.request("ping"))
	eventually(t, "the end is not kept", func() bool { return strings.HasSuffix(g.s.Stderr(), "the end of stderr\n") })
	if n := len(g.s.Stderr()); n != maxTail {
		t.Errorf("kept %d bytes, want %d", n, maxTail)
	}
	if n := g.s.Stats().BytesErr; n < 1<<20 {
		t.Errorf("read %d bytes", n)
	}
}

// Pain 4: a line of more than 64 KiB ends the connection.
func TestLineOf8MiB(t *testing.T) {
	g := newRig(t, quick("large"), NurseryOptions{})
	p := g.open()
	id := p.request("large")
	if o := p.outcome("8 MiB", id); o.err != nil || len(o.msg) != 8<<20-1 {
		t.Fatalf("got %d bytes, %v", len(o.msg), o.err)
	}
	p.wantAnswer("after it", p.request("small"))
	// the memory is given back although the child is silent
	eventually(t, "the buffer is kept", func() bool { return g.n.Stats().LineBytes == 0 })
	p.wantAnswer("after that", p.request("small"))
}

// Pain 4, beyond the limit: one request fails, wherever its id is, and no other.
func TestLineOf20MBFailsOneRequest(t *testing.T) {
	g := newRig(t, quick("long"), NurseryOptions{})
	p := g.open()
	other := p.request("neither")
	for _, method := range []string{"head", "tail"} {
		p.wantFailed(method, p.request(method), link.TooLong, false)
		p.wantAnswer("after "+method, p.request("ping"))
	}
	request := p.request("request") // the id is that of a request of the child
	p.wantAnswer("after a request", p.request("ping"))
	p.wantNotLost("after long lines")
	if st := g.s.Stats(); st.TooLong != 4 || st.Children[0].InFlight != 2 || st.StrayLines != 0 {
		t.Errorf("stats %+v", st)
	}
	p.Close()
	for _, id := range []int64{other, request} {
		p.wantFailed("no id found", id, link.Closed, false)
	}
}

// Without memory for a long line, its request fails, and the child goes on.
func TestMemoryForLongLines(t *testing.T) {
	g := newRig(t, quick("large"), NurseryOptions{MaxLineBytes: 1 << 20, LineTimeout: 50 * time.Millisecond})
	p := g.open()
	p.wantFailed("8 MiB", p.request("large"), link.TooLong, false)
	p.wantAnswer("after it", p.request("small"))
	if st := g.n.Stats(); st.Pauses != 1 {
		t.Errorf("stats %+v", st)
	}
}

// Pain 5: UTF-8 that is split between two reads is damaged.
func TestSplitUTF8(t *testing.T) {
	g := newRig(t, quick("split"), NurseryOptions{})
	p := g.open()
	for range 5 {
		id := p.request("ping")
		want := fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"result":"日本語 🎉"}`, id)
		if o := p.outcome("split", id); o.msg != want {
			t.Errorf("got %q, want %q", o.msg, want)
		}
	}
}

// Pain 6: a banner on stdout ends the connection.
func TestBannerIsSkipped(t *testing.T) {
	g := newRig(t, quick("banner"), NurseryOptions{})
	p := g.open()
	p.wantAnswer("after a banner", p.request("ping"))
	if n := g.s.Stats().StrayLines; n != 5 {
		t.Errorf("%d stray lines, want 5", n)
	}
	if n := strings.Count(g.log.String(), "is not a message"); n != 1 {
		t.Errorf("logged %d times:\n%s", n, g.log)
	}
}

// Pain 7: npx passes on neither the end of its input nor signals, and what it has started lives on.
func TestWrapperThatSwallowsSignals(t *testing.T) {
	for _, end := range []string{"closed", "killed"} {
		opts := quick("stubborn")
		opts.EOFGrace, opts.TermGrace = 100*time.Millisecond, 200*time.Millisecond
		// the shell starts the server, which inherits its pipes, and waits
		opts.Args = []string{"-c", `trap "" TERM INT HUP; exec 3<&0; "$0" <&3 & wait; wait`, opts.Command}
		opts.Command = "/bin/sh"
		g := newRig(t, opts, NurseryOptions{})
		p := g.open()
		server := p.wantAnswer("through the wrapper", p.request("ping"))
		wrapper := g.s.Stats().Children[0].PID
		if server == wrapper || len(group(t, wrapper)) < 2 {
			t.Fatalf("server %d, wrapper %d, group %v", server, wrapper, group(t, wrapper))
		}
		if end == "killed" { // the orphan holds the pipes open
			if err := syscall.Kill(wrapper, syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
			p.wantLost("killed", link.Lost)
		} else {
			p.Close()
		}
		eventually(t, end+": the link is not at its end", func() bool { return len(g.s.Stats().Children) == 0 })
		if left := group(t, wrapper); len(left) != 0 {
			t.Errorf("%s: processes left: %v", end, left)
		}
		if killed := g.s.Stats().Killed; killed != 1 {
			t.Errorf("%s: %d groups killed, want 1", end, killed)
		}
		g.stop(patience)
	}
}

// Pain 8: a broken server is started for ever.
func TestBrokenServerIsNotStartedForEver(t *testing.T) {
	opts := quick("exit")
	opts.Backoff, opts.MaxBackoff = 20*time.Millisecond, time.Minute
	g := newRig(t, opts, NurseryOptions{})
	began := time.Now()
	var down, all int
	for g.s.Stats().Starts < 7 {
		p := g.open()
		o := p.outcome("broken", p.request("ping"))
		if o.err == nil {
			t.Fatal("an answer")
		}
		all++
		if o.err.Reason == link.Down {
			down++
			if !o.err.Unsent || o.err.RetryAfter <= 0 {
				t.Fatalf("down: %+v", o.err)
			}
		}
		p.await("Lost", func() bool { return len(p.lost) == 1 })
		time.Sleep(time.Millisecond)
	}
	// 20, 40, 80, 160, 320 and 640 ms lie between the starts, each less 20 % at most
	if d := time.Since(began); d < 1008*time.Millisecond {
		t.Errorf("7 starts in %v", d)
	}
	if down == 0 || all-down != 7 {
		t.Errorf("%d links, %d of them down", all, down)
	}
}

// Pain 8, all at once: a server that many clients want is started once, and links that wait fail
// with it after the fifth crash.
func TestOneStartAtATime(t *testing.T) {
	opts := quick("exit")
	opts.Backoff = 50 * time.Millisecond
	g := newRig(t, opts, NurseryOptions{})
	var peers []*peer
	var ids []int64
	for range 100 {
		p := g.open()
		peers, ids = append(peers, p), append(ids, p.request("ping"))
	}
	for i, p := range peers {
		if o := p.outcome("one of a hundred", ids[i]); o.err == nil {
			t.Fatal("an answer")
		}
	}
	if starts := g.s.Stats().Starts; starts != failFast {
		t.Errorf("%d starts, want %d", starts, failFast)
	}
}

// Pain 9: a server that failed is given up for good.
func TestNeverGivenUp(t *testing.T) {
	fixed := filepath.Join(t.TempDir(), "fixed")
	opts := quick("echo")
	opts.Args = []string{"-c", `test -e "$1" || exit 1; exec "$0"`, opts.Command, fixed}
	opts.Command = "/bin/sh"
	opts.Backoff, opts.MaxBackoff = time.Millisecond, 20*time.Millisecond
	g := newRig(t, opts, NurseryOptions{})
	for g.s.Stats().CrashesInARow < 20 {
		p := g.open()
		p.await("Lost", func() bool { return len(p.lost) == 1 })
		time.Sleep(5 * time.Millisecond)
	}
	if err := os.WriteFile(fixed, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	eventually(t, "no answer after the repair", func() bool {
		p := g.open()
		defer p.Close()
		return p.outcome("after the repair", p.request("ping")).err == nil
	})
}

// Pain 10: cancelling a call ends the server.
func TestCancelledCallIsANotificationAlone(t *testing.T) {
	g := newRig(t, quick("echo"), NurseryOptions{})
	p := g.open()
	pid := p.wantAnswer("before", p.request("ping"))
	id := p.request("tools/call")
	p.notify("notifications/cancelled")
	p.Cancel(id)
	if after := p.wantAnswer("after", p.request("ping")); after != pid {
		t.Errorf("process %d, was %d", after, pid)
	}
}

// Pain 13: one bad server stops the others. Here some take every start slot and never answer.
func TestBadServersAreIsolated(t *testing.T) {
	g := newRig(t, quick("deaf"), NurseryOptions{MaxStarting: 2, SlowStart: 200 * time.Millisecond})
	for range 3 {
		opts := quick("deaf")
		opts.EOFGrace, opts.TermGrace = time.Millisecond, patience
		s, err := NewServer(g.n, opts)
		if err != nil {
			t.Fatal(err)
		}
		bad := &rig{t: t, n: g.n, s: s, log: g.log}
		bad.open().request("ping")
	}
	good, err := NewServer(g.n, quick("echo"))
	if err != nil {
		t.Fatal(err)
	}
	p := (&rig{t: t, n: g.n, s: good, log: g.log}).open()
	p.wantAnswer("next to bad servers", p.request("ping"))
}

// Pain 18: a child gets the environment of the gateway with its secrets, or one without PATH.
func TestEnvironmentIsListed(t *testing.T) {
	t.Setenv("GATEWAY_SECRET", "swordfish")
	t.Setenv("LC_TIME", "C")
	t.Setenv("TERM", "dumb")
	t.Setenv("LANG", "C")
	opts := quick("environment")
	opts.Env["LANG"] = "de_DE.UTF-8"
	opts.Env["API_KEY"] = "x=y"
	opts.Dir = t.TempDir()
	g := newRig(t, opts, NurseryOptions{})
	p := g.open()
	o := p.outcome("environment", p.request("ping"))
	for _, want := range []string{"PATH=" + os.Getenv("PATH"), "LC_TIME=C", "TERM=dumb", "LANG=de_DE.UTF-8", "API_KEY=x=y", "dir=" + opts.Dir} {
		if !strings.Contains(o.msg, want) {
			t.Errorf("no %s", want)
		}
	}
	for _, unwanted := range []string{"swordfish", "LANG=C"} {
		if strings.Contains(o.msg, unwanted) {
			t.Errorf("%s is there", unwanted)
		}
	}
}

// Pain 23: a call is run twice because it was sent again. Unsent says which calls may be. The child
// here does not read its standard input, so the queue fills.
func TestUnsentIsTrueOnlyIfNothingWasWritten(t *testing.T) {
	opts := quick("deaf")
	opts.EOFGrace, opts.TermGrace = time.Millisecond, patience
	opts.QueueBytes = 4 << 20
	g := newRig(t, opts, NurseryOptions{})
	p := g.open()
	large := strings.Repeat("x", 1<<20)
	written := p.request(large) // more than the pipe takes: the writer stops in it
	eventually(t, "not taken", func() bool {
		return len(g.s.Stats().Children) == 1 && g.s.Stats().Children[0].PID != 0 && g.s.Stats().Children[0].Queued == 0
	})
	var waiting []int64
	for range 3 {
		waiting = append(waiting, p.request(large))
	}
	p.wantFailed("the queue is full", p.request(large), link.Busy, true)
	p.Cancel(waiting[0])
	accepted := p.request(large)
	if err := syscall.Kill(g.s.Stats().Children[0].PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	p.wantFailed("in the pipe", written, link.Lost, false)
	for _, id := range append(waiting[1:], accepted) {
		p.wantFailed("in the queue", id, link.Lost, true)
	}
	p.wantLost("killed", link.Lost)
}

// Pain 24: a server that exits at the probe. The link is lost, and another one can be opened.
func TestServerThatExitsAtTheProbe(t *testing.T) {
	g := newRig(t, quick("exit first"), NurseryOptions{})
	p := g.open()
	p.wantFailed("probe", p.request("server/discover"), link.Lost, false)
	p.wantLost("probe", link.Lost)
	p = g.open()
	p.wantFailed("probe", p.request("initialize"), link.Lost, false)
	if st := g.s.Stats(); st.Restarts != 1 || st.Starts != 2 {
		t.Errorf("stats %+v", st)
	}
}

// The limit of children holds for all servers, and the caller is asked for a place.
func TestPlaces(t *testing.T) {
	var asked atomic.Int32
	var first atomic.Pointer[peer]
	nursery := NurseryOptions{MaxChildren: 2, PlaceTimeout: time.Second, Full: func() {
		asked.Add(1)
		if p := first.Load(); p != nil {
			p.Close()
		}
	}}
	g := newRig(t, quick("echo"), nursery)
	p := g.open()
	p.wantAnswer("first", p.request("ping"))
	second := g.open()
	second.wantAnswer("second", second.request("ping"))
	third := g.open()
	err := third.wantFailed("no place", third.request("ping"), link.Busy, true)
	if err.RetryAfter <= 0 {
		t.Errorf("got %+v", err)
	}
	third.wantLost("no place", link.Busy)
	if asked.Load() != 1 {
		t.Errorf("asked %d times for a place", asked.Load())
	}
	first.Store(p)
	fourth := g.open()
	fourth.wantAnswer("a place became free", fourth.request("ping"))
}
