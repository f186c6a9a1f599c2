package hop

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/gateway/internal/link"
	"pgregory.net/rapid"
)

// behaviours are what the server of TestModel does with a request; it finds the name in Mcp-Name of
// 2026-07-28, or in the field X-Do before.
var behaviours = []string{"json", "sse", "slow", "late", "cut", "resume", "none", "foreign", "500", "404", "400", "hangup", "accepted", "tail"}

func behave(w http.ResponseWriter, r *http.Request) {
	id, _ := idOf(r)
	do := r.Header.Get("X-Do")
	if r.Method == http.MethodGet { // taken up again
		_, _ = fmt.Sscanf(r.Header.Get("Last-Event-ID"), "%d", &id)
		do = "sse"
	}
	switch do {
	case "json":
		answer(w, id)
	case "sse":
		flush(w, "data: "+progress+"\n\ndata: "+result(id)+"\n\n")
	case "slow":
		time.Sleep(5 * time.Millisecond)
		answer(w, id)
	case "late":
		flush(w, ":\n\n")
		time.Sleep(10 * time.Millisecond)
		flush(w, "data: "+result(id)+"\n\n")
	case "cut":
		w.Header().Set("Content-Length", "1000")
		_, _ = io.WriteString(w, result(id)[:10])
	case "resume":
		flush(w, fmt.Sprintf("id: %d\nretry: 1\ndata:\n\n", id))
	case "none":
		flush(w, "data: "+progress+"\n\n")
	case "foreign":
		answer(w, id+1)
	case "500":
		w.WriteHeader(500)
	case "404":
		w.WriteHeader(404)
	case "400":
		w.WriteHeader(400)
		_, _ = io.WriteString(w, result(id))
	case "hangup":
		panic(http.ErrAbortHandler)
	case "tail":
		flush(w, "data: "+result(id)+"\n\n")
		time.Sleep(5 * time.Millisecond)
		flush(w, "data: "+result(id)+"\n\ndata: "+progress+"\n\n")
	default:
		w.WriteHeader(202)
	}
}

// A ledger is a Receiver that counts the outcomes of each request.
type ledger struct {
	mu       sync.Mutex
	outcomes map[int64]int
	wrong    []string
}

func (l *ledger) count(id int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.outcomes[id]++
}

func (l *ledger) Receive(on int64, msg []byte) {
	switch string(msg) {
	case progress:
	case result(on):
		l.count(on)
	default:
		l.mu.Lock()
		defer l.mu.Unlock()
		l.wrong = append(l.wrong, string(msg))
	}
}

func (l *ledger) Failed(id int64, _ *link.Error) { l.count(id) }

func (l *ledger) Lost(err *link.Error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.wrong = append(l.wrong, err.Error())
}

// Whatever an upstream and its clients do, each request has one outcome, or at most one if it was
// cancelled, and nothing is left at the end.
func TestModel(t *testing.T) {
	s := serve(t, behave)
	rapid.Check(t, func(t *rapid.T) {
		u, err := New(Options{
			URL: s.URL, Concurrency: rapid.IntRange(1, 4).Draw(t, "concurrency"), Queue: rapid.IntRange(1, 20).Draw(t, "queue"),
			QueueTimeout:   time.Duration(rapid.IntRange(1, 100).Draw(t, "queue timeout")) * time.Millisecond,
			AbandonTimeout: 50 * time.Millisecond, BreakerAfter: rapid.IntRange(1, 20).Draw(t, "breaker"), BreakerWait: time.Millisecond,
			MaxAbandoned: rapid.IntRange(1, 3).Draw(t, "abandoned"),
		})
		if err != nil {
			t.Fatal(err)
		}
		book := &ledger{outcomes: map[int64]int{}}
		l := u.Open(book, OpenOptions{})
		l.Negotiated(rapid.SampledFrom([]string{"", "2025-11-25", modernVersion}).Draw(t, "version"))
		cancelled := map[int64]bool{}
		n := int64(rapid.IntRange(1, 40).Draw(t, "requests"))
		for id := int64(1); id <= n; id++ {
			m := call(id)
			m.Deadline = time.Now().Add(time.Duration(rapid.IntRange(1, 300).Draw(t, "deadline")) * time.Millisecond)
			m.Fields = []link.Field{{Name: "X-Do", Value: rapid.SampledFrom(behaviours).Draw(t, "do")}}
			l.Send(m)
			if rapid.IntRange(0, 3).Draw(t, "note") == 0 {
				l.Send(note(rapid.SampledFrom([]string{"notifications/initialized", "notifications/cancelled"}).Draw(t, "method")))
			}
			if rapid.IntRange(0, 2).Draw(t, "cancel") == 0 {
				other := rapid.Int64Range(1, id).Draw(t, "which")
				cancelled[other] = true
				l.Cancel(other)
			}
			if rapid.IntRange(0, 3).Draw(t, "wait") == 0 {
				time.Sleep(time.Duration(rapid.IntRange(0, 3).Draw(t, "ms")) * time.Millisecond)
			}
		}
		if rapid.Bool().Draw(t, "wait for all") {
			settled := func() bool {
				st := u.Stats()
				return st.InFlight+st.Queued+st.Abandoned+st.Parked == 0
			}
			for end := time.Now().Add(10 * time.Second); !settled(); time.Sleep(time.Millisecond) {
				if time.Now().After(end) {
					t.Fatalf("not settled: %+v", u.Stats())
				}
			}
		}
		l.Close()
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := u.Close(ctx); err != nil {
			t.Fatalf("Close: %v; %+v", err, u.Stats())
		}
		book.mu.Lock()
		defer book.mu.Unlock()
		for id := int64(1); id <= n; id++ {
			if got := book.outcomes[id]; got > 1 || got == 0 && !cancelled[id] {
				t.Errorf("request %d had %d outcomes, cancelled: %t", id, got, cancelled[id])
			}
		}
		if len(book.wrong) > 0 {
			t.Errorf("got %q", book.wrong)
		}
		if st := u.Stats(); st.InFlight+st.Queued+st.Abandoned+st.Parked+st.Streams+st.Links != 0 || len(l.pending) != 0 || l.held.len != 0 {
			t.Errorf("left: %+v, %d pending, %d held", st, len(l.pending), l.held.len)
		}
	})
}
