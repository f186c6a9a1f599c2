package server

import (
	"errors"
	"net"
	"net/netip"
	"testing"
	"unsafe"

	"github.com/mooring-mcp/mooring/mcp"
	"github.com/mooring-mcp/mooring/server/internal/endpoint"
	"github.com/mooring-mcp/mooring/server/internal/engine"
)

// idleSocket is the smallest socket that a connection works with. It counts the writes.
type idleSocket struct {
	in      []byte
	written int
	writes  int
	c       *conn
}

func (s *idleSocket) Next(int) ([]byte, error) {
	b := s.in
	s.in = nil
	return b, nil
}

func (s *idleSocket) Write(b []byte) (int, error) {
	s.written += len(b)
	s.writes++
	return len(b), nil
}

func (s *idleSocket) OutboundBuffered() int { return 0 }
func (s *idleSocket) Flush() error          { return nil }
func (s *idleSocket) SetLinger(int) error   { return nil }

// idleBase is the engine's loop below a loop whose tasks the test runs itself.
type idleBase struct {
	tasks, later []engine.Task
	peer         netip.AddrPort // of all sockets
}

func (f *idleBase) Execute(t engine.Task)          { f.tasks = append(f.tasks, t) }
func (f *idleBase) Again(t engine.Task)            { f.later = append(f.later, t) }
func (f *idleBase) CloseSocket(sk engine.Socket)   { sk.(*idleSocket).end(nil) }
func (f *idleBase) CloseWrite(engine.Socket) error { return nil }

func (f *idleBase) Peer(engine.Socket) netip.AddrPort         { return f.peer }
func (f *idleBase) Duplicate(engine.Socket) (net.Conn, error) { return nil, errors.ErrUnsupported }
func (f *idleBase) ReportsCaughtUp() bool                     { return false }

// newIdleLoop returns a loop of a server with the rig's features.
func newIdleLoop(tb testing.TB, opts *Options) *loop {
	r := newRig(tb, opts)
	r.l = newLoop(r.s, 0, new(idleBase))
	r.s.mu.Lock()
	r.s.loops = []*loop{r.l}
	r.s.mu.Unlock()
	return r.l
}

// end ends the connection.
func (s *idleSocket) end(err error) {
	s.c.closed(err)
	s.c.loop.srv.admission.Released()
}

func (l *loop) connect() *idleSocket {
	s := &idleSocket{c: newConn(l, endpoint.TrustLoopback, false)}
	l.srv.admission.Reserve(false)
	s.c.open(s, l.now)
	return s
}

// run runs the tasks of the loop, including those it postponed to a later turn, until none is
// left.
func (l *loop) run() {
	f := l.base.(*idleBase)
	for {
		tasks := f.tasks
		f.tasks = f.tasks[:0]
		for _, t := range tasks {
			t()
		}
		later := f.later
		f.later = f.later[:0]
		for _, t := range later {
			t()
		}
		if len(tasks)+len(later) == 0 {
			return
		}
	}
}

func (s *idleSocket) deliver(b []byte) {
	s.in = b
	s.c.recv(s.c.loop.now)
}

// wantAllocs checks that f makes exactly want allocations per run. More is a regression; if there
// are fewer, lower the number.
func wantAllocs(t *testing.T, why string, want float64, f func()) {
	t.Helper()
	for range 50 {
		f() // let pools and scratch buffers grow to their size
	}
	if got := testing.AllocsPerRun(500, f); got > want {
		t.Errorf("%s: %v allocations, want %v", why, got, want)
	} else if got < want {
		t.Logf("%s: %v allocations, fewer than the stated %v: lower the number", why, got, want)
	}
}

func TestAllocsPerRequest(t *testing.T) {
	if raceEnabled() {
		t.Skip("the race detector allocates")
	}
	post := func(q request) []byte { return []byte(q.String()) }
	steps := addCall(1, 2)
	steps.meta = `,"progressToken":1`
	for _, c := range []struct {
		name   string
		in     []byte
		allocs float64
	}{
		{"health", []byte("GET /healthz HTTP/1.1\r\nHost: 10.0.0.1:8080\r\n\r\n"), 0},
		{"an encoded list", post(request{method: "tools/list"}), 0},
		{"discover", post(request{method: "server/discover"}), 0},
		{"an inline call", post(addCall(1, 2)), 1},
		{"an inline call that notifies", post(steps), 14},
		{"a notification", post(request{method: "notifications/cancelled", id: "-"}), 0},
		{"a refusal by the endpoint", []byte("GET /mcp HTTP/1.1\r\nHost: localhost\r\n\r\n"), 0},
		{"an unknown method", post(request{method: "tools/fly"}), 0},
		{"ten pipelined lists", post(request{method: "tools/list"}), 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newIdleLoop(t, nil)
			s := l.connect()
			in := c.in
			if c.name == "ten pipelined lists" {
				in = nil
				for range 10 {
					in = append(in, c.in...)
				}
			}
			wantAllocs(t, c.name, c.allocs, func() { s.deliver(in) })
			if s.writes != 50+501 {
				t.Errorf("%d writes, want one for each of %d reads", s.writes, 50+501)
			}
		})
	}
	t.Run("in three pieces", func(t *testing.T) {
		l := newIdleLoop(t, nil)
		s := l.connect()
		in := post(request{method: "tools/list"})
		wantAllocs(t, "in three pieces", 0, func() {
			s.deliver(in[:100])
			s.deliver(in[100 : len(in)-10])
			s.deliver(in[len(in)-10:])
		})
	})
}

func TestAllocsOfStreams(t *testing.T) {
	if raceEnabled() {
		t.Skip("the race detector allocates")
	}
	const n = 1000
	l := newIdleLoop(t, nil)
	var socks []*idleSocket
	for i := range n {
		s := l.connect()
		s.deliver([]byte(listenTo([]string{`1`, `"abc"`, `100000`}[i%3], everything).String()))
		socks = append(socks, s)
	}
	sent := func() (k int) {
		for _, s := range socks {
			k += s.writes
		}
		return k
	}
	before := sent()
	wantAllocs(t, "the heartbeats of one second", 0, func() {
		for range 10 {
			l.now++
			l.runContinue()
			l.run()
		}
	})
	if sent()-before < n*30 {
		t.Errorf("%d heartbeats, want at least %d", sent()-before, n*30)
	}
	before = sent()
	tools := new(changes)
	tools.add(mcp.Change{Topic: mcp.TopicTools})
	// A walk over all listeners encodes its notice once: 10 allocations, and none per delivery.
	wantAllocs(t, "a change delivered to a thousand listeners", 10, func() {
		l.main.postChanges(tools)
		l.run()
	})
	if got := sent() - before; got != n*551 {
		t.Errorf("%d deliveries, want %d", got, n*551)
	}
}

// An idle stream costs its conn, which fills a size class of the allocator exactly, on 64-bit
// systems.
func TestConnSize(t *testing.T) {
	if size := unsafe.Sizeof(conn{}); size > 80 && unsafe.Sizeof(uintptr(0)) == 8 {
		t.Errorf("a conn has %d bytes, want at most 80", size)
	}
}
