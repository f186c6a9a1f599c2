package proxyproto

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"
)

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}

func listen(t *testing.T, proxies []netip.Prefix) *Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	pl := Listen(l, proxies)
	pl.Timeout = 5 * time.Second
	t.Cleanup(func() { pl.Close() })
	return pl
}

// serve answers each request with its RemoteAddr.
func serve(t *testing.T, l *Listener, secure bool) (cfg *tls.Config) {
	t.Helper()
	ts := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.RemoteAddr)
	}))
	ts.Listener.Close()
	ts.Listener = l
	if secure {
		ts.StartTLS()
		cfg = ts.Client().Transport.(*http.Transport).TLSClientConfig
	} else {
		ts.Start()
	}
	t.Cleanup(ts.Close)
	return cfg
}

// get makes a request on a connection that begins with the pieces of head.
func get(t *testing.T, l *Listener, cfg *tls.Config, pieces ...string) (string, error) {
	t.Helper()
	url := "http://" + l.Addr().String()
	if cfg != nil {
		url = "https://" + l.Addr().String()
	}
	tr := &http.Transport{TLSClientConfig: cfg, DisableKeepAlives: true}
	tr.DialContext = func(_ context.Context, network, addr string) (net.Conn, error) {
		c, err := net.Dial(network, addr)
		for _, p := range pieces {
			if err == nil {
				_, err = io.WriteString(c, p)
				time.Sleep(time.Millisecond)
			}
		}
		return c, err
	}
	resp, err := (&http.Client{Transport: tr, Timeout: 10 * time.Second}).Get(url)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return string(b), err
}

func TestListenerNamesTheClient(t *testing.T) {
	for _, secure := range []bool{false, true} {
		l := listen(t, loopback)
		var refused atomic.Int32
		l.Refused = func() { refused.Add(1) }
		cfg := serve(t, l, secure)
		for _, tt := range good {
			half := len(tt.head) / 2
			got, err := get(t, l, cfg, tt.head[:half], tt.head[half:])
			if err != nil {
				t.Fatalf("%s: %v", tt.name, err)
			}
			if tt.want == "" {
				if peer, err := netip.ParseAddrPort(got); err != nil || !peer.Addr().IsLoopback() {
					t.Errorf("%s: got %s, want the peer", tt.name, got)
				}
			} else if got != tt.want {
				t.Errorf("%s: got %s, want %s", tt.name, got, tt.want)
			}
		}
		if n := refused.Load(); n != 0 {
			t.Errorf("%d refused", n)
		}
		for _, head := range []string{"", "PROXY TCP4 1 2 3 4\r\n", "PROXY UDP4 "} {
			if got, err := get(t, l, cfg, head); err == nil {
				t.Errorf("%q: got %s", head, got)
			}
		}
		if n := refused.Load(); n < 3 {
			t.Errorf("%d of 3 refused", n)
		}
	}
}

// A header from an address that is not listed is a malformed request.
func TestListenerLeavesOthersAlone(t *testing.T) {
	l := listen(t, []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")})
	serve(t, l, false)
	if got, err := get(t, l, nil); err != nil {
		t.Errorf("got %s, %v", got, err)
	}
	if got, err := get(t, l, nil, "PROXY TCP4 192.0.2.1 198.51.100.1 1 2\r\n"); err == nil && got == "192.0.2.1:1" {
		t.Error("the header of a stranger was believed")
	}
}

// Accept does not wait for a header, and a client that sends none is closed in time without a byte.
func TestListenerTimeout(t *testing.T) {
	l := listen(t, loopback)
	l.Timeout = 50 * time.Millisecond
	client, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	nc, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	if err := nc.SetReadDeadline(time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(client, "PROXY TCP4 "); err != nil {
		t.Fatal(err)
	}
	var ne net.Error
	if _, err := nc.Read(make([]byte, 1)); !errors.As(err, &ne) || !ne.Timeout() {
		t.Errorf("reading: %v", err)
	}
	if _, err := nc.Write([]byte("x")); err == nil {
		t.Error("an answer to a connection without its header")
	}
	_ = client.SetReadDeadline(time.Now().Add(5 * time.Second))
	if n, err := client.Read(make([]byte, 1)); n > 0 || errors.As(err, &ne) && ne.Timeout() {
		t.Errorf("the client reads %d, %v", n, err)
	}
}

// After the header, the deadline of the owner holds again, and not a byte is lost or read ahead.
func TestListenerReadsNoMore(t *testing.T) {
	l := listen(t, loopback)
	client, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	nc, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	for _, tt := range good[:1] {
		if _, err := io.WriteString(client, tt.head+"hello"); err != nil {
			t.Fatal(err)
		}
	}
	bare := nc.(*Conn).NetConn()
	if _, ok := bare.(*net.TCPConn); !ok {
		t.Fatalf("got a %T", bare)
	}
	b := make([]byte, 5)
	if _, err := io.ReadFull(bare, b); err != nil || string(b) != "hello" {
		t.Errorf("got %q, %v", b, err)
	}
	if err := nc.SetReadDeadline(time.Now().Add(20 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	var ne net.Error
	if _, err := nc.Read(b); !errors.As(err, &ne) || !ne.Timeout() {
		t.Errorf("reading past the deadline: %v", err)
	}
}
