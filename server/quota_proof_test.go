//go:build linux

package server_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/auth"
	"github.com/mooring-mcp/mooring/server"
)

// dialFrom opens a connection from an address of this machine.
func (p *proofServer) dialFrom(ip string) (*proofPeer, error) {
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(ip)}, Timeout: patience}
	c, err := d.Dial("tcp", p.addr)
	if err != nil {
		return nil, err
	}
	return p.peerOn(c.(*net.TCPConn)), nil
}

// wantNoClients waits until no client is remembered.
func (p *proofServer) wantNoClients() {
	p.t.Helper()
	await(p.t, "no client is remembered", func() bool {
		n := int64(0)
		for _, k := range p.Stats().Tracked {
			n += k
		}
		return n == 0
	})
}

// Thousands of connections of one address above its limit do not keep another address from its
// calls, and when they are gone the address has room again.
func TestAddressAboveItsLimit(t *testing.T) {
	const most = 50
	count := 5000
	if testing.Short() || raceDetector {
		count = 1000
	}
	for _, engine := range []server.Engine{server.EngineGnet, server.EngineEpoll} {
		p := serveProof(t, &server.Options{Engine: engine, Loops: 2, PerAddress: &server.ClientLimits{Connections: most}})
		good, err := p.dialFrom("127.0.0.3")
		if err != nil {
			t.Fatal(err)
		}
		calls := func(until <-chan struct{}) (took []time.Duration) {
			for i := 0; ; i++ {
				select {
				case <-until:
					return took
				default:
				}
				start := time.Now()
				good.add(i, 1)
				took = append(took, time.Since(start))
				time.Sleep(time.Millisecond)
			}
		}
		quiet := make(chan struct{})
		time.AfterFunc(500*time.Millisecond, func() { close(quiet) })
		before := calls(quiet)

		var mu sync.Mutex
		var open []*proofPeer
		refused := 0
		var dialing sync.WaitGroup
		for range 8 {
			dialing.Go(func() {
				for range count / 8 {
					c, err := p.dialFrom("127.0.0.2")
					if err != nil {
						t.Error(err)
						return
					}
					mu.Lock()
					open = append(open, c)
					mu.Unlock()
				}
			})
		}
		stormed := make(chan struct{})
		go func() { dialing.Wait(); close(stormed) }()
		during := calls(stormed)
		await(t, "all that are too many are refused", func() bool {
			return p.Stats().Refusals["address_connections"] == uint64(count-most)
		})
		for _, c := range open {
			_ = c.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
			b, err := c.br.Peek(12)
			if string(b) == "HTTP/1.1 429" || err == io.EOF || err != nil && strings.Contains(err.Error(), "reset") {
				refused++
			}
		}
		if refused != count-most {
			t.Errorf("%s: %d connections were refused or closed, want %d", engine, refused, count-most)
		}
		slices.Sort(before)
		slices.Sort(during)
		t.Logf("%s: calls of another address: median %v and worst %v of %d before, median %v and worst %v of %d during %d connections",
			engine, before[len(before)/2], before[len(before)-1], len(before), during[len(during)/2], during[len(during)-1], len(during), count)
		if worst := during[len(during)-1]; worst > 2*time.Second {
			t.Errorf("%s: a call of another address took %v", engine, worst)
		}
		for _, c := range open {
			c.Close()
		}
		await(t, "the address has room again", func() bool {
			c, err := p.dialFrom("127.0.0.2")
			if err != nil {
				return false
			}
			defer c.Close()
			c.send(callRequest(1, "add", `{"A":1,"B":2}`, ""))
			a, err := c.tryAnswer("tools/call")
			return err == nil && a.status == 200
		})
		good.Close()
		p.wantNothingLeft()
		p.wantNoClients()
	}
}

// A connection counts once for its address wherever it is: on a loop, with Options.Other, on
// net/http, and on a loop again for the time of a response.
func TestAddressCountFollowsTheConnection(t *testing.T) {
	for _, engine := range []server.Engine{server.EngineGnet, server.EngineEpoll} {
		p := newProofServer(t, &server.Options{
			Engine: engine, Loops: 2, PerAddress: &server.ClientLimits{Connections: 1},
			Other: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "a page") }),
		})
		l, err := p.Listen("127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		p.addr, p.port = l.Addr().String(), l.Addr().(*net.TCPAddr).Port
		go func() { _ = p.Serve(l) }()
		c := p.dial()
		refused := uint64(0)
		another := func(why string) {
			t.Helper()
			second, err := p.dialFrom("127.0.0.1")
			if err != nil {
				t.Fatal(err)
			}
			if a, err := second.tryAnswer(""); err != nil || a.status != 429 || a.header.Get("Retry-After") == "" {
				t.Fatalf("%s, %s: a second connection: %d %v", engine, why, a.status, err)
			}
			second.Close()
			if refused++; p.Stats().Refusals["address_connections"] != refused {
				t.Fatalf("%s, %s: %v", engine, why, p.Stats().Refusals)
			}
		}
		page := func(why string) {
			t.Helper()
			c.send(getRequest("/page"))
			if a := c.answer(""); a.status != 200 || a.body != "a page" {
				t.Fatalf("%s, %s: %d %s", engine, why, a.status, a.body)
			}
			another(why)
		}
		c.add(1, 2)
		another("on a loop")
		page("with Options.Other")
		c.add(2, 3)
		another("a call on net/http")
		c.send(listenRequest(1))
		s := c.stream("subscriptions/listen")
		another("a stream on a loop")
		s.Close()
		await(t, "the connection is gone", func() bool { return p.Stats().Connections == 0 })
		c = p.dial()
		page("Options.Other at once")
		c.Close()
		p.wantNoClients()
	}
}

