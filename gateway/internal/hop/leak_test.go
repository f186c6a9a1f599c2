package hop

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/gateway/internal/link"
)

// A leaky server keeps the slot of a client that hangs up on a request for ever, as servers do that
// block a thread for each request and see a FIN only when they write.
type leaky struct {
	ln    net.Listener
	slots chan struct{}
	delay time.Duration
	conns gauge
	hung  gauge // clients that closed a connection before its response had ended
	keep  string

	mu  sync.Mutex
	all []net.Conn
	wg  sync.WaitGroup
}

func newLeaky(t testing.TB, slots int, delay time.Duration) *leaky {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &leaky{ln: ln, slots: make(chan struct{}, slots), delay: delay}
	s.wg.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			s.mu.Lock()
			s.all = append(s.all, c)
			s.mu.Unlock()
			s.wg.Go(func() { s.serve(c) })
		}
	})
	t.Cleanup(func() {
		ln.Close()
		s.mu.Lock()
		for _, c := range s.all {
			c.Close()
		}
		s.mu.Unlock()
		s.wg.Wait()
	})
	return s
}

func (s *leaky) url() string { return "http://" + s.ln.Addr().String() + "/mcp" }

func (s *leaky) serve(c net.Conn) {
	select {
	case s.slots <- struct{}{}:
	default:
		return // the socket waits for ever
	}
	s.conns.add(1)
	br := bufio.NewReader(c)
	for {
		req, err := http.ReadRequest(br)
		if err != nil { // idle: this is seen
			s.conns.add(-1)
			<-s.slots
			c.Close()
			return
		}
		id, _ := idOf(req)
		time.Sleep(s.delay)
		body := result(id)
		if _, err = fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n%sContent-Length: %d\r\n\r\n", s.keep, len(body)); err == nil {
			time.Sleep(s.delay / 2)
			c.SetReadDeadline(time.Now().Add(time.Millisecond))
			if _, err = br.Peek(1); err != io.EOF {
				c.SetReadDeadline(time.Time{})
				_, err = io.WriteString(c, body)
			}
		}
		if err != nil {
			s.hung.add(1)
			return // the slot is never free again
		}
	}
}

// 2,000 calls are cancelled, 64 at a time, at a server that leaks what is hung up on.
func TestCancelledCallsLeaveNothing(t *testing.T) {
	s := newLeaky(t, 150, 10*time.Millisecond)
	u, l, r := open(t, s.url(), Options{}, OpenOptions{})
	var calls sync.WaitGroup
	next := make(chan int64, 64)
	for range 64 {
		calls.Go(func() {
			for id := range next {
				l.Send(call(id))
				time.Sleep(time.Duration(id%7) * time.Millisecond)
				l.Cancel(id)
			}
		})
	}
	peak := 0
	for id := int64(1); id <= 2000; id++ {
		next <- id
		peak = max(peak, u.Stats().Sockets)
	}
	close(next)
	calls.Wait()
	until(t, "nothing in flight", func() bool { st := u.Stats(); return st.InFlight == 0 && st.Queued == 0 && st.Abandoned == 0 })
	l.Send(call(5000))
	for o := r.next(t); ; o = r.next(t) {
		if o.err != nil && o.id == 5000 {
			t.Fatalf("got %v after all were cancelled", o)
		}
		if o.msg == result(5000) {
			break
		}
	}
	st := u.Stats()
	_, most := s.conns.get()
	hung, _ := s.hung.get()
	if peak > 33 || most > 33 || hung != 0 || st.HungUp != 0 || st.Dials > 33 {
		t.Errorf("%d sockets here, %d there, %d hung up on; %+v", peak, most, hung, st)
	}
	if st.Requests < 100 {
		t.Errorf("only %d requests were sent: nothing is proven", st.Requests)
	}
}

