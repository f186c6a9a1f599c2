package hop

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/gateway/internal/link"
)

const listChanged = `{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}`

func flush(w http.ResponseWriter, text string) {
	w.Header().Set("Content-Type", "text/event-stream")
	_, _ = io.WriteString(w, text)
	_ = http.NewResponseController(w).Flush()
}

// The stream of a session is opened again with Last-Event-ID, and ends with the session.
func TestStream(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var ids []string
	deleted := make(chan struct{})
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		id, method := idOf(r)
		switch {
		case r.Method == http.MethodDelete:
			close(deleted)
		case r.Method == http.MethodGet:
			mu.Lock()
			ids = append(ids, r.Header.Get("Last-Event-ID")+" "+r.Header.Get("Mcp-Session-Id")+" "+r.Header.Get("Accept"))
			n := len(ids)
			mu.Unlock()
			switch n {
			case 1:
				flush(w, "id: 7\nretry: 10\ndata: "+listChanged+"\n\n")
			case 2:
				w.WriteHeader(503)
			default:
				flush(w, ":\n\ndata: "+listChanged+"\n\n")
				<-deleted
			}
		case method == "initialize":
			w.Header().Set("Mcp-Session-Id", "s")
			answer(w, id)
		default:
			answer(w, id)
		}
	})
	u, l, r := open(t, s.URL, Options{}, OpenOptions{})
	l.Send(initialize(1))
	r.received(t, 1, result(1))
	states := make(chan link.StreamState, 10)
	l.Stream(func(s link.StreamState) { states <- s })
	l.Stream(func(link.StreamState) { t.Error("opened twice") })
	r.received(t, 0, listChanged)
	r.received(t, 0, listChanged)
	for i, want := range []link.StreamState{link.StreamOpen, link.StreamDown, link.StreamResumed} {
		if got := <-states; got != want {
			t.Errorf("state %d: got %v, want %v", i, got, want)
		}
	}
	if st := u.Stats(); st.Streams != 1 {
		t.Errorf("got %+v", st)
	}
	l.Send(call(2))
	r.received(t, 2, result(2))
	l.Close()
	until(t, "the end", func() bool { st := u.Stats(); return st.Streams == 0 && st.HungUp == 0 })
	mu.Lock()
	defer mu.Unlock()
	if want := []string{" s text/event-stream", "7 s text/event-stream", "7 s text/event-stream"}; !slices.Equal(ids, want) {
		t.Errorf("got %q, want %q", ids, want)
	}
	r.none(t, 5*time.Millisecond)
}

func TestStreamRefused(t *testing.T) {
	for _, status := range []int{400, 404, 405, 501, 200} {
		gets := 0
		s := serve(t, func(w http.ResponseWriter, r *http.Request) {
			gets++
			w.WriteHeader(status)
		})
		u, l, _ := open(t, s.URL, Options{}, OpenOptions{})
		states := make(chan link.StreamState, 10)
		l.Stream(func(s link.StreamState) { states <- s })
		if got := <-states; got != link.StreamRefused {
			t.Errorf("%d: got %v", status, got)
		}
		until(t, "the end", func() bool { return u.Stats().Streams == 0 })
		if gets != 1 {
			t.Errorf("%d: %d requests", status, gets)
		}
	}
}

// That the stream cannot be had now is reported once.
func TestStreamDown(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	gets := 0
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if gets++; gets < 3 {
			w.WriteHeader(503)
			return
		}
		w.WriteHeader(405)
	})
	_, l, _ := open(t, s.URL, Options{}, OpenOptions{})
	states := make(chan link.StreamState, 10)
	l.Stream(func(s link.StreamState) { states <- s })
	for i, want := range []link.StreamState{link.StreamDown, link.StreamRefused} {
		if got := <-states; got != want {
			t.Errorf("state %d: got %v, want %v", i, got, want)
		}
	}
}

// A session that the server does not know when its stream is opened again is lost.
func TestStreamExpired(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	gets := 0
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		id, method := idOf(r)
		mu.Lock()
		defer mu.Unlock()
		switch {
		case r.Method == http.MethodGet:
			if gets++; gets > 1 {
				w.WriteHeader(404)
				return
			}
			flush(w, "data: "+listChanged+"\n\n")
		default:
			if method == "initialize" {
				w.Header().Set("Mcp-Session-Id", "s")
			}
			answer(w, id)
		}
	})
	u, l, r := open(t, s.URL, Options{}, OpenOptions{})
	l.Send(initialize(1))
	r.received(t, 1, result(1))
	l.Stream(func(link.StreamState) {})
	r.received(t, 0, listChanged)
	if o := r.next(t); !o.lost || o.err.Reason != link.Expired {
		t.Errorf("got %v", o)
	}
	until(t, "the end", func() bool { return u.Stats().Streams == 0 })
}

// A server that does not end the stream of a deleted session is hung up on in the end.
func TestStreamOfLeakyServer(t *testing.T) {
	t.Parallel()
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			flush(w, ":\n\n")
			<-r.Context().Done()
			return
		}
		w.WriteHeader(405)
	})
	u, l, _ := open(t, s.URL, Options{}, OpenOptions{})
	opened := make(chan link.StreamState, 10)
	l.Stream(func(s link.StreamState) { opened <- s })
	<-opened
	l.Close()
	until(t, "the end", func() bool { st := u.Stats(); return st.Streams == 0 && st.HungUp == 1 && st.Sockets == 0 })
}

