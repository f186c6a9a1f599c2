//go:build linux

package server_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/server"
)

func TestServeTLS(t *testing.T) {
	other := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "other %s %s", r.Proto, b)
	})
	s := serveTLS(t, &server.Options{Other: other})
	for proto := 1; proto <= 2; proto++ {
		c := s.client(proto)
		s.want(c, callRequest(1, "add", `{"A":1,"B":2}`, ""), 200, `"Sum":3`)
		s.want(c, callRequest(1, "big", `{"Bytes":1000000,"Count":0,"PauseMs":0}`, ""), 200, strings.Repeat("x", 1000000))
		s.want(c, "POST /other HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\nhi", 200, fmt.Sprintf("other HTTP/%d.%d hi", proto, proto%2))
		st := s.open(c)
		await(t, "a stream is open", func() bool { return s.Stats().Streams == 1 })
		_ = st.Body.Close()
		await(t, "the stream is closed", func() bool { return s.Stats().Streams == 0 })
		c.CloseIdleConnections()
		s.wantEmpty()
	}
}

func TestServeTLSHealth(t *testing.T) {
	s := serveTLS(t, nil)
	s.want(s.client(1), getRequest("/healthz"), 200, "")
	s.want(s.client(2), getRequest("/readyz"), 200, "")
	s.want(s.client(2), getRequest("/elsewhere"), 404, "")
}

// Each connection counts, and each request of HTTP/2.
func TestServeTLSCounts(t *testing.T) {
	s := serveTLS(t, &server.Options{MaxConnections: 3})
	one := s.client(1)
	st := s.open(one)
	if n := s.Stats().Connections; n != 1 {
		t.Errorf("a stream of HTTP/1.1 counts as %d connections", n)
	}
	two := s.client(2)
	st2 := s.open(two)
	if n := s.Stats().Connections; n != 3 {
		t.Errorf("with one of HTTP/2 there are %d connections, want 3", n)
	}
	s.want(two, getRequest("/healthz"), 503, "too many")
	if _, err := s.try(s.client(1), getRequest("/healthz")); err == nil {
		t.Error("a connection above the limit was served")
	}
	if n := s.Stats().AcceptRefused; n < 2 {
		t.Errorf("%d connections were refused, want 2", n)
	}
	_, _ = st.Body.Close(), st2.Body.Close()
	two.CloseIdleConnections()
	s.wantEmpty()
	s.want(one, getRequest("/healthz"), 200, "")
}

// What goes wrong in a handshake is counted and not logged, and a silent client has a deadline.
func TestServeTLSHandshakes(t *testing.T) {
	var logged syncLog
	s := serveTLS(t, &server.Options{
		HeadTimeout: 200 * time.Millisecond,
		Logger:      slog.New(slog.NewTextHandler(&logged, nil)),
	})
	ended := func(c net.Conn) {
		t.Helper()
		_ = c.SetReadDeadline(time.Now().Add(patience))
		if _, err := io.Copy(io.Discard, c); errors.Is(err, context.DeadlineExceeded) {
			t.Error("the connection stays open")
		}
		_ = c.Close()
	}
	raw := func() net.Conn {
		c, err := net.Dial("tcp", s.secureAddr)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	ended(raw())
	plain := raw()
	_, _ = io.WriteString(plain, getRequest("/healthz"))
	ended(plain)
	old := s.config.Clone()
	old.MinVersion, old.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
	if c, err := tls.Dial("tcp", s.secureAddr, old); err == nil {
		t.Errorf("%s was served", tls.VersionName(c.ConnectionState().Version))
		_ = c.Close()
	}
	noPreface := s.config.Clone()
	noPreface.NextProtos = []string{"h2"}
	c, err := tls.Dial("tcp", s.secureAddr, noPreface)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.WriteString(c, getRequest("/healthz")+getRequest("/healthz"))
	ended(c)
	ended(s.dialTLS()) // with no request
	s.wantEmpty()
	if n := s.Stats().TLSErrors; n != 4 {
		t.Errorf("%d errors were counted, want 4", n)
	}
	if text := logged.String(); text != "" {
		t.Errorf("logged: %s", text)
	}
}

// A config decides on HTTP/2, but not on versions that are not served.
func TestServeTLSConfig(t *testing.T) {
	s := newProofServer(t, nil)
	serverSide, clientSide := tlsConfigs(t)
	for _, bad := range []*tls.Config{nil, {}, {Certificates: serverSide.Certificates, MaxVersion: tls.VersionTLS11}} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		if err := s.ServeTLS(l, bad); err == nil || errors.Is(err, server.ErrServerClosed) {
			t.Errorf("got %v, want an error of the config", err)
		}
		if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
			t.Error("the listener is open")
		}
	}
	for _, chosen := range []bool{false, true} {
		config := serverSide.Clone()
		config.MinVersion, config.NextProtos = tls.VersionTLS10, []string{"http/1.1"}
		if chosen {
			inner := config
			config = &tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return inner, nil }}
		}
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		go func() { _ = s.ServeTLS(l, config) }()
		client := clientSide.Clone()
		client.NextProtos = []string{"h2", "http/1.1"}
		c, err := tls.Dial("tcp", l.Addr().String(), client)
		if err != nil {
			t.Fatal(err)
		}
		if p := c.ConnectionState().NegotiatedProtocol; p != "http/1.1" {
			t.Errorf("negotiated %q", p)
		}
		_ = c.Close()
		client.MinVersion, client.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
		if _, err = tls.Dial("tcp", l.Addr().String(), client); err == nil {
			t.Error("TLS 1.1 was served")
		}
	}
}

