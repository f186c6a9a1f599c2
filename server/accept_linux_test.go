package server

import (
	"context"
	"errors"
	"net"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mooring-mcp/mooring/mcp"
)

// serveOn serves l and returns the server and what Serve returned. The server is shut down at the end of the test.
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

// handOn does what giving a socket to a child process does: it becomes blocking, for all who have it.
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

// TestListenerHandedOn: a listener that becomes blocking, for its host gives it to a child process, before it is served or meanwhile, is served as any other. An
// accept that waited for the next client would stop all else.
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

// TestConnRaced: a connection that becomes blocking while it is served, for another process has it too and says so, blocks no loop.
func TestConnRaced(t *testing.T) {
	p := startPoller(t)
	s, peer := addPair(t, p)
	defer unix.Close(peer)
	handOn(t, duplicateOf(t, int(s.fd)))
	ended := make(chan struct{})
	go p.on(func() {
		s.read(unix.EPOLLIN) // nothing is there
		for range 16 {
			_, _ = s.Write(make([]byte, 64<<10)) // nobody reads
		}
		close(ended)
	})
	time.AfterFunc(10*time.Second, func() { _ = unix.Shutdown(peer, unix.SHUT_RDWR) }) // if it waits
	began := time.Now()
	<-ended
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("took %v", took)
	}
}

// duplicateOf returns a connection with a duplicate of the descriptor.
func duplicateOf(t *testing.T, fd int) *net.UnixConn {
	t.Helper()
	fd, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	nc, err := fdConn(fd)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = nc.Close() })
	return nc.(*net.UnixConn)
}

// TestShutdownHandedOn: a listener that has become blocking does not keep Shutdown, and who comes after it is not served.
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
				t.Errorf("%s: who comes late: %d bytes, %v", engine, n, err)
			}
			_ = client.Close()
		}
		select {
		case err := <-served:
			if !errors.Is(err, ErrServerClosed) {
				t.Errorf("%s: Serve: %v", engine, err)
			}
		case <-time.After(10 * time.Second):
			t.Errorf("%s: Serve goes on", engine)
		}
	}
}

// TestAdmitFails: a connection that epoll does not take makes accepting pause.
func TestAdmitFails(t *testing.T) {
	p := startPoller(t)
	fd, err := unix.Open("/dev/null", unix.O_RDONLY|unix.O_CLOEXEC, 0) // epoll takes no such file
	if err != nil {
		t.Fatal(err)
	}
	a := &epollAcceptor{srv: p.srv, engine: p.srv.engine.(*epollEngine)}
	if err := a.admit(fd); err == nil || !isTransient(err) {
		t.Errorf("%v, want an error that passes", err)
	}
	if n := p.srv.conns.Load(); n != 0 {
		t.Errorf("%d connections are counted", n)
	}
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != unix.EBADF {
		t.Errorf("the descriptor is open: %v", err)
	}
	if err := os.NewSyscallError("epoll_ctl", unix.ENOSPC); !isTransient(err) { // max_user_watches
		t.Errorf("%v does not pass", err)
	}
}

// TestRefusedWithoutDescriptors: who is refused is told so though there is no descriptor.
func TestRefusedWithoutDescriptors(t *testing.T) {
	p := startPoller(t)
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fds[1])
	var was unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &was); err != nil {
		t.Fatal(err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Max: was.Max}); err != nil {
		t.Fatal(err)
	}
	(&epollAcceptor{srv: p.srv}).refuse(fds[0])
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &was); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 1024)
	n, err := unix.Read(fds[1], b)
	if err != nil || !strings.HasPrefix(string(b[:n]), "HTTP/1.1 503 ") {
		t.Fatalf("%q, %v", b[:max(n, 0)], err)
	}
	if n, err = unix.Read(fds[1], b); n != 0 || err != nil {
		t.Errorf("%d, %v, want the end", n, err)
	}
	if n := p.srv.acceptRefused.Load(); n != 1 {
		t.Errorf("%d are counted", n)
	}
}

