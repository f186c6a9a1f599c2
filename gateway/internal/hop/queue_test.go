package hop

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/gateway/internal/link"
)

func TestQueue(t *testing.T) {
	release := make(chan struct{})
	var inside gauge
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		id, _ := idOf(r)
		inside.add(1)
		<-release
		inside.add(-1)
		answer(w, id)
	})
	const concurrency, queue = 8, 1000
	u, l, r := open(t, s.URL, Options{Concurrency: concurrency, Queue: queue, QueueTimeout: time.Minute, BreakerAfter: 10000}, OpenOptions{})
	for id := int64(1); id <= concurrency; id++ {
		l.Send(call(id))
	}
	until(t, "full", func() bool { now, _ := inside.get(); return now == concurrency })
	before := runtime.NumGoroutine()
	for id := int64(concurrency + 1); id <= concurrency+queue; id++ {
		l.Send(call(id))
	}
	if after := runtime.NumGoroutine(); after > before+2 {
		t.Errorf("%d goroutines for %d jobs, %d before", after, queue, before)
	}
	l.Send(call(9999))
	if err := r.failed(t, 9999, link.Busy, true); err.RetryAfter < time.Second || err.RetryAfter > 2*time.Second {
		t.Errorf("got %+v", err)
	}
	l.Cancel(concurrency + queue)
	if st := u.Stats(); st.Queued != queue-1 || st.InFlight != concurrency || st.Busy != 1 {
		t.Errorf("got %+v", st)
	}
	close(release)
	seen := map[string]bool{}
	for range concurrency + queue - 1 {
		seen[r.next(t).msg] = true
	}
	for id := int64(1); id < concurrency+queue; id++ {
		if !seen[result(id)] {
			t.Fatalf("no response for %d", id)
		}
	}
	r.none(t, 5*time.Millisecond)
	if _, most := inside.get(); most != concurrency {
		t.Errorf("%d at once, want %d", most, concurrency)
	}
	until(t, "goroutines end", func() bool { st := u.Stats(); return st.InFlight == 0 && st.Sockets <= concurrency+1 })
}

func TestQueueTimeout(t *testing.T) {
	release := make(chan struct{})
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		id, _ := idOf(r)
		<-release
		answer(w, id)
	})
	_, l, r := open(t, s.URL, Options{Concurrency: 1, QueueTimeout: 30 * time.Millisecond}, OpenOptions{})
	l.Send(call(1))
	l.Send(call(2))
	m := call(3)
	m.Deadline = time.Now().Add(10 * time.Millisecond)
	l.Send(m)
	r.failed(t, 3, link.Timeout, true)
	if err := r.failed(t, 2, link.Busy, true); err.RetryAfter <= 0 {
		t.Errorf("got %+v", err)
	}
	close(release)
	r.received(t, 1, result(1))
}

// What no request may hold up has a place of its own.
func TestControlIsNotHeldUp(t *testing.T) {
	got := make(chan struct{})
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		id, method := idOf(r)
		if method == "tools/call" {
			<-got
			answer(w, id)
			return
		}
		w.WriteHeader(202)
		got <- struct{}{}
	})
	_, l, r := open(t, s.URL, Options{Concurrency: 1}, OpenOptions{})
	l.Send(call(1))
	l.Send(&link.Message{Kind: link.Response, Body: []byte(`{"jsonrpc":"2.0","result":{}}`)})
	r.received(t, 1, result(1))
}

func TestBreaker(t *testing.T) {
	now := time.Unix(1e9, 0)
	b := breaker{after: 3, wait: time.Second, max: 4 * time.Second}
	want := func(what string, wantOK, wantProbe bool) {
		t.Helper()
		if _, probe, ok := b.admit(now); ok != wantOK || probe != wantProbe {
			t.Errorf("%s: got %t, probe %t", what, ok, probe)
		}
	}
	b.report(now, false, false)
	b.report(now, false, false)
	b.report(now, true, false)
	b.report(now, false, false)
	b.report(now, false, false)
	want("two failures in a row", true, false)
	if !b.report(now, false, false) || b.state(now) != BreakerOpen {
		t.Error("three failures do not open it")
	}
	for _, wait := range []time.Duration{time.Second, 2 * time.Second, 4 * time.Second, 4 * time.Second} {
		want("open", false, false)
		now = now.Add(wait - 1)
		want("still open", false, false)
		now = now.Add(1)
		if b.state(now) != BreakerHalfOpen {
			t.Error("not half-open")
		}
		want("probe", true, true)
		want("second probe", false, false)
		now = now.Add(time.Second)
		want("second probe, when the first takes long", true, true)
		b.giveUp()
		want("probe again", true, true)
		b.report(now, true, false)
		want("success of another", false, false)
		b.report(now, false, true)
	}
	now = now.Add(time.Minute)
	want("probe", true, true)
	b.report(now, true, true)
	want("closed", true, false)
	if b.state(now) != BreakerClosed {
		t.Error("not closed")
	}
}