// Shutdown ends streams with their result, and waits neither for silent clients nor for those that
// read nothing.
func TestServeTLSShutdown(t *testing.T) {
	s := serveTLS(t, nil)
	var streams []*tlsStream
	for proto := 1; proto <= 2; proto++ {
		c := s.client(proto)
		streams = append(streams, s.open(c), s.open(c))
	}
	idle := s.client(1)
	s.want(idle, getRequest("/healthz"), 200, "")
	handshaken := s.dialTLS()
	silent, err := net.Dial("tcp", s.secureAddr)
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	await(t, "all are connected", func() bool { return s.Stats().Connections == 2+1+2+3 })
	var reading sync.WaitGroup
	for i, st := range streams {
		reading.Go(func() {
			b, err := io.ReadAll(st.br)
			if err != nil || !bytes.Contains(b, []byte(`"result"`)) {
				t.Errorf("stream %d ended with %q, %v", i, b, err)
			}
			_ = st.Body.Close()
		})
	}
	began := time.Now()
	if err := s.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
	if d := time.Since(began); d > 4*time.Second {
		t.Errorf("Shutdown took %v", d)
	}
	reading.Wait()
	if err := <-s.ended; !errors.Is(err, server.ErrServerClosed) {
		t.Errorf("ServeTLS returned %v", err)
	}
	if _, err := handshaken.Read(make([]byte, 1)); err == nil {
		t.Error("the connection without a request is open")
	}
	_, _ = handshaken.Close(), silent.Close()
	s.wantEmpty()
}

// The end of the drain does not wait for clients that read nothing, not even to say goodbye.
func TestServeTLSShutdownStalled(t *testing.T) {
	s := serveTLS(t, &server.Options{DrainTimeout: 300 * time.Millisecond})
	var clients []net.Conn
	for range 3 {
		c := s.dialTLS()
		clients = append(clients, c.NetConn())
		_, _ = io.WriteString(c, callRequest(1, "big", `{"Bytes":8000000,"Count":0,"PauseMs":0}`, ""))
	}
	await(t, "the responses wait", func() bool { return s.Stats().UnsentBytes > 10_000_000 })
	began := time.Now()
	if err := s.Shutdown(context.Background()); err == nil {
		t.Error("Shutdown has delivered what nobody reads")
	}
	if d := time.Since(began); d > 3*time.Second {
		t.Errorf("Shutdown took %v", d)
	}
	for _, c := range clients {
		_ = c.Close()
	}
	s.wantEmpty()
}

// Serve, Shutdown and clients may come in any order.
func TestServeTLSShutdownRaces(t *testing.T) {
	for i := range 40 {
		s := serveTLS(t, nil)
		var clients sync.WaitGroup
		for range 4 {
			clients.Go(func() {
				c := s.client(1 + i%2)
				if res, err := s.try(c, callRequest(1, "add", `{"A":1,"B":2}`, "")); err == nil {
					_, _ = io.Copy(io.Discard, res.Body)
					_ = res.Body.Close()
				}
				c.CloseIdleConnections()
			})
		}
		time.Sleep(time.Duration(i) * 200 * time.Microsecond)
		if err := s.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
		if err := <-s.ended; !errors.Is(err, server.ErrServerClosed) {
			t.Errorf("ServeTLS returned %v", err)
		}
		clients.Wait()
		s.wantEmpty()
	}
}
