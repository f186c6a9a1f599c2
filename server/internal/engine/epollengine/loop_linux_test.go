package epollengine

import (
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mooring-mcp/mooring/server/internal/engine"
)

// on runs f on the loop and returns when it has.
func (l *loop) on(f func()) {
	done := make(chan struct{})
	l.Execute(func() { f(); close(done) })
	<-done
}

// TestLoopTasks: tasks of one goroutine run once each, in order, whether the loop sleeps or not,
// and a task may post one.
func TestLoopTasks(t *testing.T) {
	l := startLoop(t)
	const posters, each = 8, 2000
	got := make([][]int, posters)
	var wg sync.WaitGroup
	for i := range posters {
		wg.Go(func() {
			for n := range each {
				l.Execute(func() { got[i] = append(got[i], n) })
				if n%100 == i {
					time.Sleep(time.Millisecond) // the loop falls asleep meanwhile
				}
			}
		})
	}
	wg.Wait()
	again := make(chan struct{})
	l.on(func() { l.Execute(func() { close(again) }) })
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

// TestLoopTellsMonitor: a loop without a pause makes Go's monitor look, though no worker runs.
func TestLoopTellsMonitor(t *testing.T) {
	l := startLoop(t)
	told := func() (at time.Time) {
		l.on(func() { at = l.lastSyscall })
		return at
	}
	time.Sleep(10 * time.Millisecond)
	if at := told(); !at.IsZero() {
		t.Errorf("a loop at rest notified the monitor at %v", at)
	}
	done := make(chan struct{})
	turns := 0
	var again engine.Task
	again = func() {
		if turns++; turns > 4*maxBusy {
			close(done)
			return
		}
		l.Execute(again)
	}
	l.Execute(again)
	<-done
	if told().IsZero() {
		t.Errorf("%d turns without a pause, and the monitor was not notified", turns)
	}
}

// TestSocketStale: rule 2 of gnet, which gnet does not keep. Nothing that is done with a closed
// socket reaches the one that has its descriptor now.
func TestSocketStale(t *testing.T) {
	l := startLoop(t)
	old, peer := addPair(t, l)
	l.on(func() { old.close(nil) })
	_ = unix.Close(peer)
	heir, peer := addPair(t, l)
	defer unix.Close(peer)
	if heir.fd != old.fd && heir.slot != old.slot {
		t.Fatalf("descriptor %d and slot %d, want %d or %d again: the test tests nothing", heir.fd, heir.slot, old.fd, old.slot)
	}
	l.on(func() {
		if n, err := old.Write([]byte("secret")); n != 0 || !errors.Is(err, errSocketClosed) {
			t.Errorf("Write: %d, %v", n, err)
		}
		if err := l.CloseWrite(old); !errors.Is(err, errSocketClosed) {
			t.Errorf("CloseWrite: %v", err)
		}
		if err := old.SetLinger(0); !errors.Is(err, errSocketClosed) {
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

// TestSocketKept: a socket that is closed here has no events any more, even if a host keeps a
// duplicate. Its peer's FIN would be one in every turn, without end.
func TestSocketKept(t *testing.T) {
	l := startLoop(t)
	s, peer := addPair(t, l)
	kept, err := unix.FcntlInt(uintptr(s.fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(kept)
	l.on(func() { s.close(nil) })
	_ = unix.Close(peer)
	l.on(func() {
		if n := sysEvents(l.fd, make([]unix.EpollEvent, 4)); n != 0 {
			t.Errorf("%d events, want none", n)
		}
	})
}

// TestServedWhileManyLeave: a client that stays is served before most of those that have
// disconnected are closed. For all but the kernel these have ended by then.
func TestServedWhileManyLeave(t *testing.T) {
	l := startLoop(t)
	const n = 2 * keepClosing
	gone, peers := make([]*socket, n), make([]int, n)
	for i := range gone {
		gone[i], peers[i] = addPair(t, l)
	}
	_, peer := addPair(t, l)
	defer unix.Close(peer)
	var answer [256]byte
	l.on(func() {
		l.tasks = l.tasks[:0] // this one: the turns are done from here
		for _, fd := range peers {
			_ = unix.Close(fd)
		}
		if _, err := unix.Write(peer, []byte("hello")); err != nil {
			t.Error(err)
			return
		}
		turn := func() {
			l.n = l.poll()
			l.serve()
			l.closeSome(closesSize)
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
			if !s.closed || !s.handler.(*fakeConn).closed {
				open++
			}
		}
		if left := int(l.adm.Connections()) - 1; open > 0 || left < n/2 || left != len(l.closing)-l.closedCount {
			t.Errorf("the answer came after %d turns, when %d of %d were to be closed, and %d had not ended", turns, left, n, open)
		}
		for len(l.closing) > 0 {
			turn()
		}
		if l.adm.Connections() != 1 || l.closedCount != 0 || cap(l.closing) > keepClosing {
			t.Errorf("%d connections are left, and room for %d that leave", l.adm.Connections(), cap(l.closing))
		}
	})
}

// TestAllThatLeaveAreClosed: the loop does not sleep while there is something to close, and its
// end leaves nothing open.
func TestAllThatLeaveAreClosed(t *testing.T) {
	const n = 2 * keepClosing
	leave := func(l *loop) {
		peers := make([]int, n)
		for i := range peers {
			_, peers[i] = addPair(t, l)
		}
		l.on(func() {
			for _, fd := range peers {
				_ = unix.Close(fd)
			}
		})
	}
	l := startLoop(t)
	leave(l)
	for end := time.Now().Add(10 * time.Second); l.adm.Connections() > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d of %d are not closed", l.adm.Connections(), n)
		}
	}
	e := startEngine(t)
	l = e.loops[0]
	leave(l)
	e.Stop()
	if left := l.adm.Connections(); left != 0 || len(l.closing) != 0 {
		t.Errorf("the end leaves %d connections, %d to close", left, len(l.closing))
	}
}

// TestClosingIsBounded: under a load that never lets the loop close all descriptors, the list of
// them does not grow.
func TestClosingIsBounded(t *testing.T) {
	l := startLoop(t)
	l.on(func() {
		const backlog = 100
		for range backlog {
			l.closing = append(l.closing, -1)
		}
		for range backlog {
			l.adm.Reserve(false)
		}
		for range 10_000 {
			l.closing = append(l.closing, -1)
			l.adm.Reserve(false)
			if n := l.closeSome(1); n != 1 {
				t.Errorf("%d were closed", n)
				return
			}
		}
		if len(l.closing)-l.closedCount != backlog || cap(l.closing) > 16*backlog {
			t.Errorf("%d wait, in room for %d", len(l.closing)-l.closedCount, cap(l.closing))
		}
		if l.closeSome(len(l.closing)); l.adm.Connections() != 0 || len(l.closing) != 0 {
			t.Errorf("%d connections, %d wait", l.adm.Connections(), len(l.closing))
		}
	})
}

// TestSocketUnsent: what the kernel does not take waits, in order and whole, and goes out as the
// peer reads.
func TestSocketUnsent(t *testing.T) {
	l := startLoop(t)
	s, peer := addPair(t, l)
	defer unix.Close(peer)
	var want, got []byte
	waits := 0
	l.on(func() {
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
	l.on(func() {
		if s.closed || s.out != nil || s.OutboundBuffered() != 0 {
			t.Errorf("closed %v, %d bytes wait", s.closed, s.OutboundBuffered())
		}
		if n := s.handler.(*fakeConn).caught; n != 1 {
			t.Errorf("the end of the wait was reported %d times", n)
		}
	})
}

// TestLoopTurnAllocs: a turn of a loop allocates nothing.
func TestLoopTurnAllocs(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	l := startLoop(t)
	done := make(chan struct{})
	f := func() { done <- struct{}{} }
	if n := testing.AllocsPerRun(2000, func() { l.Execute(f); <-done }); n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
}
