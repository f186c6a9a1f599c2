//go:build linux

package server_test

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/server"
)

// silent returns a connection that does not begin its handshake.
func (s *tlsServer) silent() net.Conn {
	s.t.Helper()
	c, err := net.Dial("tcp", s.secureAddr)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = c.Close() })
	return c
}

func isOpen(c net.Conn) bool {
	_ = c.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
	_, err := c.Read(make([]byte, 1))
	var ne net.Error
	return errors.As(err, &ne) && ne.Timeout()
}

// Silent clients take the places of handshakes, but not for longer than a second where others want
// them, and connections that have done theirs do not count.
func TestMaxHandshakes(t *testing.T) {
	const most = 4
	s := serveTLS(t, &server.Options{MaxHandshakes: most, HandshakeTimeout: time.Minute})
	st := s.open(s.client(1))
	defer st.Body.Close()
	done := s.dialTLS()
	await(t, "the handshake is done", func() bool { return s.Stats().TLSHandshakes == 0 })

	began := time.Now()
	var silent []net.Conn
	for range most {
		silent = append(silent, s.silent())
	}
	await(t, "they are in their handshake", func() bool { return s.Stats().TLSHandshakes == most })
	if time.Since(began) < time.Second/2 { // otherwise the machine was too slow for this part
		if c, err := tls.Dial("tcp", s.secureAddr, s.config); err == nil {
			_ = c.Close()
			t.Error("a handshake more was done although none had had its time")
		}
	}
	refused := s.Stats().TLSRefused
	time.Sleep(time.Until(began.Add(2500 * time.Millisecond)))
	for i := range most {
		s.want(s.client(1), getRequest("/healthz"), 200, "")
		if isOpen(silent[0]) {
			t.Fatalf("after handshake %d the oldest silent connection is open", i)
		}
	}
	if n := s.Stats().TLSRefused - refused; n < 1 || n > most {
		t.Errorf("%d connections gave way, want 1 to %d", n, most)
	}
	if n := s.Stats(); n.Refusals["handshake"] != n.TLSRefused || n.TLSErrors != 0 {
		t.Errorf("%d refusals of %d, %d errors", n.Refusals["handshake"], n.TLSRefused, n.TLSErrors)
	}
	if !isOpen(done) || s.Stats().Streams != 1 {
		t.Error("a connection that had done its handshake was closed")
	}
}

// A flood of silent clients does not keep others out, and all of them end.
func TestHandshakeFlood(t *testing.T) {
	s := serveTLS(t, &server.Options{MaxHandshakes: 64, HandshakeTimeout: 2 * time.Second})
	for range 300 {
		s.silent()
	}
	time.Sleep(1200 * time.Millisecond)
	for range 20 {
		s.want(s.client(1), getRequest("/healthz"), 200, "")
	}
	if n := s.Stats(); n.TLSRefused < 200 || n.TLSHandshakes > 64 {
		t.Errorf("%d refused, %d in progress", n.TLSRefused, n.TLSHandshakes)
	}
	await(t, "all have ended", func() bool { return s.Stats().TLSHandshakes == 0 })
	st := s.Stats()
	if st.TLSErrors == 0 {
		t.Error("handshakes that ran out of time are not counted")
	}
}

// Plain HTTP gets a plain answer, and a function of the host's that panics ends one connection.
func TestHandshakeFails(t *testing.T) {
	s := serveTLS(t, nil)
	c := s.silent()
	_, _ = io.WriteString(c, getRequest("/healthz"))
	_ = c.SetReadDeadline(time.Now().Add(patience))
	if b, _ := io.ReadAll(c); !strings.HasPrefix(string(b), "HTTP/1.0 400 ") {
		t.Errorf("plain HTTP got %q", b)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	config := &tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { panic("no") }}
	go func() { _ = s.ServeTLS(l, config) }()
	for range 2 {
		if _, err := tls.Dial("tcp", l.Addr().String(), s.config); err == nil {
			t.Error("a handshake without a certificate is done")
		}
	}
	await(t, "nothing is left", func() bool { return s.Stats().Connections == 0 && s.Stats().TLSErrors == 3 })
	s.want(s.client(1), getRequest("/healthz"), 200, "")
}