// TestListenerClosedByHost: Serve returns, and the port is free, though no client comes, or there is no place for one.
func TestListenerClosedByHost(t *testing.T) {
	for _, full := range []bool{false, true} {
		l := listenTCP(t)
		s, served := serveOn(t, l)
		healthy(t, l.Addr())
		if full {
			n := s.DescriptorBound()
			s.conns.Add(n)
			defer s.conns.Add(-n)                           // before the server is shut down
			late, err := net.Dial("tcp", l.Addr().String()) // the acceptor takes this one, and then looks for a place
			if err != nil {
				t.Fatal(err)
			}
			defer late.Close()
			time.Sleep(50 * time.Millisecond)
		}
		_ = l.Close()
		select {
		case err := <-served:
			if !errors.Is(err, net.ErrClosed) {
				t.Errorf("full: %v: Serve: %v, want %v", full, err, net.ErrClosed)
			}
		case <-time.After(10 * acceptRest):
			t.Fatalf("full: %v: Serve goes on without its listener", full)
		}
		again, err := net.Listen("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		_ = again.Close()
	}
}

// prying is a listener that does something with its connections, as a host may that stands behind a proxy.
type prying struct {
	net.Listener
	with func(*net.TCPConn)
}

func (p prying) Accept() (net.Conn, error) {
	c, err := p.Listener.Accept()
	if err == nil {
		p.with(c.(*net.TCPConn))
	}
	return c, err
}

// TestConnHandedOn: a connection that its listener has made blocking blocks no loop: a peer that does not read would stop all else.
func TestConnHandedOn(t *testing.T) {
	l := listenTCP(t)
	s, _ := serveOn(t, prying{l, func(c *net.TCPConn) { handOn(t, c) }})
	healthy(t, l.Addr())
	onlySock(t, s, func(k *sock) {
		if flags, err := unix.FcntlInt(uintptr(k.fd), unix.F_GETFL, 0); err != nil || flags&unix.O_NONBLOCK == 0 {
			t.Errorf("flags %#x, %v", flags, err)
		}
	})
}

// TestLingerOff: no connection lingers, though its host has said so of the listener or of itself: close would wait, on the loop, for a peer that does not read.
func TestLingerOff(t *testing.T) {
	for _, inherited := range []bool{true, false} {
		l := listenTCP(t)
		var served net.Listener = l
		if inherited {
			rc, err := l.SyscallConn()
			if err == nil {
				cerr := rc.Control(func(fd uintptr) {
					err = unix.SetsockoptLinger(int(fd), unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1, Linger: 5})
				})
				err = errors.Join(cerr, err)
			}
			if err != nil {
				t.Fatal(err)
			}
		} else {
			served = prying{l, func(c *net.TCPConn) { _ = c.SetLinger(5) }}
		}
		s, _ := serveOn(t, served)
		healthy(t, l.Addr())
		onlySock(t, s, func(k *sock) {
			if lg, err := unix.GetsockoptLinger(int(k.fd), unix.SOL_SOCKET, unix.SO_LINGER); err != nil || lg.Onoff != 0 {
				t.Errorf("inherited: %v: linger %+v, %v", inherited, lg, err)
			}
		})
	}
}

// onlySock runs f on the loop, with the only connection there.
func onlySock(t *testing.T, s *Server, f func(*sock)) {
	t.Helper()
	p := onlyPoller(s)
	p.on(func() {
		open := 0
		for _, k := range p.socks {
			if k != nil {
				open++
				f(k)
			}
		}
		if open != 1 {
			t.Errorf("%d connections are open, want 1", open)
		}
	})
}

// onlyPoller returns the poller of a server that serves.
func onlyPoller(s *Server) *poller {
	s.mu.Lock() // Serve has started it on another goroutine
	defer s.mu.Unlock()
	return s.engine.(*epollEngine).pollers[0]
}

// TestShutdownOfUnopened: a connection that was accepted and is not open yet when the order to drain comes is closed by it as any other.
func TestShutdownOfUnopened(t *testing.T) {
	l := listenTCP(t)
	s, _ := serveWith(t, l, &Options{Loops: 1, Engine: EngineEpoll, DrainTimeout: 5 * time.Second})
	_ = healthy(t, l.Addr()).Close()
	for s.conns.Load() > 0 {
		time.Sleep(time.Millisecond)
	}
	p, lp := onlyPoller(s), s.loops[0]
	// A turn that has begun, and is to serve the inbox.
	first, second, begun, resume := make(chan struct{}), make(chan struct{}), make(chan struct{}), make(chan struct{})
	p.execute(func() { close(first); <-second })
	<-first
	p.execute(func() { close(begun); <-resume })
	lp.postChanges(&changes{topics: mcp.TopicTools})
	close(second)
	<-begun
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for s.conns.Load() == 0 {
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