// A response that broke off is taken up again if its events have ids (SEP-1699).
func TestResume(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var got []string
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		id, _ := idOf(r)
		mu.Lock()
		defer mu.Unlock()
		got = append(got, r.Method+" "+r.Header.Get("Last-Event-ID"))
		switch len(got) {
		case 1:
			flush(w, fmt.Sprintf("id: a%d\nretry: 1\ndata:\n\n", id))
		case 2:
			w.WriteHeader(503)
		case 3:
			flush(w, "id: b\ndata: "+progress+"\n\n")
		default:
			flush(w, "data: "+result(1)+"\n\n")
		}
	})
	u, l, r := open(t, s.URL, Options{Concurrency: 1}, OpenOptions{})
	l.Negotiated("2025-11-25")
	l.Send(call(1))
	r.received(t, 1, progress)
	r.received(t, 1, result(1))
	until(t, "the end", func() bool { st := u.Stats(); return st.InFlight == 0 && st.Parked == 0 })
	mu.Lock()
	defer mu.Unlock()
	if want := []string{"POST ", "GET a1", "GET a1", "GET b"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// While a response waits to be taken up again, it occupies no place, and can be given up.
func TestParked(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		id, method := idOf(r)
		if r.Method == http.MethodGet {
			t.Error("taken up again too early")
		}
		if method == "initialize" {
			answer(w, id)
			return
		}
		flush(w, "id: a\nretry: 60000\ndata:\n\n")
	})
	u, l, r := open(t, s.URL, Options{Concurrency: 1}, OpenOptions{})
	m := call(1)
	m.Deadline = time.Now().Add(100 * time.Millisecond)
	l.Send(m)
	l.Send(call(2))
	until(t, "parked", func() bool { return u.Stats().Parked == 2 })
	l.Send(initialize(3))
	r.received(t, 3, result(3))
	r.failed(t, 1, link.Timeout, false)
	l.Cancel(2)
	if st := u.Stats(); st.Parked != 0 || st.InFlight != 0 || st.HungUp != 0 {
		t.Errorf("got %+v", st)
	}
}

// Resuming ends: the server has no GET, or nothing comes of it.
func TestResumeFails(t *testing.T) {
	t.Parallel()
	for _, status := range []int{405, 404, 200} {
		s := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodGet && status != 200 {
				w.WriteHeader(status)
				return
			}
			flush(w, "id: a\nretry: 0\ndata:\n\n")
		})
		_, l, r := open(t, s.URL, Options{}, OpenOptions{})
		l.Send(call(1))
		r.failed(t, 1, link.Lost, false)
	}
}

// A response stream that stays open after the response is closed after a while.
func TestStreamAfterResponse(t *testing.T) {
	t.Parallel()
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		id, _ := idOf(r)
		flush(w, "data: "+result(id)+"\n\n")
		<-r.Context().Done()
	})
	u, l, r := open(t, s.URL, Options{}, OpenOptions{})
	l.Send(call(1))
	r.received(t, 1, result(1))
	until(t, "the end", func() bool { st := u.Stats(); return st.InFlight == 0 && st.HungUp == 1 && st.Abandoned == 0 })
}

// A listen may be the probe of the breaker: it shows that the upstream answers, and stays open.
func TestEndlessProbe(t *testing.T) {
	var down atomic.Bool
	down.Store(true)
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		id, method := idOf(r)
		switch {
		case down.Load():
			w.WriteHeader(503)
		case method == "subscriptions/listen":
			flush(w, ":\n\n")
			<-r.Context().Done()
		default:
			answer(w, id)
		}
	})
	u, l, r := open(t, s.URL, Options{BreakerAfter: 1, BreakerWait: 20 * time.Millisecond}, OpenOptions{})
	l.Negotiated(modernVersion)
	l.Send(call(1))
	r.failed(t, 1, link.Status, false)
	down.Store(false)
	until(t, "half-open", func() bool { return u.Stats().Breaker == BreakerHalfOpen })
	l.Send(&link.Message{Kind: link.Request, ID: 2, Method: "subscriptions/listen", Endless: true,
		Body: []byte(`{"jsonrpc":"2.0","id":2,"method":"subscriptions/listen"}`)})
	until(t, "closed", func() bool { return u.Stats().Breaker == BreakerClosed })
	l.Send(call(3))
	r.received(t, 3, result(3))
}

// A request whose response stays open needs no place, and ends when it is cancelled.
func TestEndless(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		id, method := idOf(r)
		if method != "subscriptions/listen" {
			answer(w, id)
			return
		}
		flush(w, "data: "+listChanged+"\n\n")
		<-r.Context().Done()
	})
	u, l, r := open(t, s.URL, Options{Concurrency: 1, MaxStreams: 2}, OpenOptions{})
	l.Negotiated(modernVersion)
	for id := int64(1); id <= 3; id++ {
		l.Send(&link.Message{Kind: link.Request, ID: id, Method: "subscriptions/listen", Endless: true,
			Body: fmt.Appendf(nil, `{"jsonrpc":"2.0","id":%d,"method":"subscriptions/listen"}`, id)})
	}
	listening := map[int64]bool{}
	for range 3 {
		if o := r.next(t); o.err != nil {
			if o.id != 3 || o.err.Reason != link.Busy {
				t.Errorf("got %v", o)
			}
		} else if o.msg == listChanged {
			listening[o.on] = true
		}
	}
	if !listening[1] || !listening[2] {
		t.Errorf("got %v", listening)
	}
	l.Send(call(4))
	r.received(t, 4, result(4))
	l.Cancel(1)
	until(t, "one ends", func() bool { return u.Stats().Streams == 1 })
	l.Close()
	r.failed(t, 2, link.Closed, false)
	until(t, "all end", func() bool { return u.Stats().Streams == 0 })
}
