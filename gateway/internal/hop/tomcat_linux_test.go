package hop

import (
	"net/url"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/gateway/internal/link"
	"github.com/mooring-mcp/mooring/internal/sockdiag"
)

// waiters is a Receiver for callers that wait for their responses.
type waiters struct {
	calls sync.Map // int64: chan *link.Error
}

func (w *waiters) Receive(on int64, _ []byte) { w.end(on, nil) }

func (w *waiters) Failed(id int64, err *link.Error) { w.end(id, err) }

func (w *waiters) Lost(*link.Error) {}

func (w *waiters) end(id int64, err *link.Error) {
	if c, ok := w.calls.LoadAndDelete(id); ok {
		c.(chan *link.Error) <- err
	}
}

func (w *waiters) send(l *Link, m *link.Message) chan *link.Error {
	c := make(chan *link.Error, 1)
	w.calls.Store(m.ID, c)
	l.Send(m)
	return c
}

// TestTomcat runs against a real Tomcat with 150 threads whose MCP server never ends a stream of a
// session. The environment variable MOORING_TOMCAT is its URL. 2,000 calls in one session with its
// stream, 64 at a time, every fifth of them cancelled, leave nothing in CLOSE-WAIT.
func TestTomcat(t *testing.T) {
	target := os.Getenv("MOORING_TOMCAT")
	if target == "" {
		t.Skip("MOORING_TOMCAT is not set")
	}
	at, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.Atoi(at.Port())
	if err != nil {
		t.Fatal(err)
	}
	kernel, err := sockdiag.NewReader()
	if err != nil {
		t.Fatal(err)
	}
	defer kernel.Close()
	u, err := New(Options{URL: target})
	if err != nil {
		t.Fatal(err)
	}
	defer u.Close(t.Context())
	w := &waiters{}
	l := u.Open(w, OpenOptions{})
	if err := <-w.send(l, initialize(1)); err != nil {
		t.Fatal(err)
	}
	l.Negotiated("2025-11-25")
	l.Send(note("notifications/initialized"))
	states := make(chan link.StreamState, 10)
	l.Stream(func(s link.StreamState) { states <- s })
	if s := <-states; s != link.StreamOpen {
		t.Fatalf("the stream of the session: got %v", s)
	}

	const calls = 2000
	var callers sync.WaitGroup
	var answered, cancelled, failed atomic.Int64
	ids := make(chan int64)
	for range 64 {
		callers.Go(func() {
			for id := range ids {
				c := w.send(l, call(id))
				if id%5 == 0 {
					time.Sleep(time.Duration(id%50) * 20 * time.Microsecond)
					l.Cancel(id)
					cancelled.Add(1)
				} else if err := <-c; err != nil {
					failed.Add(1)
				} else {
					answered.Add(1)
				}
			}
		})
	}
	there, waiting := 0, 0
	look := func() {
		counts, err := kernel.Count(port, 0)
		if err != nil {
			t.Fatal(err)
		}
		there, waiting = max(there, counts.Open()), max(waiting, counts[sockdiag.CloseWait])
	}
	began := time.Now()
	for id := int64(2); id < calls+2; id++ {
		ids <- id
		if id%50 == 0 {
			look()
		}
	}
	close(ids)
	callers.Wait()
	until(t, "all ended", func() bool { st := u.Stats(); return st.InFlight == 0 && st.Queued == 0 })
	took := time.Since(began)
	look()
	st := u.Stats()
	t.Logf("%d calls in %v: %d answered, %d cancelled, %d failed; at most %d sockets there, %d in CLOSE-WAIT; %+v",
		calls, took, answered.Load(), cancelled.Load(), failed.Load(), there, waiting, st)
	if there > 33 || waiting != 0 || st.HungUp != 0 || failed.Load() != 0 {
		t.Error("the server was hurt")
	}
	l.Close()
}