func TestBreakerOfUpstream(t *testing.T) {
	var status atomic.Int32
	status.Store(503)
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		id, _ := idOf(r)
		if code := int(status.Load()); code != 200 {
			w.WriteHeader(code)
			return
		}
		answer(w, id)
	})
	const wait = 400 * time.Millisecond
	u, l, r := open(t, s.URL, Options{BreakerWait: wait}, OpenOptions{})
	for id := int64(1); id <= 5; id++ {
		l.Send(call(id))
		r.failed(t, id, link.Status, false)
	}
	l.Send(call(6))
	if err := r.failed(t, 6, link.Down, true); err.RetryAfter <= 0 || err.RetryAfter > 2*wait {
		t.Errorf("got %+v", err)
	}
	until(t, "half-open", func() bool { return u.Stats().Breaker == BreakerHalfOpen })
	l.Send(call(7)) // the probe
	r.failed(t, 7, link.Status, false)
	status.Store(200)
	l.Send(call(8))
	r.failed(t, 8, link.Down, true)
	until(t, "half-open", func() bool { return u.Stats().Breaker == BreakerHalfOpen })
	l.Send(call(9))
	r.received(t, 9, result(9))
	if st := u.Stats(); st.Breaker != BreakerClosed || st.Opened != 2 || st.Down != 2 {
		t.Errorf("got %+v", st)
	}
	status.Store(404)
	for id := int64(10); id <= 20; id++ {
		l.Send(call(id))
		r.failed(t, id, link.Status, false)
	}
	if st := u.Stats(); st.Breaker != BreakerClosed {
		t.Errorf("404 opens the breaker: %+v", st)
	}
}

// Nothing listens: the request was not sent, and says so.
func TestRefusedConnection(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	url := "http://" + ln.Addr().String()
	ln.Close()
	u, l, r := open(t, url, Options{}, OpenOptions{})
	for id := int64(1); id <= 5; id++ {
		l.Send(call(id))
		r.failed(t, id, link.Lost, true)
	}
	l.Send(call(6))
	r.failed(t, 6, link.Down, true)
	l.Send(note("notifications/cancelled"))
	until(t, "dropped", func() bool { return u.Stats().Dropped == 1 })
}

// The server closes an idle connection at the moment at which a request is sent on it. A request of
// which something was written is not sent again.
func TestKeepAliveRace(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	var got gauge
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				br := bufio.NewReader(c)
				for n := range 2 {
					req, err := http.ReadRequest(br)
					if err != nil {
						return
					}
					id, _ := idOf(req)
					got.add(1)
					if n == 1 {
						return // read, and hung up on
					}
					body := result(id)
					_, _ = fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
				}
			}()
		}
	}()
	_, l, r := open(t, "http://"+ln.Addr().String(), Options{BreakerAfter: 1000}, OpenOptions{})
	lost := 0
	for id := int64(1); id <= 50; id++ {
		l.Send(call(id))
		switch o := r.next(t); {
		case o.err == nil:
		case o.err.Reason == link.Lost && !o.err.Unsent:
			lost++
		default:
			t.Fatalf("got %v", o)
		}
	}
	if sent, _ := got.get(); sent != 50 || lost != 25 {
		t.Errorf("%d requests arrived, %d lost; want 50 and 25", sent, lost)
	}
}

// Connections are closed before the server would do so, and not while they are used.
func TestAnnouncedKeepAlive(t *testing.T) {
	t.Parallel()
	s := newLeaky(t, 10, 0)
	s.keep = "Keep-Alive: timeout=1\r\n"
	u, l, r := open(t, s.url(), Options{}, OpenOptions{})
	l.Send(call(1))
	r.received(t, 1, result(1))
	time.Sleep(500 * time.Millisecond)
	l.Send(call(2))
	r.received(t, 2, result(2))
	if st := u.Stats(); st.Dials != 1 || st.Sockets != 1 {
		t.Errorf("got %+v", st)
	}
	began := time.Now()
	until(t, "closed", func() bool { return u.Stats().Sockets == 0 })
	if d := time.Since(began); d < 600*time.Millisecond || d > 950*time.Millisecond {
		t.Errorf("closed after %v, want 750 ms", d)
	}
	s.keep = "Keep-Alive: timeout=20, max=0\r\n"
	l.Send(call(3))
	r.received(t, 3, result(3))
	until(t, "closed at the last request", func() bool { return u.Stats().Sockets == 0 })
	if hung, _ := s.hung.get(); hung != 0 {
		t.Errorf("%d responses were hung up on", hung)
	}
}

func TestSlowHead(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		id, _ := idOf(r)
		time.Sleep(100 * time.Millisecond)
		answer(w, id)
	})
	u, l, r := open(t, s.URL, Options{}, OpenOptions{})
	m := call(1)
	m.Deadline = time.Now().Add(10 * time.Millisecond)
	l.Send(m)
	r.failed(t, 1, link.Timeout, false)
	until(t, "read", func() bool { return u.Stats().Abandoned == 0 })
	l.Send(call(2))
	r.received(t, 2, result(2))
	if st := u.Stats(); st.Dials != 1 || st.HungUp != 0 {
		t.Errorf("got %+v", st)
	}
}

// The head of a response is limited.
func TestHugeHead(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		for i := range 300 {
			w.Header().Set(fmt.Sprint("X-", i), strings.Repeat("a", 1000))
		}
	})
	_, l, r := open(t, s.URL, Options{}, OpenOptions{})
	l.Send(call(1))
	r.failed(t, 1, link.Lost, false)
}
