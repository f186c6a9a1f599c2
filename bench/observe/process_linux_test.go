package observe

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// threadTime returns the processor time of the calling thread in ns.
func threadTime() int64 {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &ts); err != nil {
		panic(err)
	}
	return ts.Nano()
}

func open(t *testing.T, pids ...int) *Process {
	t.Helper()
	p, err := Open(pids...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

func sample(t *testing.T, p *Process) Usage {
	t.Helper()
	u, err := p.Sample()
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// Processor time is exact, even if the thread that used it no longer exists.
func TestProcessorTime(t *testing.T) {
	c := startChild(t)
	p := open(t, c.pid())
	before := sample(t, p)
	var burned time.Duration
	for range 3 {
		ns, err := strconv.ParseInt(c.do("burn 40"), 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		burned += time.Duration(ns)
	}
	// What a thread has used counts once the scheduler has accounted for it, which is when the
	// thread has ended at the latest.
	until(t, "all the time that was burned", func() bool { return sample(t, p).CPU-before.CPU >= burned })
	after := sample(t, p)
	used := after.CPU - before.CPU
	// The runtime itself needs a few ms at most.
	if used > burned+burned/2 {
		t.Errorf("used %s, burned %s", used, burned)
	}
	if split := after.User + after.System - before.User - before.System; split < used-40*time.Millisecond || split > used+40*time.Millisecond {
		t.Errorf("user and system: %s of %s", split, used)
	}
	if after.Threads < 2 || after.Processes != 1 || after.Voluntary == 0 {
		t.Errorf("%+v", after)
	}
}

func TestMemoryAndDescriptors(t *testing.T) {
	c := startChild(t)
	p := open(t, c.pid())
	c.do("open 1") // the first one makes the runtime open some
	before := sample(t, p)
	c.do("hold 64")
	c.do("open 300")
	after := sample(t, p)
	for name, d := range map[string]int64{"RSS": after.RSS - before.RSS, "PSS": after.PSS - before.PSS, "private": after.Private - before.Private} {
		if d < 64<<20 || d > 80<<20 {
			t.Errorf("%s of 64 MB: %d MB more", name, d>>20)
		}
	}
	if d := after.Descriptors - before.Descriptors; d != 300 {
		t.Errorf("%d descriptors more, want 300", d)
	}
	glance, err := p.Glance()
	if err != nil || glance.Descriptors != after.Descriptors || glance.RSS < after.RSS-2<<20 || glance.RSS > after.RSS+2<<20 || glance.CPU < after.CPU || glance.PSS != 0 {
		t.Errorf("glance %+v, %v; sample %+v", glance, err, after)
	}
	if notes := p.Notes(); len(notes) != 0 {
		t.Errorf("notes %q", notes)
	}
}

func TestCommandAndBuild(t *testing.T) {
	c := startChild(t, "-x", "it's", "")
	p := open(t, c.pid())
	if got := p.Command(); !strings.HasSuffix(got, ` -x 'it'\''s' ''`) && !strings.HasSuffix(got, ` -x 'it'\''s'`) {
		t.Errorf("command %q", got)
	}
	if got := p.Build(); !strings.HasPrefix(got, "github.com/mooring-mcp/mooring ") || !strings.Contains(got, " go1.") {
		t.Errorf("build %q", got)
	}
	if p.PID() != c.pid() {
		t.Errorf("pid %d, want %d", p.PID(), c.pid())
	}
}

func TestSumOfProcesses(t *testing.T) {
	a, b := startChild(t), startChild(t)
	a.do("burn 30")
	b.do("burn 50")
	b.do("hold 32")
	pa, pb, both := open(t, a.pid()), open(t, b.pid()), open(t, a.pid(), b.pid())
	ua, ub, sum := sample(t, pa), sample(t, pb), sample(t, both)
	if sum.Processes != 2 || sum.CPU < ua.CPU+ub.CPU || sum.Threads != ua.Threads+ub.Threads || sum.Descriptors != ua.Descriptors+ub.Descriptors {
		t.Errorf("%+v and %+v make %+v", ua, ub, sum)
	}
	if d := sum.RSS - ua.RSS - ub.RSS; d < -4<<20 || d > 4<<20 {
		t.Errorf("RSS differs by %d", d)
	}
	// The times of a process that has ended are not lost.
	b.end()
	left := sample(t, both)
	if left.Processes != 1 || left.CPU < sum.CPU || left.RSS > ua.RSS+8<<20 {
		t.Errorf("with one left: %+v, before %+v", left, sum)
	}
	a.end()
	end, err := both.Sample()
	if !errors.Is(err, ErrEnded) || end.CPU < left.CPU || end.RSS != 0 {
		t.Errorf("with none left: %+v, %v", end, err)
	}
	if again, err := both.Glance(); !errors.Is(err, ErrEnded) || again.CPU != end.CPU {
		t.Errorf("once more: %+v, %v", again, err)
	}
}

func TestAwaitExit(t *testing.T) {
	c := startChild(t)
	p := open(t, c.pid())
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := p.AwaitExit(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("while it lives: %v", err)
	}
	ended := make(chan time.Time, 1)
	go func() {
		time.Sleep(50 * time.Millisecond)
		ended <- time.Now()
		c.in.Close() // no parent waits for it yet
	}()
	if err := p.AwaitExit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if late := time.Since(<-ended); late > 2*time.Second {
		t.Errorf("seen %s after", late)
	}
	if _, err := p.Glance(); !errors.Is(err, ErrEnded) {
		t.Errorf("unreaped: %v", err)
	}
	c.end()
	if err := p.AwaitExit(t.Context()); err != nil {
		t.Errorf("reaped: %v", err)
	}
}

func TestNoSuchProcess(t *testing.T) {
	c := startChild(t)
	c.end()
	if _, err := Open(c.pid()); err == nil || !strings.HasPrefix(err.Error(), "observe: process ") {
		t.Errorf("open: %v", err)
	}
	if _, err := Open(); err == nil {
		t.Error("open of none")
	}
	if _, err := Tree(c.pid()); err == nil {
		t.Error("tree of none")
	}
}

func TestFindListener(t *testing.T) {
	for _, where := range []string{"127.0.0.1:0", "0.0.0.0:0", "[::]:0"} {
		c := startChild(t)
		_, port, err := net.SplitHostPort(c.do("listen %s", where))
		if err != nil {
			t.Log(where, "is not available")
			continue
		}
		addr := netip.MustParseAddrPort("127.0.0.1:" + port)
		pids, err := FindListener(addr)
		if err != nil || !slices.Equal(pids, []int{c.pid()}) {
			t.Errorf("%s: %v, %v, want %d", where, pids, err, c.pid())
		}
		// A child that has the socket too belongs to the server, and comes after it.
		worker, err := strconv.Atoi(c.do("fork"))
		if err != nil {
			t.Fatal(err)
		}
		until(t, "both", func() bool {
			pids, err = FindListener(addr)
			return err == nil && slices.Equal(pids, []int{c.pid(), worker})
		})
		if tree, err := Tree(c.pid()); err != nil || !slices.Equal(tree, []int{c.pid(), worker}) {
			t.Errorf("tree %v, %v", tree, err)
		}
		c.end()
		until(t, "the end of both", func() bool {
			_, err := FindListener(addr)
			return err != nil && strings.Contains(err.Error(), "no process on this machine listens")
		})
	}
}

func TestFindListenerOfThisProcess(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	startChild(t) // does not belong to the server
	pids, err := FindListener(l.Addr().(*net.TCPAddr).AddrPort())
	if err != nil || !slices.Equal(pids, []int{os.Getpid()}) {
		t.Errorf("%v, %v, want %d", pids, err, os.Getpid())
	}
}

func TestDescend(t *testing.T) {
	parents := map[int]int{1: 0, 10: 1, 20: 10, 30: 20, 40: 10, 50: 1, 7: 40}
	for _, tt := range []struct{ roots, want []int }{
		{[]int{30, 20, 40}, []int{20, 30, 40, 7}},
		{[]int{1}, []int{1, 10, 20, 30, 40, 7, 50}},
		{[]int{50, 10}, []int{10, 20, 30, 40, 7, 50}},
		{[]int{7, 10}, []int{10, 20, 30, 40, 7}},
	} {
		if got := descend(slices.Clone(tt.roots), parents); !slices.Equal(got, tt.want) {
			t.Errorf("%v: got %v, want %v", tt.roots, got, tt.want)
		}
	}
	if got := fmt.Sprint(above(7, parents)); got != "map[1:true 7:true 10:true 40:true]" {
		t.Errorf("above 7: %s", got)
	}
}
