package rejoin

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 10 * time.Second

// rig is an http.Server that serves "/" itself, and whose connections leave it with requests for
// "/away". There a goroutine, in place of an event loop, answers when the test says so, and gives
// the connection back with the next request.
type rig struct {
	*testing.T
	hs     *http.Server
	addr   string
	served chan error

	answer chan struct{} // an away connection answers
	drains atomic.Int64
	cuts   atomic.Int64
	own    atomic.Int64 // requests for "/"

	mu    sync.Mutex // guards what follows
	join  *Server
	aways map[*away]bool
	cut   bool
}

// away is a connection that is away.
type away struct {
	nc   net.Conn
	busy bool
	ends chan struct{}
	once sync.Once
}

func (a *away) end() { a.once.Do(func() { close(a.ends) }) }

func start(t *testing.T, setUp func(*http.Server)) *rig {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{T: t, addr: l.Addr().String(), answer: make(chan struct{}), served: make(chan error, 1), aways: map[*away]bool{}}
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, req *http.Request) {
		r.own.Add(1)
		_, _ = io.Copy(io.Discard, req.Body)
		fmt.Fprintf(w, "%s %s", req.URL.Path, req.RemoteAddr)
	})
	mux.HandleFunc("/away", r.leave)
	r.hs = &http.Server{Handler: mux, ErrorLog: slog.NewLogLogger(slog.NewTextHandler(io.Discard, nil), slog.LevelError)}
	if setUp != nil {
		setUp(r.hs)
	}
	go func() { r.served <- r.hs.Serve(l) }()
	t.Cleanup(func() {
		_ = r.hs.Close()
		if err := <-r.served; err != http.ErrServerClosed {
			t.Errorf("Serve: %v", err)
		}
		r.eachAway((*away).end)
		if r.join != nil {
			<-r.join.Done()
		}
	})
	return r
}

// server returns the Server of r.hs.
func (r *rig) server(local net.Addr) *Server {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.join == nil {
		r.join = Join(r.hs, local, Options{
			Drain: func() {
				r.drains.Add(1)
				r.eachAway(func(a *away) {
					r.mu.Lock()
					idle := !a.busy
					r.mu.Unlock()
					if idle {
						a.end()
					}
				})
			},
			Cut: func() {
				r.mu.Lock()
				r.cut = true
				r.mu.Unlock()
				r.cuts.Add(1)
				r.eachAway((*away).end)
			},
			Patience: 300 * time.Millisecond,
			Logger:   slog.New(slog.NewTextHandler(io.Discard, nil)),
		})
	}
	return r.join
}

func (r *rig) eachAway(f func(*away)) {
	r.mu.Lock()
	var all []*away
	for a := range r.aways {
		all = append(all, a)
	}
	r.mu.Unlock()
	for _, a := range all {
		f(a)
	}
}

// leave takes the connection from the http.Server.
func (r *rig) leave(w http.ResponseWriter, req *http.Request) {
	s := r.server(req.Context().Value(http.LocalAddrContextKey).(net.Addr))
	if !s.Leave() {
		w.WriteHeader(http.StatusNotImplemented)
		return
	}
	nc, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		s.Gone(true)
		r.Error(err)
		return
	}
	var input []byte
	if n := rw.Reader.Buffered(); n > 0 {
		b, _ := rw.Peek(n)
		input = append(input, b...)
	}
	if c, ok := nc.(*Conn); ok {
		input = append(input, c.TakeInput()...)
		nc = c.NetConn()
	}
	a := &away{nc: nc, busy: true, ends: make(chan struct{})}
	r.mu.Lock()
	r.aways[a] = true
	if r.cut {
		a.end()
	}
	r.mu.Unlock()
	go r.serveAway(s, a, input)
}

func (r *rig) serveAway(s *Server, a *away, input []byte) {
	back := false
	defer func() {
		r.mu.Lock()
		delete(r.aways, a)
		r.mu.Unlock()
		if !back {
			_ = a.nc.Close()
			s.Gone(a.busy)
		}
	}()
	select {
	case <-r.answer:
	case <-a.ends:
		return
	}
	fmt.Fprintf(a.nc, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\naway")
	r.mu.Lock()
	a.busy = false
	r.mu.Unlock()
	s.Idle()
	if len(input) == 0 {
		stop := make(chan struct{})
		done := make(chan struct{})
		go func() {
			defer close(done)
			select {
			case <-a.ends:
				_ = a.nc.SetReadDeadline(time.Unix(1, 0))
			case <-stop:
			}
		}()
		b := make([]byte, 8<<10)
		n, err := a.nc.Read(b)
		close(stop)
		<-done
		if err != nil {
			return
		}
		input = b[:n]
	}
	back = true
	s.Return(a.nc, input, nil)
}

// dial returns a connection to the http.Server.
func (r *rig) dial() *client {
	r.Helper()
	nc, err := net.Dial("tcp", r.addr)
	if err != nil {
		r.Fatal(err)
	}
	r.Cleanup(func() { _ = nc.Close() })
	_ = nc.SetDeadline(time.Now().Add(patience))
	return &client{r: r, Conn: nc, in: bufio.NewReader(nc)}
}

type client struct {
	net.Conn
	r  *rig
	in *bufio.Reader
}

// send sends requests, if the connection is open.
func (c *client) send(requests ...string) {
	var b strings.Builder
	for _, path := range requests {
		fmt.Fprintf(&b, "GET %s HTTP/1.1\r\nHost: test\r\n\r\n", path)
	}
	_, _ = io.WriteString(c, b.String())
}

// want fails the test unless the next response has this content.
func (c *client) want(content string) {
	c.r.Helper()
	resp, err := http.ReadResponse(c.in, nil)
	if err != nil {
		c.r.Fatalf("no response %q: %v", content, err)
	}
	defer resp.Body.Close()
	if b, err := io.ReadAll(resp.Body); string(b) != content || err != nil {
		c.r.Fatalf("got %q, %v, want %q", b, err, content)
	}
}

// own is the content of a response of the http.Server.
func (c *client) own(path string) string { return path + " " + c.LocalAddr().String() }

func (c *client) wantEnd() {
	c.r.Helper()
	if b, err := io.ReadAll(c.in); err != nil && !errors.Is(err, net.ErrClosed) || len(b) > 0 {
		c.r.Errorf("got %q, %v, want the end", b, err)
	}
}

// shutdown returns what Shutdown returns, in time.
func (r *rig) shutdown(ctx context.Context) <-chan error {
	done := make(chan error, 1)
	go func() { done <- r.hs.Shutdown(ctx) }()
	return done
}

func (r *rig) eventually(what string, ok func() bool) {
	r.Helper()
	for limit := time.Now().Add(patience); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(limit) {
			r.Fatalf("never: %s", what)
		}
	}
}

func (r *rig) wait(what string, done <-chan error) error {
	r.Helper()
	select {
	case err := <-done:
		return err
	case <-time.After(patience):
		r.Fatalf("%s does not return", what)
		return nil
	}
}

// counts returns how many connections are away, and how many of them are busy.
func (r *rig) counts() (away, busy int) {
	r.mu.Lock()
	s := r.join
	r.mu.Unlock()
	if s == nil {
		return 0, 0
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.away, s.busy
}

// taken returns how many connections are away and have got there: counts has those on their way
// too, which come back if the http.Server is closed meanwhile.
func (r *rig) taken() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.aways)
}