// With TLS, a connection above the limit of its address is closed, also if a PROXY header says what
// the address is.
func TestAddressLimitWithTLS(t *testing.T) {
	s := serveTLS(t, &server.Options{PerAddress: &server.ClientLimits{Connections: 1}})
	first := s.dialTLS()
	if c, err := tls.Dial("tcp", s.secureAddr, s.config); err == nil {
		c.Close()
		t.Error("a second connection has finished its handshake")
	}
	if n := s.Stats().Refusals["address_connections"]; n != 1 {
		t.Errorf("%d are refused", n)
	}
	first.Close()
	s.wantEmpty()
	s.wantNoClients()
	s.want(s.client(2), callRequest(1, "add", `{"A":1,"B":2}`, ""), 200, `"Sum":3`)

	s = serveTLS(t, &server.Options{
		PerAddress:    &server.ClientLimits{Connections: 1},
		ProxyProtocol: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
	})
	dial := func(from string) (*tls.Conn, error) {
		nc, err := net.Dial("tcp", s.secureAddr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { nc.Close() })
		_ = nc.SetDeadline(time.Now().Add(patience))
		fmt.Fprintf(nc, "PROXY TCP4 %s 203.0.113.1 4660 443\r\n", from)
		c := tls.Client(nc, s.config)
		return c, c.Handshake()
	}
	one, err := dial("198.51.100.7")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := dial("198.51.100.7"); err == nil {
		t.Error("a second connection of the address behind the proxy has finished its handshake")
	}
	two, err := dial("198.51.100.8")
	if err != nil {
		t.Errorf("another address behind the proxy: %v", err)
	}
	one.Close()
	two.Close()
	s.wantEmpty()
	s.wantNoClients()
}

// On net/http, principals that middleware has found out have their limits, and what they have ends
// with their requests.
func TestPrincipalLimitsOnNetHTTP(t *testing.T) {
	h, _ := newHandler(t, &server.StreamableHTTPOptions{Options: &server.Options{
		PerPrincipal: &server.ClientLimits{Streams: 1, Connections: 2, CallRate: 0.01, CallBurst: 3},
	}})
	known := auth.RequireBearerToken(func(_ context.Context, token string, _ *http.Request) (*auth.TokenInfo, error) {
		return &auth.TokenInfo{UserID: token, Expiration: time.Now().Add(time.Hour)}, nil
	}, nil)(h)
	srv := httptest.NewServer(known)
	defer srv.Close()
	send := func(who, text string) *http.Response {
		t.Helper()
		r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(text)))
		if err != nil {
			t.Fatal(err)
		}
		r.RequestURI, r.URL.Scheme, r.URL.Host = "", "http", srv.Listener.Addr().String()
		r.Header.Set("Authorization", "Bearer "+who)
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		t.Cleanup(cancel)
		res, err := srv.Client().Do(r.WithContext(ctx))
		if err != nil {
			t.Fatal(err)
		}
		return res
	}
	want := func(why, who, text string, status int) {
		t.Helper()
		res := send(who, text)
		b, _ := io.ReadAll(res.Body)
		res.Body.Close()
		if res.StatusCode != status || (status == 429) != (res.Header.Get("Retry-After") != "") {
			t.Fatalf("%s: %d, Retry-After %q, %s", why, res.StatusCode, res.Header.Get("Retry-After"), b)
		}
	}
	call := callRequest(1, "add", `{"A":1,"B":2}`, "")
	stream := send("ann", listenRequest(1))
	if stream.StatusCode != 200 {
		t.Fatalf("a stream: %d", stream.StatusCode)
	}
	want("a second stream", "ann", listenRequest(2), 429)
	for range 3 {
		want("a call", "ann", call, 200)
	}
	want("one call too many", "ann", call, 429)
	want("another principal", "bob", call, 200)
	if st := h.Stats(); st.Refusals["principal_streams"] != 1 || st.Refusals["principal_call_rate"] != 1 || st.Tracked["principal"] != 2 {
		t.Errorf("%v, %v", st.Refusals, st.Tracked)
	}
	stream.Body.Close()
	await(t, "the stream ends with its client", func() bool { return h.Stats().Streams == 0 })
	again := send("ann", listenRequest(3))
	if again.StatusCode != 200 {
		t.Fatalf("a stream after the first: %d", again.StatusCode)
	}
	again.Body.Close()
}
