package rejoin

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// A connection leaves and returns many times. Each request is served by the http.Server, from the
// peer's own address.
func TestReturns(t *testing.T) {
	r := start(t, nil)
	c := r.dial()
	for range 20 {
		c.send("/away")
		r.answer <- struct{}{}
		c.want("away")
		c.send("/x")
		c.want(c.own("/x"))
	}
	r.eventually("nothing is away", func() bool { a, b := r.counts(); return a == 0 && b == 0 })
	if n := r.own.Load(); n != 20 {
		t.Errorf("%d requests were served, want 20", n)
	}
}

// Requests that are sent ahead come back with the connection, however many there are.
func TestReturnsWithRequests(t *testing.T) {
	r := start(t, nil)
	c := r.dial()
	long := "/" + strings.Repeat("x", 3000)
	c.send("/away", long, long, long, "/away", long, long, long, "/away", "/last")
	for range 2 {
		r.answer <- struct{}{}
		c.want("away")
		for range 3 {
			c.want(c.own(long))
		}
	}
	r.answer <- struct{}{}
	c.want("away")
	c.want(c.own("/last"))
}

// Shutdown waits for the response of a connection that is away, and closes those that are idle.
func TestShutdownWaits(t *testing.T) {
	r := start(t, nil)
	idle, busy := r.dial(), r.dial()
	idle.send("/away")
	r.answer <- struct{}{}
	idle.want("away")
	busy.send("/away")
	r.eventually("both are away", func() bool { a, b := r.counts(); return a == 2 && b == 1 && r.taken() == 2 })
	done := r.shutdown(t.Context())
	idle.wantEnd()
	select {
	case err := <-done:
		t.Fatalf("Shutdown did not wait: %v", err)
	case <-time.After(100 * time.Millisecond):
	}
	r.answer <- struct{}{}
	busy.want("away")
	_ = busy.Close()
	if err := r.wait("Shutdown", done); err != nil {
		t.Error(err)
	}
	if d, c := r.drains.Load(), r.cuts.Load(); d != 1 || c != 0 {
		t.Errorf("%d drains and %d cuts, want 1 and 0", d, c)
	}
	if a, _ := r.counts(); a != 0 {
		t.Errorf("%d connections are away", a)
	}
}

// Shutdown returns when idle connections are closed, although nothing was busy for long.
func TestShutdownIdle(t *testing.T) {
	for _, rest := range []time.Duration{0, 2 * restTime} {
		r := start(t, nil)
		c := r.dial()
		c.send("/away")
		r.answer <- struct{}{}
		c.want("away")
		time.Sleep(rest)
		if err := r.wait("Shutdown", r.shutdown(t.Context())); err != nil {
			t.Error(err)
		}
		if a, _ := r.counts(); a != 0 {
			t.Errorf("%d connections are away", a)
		}
		c.wantEnd()
	}
}

// Shutdown honours its context. What is left is cut later.
func TestShutdownContext(t *testing.T) {
	r := start(t, nil)
	c := r.dial()
	c.send("/away")
	r.eventually("it is away", func() bool { a, _ := r.counts(); return a == 1 && r.taken() == 1 })
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	begun := time.Now()
	if err := r.wait("Shutdown", r.shutdown(ctx)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Shutdown: %v", err)
	}
	if d := time.Since(begun); d > 250*time.Millisecond {
		t.Logf("Shutdown took %v, its context 50ms", d) // less than Patience, on a quiet machine
	}
	c.wantEnd()
	if n := r.cuts.Load(); n != 1 {
		t.Errorf("%d cuts", n)
	}
}

// Without a limit of its own, Shutdown returns soon after Patience.
func TestShutdownCuts(t *testing.T) {
	r := start(t, nil)
	c := r.dial()
	c.send("/away")
	r.eventually("it is away", func() bool { a, _ := r.counts(); return a == 1 && r.taken() == 1 })
	if err := r.wait("Shutdown", r.shutdown(t.Context())); err != nil {
		t.Error(err)
	}
	c.wantEnd()
	if n := r.cuts.Load(); n != 1 {
		t.Errorf("%d cuts", n)
	}
}

// Close of the http.Server does not wait, and cuts.
func TestClose(t *testing.T) {
	r := start(t, nil)
	c, idle := r.dial(), r.dial()
	idle.send("/away")
	r.answer <- struct{}{}
	idle.want("away")
	c.send("/away")
	r.eventually("both are away", func() bool { a, b := r.counts(); return a == 2 && b == 1 && r.taken() == 2 })
	begun := time.Now()
	if err := r.hs.Close(); err != nil {
		t.Error(err)
	}
	c.wantEnd()
	idle.wantEnd()
	if d := time.Since(begun); d > 250*time.Millisecond {
		t.Errorf("it took %v", d)
	}
	if n := r.cuts.Load(); n != 1 {
		t.Errorf("%d cuts", n)
	}
}

// After the end nothing leaves, and what returns is closed.
func TestEnded(t *testing.T) {
	r := start(t, nil)
	c := r.dial()
	c.send("/away")
	r.answer <- struct{}{}
	c.want("away")
	s := r.server(nil)
	if err := r.wait("Shutdown", r.shutdown(t.Context())); err != nil {
		t.Error(err)
	}
	select {
	case <-s.Done():
	case <-time.After(patience):
		t.Fatal("it is not done")
	}
	if s.Leave() {
		t.Error("a connection left")
	}
	a, b := net.Pipe()
	defer b.Close()
	s.mu.Lock()
	s.away, s.empty = 1, make(chan struct{})
	s.mu.Unlock()
	s.Return(a, []byte("x"), nil)
	if _, err := a.Write([]byte("x")); err == nil {
		t.Error("the connection is open")
	}
	if s := Join(r.hs, a.LocalAddr(), s.opts); s.Leave() {
		t.Error("a connection left an http.Server that has ended")
	}
}

