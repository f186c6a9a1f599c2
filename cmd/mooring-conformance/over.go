package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"time"

	"github.com/mooring-mcp/mooring/cmd/mooring-conformance/bridge"
	"github.com/mooring-mcp/mooring/cmd/mooring-conformance/fixture"
	"github.com/mooring-mcp/mooring/mcp"
	"github.com/mooring-mcp/mooring/server"
)

// ways are what --over may name: the suite must pass through all of them. Each takes
// ownership of l, which is nil for stdio.
var ways = map[string]func(ctx context.Context, l net.Listener, opts *server.Options) error{
	"loops":      serveLoops,
	"net/http":   serveHandler,
	"middleware": serveMiddleware,
	"h2":         serveH2,
	"tls":        serveTLS,
	"stdio":      serveStdio,
	"bridge":     serveBridge,
}

// handlerOf returns the fixture as a handler of net/http at /mcp, with the health check that the
// scripts wait for. The caller closes what it returns last.
func handlerOf(opts *server.Options) (http.Handler, *server.StreamableHTTPHandler, *mcp.Server) {
	m := fixture.New(nil)
	h := server.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return m }, &server.StreamableHTTPOptions{Options: opts})
	mux := http.NewServeMux()
	mux.Handle("/mcp", h)
	mux.HandleFunc("/healthz", func(http.ResponseWriter, *http.Request) {})
	return mux, h, m
}

// serveHandler serves the fixture under net/http.
func serveHandler(ctx context.Context, l net.Listener, opts *server.Options) error {
	mux, h, m := handlerOf(opts)
	defer m.Close()
	return serveHTTP(ctx, l, mux, h)
}

// serveMiddleware is serveHandler behind middleware that wraps the writer and cannot be looked
// through, adds a field to each response, and passes the request on with a value in its context.
func serveMiddleware(ctx context.Context, l net.Listener, opts *server.Options) error {
	mux, h, m := handlerOf(opts)
	defer m.Close()
	type seen struct{}
	return serveHTTP(ctx, l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Conformance", "middleware")
		mux.ServeHTTP(opaque{w}, r.WithContext(context.WithValue(r.Context(), seen{}, true)))
	}), h)
}

// opaque is a writer of middleware: it has Flush and cannot be hijacked.
type opaque struct{ w http.ResponseWriter }

func (o opaque) Header() http.Header         { return o.w.Header() }
func (o opaque) WriteHeader(status int)      { o.w.WriteHeader(status) }
func (o opaque) Write(b []byte) (int, error) { return o.w.Write(b) }
func (o opaque) Flush()                      { _ = http.NewResponseController(o.w).Flush() }

// serveHTTP serves next on l until ctx ends, and then shuts it and h down. onShutdown is
// called when that begins.
func serveHTTP(ctx context.Context, l net.Listener, next http.Handler, h *server.StreamableHTTPHandler, onShutdown ...func()) error {
	srv := &http.Server{Handler: next}
	for _, f := range onShutdown {
		srv.RegisterOnShutdown(f)
	}
	return serveUntil(ctx, srv, func() error { return srv.Serve(l) }, h)
}

// serveUntil runs serve until ctx ends, and then shuts srv and h down.
func serveUntil(ctx context.Context, srv *http.Server, serve func() error, h *server.StreamableHTTPHandler) error {
	served := make(chan error, 1)
	go func() { served <- serve() }()
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	limit, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return errors.Join(srv.Shutdown(limit), h.Shutdown(limit))
}

// serveH2 serves the fixture under net/http with TLS and HTTP/2, behind a proxy that the suite,
// which speaks HTTP/1.1, can reach. The proxy accepts nothing but HTTP/2 from the server.
func serveH2(ctx context.Context, l net.Listener, opts *server.Options) error {
	mux, h, m := handlerOf(opts)
	defer m.Close()
	cert, roots, err := certificate()
	if err != nil {
		return err
	}
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	secure := &http.Server{Handler: mux, TLSConfig: &tls.Config{Certificates: []tls.Certificate{cert}}}
	go func() { _ = secure.ServeTLS(inner, "", "") }()
	defer secure.Close()
	target := &url.URL{Scheme: "https", Host: inner.Addr().String()}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host = target.Scheme, target.Host // Host stays what it was
		},
		Transport:     &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true},
		FlushInterval: -1,
		ModifyResponse: func(r *http.Response) error {
			if r.ProtoMajor != 2 {
				return fmt.Errorf("the server spoke %s", r.Proto)
			}
			return nil
		},
	}
	// What is open at the proxy ends when the handler ends it, and only then does the proxy.
	return serveHTTP(ctx, l, proxy, h, func() { _ = h.Shutdown(context.Background()) })
}

// rootsFile is the environment variable that names the file to which serveTLS writes what its
// clients must trust.
const rootsFile = "MOORING_CONFORMANCE_ROOTS"

// serveTLS serves the fixture with ServeTLS.
func serveTLS(ctx context.Context, l net.Listener, opts *server.Options) error {
	cert, _, err := certificate()
	if err != nil {
		return err
	}
	if name := os.Getenv(rootsFile); name != "" {
		text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Certificate[0]})
		if err := os.WriteFile(name, text, 0o600); err != nil {
			return err
		}
	}
	config := &tls.Config{Certificates: []tls.Certificate{cert}}
	return serveServer(ctx, l, opts, func(s *server.Server, l net.Listener) error { return s.ServeTLS(l, config) })
}

// certificate returns a certificate for 127.0.0.1 that is valid for an hour, and the roots that
// know it.
func certificate() (tls.Certificate, *x509.CertPool, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		NotBefore:    time.Now().Add(-time.Minute),
		NotAfter:     time.Now().Add(time.Hour),
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1)},
		// The suite sends this Host to be refused, and its client demands a certificate for it.
		DNSNames: []string{"evil.example.com"},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	roots := x509.NewCertPool()
	roots.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, roots, nil
}

// stateKey is the environment variable with which the bridge gives its key to its processes.
const stateKey = "MOORING_CONFORMANCE_STATE_KEY"

// serveStdio serves the fixture on standard input and output, until the input ends.
func serveStdio(ctx context.Context, _ net.Listener, _ *server.Options) error {
	m := fixture.NewSealed(nil, []byte(os.Getenv(stateKey)))
	defer m.Close()
	return m.Run(ctx, &mcp.StdioTransport{})
}

// serveBridge serves, over HTTP, processes of this program that speak stdio.
func serveBridge(ctx context.Context, l net.Listener, _ *server.Options) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	key := rand.Text()
	if err := os.Setenv(stateKey, key); err != nil {
		return err
	}
	m := fixture.NewSealed(nil, []byte(key))
	defer m.Close()
	b, err := bridge.New([]string{self, "--over", "stdio"}, m)
	if err != nil {
		return err
	}
	defer b.Close()
	srv := &http.Server{Handler: b}
	defer srv.Close() // the streams do not end by themselves
	served := make(chan error, 1)
	go func() { served <- srv.Serve(l) }()
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
		return nil
	}
}
