//go:build linux

package load

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
	"unsafe"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// recorder is a driver that sends a request when connected and records what happens.
type recorder struct {
	req   string
	after func(c *Conn, what string)
	lines chan string
}

func newRecorder(req string) *recorder {
	return &recorder{req: req, lines: make(chan string, 1000)}
}

func (r *recorder) note(c *Conn, format string, args ...any) {
	line := fmt.Sprintf(format, args...)
	r.lines <- line
	if r.after != nil {
		r.after(c, line)
	}
}

func (r *recorder) Opened(c *Conn) { c.Write([]byte(r.req)) }
func (r *recorder) Response(c *Conn, a *Response) {
	if a.Stream {
		r.note(c, "stream %d", a.Status)
		return
	}
	r.note(c, "answer %d %q", a.Status, a.Body)
}
func (r *recorder) Event(c *Conn, e *Event) {
	for range e.Comments {
		r.note(c, "comment")
	}
	if e.Data != nil {
		r.note(c, "event %s%s%q", e.ID, e.Type, e.Data)
	}
}
func (r *recorder) StreamEnded(c *Conn)     { r.note(c, "end") }
func (r *recorder) Closed(c *Conn, how End) { r.note(c, "%v", how) }

// next returns the next n lines.
func (r *recorder) next(t *testing.T, n int) string {
	t.Helper()
	var b strings.Builder
	for range n {
		select {
		case l := <-r.lines:
			fmt.Fprintln(&b, l)
		case <-time.After(10 * time.Second):
			t.Fatalf("nothing more after:\n%s", &b)
		}
	}
	return b.String()
}

// rawServer reads request heads and calls answer with the connection for each.
func rawServer(t *testing.T, answer func(net.Conn)) netip.AddrPort {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	t.Cleanup(func() { l.Close(); wg.Wait() })
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer c.Close()
				_ = c.SetDeadline(time.Now().Add(20 * time.Second))
				br := bufio.NewReader(c)
				for {
					line, err := br.ReadString('\n')
					if err != nil {
						return
					}
					if line == "\r\n" {
						answer(c)
					}
				}
			})
		}
	})
	return l.Addr().(*net.TCPAddr).AddrPort()
}

