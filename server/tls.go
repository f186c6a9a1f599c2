package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/mooring-mcp/mooring/server/internal/engine"
	"github.com/mooring-mcp/mooring/server/internal/proxyproto"
)

// This file serves listeners with TLS. crypto/tls and net/http have such a connection for its whole
// life, with goroutines and buffers of its own, and each request takes the way of ServeHTTP to a
// loop. docs/tls.md says what that costs.

// ServeTLS accepts connections on l, which it owns and closes, until Shutdown; then it returns
// ErrServerClosed. It serves HTTP/1.1 and HTTP/2 over TLS 1.2 and 1.3, by config, which must have a
// certificate or a function that returns one: see package certs for files that change.
// config.NextProtos may leave out "h2". Versions before TLS 1.2 are not served, whatever config
// says.
//
// HandshakeTimeout and MaxHandshakes limit handshakes, and HeadTimeout each head after that. A
// connection counts against MaxConnections, and so does each request of HTTP/2 while it is served.
// Above the limit, a connection is closed without a response. Failed handshakes are counted
// (Stats.TLSErrors), not logged.
//
// Several calls of Serve and ServeTLS may run at once.
func (s *Server) ServeTLS(l net.Listener, config *tls.Config) error {
	defer l.Close()
	config, err := prepareTLS(config)
	if err != nil {
		return err
	}
	if err := s.ensureStarted(); err != nil {
		return err
	}
	return s.accept(&tlsAcceptor{Listener: s.admission.NewListener(l), srv: s, config: config})
}

// ListenAndServeTLS is ListenAndServe with TLS: see ServeTLS.
func (s *Server) ListenAndServeTLS(addr string, config *tls.Config) error {
	return s.listenAndServe(addr, func(l net.Listener) error { return s.ServeTLS(l, config) })
}

// prepareTLS returns a copy of config with which the server can serve.
func prepareTLS(config *tls.Config) (*tls.Config, error) {
	if config == nil || len(config.Certificates) == 0 && config.GetCertificate == nil && config.GetConfigForClient == nil {
		return nil, errors.New("server: ServeTLS: the config has no certificate")
	}
	if v := config.MaxVersion; v != 0 && v < tls.VersionTLS12 {
		return nil, fmt.Errorf("server: ServeTLS: the config allows at most %s, which is not served", tls.VersionName(v))
	}
	config = restrictTLS(config)
	if choose := config.GetConfigForClient; choose != nil {
		config.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
			c, err := choose(hello)
			if c == nil || err != nil || c.MinVersion >= tls.VersionTLS12 && len(c.NextProtos) > 0 {
				return c, err
			}
			return restrictTLS(c), nil
		}
	}
	return config, nil
}

// restrictTLS returns a copy of config without what is not served.
func restrictTLS(config *tls.Config) *tls.Config {
	config = config.Clone()
	config.MinVersion = max(config.MinVersion, tls.VersionTLS12)
	if len(config.NextProtos) == 0 {
		config.NextProtos = []string{"h2", "http/1.1"}
	}
	config.NextProtos = slices.Clip(config.NextProtos)
	return config
}

// tlsAcceptor accepts the connections of a listener, and gives them to the http.Server for TLS.
type tlsAcceptor struct {
	engine.Listener
	srv    *Server
	config *tls.Config
}

var _ engine.Acceptor = (*tlsAcceptor)(nil)

// Accept implements engine.Acceptor.
func (a *tlsAcceptor) Accept() (n int, err error) {
	nc, err := a.Listener.Accept()
	if err != nil {
		return 0, err
	}
	s := a.srv
	if !a.Inherits {
		_ = s.admission.Sockets.Tune(nc)
	}
	if _, ok := s.admission.Reserve(false); !ok {
		s.admission.CountRefused()
		_ = nc.Close()
		return 1, nil
	}
	peer := nc.RemoteAddr()
	// Nothing but the goroutine of net/http may ask for its address: that waits for the header.
	bare := nc
	nc = proxyproto.Wrap(nc, s.opts.ProxyProtocol, finite(s.opts.HeadTimeout), func() { s.refused(refusedProxy) })
	c := &tlsConn{Conn: nc, left: func() {}}
	switch {
	case s.quotas == nil:
	case nc != bare:
		c.admit = s.quotas.admit
	default:
		var ok bool
		if c.left, ok = s.quotas.admit(peer); !ok {
			_ = nc.Close()
			s.admission.Released()
			return 1, nil
		}
	}
	s.secure.Load().take(c, a.config)
	return 1, nil
}

// Local implements engine.Acceptor. No connection with TLS is admitted beyond the descriptor limit.
func (a *tlsAcceptor) Local() bool { return false }

// CheckOpen implements engine.Acceptor: the acceptor holds nothing of the listener.
func (a *tlsAcceptor) CheckOpen() error { return nil }

// startTLS starts the http.Server for TLS, unless it runs. The caller holds s.mu.
func (s *Server) startTLS() {
	if s.secure.Load() != nil {
		return
	}
	o := &s.opts
	t := newTLSServer(s)
	t.hs = &http.Server{
		Handler:           http.HandlerFunc(s.serveOther),
		ReadHeaderTimeout: finite(o.HeadTimeout),
		IdleTimeout:       finite(o.IdleTimeout),
		MaxHeaderBytes:    o.MaxHead,
		HTTP2:             &http.HTTP2Config{WriteByteTimeout: finite(o.WriteTimeout)},
		ErrorLog:          log.New(&tlsLog{o.Logger, &s.tlsErrors}, "", 0),
		BaseContext:       func(net.Listener) context.Context { return s.base },
		ConnState:         t.changed,
	}
	s.secure.Store(t)
	t.serving.Go(func() { _ = t.hs.Serve(t) })
}

// drainTLS begins to end the connections with TLS. The returned function closes what is left.
func (s *Server) drainTLS(ctx context.Context) (end func()) {
	t := s.secure.Load()
	if t == nil {
		return func() {}
	}
	return t.drain(ctx, func(err error) { s.logger().Warn("server: the connections with TLS", "err", err) })
}

// isTLS reports whether the http.Server for TLS serves r.
func (s *Server) isTLS(r *http.Request) bool {
	t := s.secure.Load()
	return t != nil && r.Context().Value(http.ServerContextKey) == t.hs
}

// tlsLog is where the http.Server for TLS logs. Whatever a client can cause as often as it likes is
// counted.
type tlsLog struct {
	logger *slog.Logger
	errors *atomic.Uint64
}

// Write implements io.Writer.
func (l *tlsLog) Write(line []byte) (int, error) {
	text := strings.TrimSuffix(string(line), "\n")
	if strings.HasPrefix(text, "http: TLS handshake error") || strings.HasPrefix(text, "http2: ") && !strings.HasPrefix(text, "http2: panic") {
		l.errors.Add(1)
	} else {
		l.logger.Warn("server: TLS", "err", text)
	}
	return len(line), nil
}
