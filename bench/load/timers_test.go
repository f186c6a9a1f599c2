//go:build linux

package load

import (
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"
)

// TestPause checks that a paused connection reads nothing, and everything once it is resumed.
func TestPause(t *testing.T) {
	sent := make(chan int, 1)
	addr := rawServer(t, func(c net.Conn) {
		_, _ = fmt.Fprint(c, "HTTP/1.1 200 OK\r\nContent-Length: 800000\r\n\r\n")
		n, _ := c.Write(make([]byte, 800000))
		sent <- n
	})
	client := newClient(t, addr)
	r := newRecorder(get)
	l := client.Next()
	var conn *Conn
	if err := l.Call(func() { conn, _ = l.Open(r, 0, &Dial{RecvBuf: 4096}); conn.Pause() }); err != nil {
		t.Fatal(err)
	}
	select {
	case l := <-r.lines:
		t.Fatalf("a paused connection got %.40q", l)
	case <-time.After(100 * time.Millisecond):
	}
	if err := l.Call(func() { conn.Resume() }); err != nil {
		t.Fatal(err)
	}
	if got := r.next(t, 1); len(got) < 800000 {
		t.Errorf("got %d bytes", len(got))
	}
	<-sent
}

func TestTimers(t *testing.T) {
	client := newClient(t, netip.MustParseAddrPort("127.0.0.1:9"))
	l := client.Next()
	order := make(chan int, 3)
	begin := time.Now()
	_ = l.Do(func() {
		l.After(40*time.Millisecond, func() { order <- 2 })
		l.After(20*time.Millisecond, func() { order <- 1 })
	})
	if a, b := <-order, <-order; a != 1 || b != 2 || time.Since(begin) < 40*time.Millisecond {
		t.Errorf("order %d %d after %v", a, b, time.Since(begin))
	}
	client.Close()
	if err := l.Do(func() {}); err != ErrClosed {
		t.Errorf("Do after Close: %v", err)
	}
}

// TestTimersBelowMillisecond checks that a schedule of thousands a second is kept: a hundred timers
// of 200 µs, one after another, must not take a millisecond each.
func TestTimersBelowMillisecond(t *testing.T) {
	client := newClient(t, netip.MustParseAddrPort("127.0.0.1:9"))
	l := client.Next()
	best := time.Hour
	for range 5 {
		done := make(chan struct{})
		begin := time.Now()
		left := 100
		var tick func()
		tick = func() {
			if left--; left < 0 {
				close(done)
				return
			}
			l.After(200*time.Microsecond, tick)
		}
		if err := l.Do(tick); err != nil {
			t.Fatal(err)
		}
		<-done
		best = min(best, time.Since(begin))
	}
	var coarse bool
	if err := l.Call(func() { coarse = l.poll.coarse }); err != nil {
		t.Fatal(err)
	}
	if coarse {
		t.Skip("the kernel has no epoll_pwait2")
	}
	if best < 20*time.Millisecond || best > 80*time.Millisecond {
		t.Errorf("100 timers of 200 µs took %v at best", best)
	}
}
