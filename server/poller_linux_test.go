package server

import (
	"errors"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mooring-mcp/mooring/mcp"
)

// startPoller runs a poller whose loop serves no server's clients but those that the test gives it.
func startPoller(t *testing.T) *poller {
	t.Helper()
	s := New(mcp.NewServer(&mcp.Implementation{Name: "test", Version: "1"}, nil), &Options{Loops: 1, Engine: EngineEpoll})
	if err := s.startEngine(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.engine.stop)
	return s.engine.(*epollEngine).pollers[0]
}

// on runs f on the poller and returns when it has.
func (p *poller) on(f func()) {
	done := make(chan struct{})
	p.execute(func() { f(); close(done) })
	<-done
}

// TestPollerTasks: tasks of one goroutine run once each, in order, whether the loop sleeps or not, and a task may post one.
func TestPollerTasks(t *testing.T) {
	p := startPoller(t)
	const posters, each = 8, 2000
	got := make([][]int, posters)
	var wg sync.WaitGroup
	for i := range posters {
		wg.Go(func() {
			for n := range each {
				p.execute(func() { got[i] = append(got[i], n) })
				if n%100 == i {
					time.Sleep(time.Millisecond) // the loop falls asleep meanwhile
				}
			}
		})
	}
	wg.Wait()
	again := make(chan struct{})
	p.on(func() { p.execute(func() { close(again) }) })
	select {
	case <-again:
	case <-time.After(10 * time.Second):
		t.Fatal("a task that was posted by a task never ran")
	}
	for i, ns := range got {
		if len(ns) != each || !slices.IsSorted(ns) {
			t.Errorf("poster %d: %d tasks of %d, in order: %v", i, len(ns), each, slices.IsSorted(ns))
		}
	}
}

// TestPollerTellsMonitor: a loop that has no pause makes Go's monitor look, though no worker runs.
func TestPollerTellsMonitor(t *testing.T) {
	p := startPoller(t)
	told := func() (at time.Time) {
		p.on(func() { at = p.told })
		return at
	}
	time.Sleep(10 * time.Millisecond)
	if at := told(); !at.IsZero() {
		t.Errorf("a loop at rest told at %v", at)
	}
	done := make(chan struct{})
	turns := 0
	var again task
	again = func() {
		if turns++; turns > 4*maxBusy {
			close(done)
			return
		}
		p.execute(again)
	}
	p.execute(again)
	<-done
	if told().IsZero() {
		t.Errorf("%d turns without a pause, and the monitor was not told", turns)
	}
}

// addPair gives the poller one of two connected sockets and returns its sock and the other's descriptor.
func addPair(t *testing.T, p *poller) (*sock, int) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	srv := p.srv
	srv.conns.Add(1)
	c := &conn{loop: srv.loops[0]}
	if err := p.add(fds[0], c); err != nil {
		t.Fatal(err)
	}
	var s *sock
	p.on(func() { s = c.sk.(*sock) })
	return s, fds[1]
}

// TestSockStale: rule 2 of gnet, which it did not keep. Nothing that is done with a closed socket reaches who has its descriptor now.
func TestSockStale(t *testing.T) {
	p := startPoller(t)
	old, peer := addPair(t, p)
	p.on(func() { old.close(nil) })
	_ = unix.Close(peer)
	heir, peer := addPair(t, p)
	defer unix.Close(peer)
	if heir.fd != old.fd && heir.slot != old.slot {
		t.Fatalf("descriptor %d and slot %d, want %d or %d again: the test tests nothing", heir.fd, heir.slot, old.fd, old.slot)
	}
	p.on(func() {
		if n, err := old.Write([]byte("secret")); n != 0 || !errors.Is(err, errSockClosed) {
			t.Errorf("Write: %d, %v", n, err)
		}
		if err := p.closeWrite(old); !errors.Is(err, errSockClosed) {
			t.Errorf("closeWrite: %v", err)
		}
		if err := old.SetLinger(0); !errors.Is(err, errSockClosed) {
			t.Errorf("SetLinger: %v", err)
		}
		old.close(nil)
		_ = old.Flush()
		if heir.closed {
			t.Error("the heir is closed")
		}
	})
	var b [16]byte
	if n, err := unix.Read(peer, b[:]); err != unix.EAGAIN {
		t.Errorf("the heir's peer has read %d bytes, %v", n, err)
	}
}

