package gateway

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/internal/sockdiag"
	"github.com/mooring-mcp/mooring/server"
)

// A leak is an MCP server of 2025-11-25 that keeps what its clients abandon: each connection has
// one of 150 places, and a GET stream keeps it for ever, because nothing is written and a FIN is
// not noticed.
type leak struct {
	l        net.Listener
	places   chan struct{}
	sessions atomic.Int64

	mu    sync.Mutex
	conns []net.Conn
}

func newLeak(t *testing.T) *leak {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	k := &leak{l: l, places: make(chan struct{}, 150)}
	var served sync.WaitGroup
	served.Go(func() {
		for {
			k.places <- struct{}{}
			c, err := l.Accept()
			if err != nil {
				return
			}
			k.mu.Lock()
			k.conns = append(k.conns, c)
			k.mu.Unlock()
			served.Go(func() {
				if k.serve(c) {
					c.Close()
					<-k.places
				}
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		k.mu.Lock()
		for _, c := range k.conns {
			c.Close()
		}
		k.mu.Unlock()
		select {
		case <-k.places: // the listener may wait for one
		default:
		}
		served.Wait()
	})
	return k
}

// serve answers requests, and reports whether the connection has ended: that of a stream does not.
func (k *leak) serve(c net.Conn) bool {
	r := bufio.NewReader(c)
	for {
		req, err := http.ReadRequest(r)
		if err != nil {
			return true
		}
		body, _ := io.ReadAll(req.Body)
		var result, more string
		switch text := string(body); {
		case req.URL.Path == "/health":
			fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 24\r\n\r\n%-24s", fmt.Sprint("ok sessions=", k.sessions.Load()))
			continue
		case req.Method == http.MethodGet:
			fmt.Fprint(c, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
			return false
		case req.Method == http.MethodDelete:
			k.sessions.Add(-1)
			fmt.Fprint(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
			continue
		case !strings.Contains(text, `"id"`):
			fmt.Fprint(c, "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n")
			continue
		case strings.Contains(text, `"initialize"`):
			more = "Mcp-Session-Id: s" + strconv.FormatInt(k.sessions.Add(1), 10) + "\r\n"
			result = `"result":{"protocolVersion":"2025-11-25","capabilities":{"tools":{"listChanged":true}},"serverInfo":{"name":"leak","version":"1"}}`
		case strings.Contains(text, `"tools/list"`):
			result = `"result":{"tools":[{"name":"echo","inputSchema":{"type":"object"}}]}`
		case strings.Contains(text, `"tools/call"`):
			result = `"result":{"content":[{"type":"text","text":"here"}]}`
		default:
			result = `"error":{"code":-32601,"message":"Method not found"}`
		}
		_, id, _ := strings.Cut(string(body), `"id":`)
		id = id[:strings.IndexAny(id, ",}")]
		out := `{"jsonrpc":"2.0","id":` + id + `,` + result + `}`
		fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n%sContent-Length: %d\r\n\r\n%s", more, len(out), out)
	}
}

// abandon is a client that initializes, opens a GET stream, calls, and closes its connections
// without a DELETE.
func abandon(addr, path, tool string) error {
	c, err := net.DialTimeout("tcp4", addr, 5*time.Second)
	if err != nil {
		return err
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(30 * time.Second))
	r := bufio.NewReader(c)
	id := ""
	post := func(body, want string) error {
		head := "POST " + path + " HTTP/1.1\r\nHost: " + addr + "\r\nContent-Type: application/json\r\nAccept: application/json, text/event-stream\r\n"
		if id != "" {
			head += "Mcp-Session-Id: " + id + "\r\nMCP-Protocol-Version: 2025-11-25\r\n"
		}
		if _, err := fmt.Fprintf(c, "%sContent-Length: %d\r\n\r\n%s", head, len(body), body); err != nil {
			return err
		}
		res, err := http.ReadResponse(r, nil)
		if err != nil {
			return err
		}
		if s := res.Header.Get("Mcp-Session-Id"); s != "" {
			id = s
		}
		b, err := io.ReadAll(res.Body)
		if err != nil || !strings.Contains(string(b), want) {
			return fmt.Errorf("%s %s: %s, %w", res.Status, want, b, err)
		}
		return nil
	}
	if err := post(`{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"c","version":"1"}}}`, `"protocolVersion"`); err != nil {
		return err
	}
	s, err := net.DialTimeout("tcp4", addr, 5*time.Second)
	if err != nil {
		return err
	}
	defer s.Close()
	_ = s.SetDeadline(time.Now().Add(30 * time.Second))
	fmt.Fprintf(s, "GET %s HTTP/1.1\r\nHost: %s\r\nAccept: text/event-stream\r\nMcp-Session-Id: %s\r\nMCP-Protocol-Version: 2025-11-25\r\n\r\n", path, addr, id)
	if line, err := bufio.NewReader(s).ReadString('\n'); err != nil || !strings.Contains(line, "200") {
		return fmt.Errorf("GET: %s, %w", line, err)
	}
	if err := post(`{"jsonrpc":"2.0","method":"notifications/initialized"}`, ""); err != nil {
		return err
	}
	return post(`{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"`+tool+`","arguments":{"text":"here"}}}`, `here`)
}

// TestSeed is the report that the gateway was built for. A server that keeps what its clients
// abandon dies of 150 of them. Behind the gateway it does not notice them.
//
// MOORING_SEED names another server with the tool echo, and a health check beside it, such as that
// of test/gateway/tomcat, just started; MOORING_SEED_CLIENTS is how many clients there are.
func TestSeed(t *testing.T) {
	clients, endpoint := 500, os.Getenv("MOORING_SEED")
	if n, err := strconv.Atoi(os.Getenv("MOORING_SEED_CLIENTS")); err == nil {
		clients = n
	}
	if endpoint == "" {
		dead := newLeak(t)
		for i := range 150 {
			if err := abandon(dead.l.Addr().String(), "/mcp", "echo"); err != nil && i < 140 {
				t.Fatalf("client %d of the server itself: %v", i, err)
			}
			if len(dead.places) == cap(dead.places) {
				break // the next would wait for ever
			}
		}
		if len(dead.places) < cap(dead.places)-1 {
			t.Errorf("the server itself has given back places: %d are taken", len(dead.places))
		}
		endpoint = "http://" + newLeak(t).l.Addr().String() + "/mcp"
	}
	u, err := url.Parse(endpoint)
	if err != nil {
		t.Fatal(err)
	}
	up, err := strconv.Atoi(u.Port())
	if err != nil {
		t.Fatal(err)
	}
	g := newGateway(t, fmt.Sprintf(`{"mcpServers":{"up":{"url":%q}}}`, endpoint))
	s := server.New(g.Endpoints()[0].Server, &server.Options{})
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	ended := make(chan error, 1)
	go func() { ended <- s.ListenAndServe(addr) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_ = s.Shutdown(ctx)
		<-ended
	})
	until(t, "the gateway listens", func() bool {
		c, err := net.Dial("tcp4", addr)
		if err == nil {
			c.Close()
		}
		return err == nil
	})

	watch := watchUpstream(t, up, "http://"+u.Host+"/health")
	begin := time.Now()
	var next, failed atomic.Int64
	var all sync.WaitGroup
	for range 64 {
		all.Go(func() {
			for next.Add(1) <= int64(clients) {
				if err := abandon(addr, "/mcp", "echo"); err != nil && failed.Add(1) < 5 {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	took := time.Since(begin)
	w := watch()
	t.Logf("%d clients in %v, %d failed; at the upstream at most %d sockets, %d in CLOSE-WAIT, %s; its health %d times, p50 %v, p99 %v, worst %v",
		clients, took.Round(time.Millisecond), failed.Load(), w.sockets, w.closeWait, w.said, len(w.health), w.at(50), w.at(99), w.at(100))
	// One socket is that of the health check, and some may be about to close.
	if failed.Load() > 0 || w.sockets > 40 || w.closeWait > 5 {
		t.Errorf("%d failed, %d sockets, %d in CLOSE-WAIT; want 0, at most 34, 0", failed.Load(), w.sockets, w.closeWait)
	}
	r, err := sockdiag.NewReader()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	until(t, "no socket in CLOSE-WAIT at the upstream", func() bool {
		n, err := r.Count(up, 0)
		return err == nil && n[sockdiag.CloseWait] == 0 && n.Open() <= 34
	})
	if _, n, _ := strings.Cut(w.said, "sessions="); len(n) == 0 || n[0] > '2' || len(n) > 1 && n[1] != ' ' {
		t.Errorf("the upstream says %q, want at most 2 sessions", w.said)
	}
}

// A watched is what was seen of an upstream.
type watched struct {
	sockets, closeWait int // at most, at the same time
	said               string
	health             []time.Duration // sorted
}

// at returns a percentile.
func (w *watched) at(p int) time.Duration {
	if len(w.health) == 0 {
		return 0
	}
	return w.health[min(len(w.health)*p/100, len(w.health)-1)].Round(10 * time.Microsecond)
}

// watchUpstream looks at a server every 20 ms, until the function that it returns is called.
func watchUpstream(t *testing.T, port int, health string) func() *watched {
	r, err := sockdiag.NewReader()
	if err != nil {
		t.Fatal(err)
	}
	w, stop, done := &watched{}, make(chan struct{}), make(chan struct{})
	c := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{MaxConnsPerHost: 1}}
	go func() {
		defer close(done)
		defer r.Close()
		defer c.CloseIdleConnections()
		for tick := time.NewTicker(20 * time.Millisecond); ; {
			n, err := r.Count(port, 0)
			if err != nil {
				t.Error(err)
				return
			}
			w.sockets, w.closeWait = max(w.sockets, n.Open()), max(w.closeWait, n[sockdiag.CloseWait])
			begin := time.Now()
			res, err := c.Get(health)
			if err != nil {
				t.Errorf("the health check of the upstream: %v", err)
				return
			}
			b, _ := io.ReadAll(res.Body)
			res.Body.Close()
			w.said = strings.TrimSpace(string(b))
			w.health = append(w.health, time.Since(begin))
			select {
			case <-tick.C:
			case <-stop:
				tick.Stop()
				return
			}
		}
	}()
	return func() *watched {
		close(stop)
		<-done
		slices.Sort(w.health)
		return w
	}
}
