package upstream

import (
	"io"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mooring-mcp/mooring/gateway/internal/link"
)

// A slowFront is busy with its first progress notification until it is released.
type slowFront struct {
	front
	release chan struct{}
	trail   []string
}

func (f *slowFront) Progress(p []byte) {
	if len(f.trail) == 0 {
		<-f.release
	}
	f.trail = append(f.trail, string(p))
}

func (f *slowFront) End(e *End) {
	f.trail = append(f.trail, string(e.Result))
	f.front.End(e)
}

// TestOrder checks that what comes while a handler is busy waits for it, in order, and without the
// link's buffers.
func TestOrder(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h := newHarbor(t, Options{})
		h.connect()
		f := &slowFront{release: make(chan struct{})}
		f.t, f.call = t, &Call{Method: "tools/call", Params: []byte(`{}`), ProgressToken: []byte(`1`), Handler: f}
		h.s.Start(f.call)
		h.run()
		l := h.last()
		id := l.only("tools/call").ID
		progress := func(n int64) {
			l.says(id, `{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":`+itoa(id)+`,"progress":`+itoa(n)+`}}`)
		}
		go progress(0)
		synctest.Wait()
		for n := range int64(maxHeld + 5) {
			progress(n + 1)
		}
		l.result(id, `{"last":true}`)
		if f.ends != 0 {
			t.Fatal("ended while the handler was busy")
		}
		close(f.release)
		synctest.Wait()
		if len(f.trail) != maxHeld+2 || f.ends != 1 {
			t.Fatalf("%d events, %d ends", len(f.trail), f.ends)
		}
		for n, got := range f.trail[:maxHeld+1] {
			if want := `{"progressToken":1,"progress":` + itoa(int64(n)) + `}`; got != want {
				t.Fatalf("event %d is %s, want %s", n, got, want)
			}
		}
		if got := f.trail[maxHeld+1]; got != `{"last":true}` {
			t.Errorf("the end is %s", got)
		}
	})
}

// A busyLink answers each request on a goroutine of its own, and sometimes badly.
type busyLink struct {
	r      link.Receiver
	mu     sync.Mutex
	closed bool
	wg     *sync.WaitGroup
}

func (l *busyLink) Send(m *link.Message) {
	if m.Kind != link.Request {
		return
	}
	l.wg.Add(1)
	go func() {
		defer l.wg.Done()
		l.answer(m)
	}()
}

func (l *busyLink) answer(m *link.Message) {
	say := func(text string) {
		l.r.Receive(m.ID, []byte(strings.ReplaceAll(text, "$", itoa(m.ID))))
	}
	switch m.Method {
	case "server/discover":
		say(`{"jsonrpc":"2.0","id":$,"error":{"code":-32601,"message":"no"}}`)
		return
	case "initialize":
		say(`{"jsonrpc":"2.0","id":$,"result":{"protocolVersion":"2025-11-25","capabilities":{"logging":{}}}}`)
		return
	case "logging/setLevel":
		say(`{"jsonrpc":"2.0","id":$,"result":{}}`)
		return
	}
	n := param(m, "n")
	say(`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":$,"n":` + n + `}}`)
	switch rand.IntN(40) {
	case 0:
		l.r.Failed(m.ID, &link.Error{Reason: link.Expired})
	case 1:
		l.r.Failed(m.ID, &link.Error{Reason: link.Lost, Unsent: true})
	case 2:
		l.lose()
	default:
		say(`{"jsonrpc":"2.0","id":$,"result":{"n":` + n + `}}`)
	}
}

func (l *busyLink) lose() {
	l.mu.Lock()
	lost := !l.closed
	l.closed = true
	l.mu.Unlock()
	if lost {
		l.r.Lost(&link.Error{Reason: link.Lost})
	}
}

func (l *busyLink) Cancel(int64)      {}
func (l *busyLink) Negotiated(string) {}
func (l *busyLink) Close() {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
}

// TestConcurrent starts and cancels calls on many goroutines, on links that answer on others, for
// the race detector; each call must end once.
func TestConcurrent(t *testing.T) {
	var links sync.WaitGroup
	s := New(Options{
		Share: ShareClient, MaxSessions: 4,
		Open:   func(r link.Receiver, _ string) link.Link { return &busyLink{r: r, wg: &links} },
		Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	var fronts sync.WaitGroup
	var ends, results atomic.Int64
	const each = 300
	for g := range 8 {
		fronts.Add(1)
		go func() {
			defer fronts.Done()
			var calls sync.WaitGroup
			for i := range each {
				f := &modelFront{n: int64(g*each + i)}
				f.t = t
				f.onEnd = func() {
					ends.Add(1)
					if f.end.Result != nil {
						results.Add(1)
					}
					calls.Done()
				}
				f.call = &Call{
					Method: "tools/call", Params: []byte(`{"n":` + itoa(f.n) + `}`), Handler: f,
					SessionKey: itoa(int64(g % 5)), ProgressToken: []byte(`"t` + itoa(f.n) + `"`),
					LogLevel: Level(rand.IntN(6)), Deadline: time.Now().Add(10 * time.Second),
				}
				calls.Add(1)
				s.Start(f.call)
				if i%7 == 0 {
					f.call.Cancel("")
				}
				if i%50 == 0 {
					s.Forget("", f.call.SessionKey)
				}
			}
			calls.Wait()
		}()
	}
	fronts.Wait()
	if ends.Load() != 8*each || results.Load() == 0 {
		t.Errorf("%d of %d calls have ended, %d with a result", ends.Load(), 8*each, results.Load())
	}
	s.Close()
	links.Wait()
	if st := s.State(); st.InFlight+st.Waiting+st.Sessions != 0 {
		t.Errorf("left at the end: %+v", st)
	}
}
