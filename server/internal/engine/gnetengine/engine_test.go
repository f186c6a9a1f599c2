package gnetengine

import (
	"io"
	"log/slog"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/panjf2000/gnet/v2"

	"github.com/mooring-mcp/mooring/server/internal/engine"
)

// fakeHost serves connections that answer whatever they receive.
type fakeHost struct{ opened, closed atomic.Int64 }

func (h *fakeHost) NewConn(loop int, _ net.Addr, _ bool) engine.Handler {
	return &fakeConn{host: h, loop: loop}
}

func (h *fakeHost) Refusal() []byte { return []byte("no room") }
func (h *fakeHost) Busy() bool      { return false }
func (h *fakeHost) Held(int) bool   { return false }
func (h *fakeHost) Visit(int)       {}
func (h *fakeHost) MakeRoom(int64)  {}

type fakeConn struct {
	host *fakeHost
	loop int
	sk   engine.Socket
}

func (c *fakeConn) CaughtUp()    { panic("gnet does not report it") }
func (c *fakeConn) Closed(error) { c.host.closed.Add(1) }

func (c *fakeConn) Opened(sk engine.Socket) {
	c.sk = sk
	c.host.opened.Add(1)
}

func (c *fakeConn) Received() {
	b, _ := c.sk.Next(-1)
	_, _ = c.sk.Write(append([]byte{byte('0' + c.loop)}, b...))
}

// startEngine starts an engine with so many loops and accepts on a listener of its own.
func startEngine(t *testing.T, loops int) (*gnetEngine, *fakeHost, net.Addr) {
	t.Helper()
	h := new(fakeHost)
	adm := engine.NewAdmission(engine.Config{
		Host: h, Loops: loops, MaxConnections: 40, Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	e := New(adm).(*gnetEngine)
	if _, err := e.Start(); err != nil {
		t.Fatal(err)
	}
	if err := e.OpenAccepting(adm.SetDescriptors(256)); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ac, err := e.NewAcceptor(l)
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- adm.Serve(ac) }()
	t.Cleanup(func() {
		adm.End()
		_ = ac.Close()
		if err := <-served; err != engine.ErrClosed {
			t.Errorf("Serve: %v", err)
		}
		if err := e.EndAccepting(t.Context()); err != nil && t.Context().Err() == nil {
			t.Error(err)
		}
		e.Stop()
		if o, c, n := h.opened.Load(), h.closed.Load(), adm.Connections(); o != c || n != 0 {
			t.Errorf("%d connections were opened, %d closed, %d are counted", o, c, n)
		}
	})
	return e, h, l.Addr()
}

func dial(t *testing.T, addr net.Addr) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", addr.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	return c
}

// All loops get connections, and each connection has its place until it is closed. One above the
// limit is refused.
func TestConnections(t *testing.T) {
	const loops, n = 2, 40
	e, _, addr := startEngine(t, loops)
	var perLoop [loops]int
	conns := make([]net.Conn, n)
	for i := range conns {
		conns[i] = dial(t, addr)
		_, _ = conns[i].Write([]byte("x"))
		var b [2]byte
		if _, err := io.ReadFull(conns[i], b[:]); err != nil || b[1] != 'x' {
			t.Fatalf("connection %d: %q, %v", i, b, err)
		}
		perLoop[b[0]-'0']++
	}
	if perLoop[0] == 0 || perLoop[1] == 0 || e.adm.Connections() != n {
		t.Errorf("the loops have %v of %d connections, %d are counted", perLoop, n, e.adm.Connections())
	}
	if b, err := io.ReadAll(dial(t, addr)); string(b) != "no room" || err != nil {
		t.Errorf("one more got %q, %v", b, err)
	}
	for _, c := range conns[:n/2] {
		_ = c.Close()
	}
	for limit := time.Now().Add(10 * time.Second); e.adm.Connections() > n/2; time.Sleep(time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatalf("%d connections are counted, want %d", e.adm.Connections(), n/2)
		}
	}
}

// Once no enrolment is under way all spares are free again, and hold nothing of a connection.
func TestSparesAreFreed(t *testing.T) {
	e, h, addr := startEngine(t, 1)
	n := cap(e.spares.free)
	for range 2 * n {
		_ = dial(t, addr).Close()
	}
	for limit := time.Now().Add(10 * time.Second); h.closed.Load() < int64(2*n) || len(e.spares.free) < n; time.Sleep(time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatalf("%d connections of %d were closed, %d spares of %d are free", h.closed.Load(), 2*n, len(e.spares.free), n)
		}
	}
	for range n {
		sp := <-e.spares.free
		if sp.handler != nil || sp.result != nil || sp.err != nil {
			t.Errorf("a free spare holds %+v", sp)
		}
		e.spares.free <- sp
	}
}

// gnet reports no error when epoll refuses a descriptor. The connection is lost then, and its
// place free.
func TestNotOpened(t *testing.T) {
	e, _, _ := startEngine(t, 1)
	e.adm.Reserve(false)
	sp, _ := e.takeSpare()
	result := make(chan gnet.RegisteredResult)
	close(result)
	sp.result = result
	err := e.await(sp)
	if err != errNotOpened {
		t.Errorf("await: %v, want %v", err, errNotOpened)
	}
	if e.enrolFailed(sp, err); e.adm.Connections() != 0 || e.adm.Errors() != 1 {
		t.Errorf("%d connections, %d errors", e.adm.Connections(), e.adm.Errors())
	}
}

// A task that runs itself again lets the sockets have their turn.
func TestAgainLetsSocketsGoFirst(t *testing.T) {
	e, _, addr := startEngine(t, 1)
	c := dial(t, addr)
	stop := make(chan struct{})
	var again engine.Task
	again = func() {
		select {
		case <-stop:
		default:
			e.loops[0].Again(again)
		}
	}
	e.loops[0].Execute(again)
	defer close(stop)
	_, _ = c.Write([]byte("x"))
	var b [2]byte
	if _, err := io.ReadFull(c, b[:]); err != nil {
		t.Errorf("no answer: %v", err)
	}
}