// Calls that are not answered within their time are read to the end, and while too many of them
// are, no new ones are sent.
func TestAbandoned(t *testing.T) {
	release := make(chan struct{})
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		id, method := idOf(r)
		if method == "tools/call" {
			<-release
		}
		answer(w, id)
	})
	u, l, r := open(t, s.URL, Options{BreakerAfter: 1000}, OpenOptions{})
	for id := int64(1); id <= 9; id++ {
		m := call(id)
		m.Deadline = time.Now().Add(50 * time.Millisecond)
		l.Send(m)
	}
	for range 9 {
		if o := r.next(t); o.err == nil || o.err.Reason != link.Timeout || o.err.Unsent {
			t.Fatalf("got %v", o)
		}
	}
	if st := u.Stats(); st.Abandoned != 9 || st.InFlight != 9 || st.HungUp != 0 {
		t.Fatalf("got %+v", st)
	}
	l.Send(call(10))
	if err := r.failed(t, 10, link.Down, true); err.RetryAfter <= 0 {
		t.Errorf("got %+v", err)
	}
	l.Send(note("notifications/cancelled")) // is not held up
	until(t, "the notification", func() bool { return u.Stats().Requests == 10 })
	close(release)
	until(t, "all read", func() bool { return u.Stats().Abandoned == 0 })
	l.Send(call(11))
	r.received(t, 11, result(11))
	if st := u.Stats(); st.HungUp != 0 || st.Dials > 10 {
		t.Errorf("got %+v", st)
	}
}

// A response that never ends is hung up on in the end, and that is counted.
func TestEndlessResponse(t *testing.T) {
	for name, text := range map[string]string{"SSE comments": ":\n\n", "blanks": " ", "JSON": `{"a":"`, "nothing": ""} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				for r.Context().Err() == nil {
					if text != "" {
						_, _ = io.WriteString(w, text)
						_ = http.NewResponseController(w).Flush()
					}
					time.Sleep(5 * time.Millisecond)
				}
			})
			u, l, r := open(t, s.URL, Options{AbandonTimeout: 50 * time.Millisecond}, OpenOptions{})
			m := call(1)
			m.Deadline = time.Now().Add(50 * time.Millisecond)
			l.Send(m)
			r.failed(t, 1, link.Timeout, false)
			until(t, "the end", func() bool { st := u.Stats(); return st.InFlight == 0 && st.HungUp == 1 && st.Sockets == 0 })
			r.none(t, 5*time.Millisecond)
		})
	}
}

// What a server sends in excess is thrown away, up to a limit.
func TestFlood(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		chunk := make([]byte, 64<<10)
		for i := range chunk {
			chunk[i] = '['
		}
		for {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	})
	u, l, r := open(t, s.URL, Options{MaxMessage: 100 << 10}, OpenOptions{})
	l.Send(call(1))
	r.failed(t, 1, link.TooLong, false)
	until(t, "the end", func() bool { return u.Stats().InFlight == 0 })
	if st := u.Stats(); st.HungUp != 1 || st.BytesIn > 4<<20 {
		t.Errorf("got %+v", st)
	}
}

// On 2026-07-28 the response is closed, which is how a server learns of it.
func TestModernCancel(t *testing.T) {
	gone := make(chan struct{}, 1)
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
		gone <- struct{}{}
	})
	u, l, r := open(t, s.URL, Options{}, OpenOptions{})
	l.Negotiated(modernVersion)
	l.Send(call(1))
	until(t, "in flight", func() bool { return u.Stats().BytesOut > 0 })
	l.Cancel(1)
	<-gone
	until(t, "the end", func() bool { st := u.Stats(); return st.InFlight == 0 && st.HungUp == 1 && st.Abandoned == 0 })
	r.none(t, 5*time.Millisecond)
}

// Close waits for what is in flight, and does not wait longer than it may.
func TestClose(t *testing.T) {
	release := make(chan struct{})
	defer close(release)
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		select {
		case <-release:
		case <-r.Context().Done():
		}
	})
	u, l, r := open(t, s.URL, Options{Concurrency: 1}, OpenOptions{})
	l.Send(call(1))
	until(t, "in flight", func() bool { return u.Stats().BytesOut > 0 })
	l.Send(call(2))
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Millisecond)
	defer cancel()
	if err := u.Close(ctx); err == nil {
		t.Error("Close did not report that its time was over")
	}
	unsent := map[int64]bool{}
	for range 2 {
		o := r.next(t)
		if o.err == nil || o.err.Reason != link.Closed {
			t.Fatalf("got %v", o)
		}
		unsent[o.id] = o.err.Unsent
	}
	if unsent[1] || !unsent[2] {
		t.Errorf("unsent: got %v", unsent)
	}
	l.Send(call(3))
	r.failed(t, 3, link.Closed, true)
	r.none(t, 5*time.Millisecond)
}
