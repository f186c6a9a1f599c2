//go:build linux

package server_test

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"io"
	"math/big"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/server"
)

// tlsServer is a proofServer with a listener of ServeTLS.
type tlsServer struct {
	*proofServer
	secureAddr string
	config     *tls.Config // of its clients
	ended      chan error  // receives what ServeTLS returns
}

// serveTLS starts a server that serves with TLS alone.
func serveTLS(t testing.TB, opts *server.Options) *tlsServer {
	t.Helper()
	serverSide, clientSide := tlsConfigs(t)
	s := &tlsServer{proofServer: newProofServer(t, opts), config: clientSide, ended: make(chan error, 1)}
	l, err := s.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.secureAddr = l.Addr().String()
	s.port = l.Addr().(*net.TCPAddr).Port
	go func() { s.ended <- s.ServeTLS(l, serverSide) }()
	return s
}

// tlsConfigs returns the configs of a server at 127.0.0.1 and of its clients.
func tlsConfigs(t testing.TB) (serverSide, clientSide *tls.Config) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		NotBefore:    time.Now().Add(-time.Minute), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(leaf)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}},
		&tls.Config{RootCAs: roots, ServerName: "127.0.0.1"}
}

// client returns a client that speaks HTTP/1.1 or HTTP/2. Its connections end with the test.
func (s *tlsServer) client(proto int) *http.Client {
	tr := &http.Transport{TLSClientConfig: s.config.Clone(), Protocols: new(http.Protocols)}
	tr.Protocols.SetHTTP1(proto == 1)
	tr.Protocols.SetHTTP2(proto == 2)
	s.t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr}
}

// try sends a request as text, and returns the response.
func (s *tlsServer) try(c *http.Client, text string) (*http.Response, error) {
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(text)))
	if err != nil {
		s.t.Fatal(err)
	}
	r.RequestURI, r.URL.Scheme, r.URL.Host = "", "https", s.secureAddr
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	s.t.Cleanup(cancel)
	return c.Do(r.WithContext(ctx))
}

// want sends a request and checks its status, and that its content has a part.
func (s *tlsServer) want(c *http.Client, text string, status int, part string) {
	s.t.Helper()
	res, err := s.try(c, text)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != status || !strings.Contains(string(b), part) {
		s.t.Fatalf("%s: got %d %q, %v, want %d with %q", text[:20], res.StatusCode, b, err, status, part)
	}
}

// open opens a listen stream, and returns it after its acknowledgement.
func (s *tlsServer) open(c *http.Client) *tlsStream {
	s.t.Helper()
	res, err := s.try(c, listenRequest(7))
	if err != nil {
		s.t.Fatal(err)
	}
	st := &tlsStream{res, bufio.NewReader(res.Body)}
	line, err := st.br.ReadString('\n')
	for err == nil && !strings.Contains(line, "notifications/subscriptions/acknowledged") {
		line, err = st.br.ReadString('\n')
	}
	if err != nil {
		s.t.Fatalf("the stream was not acknowledged: %q, %v", line, err)
	}
	return st
}

type tlsStream struct {
	*http.Response
	br *bufio.Reader
}

// dialTLS returns a connection with a finished handshake.
func (s *tlsServer) dialTLS() *tls.Conn {
	s.t.Helper()
	c, err := tls.Dial("tcp", s.secureAddr, s.config)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = c.Close() })
	return c
}

// wantEmpty waits until no connection is left.
func (s *tlsServer) wantEmpty() {
	s.t.Helper()
	await(s.t, "no connection is left", func() bool {
		n := s.sockets(0)
		return s.Stats().Connections == 0 && n.Open() == 0
	})
}
