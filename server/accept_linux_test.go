package server

import (
	"context"
	"errors"
	"net"
	"os"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mooring-mcp/mooring/mcp"
)

// serveOn serves l and returns the server and what Serve returned. The server is shut down at the
// end of the test.
func serveOn(t *testing.T, l net.Listener) (*Server, <-chan error) {
	t.Helper()
	return serveWith(t, l, &Options{Loops: 1, Engine: EngineEpoll})
}

func serveWith(t *testing.T, l net.Listener, opts *Options) (*Server, <-chan error) {
	t.Helper()
	s := New(mcp.NewServer(&mcp.Implementation{Name: "test", Version: "1"}, nil), opts)
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	t.Cleanup(func() {
		if err := s.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return s, served
}

func listenTCP(t *testing.T) *net.TCPListener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l.(*net.TCPListener)
}

// healthy fails the test unless a new connection is served.
func healthy(t *testing.T, addr net.Addr) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", addr.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := c.Write([]byte("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 15)
	if n, err := c.Read(b); err != nil || string(b[:n]) != "HTTP/1.1 200 OK" {
		t.Fatalf("%q, %v", b[:n], err)
	}
	return c
}

// handOn does what giving a socket to a child process does: it becomes blocking for all that have
// it.
func handOn(t *testing.T, v interface{ File() (*os.File, error) }) {
	f, err := v.File()
	if err != nil {
		t.Error(err)
		return
	}
	if flags, err := unix.FcntlInt(f.Fd(), unix.F_GETFL, 0); err != nil || flags&unix.O_NONBLOCK != 0 {
		t.Errorf("flags %#x, %v: the test tests nothing", flags, err)
	}
	_ = f.Close()
}

// TestListenerHandedOn: a listener that becomes blocking, because its host gives it to a child
// process before or while it is served, is served as any other. An accept that waited for the next
// client would stop everything else.
func TestListenerHandedOn(t *testing.T) {
	for _, before := range []bool{true, false} {
		l := listenTCP(t)
		if before {
			handOn(t, l)
		}
		_, served := serveOn(t, l)
		healthy(t, l.Addr())
		handOn(t, l)
		for range 3 {
			healthy(t, l.Addr())
			runtime.GC() // does not return while a thread waits in a call that Go does not know of
		}
		select {
		case err := <-served:
			t.Errorf("Serve: %v", err)
		default:
		}
	}
}

// TestShutdownHandedOn: a listener that has become blocking does not delay Shutdown, and a client
// that comes after it is not served.
func TestShutdownHandedOn(t *testing.T) {
	for _, engine := range []Engine{EngineGnet, EngineEpoll} {
		l := listenTCP(t)
		s, served := serveWith(t, l, &Options{Loops: 1, Engine: engine, DrainTimeout: 5 * time.Second})
		healthy(t, l.Addr())
		handOn(t, l)
		healthy(t, l.Addr()) // net's own Accept waits for the next in accept4
		time.Sleep(20 * time.Millisecond)
		late := make(chan net.Conn, 1)
		var client net.Conn
		again := time.AfterFunc(20*time.Second, func() { // if Shutdown waits for it
			c, _ := net.Dial("tcp", l.Addr().String())
			late <- c
		})
		began := time.Now()
		if err := s.Shutdown(context.Background()); err != nil {
			t.Errorf("%s: Shutdown: %v", engine, err)
		}
		if took := time.Since(began); took > 4*time.Second {
			t.Errorf("%s: Shutdown took %v", engine, took)
		}
		if !again.Stop() {
			client = <-late
		} else {
			client, _ = net.Dial("tcp", l.Addr().String())
		}
		if client != nil {
			_ = client.SetDeadline(time.Now().Add(10 * time.Second))
			if n, err := client.Read(make([]byte, 1)); n != 0 || errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("%s: a late client: %d bytes, %v", engine, n, err)
			}
			_ = client.Close()
		}
		select {
		case err := <-served:
			if !errors.Is(err, ErrServerClosed) {
				t.Errorf("%s: Serve: %v", engine, err)
			}
		case <-time.After(10 * time.Second):
			t.Errorf("%s: Serve continues", engine)
		}
	}
}

// wrapped is a listener that does not show its descriptor.
type wrapped struct{ net.Listener }

// TestWrappedListener: a host's own listener is served, although its connections must be unpacked.
func TestWrappedListener(t *testing.T) {
	for _, engine := range []Engine{EngineGnet, EngineEpoll} {
		l := listenTCP(t)
		s, served := serveWith(t, wrapped{l}, &Options{Loops: 1, Engine: engine})
		for range 3 {
			_ = healthy(t, l.Addr()).Close()
		}
		if err := s.Shutdown(t.Context()); err != nil {
			t.Errorf("%s: %v", engine, err)
		}
		if err := <-served; !errors.Is(err, ErrServerClosed) {
			t.Errorf("%s: Serve: %v", engine, err)
		}
	}
}

// TestShutdownOfUnopened: a connection that was accepted and is not open yet when the drain begins
// is closed by it as any other.
func TestShutdownOfUnopened(t *testing.T) {
	l := listenTCP(t)
	s, _ := serveWith(t, l, &Options{Loops: 1, Engine: EngineEpoll, DrainTimeout: 5 * time.Second})
	_ = healthy(t, l.Addr()).Close()
	for s.admission.Connections() > 0 {
		time.Sleep(time.Millisecond)
	}
	s.mu.Lock() // Serve has started it on another goroutine
	lp := s.loops[0]
	s.mu.Unlock()
	// A turn that has begun, and is to serve the inbox.
	first, second, begun, resume := make(chan struct{}), make(chan struct{}), make(chan struct{}), make(chan struct{})
	lp.execute(func() { close(first); <-second })
	<-first
	lp.execute(func() { close(begun); <-resume })
	lp.main.postChanges(&changes{topics: mcp.TopicTools})
	close(second)
	<-begun
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for s.admission.Connections() == 0 {
		time.Sleep(time.Millisecond)
	}
	ended := make(chan error, 1)
	go func() { ended <- s.Shutdown(context.Background()) }()
	for end := time.Now().Add(300 * time.Millisecond); time.Now().Before(end); time.Sleep(time.Millisecond) {
		lp.in.mu.Lock()
		told := lp.in.drain != nil
		lp.in.mu.Unlock()
		if told {
			break
		}
	}
	close(resume)
	if err := <-ended; err != nil {
		t.Errorf("Shutdown: %v", err)
	}
}
