package hop

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/gateway/internal/link"
)

// An oldServer is a server of HTTP+SSE with one session.
type oldServer struct {
	endpoint string
	delay    time.Duration
	out      chan string
	end      chan struct{}
	status   int
	slow     gauge // requests without a response
}

func (s *oldServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet {
		time.Sleep(s.delay)
		flush(w, ":\n\nevent: endpoint\ndata: "+s.endpoint+"\n\n")
		for {
			select {
			case m := <-s.out:
				flush(w, "event: message\ndata: "+m+"\n\n")
			case <-s.end:
				return
			case <-r.Context().Done():
				return
			}
		}
	}
	id, method := idOf(r)
	if r.URL.String() != "/message?sessionId=1" || r.Header.Get("Mcp-Session-Id") != "" {
		w.WriteHeader(404)
		return
	}
	w.WriteHeader(s.status)
	if method == "slow" {
		s.slow.add(1)
	}
	if method == "tools/call" && s.status < 300 {
		go func() { s.out <- result(id) }()
	}
}

func newOld() *oldServer {
	return &oldServer{endpoint: "/message?sessionId=1", out: make(chan string, 1), end: make(chan struct{}), status: 202}
}

func TestSSE2024(t *testing.T) {
	s := newOld()
	s.delay = 20 * time.Millisecond
	srv := serve(t, s.ServeHTTP)
	u, l, r := open(t, srv.URL+"/sse", Options{Concurrency: 2}, OpenOptions{Kind: SSE2024})
	for id := int64(1); id <= 20; id++ {
		l.Send(call(id))
	}
	seen := map[string]bool{}
	for range 20 {
		seen[r.next(t).msg] = true
	}
	if len(seen) != 20 {
		t.Errorf("got %v", seen)
	}
	s.out <- listChanged
	r.received(t, 0, listChanged)
	l.Send(note("notifications/initialized"))
	l.Send(&link.Message{Kind: link.Request, ID: 21, Method: "slow", Body: []byte(`{"jsonrpc":"2.0","id":21,"method":"slow"}`)})
	until(t, "in flight", func() bool { now, _ := s.slow.get(); return now == 1 })
	close(s.end)
	r.failed(t, 21, link.Lost, false)
	if o := r.next(t); !o.lost || o.err.Reason != link.Lost {
		t.Errorf("got %v", o)
	}
	l.Send(call(22))
	r.failed(t, 22, link.Closed, true)
	until(t, "the end", func() bool { st := u.Stats(); return st.InFlight == 0 && st.Streams == 0 && st.Links == 0 })
}

// A request that waits for its response occupies a place, and gives it back when it is given up.
func TestSSE2024Places(t *testing.T) {
	s := newOld()
	srv := serve(t, s.ServeHTTP)
	u, l, r := open(t, srv.URL, Options{Concurrency: 1}, OpenOptions{Kind: SSE2024})
	slow := func(id int64) *link.Message {
		return &link.Message{Kind: link.Request, ID: id, Method: "slow", Body: fmt.Appendf(nil, `{"jsonrpc":"2.0","id":%d,"method":"slow"}`, id)}
	}
	l.Send(slow(1))
	l.Send(call(2))
	until(t, "one waits", func() bool { st := u.Stats(); return st.InFlight == 1 && st.Queued == 1 })
	time.Sleep(20 * time.Millisecond)
	l.Cancel(1)
	r.received(t, 0, result(2))
	m := slow(3)
	m.Deadline = time.Now().Add(20 * time.Millisecond)
	l.Send(m)
	r.failed(t, 3, link.Timeout, false)
	until(t, "free", func() bool { return u.Stats().InFlight == 0 })
	l.Close()
	until(t, "the end", func() bool { return u.Stats().Streams == 0 })
	r.none(t, 5*time.Millisecond)
}

func TestSSE2024Refused(t *testing.T) {
	s := newOld()
	s.status = 500
	_, l, r := open(t, serve(t, s.ServeHTTP).URL, Options{}, OpenOptions{Kind: SSE2024})
	l.Send(call(1))
	if err := r.failed(t, 1, link.Status, false); err.Status != 500 {
		t.Errorf("got %+v", err)
	}
}

// Messages do not go to another origin, and not to a server that is none.
func TestSSE2024Endpoint(t *testing.T) {
	for _, endpoint := range []string{"http://example.com/message", "//example.com/", "https:///x", "http://a:b@127.0.0.1/", "\x01:"} {
		s := newOld()
		s.endpoint = endpoint
		_, l, r := open(t, serve(t, s.ServeHTTP).URL, Options{}, OpenOptions{Kind: SSE2024})
		l.Send(call(1)) // before or after the session is lost
		for range 2 {
			if o := r.next(t); o.err == nil || o.err.Reason != link.Malformed && (o.lost || o.err.Reason != link.Closed) || !o.lost && !o.err.Unsent {
				t.Errorf("%q: got %v", endpoint, o)
			}
		}
	}
	for _, status := range []int{404, 405, 500, 200} {
		_, l, r := open(t, serve(t, func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(status) }).URL, Options{}, OpenOptions{Kind: SSE2024})
		l.Send(call(1))
		want := link.Status
		if status == 200 {
			want = link.Malformed
		}
		for range 2 {
			if o := r.next(t); o.err == nil || o.err.Reason != want && o.err.Reason != link.Closed {
				t.Errorf("%d: got %v", status, o)
			}
		}
	}
}
