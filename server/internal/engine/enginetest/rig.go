// Package enginetest holds the tests that every engine passes. The packages of the engines run
// them.
package enginetest

import (
	"bytes"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/server/internal/engine"
)

// New makes an engine.
type New func(*engine.Admission) (engine.Engine, error)

// patience is how long the tests wait for what has to come.
const patience = 10 * time.Second

// keepAlive is the engine's, and not net's own.
const keepAlive = 77 * time.Second

// host is a host without connections of its own: the tests adopt theirs. What a listener accepts
// is closed by its peer.
type host struct{}

func (host) NewConn(int, net.Addr, bool) engine.Handler { return newHandler() }
func (host) Refusal() []byte                            { return nil }
func (host) Busy() bool                                 { return false }
func (host) Held(int) bool                              { return false }
func (host) Visit(int)                                  {}
func (host) MakeRoom(int64)                             {}

// rig is an engine whose connections the tests adopt.
type rig struct {
	testing.TB
	adm   *engine.Admission
	eng   engine.Engine
	loops []engine.Loop
	end   func()
}

// start starts an engine with two loops. It ends with the test, if not before.
func start(t testing.TB, newEngine New) *rig {
	t.Helper()
	adm := engine.NewAdmission(engine.Config{
		Host: host{}, Loops: 2, MaxConnections: 10_000,
		Sockets: engine.SocketOptions{KeepAlive: keepAlive},
		Logger:  slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	eng, err := newEngine(adm)
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{TB: t, adm: adm, eng: eng}
	if r.loops, err = eng.Start(); err != nil {
		t.Fatal(err)
	}
	if err := eng.OpenAccepting(adm.SetDescriptors(1024)); err != nil {
		t.Fatal(err)
	}
	r.end = sync.OnceFunc(func() {
		if !adm.HasEnded() {
			adm.End()
		}
		if err := eng.EndAccepting(t.Context()); err != nil && t.Context().Err() == nil {
			t.Error(err)
		}
		eng.Stop()
		if n := adm.Connections(); n != 0 {
			t.Errorf("%d connections are counted after the end", n)
		}
	})
	t.Cleanup(r.end)
	return r
}

// pair returns the two ends of a connection.
func (r *rig) pair(network string) (client, accepted net.Conn) {
	r.Helper()
	addr := "127.0.0.1:0"
	if network == "unix" {
		addr = filepath.Join(r.TempDir(), "s")
	}
	l, err := net.Listen(network, addr)
	if err != nil {
		r.Fatal(err)
	}
	defer l.Close()
	if client, err = net.Dial(network, l.Addr().String()); err != nil {
		r.Fatal(err)
	}
	_ = client.SetDeadline(time.Now().Add(patience))
	if accepted, err = l.Accept(); err != nil {
		r.Fatal(err)
	}
	r.Cleanup(func() { _ = client.Close(); _ = accepted.Close() })
	return client, accepted
}

// adopt reserves a place for nc and gives it to a loop.
func (r *rig) adopt(loop int, nc net.Conn, h engine.Handler) error {
	if _, ok := r.adm.Reserve(true); !ok {
		panic("no place")
	}
	err := r.eng.Adopt(loop, nc, h)
	if err != nil {
		r.adm.Released()
	}
	return err
}

// on runs f on a loop and waits for it.
func (r *rig) on(loop int, f func()) {
	r.Helper()
	done := make(chan struct{})
	r.loops[loop].Execute(func() { defer close(done); f() })
	r.wait("the loop", done)
}

func (r *rig) wait(what string, done <-chan struct{}) {
	r.Helper()
	select {
	case <-done:
	case <-time.After(patience):
		r.Fatalf("no sign of %s", what)
	}
}

// eventually waits until ok reports true.
func (r *rig) eventually(what string, ok func() bool) {
	r.Helper()
	for limit := time.Now().Add(patience); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(limit) {
			r.Fatalf("never: %s", what)
		}
	}
}

// wantRead fails the test unless c reads exactly want.
func (r *rig) wantRead(c net.Conn, want string) {
	r.Helper()
	b := make([]byte, len(want))
	if n, err := io.ReadFull(c, b); string(b[:n]) != want {
		r.Fatalf("read %q, %v, want %q", b[:n], err, want)
	}
}

// wantSilence fails the test if anything arrives at c, even its end.
func (r *rig) wantSilence(c net.Conn) {
	r.Helper()
	_ = c.SetReadDeadline(time.Now().Add(30 * time.Millisecond))
	var b [1]byte
	n, err := c.Read(b[:])
	if ne, ok := err.(net.Error); n > 0 || !ok || !ne.Timeout() {
		r.Fatalf("%d bytes %q, %v, want none", n, b[:n], err)
	}
	_ = c.SetReadDeadline(time.Now().Add(patience))
}

// handler repeats what it receives.
type handler struct {
	opened chan struct{}
	ended  chan struct{}

	mu       sync.Mutex // guards what follows
	sk       engine.Socket
	got      bytes.Buffer
	closings []error
}

func newHandler() *handler {
	return &handler{opened: make(chan struct{}), ended: make(chan struct{})}
}

func (h *handler) Opened(sk engine.Socket) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.sk = sk
	close(h.opened)
}

func (h *handler) CaughtUp() {}

func (h *handler) Received() {
	b, _ := h.sk.Next(-1)
	h.mu.Lock()
	h.got.Write(b)
	h.mu.Unlock()
	_, _ = h.sk.Write(b) // it may close the socket
}

func (h *handler) Closed(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closings = append(h.closings, err); len(h.closings) == 1 {
		close(h.ended)
	}
}

// closed returns how often Closed was called, and the first error.
func (h *handler) closed() (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.closings) == 0 {
		return 0, nil
	}
	return len(h.closings), h.closings[0]
}

// wrapper is what a host's listener may make of a connection.
type wrapper struct {
	net.Conn
	closes int
}

func (w *wrapper) NetConn() net.Conn { return w.Conn }

func (w *wrapper) Close() error {
	w.closes++
	return w.Conn.Close()
}
