package child

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/gateway/internal/link"
)

// A firstAnswer sends the process that answered the first request.
type firstAnswer chan string

func (f firstAnswer) Receive(_ int64, msg []byte)   { f <- string(msg) }
func (f firstAnswer) Failed(_ int64, e *link.Error) { f <- e.Error() }
func (f firstAnswer) Lost(*link.Error)              {}

// gateway is the behaviour of a test binary that has children itself. It writes the first message
// of each, and waits.
func gateway() {
	n := NewNursery(NurseryOptions{})
	for _, behaviour := range []string{"stubborn", "wrapped"} {
		opts := quick(behaviour)
		if behaviour == "wrapped" {
			opts.Env[asChild] = "echo"
			opts.Args = []string{"-c", `trap "" TERM INT HUP; exec 3<&0; "$0" <&3 & wait; wait`, opts.Command}
			opts.Command = "/bin/sh"
		}
		s, err := NewServer(n, opts)
		if err != nil {
			panic(err)
		}
		f := make(firstAnswer, 2)
		l := s.Open(f)
		l.Send(&link.Message{Kind: link.Request, ID: 1, Body: requestBody(1, "ping")})
		answer := <-f
		fmt.Println(s.Stats().Children[0].PID, answer)
	}
	hang()
}

// Pain 7: children that ignore the end of their input survive their gateway. Here the kernel kills
// them. What a wrapper has started is not killed, but sees the end of its input.
func TestGatewayIsKilled(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("there is no parent-death signal")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), asChild+"=gateway")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var groups []int
	in := bufio.NewScanner(out)
	for len(groups) < 2 && in.Scan() {
		pid, rest, _ := strings.Cut(in.Text(), " ")
		if !strings.Contains(rest, `"result"`) {
			t.Fatalf("got %q", in.Text())
		}
		n, err := strconv.Atoi(pid)
		if err != nil {
			t.Fatal(err)
		}
		groups = append(groups, n)
	}
	if len(groups) != 2 || len(group(t, groups[0])) != 1 || len(group(t, groups[1])) != 2 {
		t.Fatalf("groups %v", groups)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	for _, pgid := range groups {
		eventually(t, fmt.Sprintf("processes are left: %v", group(t, pgid)), func() bool { return living(t, pgid) == 0 })
	}
}

// living returns how many processes of the group have not ended. Nobody may reap them here.
func living(t *testing.T, pgid int) (n int) {
	for _, pid := range group(t, pgid) {
		if !strings.ContainsAny(state(pid), "ZX-") {
			n++
		}
	}
	return n
}

// state returns the state of the process as in /proc, or "-".
func state(pid int) string {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if _, rest, ok := strings.Cut(string(b), ") "); ok {
		return rest[:1]
	}
	return "-"
}

// Orphans of a child's group that end while it lives do not stay as zombies.
func TestOrphansAreReaped(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("orphans go to init")
	}
	opts := quick("echo")
	opts.Args = []string{"-c", `( sleep 1 & ) ; exec "$0"`, opts.Command}
	opts.Command = "/bin/sh"
	opts.reapEvery = 50 * time.Millisecond
	g := newRig(t, opts, NurseryOptions{})
	p := g.open()
	pid := p.wantAnswer("with an orphan", p.request("ping"))
	if n := len(group(t, pid)); n != 2 {
		t.Skipf("%d processes in the group: the orphan came and went", n)
	}
	eventually(t, "the orphan is still there", func() bool { return len(group(t, pid)) == 1 })
	p.wantAnswer("after it", p.request("ping"))
}

// All children end at once, and within the time of the context.
func TestShutdownOfStubbornChildren(t *testing.T) {
	opts := quick("stubborn")
	opts.EOFGrace, opts.TermGrace = time.Minute, time.Minute
	g := newRig(t, opts, NurseryOptions{MaxStarting: 8})
	var pids []int
	var peers []*peer
	for range 8 {
		p := g.open()
		peers = append(peers, p)
		pids = append(pids, p.wantAnswer("stubborn", p.request("ping")))
	}
	began := time.Now()
	g.stop(300*time.Millisecond, pids...)
	if d := time.Since(began); d > 300*time.Millisecond+killGrace {
		t.Errorf("took %v", d)
	}
	for _, p := range peers {
		p.wantNotLost("after Shutdown")
	}
	if st := g.s.Stats(); st.Killed != 8 || st.LastExit != "signal: killed" {
		t.Errorf("stats %+v", st)
	}
	late := g.open()
	late.wantFailed("after Shutdown", late.request("ping"), link.Closed, true)
}

