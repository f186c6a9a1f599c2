package observe

import (
	"math"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/bench/result"
)

func seriesOf(list []result.Series, name string) []float64 {
	for _, s := range list {
		if s.Name == name {
			var v []float64
			for _, p := range s.Points {
				v = append(v, p[1])
			}
			return v
		}
	}
	return nil
}

// A server that does not close connections that its clients have closed shows in the states of the
// sockets and in the series.
func TestSocketsAndWatch(t *testing.T) {
	c := startChild(t)
	addr := netip.MustParseAddrPort(c.do("listen 127.0.0.1:0"))
	sockets, err := OpenSockets(addr.Port())
	if err != nil {
		t.Fatal(err)
	}
	defer sockets.Close()
	count := func() States {
		t.Helper()
		s, err := sockets.Count()
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	began := time.Now()
	w := Watch(Sources{Server: open(t, c.pid()), Client: open(t, os.Getpid()), Sockets: sockets}, began, 5*time.Millisecond)
	defer w.Stop()
	const n = 25
	conns := make([]net.Conn, n)
	for i := range conns {
		if conns[i], err = net.Dial("tcp", addr.String()); err != nil {
			t.Fatal(err)
		}
	}
	c.do("accept %d", n)
	until(t, "established", func() bool { return count().Established == n })
	if s := count(); s.Listen != 1 || s.Open() != n {
		t.Errorf("%+v", s)
	}
	c.do("burn 60")
	for _, conn := range conns {
		conn.Close()
	}
	until(t, "close wait", func() bool { return count().CloseWait == n })
	until(t, "a sample of it", func() bool { v, _ := w.Peak("close_wait"); return v == n })
	c.do("close")
	until(t, "closed", func() bool { s := count(); return s.Open() == 0 })
	w.Stop()
	w.Stop()

	list := w.Series()
	if got := seriesOf(list, "close_wait"); len(got) < 3 || got[0] != 0 || got[len(got)-1] != 0 {
		t.Errorf("close_wait %v", got)
	}
	if v, ok := w.Peak("established"); !ok || v != n {
		t.Errorf("peak of established: %v %t", v, ok)
	}
	if v, ok := w.Peak("server_cpu"); !ok || v < 1 || v > 100*float64(runtime.NumCPU())*1.5 {
		t.Errorf("peak of server_cpu: %v %t", v, ok)
	}
	for _, name := range []string{"server_rss", "server_threads", "server_descriptors", "client_rss"} {
		for _, v := range seriesOf(list, name) {
			if v <= 0 {
				t.Errorf("%s: %v", name, v)
			}
		}
		if seriesOf(list, name) == nil {
			t.Errorf("no %s", name)
		}
	}
	if seriesOf(list, "last_ack") != nil && seriesOf(list, "last_ack")[0] != 0 {
		t.Errorf("last_ack %v", seriesOf(list, "last_ack"))
	}
	for _, s := range list {
		last := -1.0
		for _, p := range s.Points {
			if p[0] < last || p[0] > time.Since(began).Seconds() || math.IsNaN(p[1]) {
				t.Errorf("%s: point %v behind %v", s.Name, p, last)
			}
			last = p[0]
		}
	}
	if f := w.Faults(); len(f) != 0 {
		t.Errorf("faults %q", f)
	}
	if _, ok := w.Peak("nonsense"); ok {
		t.Error("an unknown series has a peak")
	}
}

// The end of the server does not end the watch.
func TestWatchGoesOn(t *testing.T) {
	c := startChild(t)
	w := Watch(Sources{Server: open(t, c.pid())}, time.Now(), 2*time.Millisecond)
	until(t, "a sample", func() bool { v, ok := w.Peak("server_rss"); return ok && v > 0 })
	c.end()
	until(t, "a fault", func() bool { return len(w.Faults()) > 0 })
	w.Stop()
	if f := w.Faults(); len(f) != 1 || !strings.Contains(f[0], "ended") {
		t.Errorf("faults %q", f)
	}
	list := w.Series()
	if seriesOf(list, "server_rss") == nil || seriesOf(list, "established") != nil || seriesOf(list, "client_rss") != nil {
		t.Errorf("series %v", list)
	}
}

// A long watch holds a limited number of points and keeps its peaks.
func TestWatchThins(t *testing.T) {
	w := Watch(Sources{}, time.Now(), time.Hour)
	w.Stop()
	w.times = w.times[:0]
	for l := range w.lines {
		w.lines[l] = w.lines[l][:0]
	}
	for i := range 10 * maxPoints {
		if len(w.times) == maxPoints {
			w.thin()
		}
		w.times = append(w.times, float64(i))
		for l := range w.lines {
			w.lines[l] = append(w.lines[l], float64(i))
		}
	}
	if len(w.times) > maxPoints || len(w.times) < maxPoints/4 || w.every < 8*time.Hour {
		t.Errorf("%d points, every %s", len(w.times), w.every)
	}
	for i := range w.times {
		if w.times[i] != w.lines[closeWait][i] || i > 0 && w.times[i] <= w.times[i-1] {
			t.Fatalf("point %d: %v at %v", i, w.lines[closeWait][i], w.times[i])
		}
	}
}

func TestWatchAllocatesLittle(t *testing.T) {
	c := startChild(t)
	sockets, err := OpenSockets(netip.MustParseAddrPort(c.do("listen 127.0.0.1:0")).Port())
	if err != nil {
		t.Fatal(err)
	}
	defer sockets.Close()
	w := Watch(Sources{Server: open(t, c.pid()), Sockets: sockets}, time.Now(), time.Hour)
	w.Stop()
	if n := testing.AllocsPerRun(100, w.sample); n > 16 {
		t.Errorf("%v allocations a sample", n)
	}
}

func TestMachine(t *testing.T) {
	m := Machine()
	if m.Kernel == "" || m.CPU == "" || m.OS == "" || m.Cores != runtime.NumCPU() || m.MemoryBytes < 64<<20 || m.DescriptorLimit < 64 {
		t.Errorf("%+v", m)
	}
}

// The kernel's memory shows open sockets.
func TestKernelMemory(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	before, err := KernelMemory()
	if err != nil {
		t.Fatal(err)
	}
	if before.Slab <= 0 || before.KernelStack <= 0 || before.PageTables <= 0 || before.MemFree <= 0 || before.MemAvailable <= 0 || before.Reclaimable <= 0 {
		t.Errorf("%+v", before)
	}
	const n = 400
	for range n {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		s, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
	}
	after, err := KernelMemory()
	if err != nil {
		t.Fatal(err)
	}
	// Other processes of this machine open and close sockets as well, so the difference means
	// nothing.
	if after.TCPSockets < 2*n {
		t.Errorf("%d sockets, want %d at least", after.TCPSockets, 2*n)
	}
	var k Kernel
	k.sockets([]byte("sockets: used 32\nTCP: inuse 1 orphan 3 tw 4 alloc 21 mem 143\nUDP: inuse 9 mem 7\n"), 4096)
	if k != (Kernel{Orphans: 3, TimeWait: 4, TCPSockets: 21, Buffers: 143 * 4096}) {
		t.Errorf("%+v", k)
	}
	slabs, err := Slabs()
	if err != nil {
		t.Logf("slabs: %v", err)
		return
	}
	for _, s := range slabs {
		if s.Size <= 0 || s.Active < 0 {
			t.Errorf("%+v", s)
		}
	}
}

func TestParseSlabs(t *testing.T) {
	const text = "slabinfo - version: 2.1\n# name            <active_objs> <num_objs> <objsize> <objperslab>\nTCP                  210    221   2368   13    8 : tunables 0\nother                1 1 1 1 1\nfilp 9"
	got := parseSlabs([]byte(text))
	if len(got) != 1 || got[0] != (Slab{Name: "TCP", Active: 210, Size: 2368}) {
		t.Errorf("got %+v", got)
	}
}