func newClient(t *testing.T, addr netip.AddrPort) *Client {
	t.Helper()
	c, err := New(Options{Addr: addr, MaxBody: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func open(t *testing.T, c *Client, d Driver) {
	t.Helper()
	l := c.Next()
	var err error
	if cerr := l.Call(func() { _, err = l.Open(d, 0, nil) }); cerr != nil || err != nil {
		t.Fatal(cerr, err)
	}
}

const get = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"

// TestAnswers reads every kind of answer, whole and cut at every byte.
func TestAnswers(t *testing.T) {
	const sseHead = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
	for _, tt := range []struct{ name, answer, want string }{
		{"length", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "answer 200 \"hello\"\n"},
		{"none", "HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n", "answer 202 \"\"\n"},
		{"204", "HTTP/1.1 204 No Content\r\n\r\n", "answer 204 \"\"\n"},
		{"interim", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 404 Not Found\r\nContent-Length: 1\r\n\r\nx", "answer 404 \"x\"\n"},
		{"chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\nX: y\r\n\r\n", "answer 200 \"abc0123456789\"\n"},
		{"two", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\naHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nb", "answer 200 \"a\"\nanswer 200 \"b\"\n"},
		{"stream", sseHead + "Transfer-Encoding: chunked\r\n\r\nb\r\n: hi\n\ndata:\r\n9\r\n 1\n\nid: 7\r\n11\r\n\nevent: e\ndata: 2\r\n2\r\n\n\n\r\n0\r\n\r\n",
			"stream 200\ncomment\nevent \"1\"\nevent 7e\"2\"\nend\n"},
		{"stream of CRLF", sseHead + "Content-Length: 24\r\n\r\ndata: 1\r\n\r\ndata: 2\r\n\r\n\r\n", "stream 200\nevent \"1\"\nevent \"2\"\nend\n"},
		{"empty stream", sseHead + "Content-Length: 0\r\n\r\n", "stream 200\nend\n"},
		{"no HTTP", "SSH-2.0-OpenSSH_9.6 hello\r\n\r\n", "broken\n"},
		{"bad length", "HTTP/1.1 200 OK\r\nContent-Length: 1x\r\n\r\n", "broken\n"},
		{"large", "HTTP/1.1 200 OK\r\nContent-Length: 1048577\r\n\r\n", "broken\n"},
		{"bad chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", "broken\n"},
		{"gzip", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nx\r\n", "broken\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cut := make(chan int, 1)
			addr := rawServer(t, func(c net.Conn) {
				n := <-cut
				_, _ = c.Write([]byte(tt.answer[:n]))
				if n < len(tt.answer) {
					// So that the client usually sees the first part alone.
					time.Sleep(200 * time.Microsecond)
					_, _ = c.Write([]byte(tt.answer[n:]))
				}
			})
			client := newClient(t, addr)
			for n := 1; n <= len(tt.answer); n++ {
				cut <- n
				r := newRecorder(get)
				open(t, client, r)
				if got := r.next(t, strings.Count(tt.want, "\n")); got != tt.want {
					t.Fatalf("cut at %d: got\n%swant\n%s", n, got, tt.want)
				}
			}
		})
	}
}

// TestBytewise sends one byte at a time, so that all cuts occur at once.
func TestBytewise(t *testing.T) {
	const answer = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n9\r\ndata: 1\n\n\r\n3\r\n:\n\n\r\n0\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
	addr := rawServer(t, func(c net.Conn) {
		for i := range len(answer) {
			_, _ = c.Write([]byte{answer[i]})
			time.Sleep(50 * time.Microsecond)
		}
		c.(*net.TCPConn).CloseWrite()
	})
	r := newRecorder(get)
	open(t, newClient(t, addr), r)
	if got, want := r.next(t, 6), "stream 200\nevent \"1\"\ncomment\nend\nanswer 200 \"ok\"\nclosed\n"; got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

func TestEnds(t *testing.T) {
	untilEnd := "HTTP/1.1 200 OK\r\n\r\nall of it"
	for _, tt := range []struct {
		name, want string
		answer     func(net.Conn)
	}{
		{"content until the end", "answer 200 \"all of it\"\nclosed\n", func(c net.Conn) { fmt.Fprint(c, untilEnd); c.(*net.TCPConn).CloseWrite() }},
		{"at once", "closed\n", func(c net.Conn) { c.(*net.TCPConn).CloseWrite() }},
		{"reset", "reset\n", func(c net.Conn) { c.(*net.TCPConn).SetLinger(0); c.Close() }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRecorder(get)
			open(t, newClient(t, rawServer(t, tt.answer)), r)
			if got := r.next(t, strings.Count(tt.want, "\n")); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
	t.Run("refused", func(t *testing.T) {
		l, err := net.Listen("tcp4", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		addr := l.Addr().(*net.TCPAddr).AddrPort()
		l.Close()
		r := newRecorder(get)
		open(t, newClient(t, addr), r)
		if got := r.next(t, 1); got != "refused\n" {
			t.Errorf("got %q", got)
		}
	})
}

// TestCloseWithin closes and reopens from every callback: no record may serve two connections.
func TestCloseWithin(t *testing.T) {
	addr := rawServer(t, func(c net.Conn) {
		fmt.Fprint(c, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 18\r\n\r\ndata: 1\n\ndata: 2\n\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na")
	})
	client := newClient(t, addr)
	for _, at := range []string{"stream 200", `event "1"`, `event "2"`, "end", `answer 200 "a"`} {
		second := newRecorder(get)
		first := newRecorder(get)
		first.after = func(c *Conn, what string) {
			if what == at {
				l := c.Loop()
				c.Close()
				if _, err := l.Open(second, 0, nil); err != nil {
					t.Error(err)
				}
			}
		}
		open(t, client, first)
		if got, want := second.next(t, 5), "stream 200\nevent \"1\"\nevent \"2\"\nend\nanswer 200 \"a\"\n"; got != want {
			t.Errorf("closed at %s: the next got\n%s", at, got)
		}
		for len(first.lines) > 0 {
			if l := <-first.lines; l == at && len(first.lines) > 0 {
				t.Errorf("closed at %s, and then: %s", at, <-first.lines)
			}
		}
	}
}

// TestStreamMemory checks what an idle stream costs the client.
func TestStreamMemory(t *testing.T) {
	if size := unsafe.Sizeof(Conn{}); size > 112 {
		t.Errorf("a Conn is %d bytes", size)
	}
	const n = 4000
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprint(w, ": hello\n\ndata: 1\n\n")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	// The server is in this process and holds far more than the client, so the memory of the
	// client's records is computed from their pages.
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: mux}
	go srv.Serve(l)
	t.Cleanup(func() { srv.Close() })
	client := newClient(t, l.Addr().(*net.TCPAddr).AddrPort())
	d := &counter{}
	d.wg.Add(n)
	for i := range n / 50 {
		err := client.Each(func(l *Loop) {
			for k := range 50 / len(client.Loops()) {
				if _, err := l.Open(d, uint64(i*50+k), nil); err != nil {
					t.Error(err)
				}
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Millisecond)
	}
	d.wg.Wait()
	held, conns := 0, 0
	_ = client.Each(func(l *Loop) {
		held += len(l.pages)*pageSize*int(unsafe.Sizeof(Conn{})) + 4*cap(l.free) + 8*cap(l.pages)
		for _, p := range l.pages {
			for i := range p {
				if p[i].fd >= 0 {
					conns++
				}
				if p[i].part != nil || p[i].out != nil {
					t.Errorf("an idle stream holds a buffer")
				}
			}
		}
	})
	if conns != n {
		t.Errorf("%d streams, want %d", conns, n)
	}
	if per := held / n; per > 150 {
		t.Errorf("%d bytes per stream", per)
	}
	runtime.KeepAlive(client)
}

type counter struct{ wg sync.WaitGroup }

func (d *counter) Opened(c *Conn)            { c.Write([]byte(get)) }
func (d *counter) Response(*Conn, *Response) {}
func (d *counter) Event(c *Conn, e *Event) {
	if e.Data != nil {
		d.wg.Done()
	}
}
func (d *counter) StreamEnded(*Conn) {}
func (d *counter) Closed(*Conn, End) {}