// A child that is stopped (SIGSTOP) ends like any other, and its requests fail at their deadline.
func TestStoppedChild(t *testing.T) {
	opts := quick("echo")
	opts.EOFGrace = 100 * time.Millisecond
	g := newRig(t, opts, NurseryOptions{})
	p := g.open()
	pid := p.wantAnswer("before", p.request("ping"))
	stop := func() {
		if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		eventually(t, "not stopped", func() bool { return strings.ContainsAny(state(pid), "T-") })
	}
	stop()
	p.wantFailed("stopped", p.send("ping", time.Now().Add(500*time.Millisecond)), link.Timeout, false)
	if err := syscall.Kill(pid, syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	p.wantAnswer("goes on", p.request("ping"))
	stop()
	g.stop(patience, pid)
	if st := g.s.Stats(); st.Killed != 0 { // it sees SIGTERM, or the end of its input first
		t.Errorf("stats %+v", st)
	}
}

// kill -9 during traffic: every request has one outcome, and the next link works.
func TestKilledDuringTraffic(t *testing.T) {
	opts := quick("echo")
	opts.Stable = time.Millisecond
	g := newRig(t, opts, NurseryOptions{})
	var answered, failed int
	for round := range 10 {
		p := g.open()
		pid := p.wantAnswer("first", p.request("ping"))
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
		go func() {
			<-ctx.Done()
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}()
		var ids []int64
		for len(ids) < 20_000 && ctx.Err() == nil {
			ids = append(ids, p.request("ping"))
		}
		p.wantLost("killed", link.Lost)
		for range 10 {
			ids = append(ids, p.request("ping"))
		}
		p.await("outcomes", func() bool { return len(p.outcomes) == len(ids)+1 })
		cancel()
		p.mu.Lock()
		for _, id := range ids {
			switch o := p.outcomes[id]; {
			case len(o) != 1:
				t.Fatalf("round %d, request %d: %d outcomes", round, id, len(o))
			case o[0].err == nil:
				answered++
			case o[0].err.Reason == link.Lost || o[0].err.Reason == link.Busy:
				failed++
			default:
				t.Fatalf("round %d, request %d: %v", round, id, o[0].err)
			}
		}
		p.mu.Unlock()
	}
	if answered == 0 || failed < 100 {
		t.Errorf("%d answered, %d failed", answered, failed)
	}
}

// An orphan that has left the group of its child may live on, and is reaped when it ends.
func TestOrphansOfOtherGroupsAreReaped(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("orphans go to init")
	}
	if _, err := exec.LookPath("setsid"); err != nil {
		t.Skip("there is no setsid")
	}
	opts := quick("echo")
	opts.Args = []string{"-c", `( exec setsid sh -c 'echo "$$" >&2; exec sleep 1' ) & exec "$0"`, opts.Command}
	opts.Command = "/bin/sh"
	g := newRig(t, opts, NurseryOptions{orphansEvery: 100 * time.Millisecond})
	p := g.open()
	p.wantAnswer("with a daemon", p.request("ping"))
	eventually(t, "no daemon", func() bool { return strings.HasSuffix(g.s.Stderr(), "\n") })
	daemon, err := strconv.Atoi(strings.TrimSpace(g.s.Stderr()))
	if err != nil {
		t.Fatal(err)
	}
	p.Close()
	eventually(t, "the link is not at its end", func() bool { return len(g.s.Stats().Children) == 0 })
	if len(group(t, daemon)) != 1 {
		t.Errorf("the daemon %d has been ended", daemon)
	}
	eventually(t, "the daemon is still there", func() bool { return len(group(t, daemon)) == 0 })
}

// Links that come and go leave no descriptor and no thread.
func TestNothingIsLeftOfManyLinks(t *testing.T) {
	count := func(dir string) int {
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Skip("there is no /proc")
		}
		return len(entries)
	}
	opts := quick("echo")
	opts.Backoff, opts.Stable = time.Millisecond, time.Millisecond
	g := newRig(t, opts, NurseryOptions{})
	var before int
	for i := range 30 {
		p := g.open()
		pid := p.wantAnswer("ping", p.request("ping"))
		if i%2 == 0 {
			_ = syscall.Kill(pid, syscall.SIGKILL)
			p.wantLost("killed", link.Lost)
		}
		p.Close()
		eventually(t, "the link is not at its end", func() bool { return len(g.s.Stats().Children) == 0 })
		if i == 5 {
			before = count("/proc/self/fd")
		}
	}
	if after := count("/proc/self/fd"); after > before {
		t.Errorf("%d descriptors, there were %d", after, before)
	}
	if n := count("/proc/self/task"); n > 30 {
		t.Errorf("%d threads", n)
	}
}