// Close ends the service while the http.Server goes on.
func TestServiceCloses(t *testing.T) {
	r := start(t, nil)
	c, busy := r.dial(), r.dial()
	c.send("/away")
	r.answer <- struct{}{}
	c.want("away")
	busy.send("/away")
	r.eventually("both are away", func() bool { a, b := r.counts(); return a == 2 && b == 1 && r.taken() == 2 })
	r.server(nil).Close()
	c.send("/late")
	c.wantEnd()
	busy2 := r.dial()
	busy2.send("/here")
	busy2.want(busy2.own("/here"))
	if r.drains.Load() != 0 {
		t.Error("the end of the service drains")
	}
	if err := r.wait("Shutdown", r.shutdown(t.Context())); err != nil {
		t.Error(err)
	}
	r.answer <- struct{}{}
	busy.want("away")
}

// Hooks of the http.Server see connections that return, and the stand-in, as they see others.
func TestHooks(t *testing.T) {
	var mu sync.Mutex
	states := map[net.Conn][]http.ConnState{}
	var contexts atomic.Int64
	type key struct{}
	r := start(t, func(hs *http.Server) {
		hs.ConnState = func(c net.Conn, s http.ConnState) {
			mu.Lock()
			defer mu.Unlock()
			_, _ = c.RemoteAddr().(*net.TCPAddr), c.LocalAddr().(*net.TCPAddr)
			states[c] = append(states[c], s)
		}
		hs.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
			contexts.Add(1)
			return context.WithValue(ctx, key{}, c)
		}
		hs.BaseContext = func(l net.Listener) context.Context {
			_ = l.Addr().(*net.TCPAddr)
			return context.Background()
		}
	})
	c := r.dial()
	c.send("/away")
	r.answer <- struct{}{}
	c.want("away")
	c.send("/x")
	c.want(c.own("/x"))
	_ = c.Close()
	all := func() (got []string) {
		mu.Lock()
		defer mu.Unlock()
		for _, s := range states {
			var line []string
			for _, s := range s {
				line = append(line, s.String())
			}
			got = append(got, strings.Join(line, " "))
		}
		slices.Sort(got)
		return got
	}
	want := []string{"new active closed", "new active hijacked", "new active idle closed"}
	r.eventually("all have ended", func() bool { return slices.Equal(all(), want) })
	if n := contexts.Load(); n != 3 {
		t.Errorf("%d contexts", n)
	}
}

// A host whose hooks take no other connections than net's own keeps its connections, and goes on.
func TestHookPanics(t *testing.T) {
	for _, setUp := range []func(*http.Server){
		func(hs *http.Server) {
			hs.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
				return context.WithValue(ctx, http.LocalAddrContextKey, c.(*net.TCPConn).LocalAddr())
			}
		},
		func(hs *http.Server) { hs.ConnState = func(c net.Conn, _ http.ConnState) { _ = c.(*net.TCPConn) } },
		func(hs *http.Server) {
			hs.ConnState = func(c net.Conn, s http.ConnState) {
				if s == http.StateActive {
					_ = c.(*net.TCPConn)
				}
			}
		},
		func(hs *http.Server) {
			hs.BaseContext = func(l net.Listener) context.Context { _ = l.(*net.TCPListener); return context.Background() }
		},
	} {
		r := start(t, setUp)
		for range 2 {
			c := r.dial()
			c.send("/away", "/x")
			c.want("")
			c.want(c.own("/x"))
		}
		if a, b := r.counts(); a != 0 || b != 0 {
			t.Errorf("%d are away, %d busy", a, b)
		}
	}
}

// Connections leave and return while the http.Server shuts down or is closed. None is lost, and
// nothing hangs.
func TestEndRaces(t *testing.T) {
	for round := range 20 {
		r := start(t, nil)
		stop := make(chan struct{})
		var answering, asking sync.WaitGroup
		answering.Go(func() {
			for {
				select {
				case r.answer <- struct{}{}:
				case <-stop:
					return
				}
			}
		})
		for range 8 {
			c := r.dial()
			asking.Go(func() {
				for range 1000 {
					c.send("/away")
					resp, err := http.ReadResponse(c.in, nil)
					if err != nil {
						return
					}
					_ = resp.Body.Close()
				}
			})
		}
		time.Sleep(time.Duration(round) * time.Millisecond)
		if round%2 == 0 {
			if err := r.wait("Shutdown", r.shutdown(t.Context())); err != nil {
				t.Error(err)
			}
		} else {
			_ = r.hs.Close()
		}
		asking.Wait()
		close(stop)
		answering.Wait()
		r.eventually("nothing is away", func() bool { a, b := r.counts(); return a == 0 && b == 0 })
	}
}

// httptest's Close waits for a busy connection, as for any request, and for no other.
func TestHTTPTest(t *testing.T) {
	r := &rig{T: t, answer: make(chan struct{}), aways: map[*away]bool{}}
	ts := httptest.NewUnstartedServer(http.HandlerFunc(r.leave))
	r.hs = ts.Config
	ts.Start()
	r.addr = ts.Listener.Addr().String()
	c := r.dial()
	c.send("/away")
	r.answer <- struct{}{}
	c.want("away")
	closed := make(chan error, 1)
	go func() { ts.Close(); closed <- nil }()
	_ = r.wait("Close", closed)
	_ = c.Close()
	r.eventually("nothing is away", func() bool { a, _ := r.counts(); return a == 0 })
	r.server(nil).Close()
}
