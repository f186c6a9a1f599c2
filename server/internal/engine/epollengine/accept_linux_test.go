package epollengine

import (
	"errors"
	"net"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mooring-mcp/mooring/server/internal/engine"
)

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

// TestConnRaced: a connection that becomes blocking while it is served, because another process
// has it too and makes it so, blocks no loop.
func TestConnRaced(t *testing.T) {
	l := startLoop(t)
	s, peer := addPair(t, l)
	defer unix.Close(peer)
	handOn(t, duplicateOf(t, int(s.fd)))
	ended := make(chan struct{})
	go l.on(func() {
		s.read(unix.EPOLLIN) // nothing is there
		for range 16 {
			_, _ = s.Write(make([]byte, 64<<10)) // nobody reads
		}
		close(ended)
	})
	// If it waits.
	time.AfterFunc(10*time.Second, func() { _ = unix.Shutdown(peer, unix.SHUT_RDWR) })
	began := time.Now()
	<-ended
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("took %v", took)
	}
}

// duplicateOf returns a connection with a duplicate of the descriptor.
func duplicateOf(t *testing.T, fd int) *net.UnixConn {
	t.Helper()
	fd, err := engine.Duplicate(fd)
	if err != nil {
		t.Fatal(err)
	}
	nc, err := engine.ConnOf(fd)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = nc.Close() })
	return nc.(*net.UnixConn)
}

// TestAdmitFails: a connection that epoll does not take is closed and not counted. The error makes
// accepting pause.
func TestAdmitFails(t *testing.T) {
	e := startEngine(t)
	fd, err := unix.Open("/dev/null", unix.O_RDONLY|unix.O_CLOEXEC, 0) // epoll takes no such file
	if err != nil {
		t.Fatal(err)
	}
	a := &acceptor{engine: e, adm: e.adm}
	if err := a.admit(fd); !errors.Is(err, unix.EPERM) {
		t.Errorf("%v, want %v", err, unix.EPERM)
	}
	if n := e.adm.Connections(); n != 0 {
		t.Errorf("%d connections are counted", n)
	}
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != unix.EBADF {
		t.Errorf("the descriptor is open: %v", err)
	}
}

// TestRefusedWithoutDescriptors: a refused client is answered even if there is no descriptor.
func TestRefusedWithoutDescriptors(t *testing.T) {
	e := startEngine(t)
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
	(&acceptor{engine: e, adm: e.adm}).refuse(fds[0])
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &was); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 1024)
	n, err := unix.Read(fds[1], b)
	if want := string(e.adm.Host.Refusal()); err != nil || string(b[:n]) != want {
		t.Fatalf("%q, %v, want %q", b[:max(n, 0)], err, want)
	}
	if n, err = unix.Read(fds[1], b); n != 0 || err != nil {
		t.Errorf("%d, %v, want the end", n, err)
	}
	if n := e.adm.Refused(); n != 1 {
		t.Errorf("%d are counted", n)
	}
}

// TestListenerClosedByHost: Serve returns, and the port is free, even if no client comes, or there
// is no room for one.
func TestListenerClosedByHost(t *testing.T) {
	for _, full := range []bool{false, true} {
		l := listenTCP(t)
		e, served := serve(t, l)
		dial(t, l.Addr())
		if full {
			for ok := true; ok; {
				_, ok = e.adm.Reserve(true)
			}
			// The acceptor refuses this one, and then waits for room.
			late, err := net.Dial("tcp", l.Addr().String())
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
		case <-time.After(10 * engine.MaxPause):
			t.Fatalf("full: %v: Serve continues without its listener", full)
		}
		again, err := net.Listen("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		_ = again.Close()
	}
}

// prying is a listener that does something with its connections, as a host behind a proxy may.
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

// TestConnHandedOn: a connection that its listener has made blocking blocks no loop. Otherwise a
// peer that does not read would stop everything else.
func TestConnHandedOn(t *testing.T) {
	l := listenTCP(t)
	e, _ := serve(t, prying{l, func(c *net.TCPConn) { handOn(t, c) }})
	dial(t, l.Addr())
	e.onlySocket(t, func(s *socket) {
		if flags, err := unix.FcntlInt(uintptr(s.fd), unix.F_GETFL, 0); err != nil || flags&unix.O_NONBLOCK == 0 {
			t.Errorf("flags %#x, %v", flags, err)
		}
	})
}

// TestLingerOff: no connection lingers, even if its host has set that on the listener or on
// itself: close would wait, on the loop, for a peer that does not read.
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
		e, _ := serve(t, served)
		dial(t, l.Addr())
		e.onlySocket(t, func(s *socket) {
			if lg, err := unix.GetsockoptLinger(int(s.fd), unix.SOL_SOCKET, unix.SO_LINGER); err != nil || lg.Onoff != 0 {
				t.Errorf("inherited: %v: linger %+v, %v", inherited, lg, err)
			}
		})
	}
}

// onlySocket runs f on the loop, with the only connection there.
func (e *epollEngine) onlySocket(t *testing.T, f func(*socket)) {
	t.Helper()
	l := e.loops[0]
	l.on(func() {
		open := 0
		for _, s := range l.sockets {
			if s != nil {
				open++
				f(s)
			}
		}
		if open != 1 {
			t.Errorf("%d connections are open, want 1", open)
		}
	})
}
