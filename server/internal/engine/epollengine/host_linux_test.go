package epollengine

import (
	"errors"
	"io"
	"log/slog"
	"net"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mooring-mcp/mooring/server/internal/engine"
)

// fakeHost serves connections that answer whatever they receive.
type fakeHost struct{}

const answer = "served"

func (fakeHost) NewConn(int, net.Addr, bool) engine.Handler { return new(fakeConn) }
func (fakeHost) Refusal() []byte                            { return []byte("no room") }
func (fakeHost) Busy() bool                                 { return false }
func (fakeHost) Held(int) bool                              { return false }
func (fakeHost) Visit(int)                                  {}
func (fakeHost) MakeRoom(int64)                             {}

// fakeConn is a connection of a fakeHost.
type fakeConn struct {
	sk     engine.Socket
	caught int  // calls of CaughtUp
	closed bool // Closed was called
}

func (c *fakeConn) Opened(sk engine.Socket) { c.sk = sk }
func (c *fakeConn) CaughtUp()               { c.caught++ }
func (c *fakeConn) Closed(error)            { c.closed = true }

func (c *fakeConn) Received() {
	_, _ = c.sk.Next(-1)
	_, _ = c.sk.Write([]byte(answer))
}

// startEngine starts an engine with one loop, which is stopped at the end of the test.
func startEngine(t *testing.T) *epollEngine {
	t.Helper()
	adm := engine.NewAdmission(engine.Config{
		Host: fakeHost{}, Loops: 1, MaxConnections: 100_000,
		Sockets: engine.SocketOptions{KeepAlive: time.Minute}, Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	e, err := New(adm)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Stop)
	return e.(*epollEngine)
}

func startLoop(t *testing.T) *loop { return startEngine(t).loops[0] }

// serve accepts the connections of nl until the end of the test. It returns what Serve returned.
func serve(t *testing.T, nl net.Listener) (*epollEngine, <-chan error) {
	t.Helper()
	e := startEngine(t)
	if err := e.OpenAccepting(e.adm.SetDescriptors(64)); err != nil {
		t.Fatal(err)
	}
	ac, err := e.NewAcceptor(nl)
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() {
		err := e.adm.Serve(ac)
		_ = ac.Close()
		served <- err
	}()
	t.Cleanup(func() {
		e.adm.End()
		_ = ac.Close()
		if err := e.EndAccepting(t.Context()); err != nil && !errors.Is(err, t.Context().Err()) {
			t.Error(err)
		}
	})
	return e, served
}

// addPair gives the loop one of two connected sockets. It returns that socket and the other's
// descriptor.
func addPair(t *testing.T, l *loop) (*socket, int) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	l.adm.Reserve(false)
	c := new(fakeConn)
	if err := l.add(fds[0], c, false); err != nil {
		t.Fatal(err)
	}
	var s *socket
	l.on(func() { s = c.sk.(*socket) })
	return s, fds[1]
}

func listenTCP(t *testing.T) *net.TCPListener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l.(*net.TCPListener)
}

// dial fails the test unless a new connection is served.
func dial(t *testing.T, addr net.Addr) {
	t.Helper()
	c, err := net.Dial("tcp", addr.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := c.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, len(answer))
	if n, err := io.ReadFull(c, b); err != nil || string(b) != answer {
		t.Fatalf("%q, %v", b[:n], err)
	}
}