// TestSockKept: a socket that is closed here, and of which a host keeps a duplicate, is no event any more. Its peer's FIN would be one in every turn, without an end.
func TestSockKept(t *testing.T) {
	p := startPoller(t)
	s, peer := addPair(t, p)
	kept, err := unix.FcntlInt(uintptr(s.fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(kept)
	p.on(func() { s.close(nil) })
	_ = unix.Close(peer)
	p.on(func() {
		if n := sysEvents(p.fd, make([]unix.EpollEvent, 4)); n != 0 {
			t.Errorf("%d events, want none", n)
		}
	})
}

// TestServedWhileManyLeave: who stays is served before most of those that have gone are closed. For all but the kernel these have ended by then.
func TestServedWhileManyLeave(t *testing.T) {
	p := startPoller(t)
	const n = 2 * keepLeaving
	gone, peers := make([]*sock, n), make([]int, n)
	for i := range gone {
		gone[i], peers[i] = addPair(t, p)
	}
	_, peer := addPair(t, p)
	defer unix.Close(peer)
	var answer [256]byte
	p.on(func() {
		p.tasks = p.tasks[:0] // this one: the turns are done from here
		for _, fd := range peers {
			_ = unix.Close(fd)
		}
		if _, err := unix.Write(peer, []byte("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")); err != nil {
			t.Error(err)
			return
		}
		turn := func() {
			p.n = p.look()
			p.serve()
			p.leave(closesSize)
		}
		turns := 0
		for ; turns < n; turns++ {
			if k, _ := unix.Read(peer, answer[:]); k > 0 {
				break
			}
			turn()
		}
		open := 0
		for _, s := range gone {
			if !s.closed || s.conn.state != connStateClosed {
				open++
			}
		}
		if left := int(p.srv.conns.Load()) - 1; open > 0 || left < n/2 || left != len(p.leaving)-p.left {
			t.Errorf("the answer came after %d turns, when %d of %d were to be closed, and %d had not ended", turns, left, n, open)
		}
		for len(p.leaving) > 0 {
			turn()
		}
		if p.srv.conns.Load() != 1 || p.left != 0 || cap(p.leaving) > keepLeaving {
			t.Errorf("%d connections are left, and room for %d that leave", p.srv.conns.Load(), cap(p.leaving))
		}
	})
}

// TestAllThatLeaveAreClosed: the loop does not sleep while there is something to close, and its end leaves nothing open.
func TestAllThatLeaveAreClosed(t *testing.T) {
	const n = 2 * keepLeaving
	leave := func(p *poller) {
		peers := make([]int, n)
		for i := range peers {
			_, peers[i] = addPair(t, p)
		}
		p.on(func() {
			for _, fd := range peers {
				_ = unix.Close(fd)
			}
		})
	}
	p := startPoller(t)
	leave(p)
	for end := time.Now().Add(10 * time.Second); p.srv.conns.Load() > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d of %d are not closed", p.srv.conns.Load(), n)
		}
	}
	p = startPoller(t)
	leave(p)
	p.srv.engine.stop()
	if left := p.srv.conns.Load(); left != 0 || len(p.leaving) != 0 {
		t.Errorf("the end leaves %d connections, %d to close", left, len(p.leaving))
	}
}

// TestLeavingIsBounded: under a load that never lets all of those be closed that have left, they are not remembered for ever.
func TestLeavingIsBounded(t *testing.T) {
	p := startPoller(t)
	p.on(func() {
		const backlog = 100
		for range backlog {
			p.leaving = append(p.leaving, -1)
		}
		p.srv.conns.Add(backlog)
		for range 10_000 {
			p.leaving = append(p.leaving, -1)
			p.srv.conns.Add(1)
			if n := p.leave(1); n != 1 {
				t.Errorf("%d were closed", n)
				return
			}
		}
		if len(p.leaving)-p.left != backlog || cap(p.leaving) > 16*backlog {
			t.Errorf("%d wait, in room for %d", len(p.leaving)-p.left, cap(p.leaving))
		}
		if p.leave(len(p.leaving)); p.srv.conns.Load() != 0 || len(p.leaving) != 0 {
			t.Errorf("%d connections, %d wait", p.srv.conns.Load(), len(p.leaving))
		}
	})
}

// TestSockUnsent: what the kernel does not take waits, in order and whole, and goes out as the peer reads.
func TestSockUnsent(t *testing.T) {
	p := startPoller(t)
	s, peer := addPair(t, p)
	defer unix.Close(peer)
	var want, got []byte
	waits := 0
	p.on(func() {
		for i := range 64 {
			b := make([]byte, 16<<10)
			for j := range b {
				b[j] = byte(i + j/256)
			}
			want = append(want, b...)
			if n, err := s.Write(b); n != len(b) || err != nil {
				t.Errorf("Write: %d, %v", n, err)
			}
		}
		waits = s.OutboundBuffered()
	})
	if waits == 0 || waits >= len(want) {
		t.Fatalf("%d of %d bytes wait: the test tests nothing", waits, len(want))
	}
	buf := make([]byte, 5000)
	for end := time.Now().Add(10 * time.Second); len(got) < len(want) && time.Now().Before(end); {
		n, err := unix.Read(peer, buf)
		if err == unix.EAGAIN {
			time.Sleep(time.Millisecond)
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, buf[:n]...)
	}
	if !slices.Equal(got, want) {
		t.Fatalf("%d bytes arrived of %d, or not the same", len(got), len(want))
	}
	p.on(func() {
		if s.closed || s.out != nil || s.OutboundBuffered() != 0 {
			t.Errorf("closed %v, %d bytes wait", s.closed, s.OutboundBuffered())
		}
	})
}

// wrapped is a listener that does not show its descriptor.
type wrapped struct{ net.Listener }

// TestWrappedListener: a host's own listener is served, though its connections have to be unpacked.
func TestWrappedListener(t *testing.T) {
	for _, engine := range []Engine{EngineGnet, EngineEpoll} {
		l := listenTCP(t)
		s, served := serveWith(t, wrapped{l}, &Options{Loops: 1, Engine: engine})
		for range 3 {
			_ = healthy(t, l.Addr()).Close()
		}
		if err := s.Shutdown(t.Context()); err != nil {
			t.Errorf("%s: %v", engine, err)
		}
		if err := <-served; !errors.Is(err, ErrServerClosed) {
			t.Errorf("%s: Serve: %v", engine, err)
		}
	}
}

// TestPollerTurnAllocs: a turn of a loop allocates nothing.
func TestPollerTurnAllocs(t *testing.T) {
	if raceEnabled() {
		t.Skip("the race detector allocates")
	}
	p := startPoller(t)
	done := make(chan struct{})
	f := func() { done <- struct{}{} }
	if n := testing.AllocsPerRun(2000, func() { p.execute(f); <-done }); n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
}
