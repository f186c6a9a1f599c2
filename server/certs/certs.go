package certs

import (
	"crypto/tls"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// A Pair names the files, in PEM, of a certificate with those of its issuers, and of its key. One
// file may have both.
type Pair struct {
	Cert, Key string
}

// Options configure a Set. Open copies them.
type Options struct {
	// Pairs are the certificates. A handshake gets the first one that its client supports: it is
	// for the name that the client asks for (SNI), and of an algorithm that the client knows. If
	// there is none, it gets the first. At least one is required.
	Pairs []Pair
	// ClientCA is a file with the certificates of authorities, in PEM. With it, clients must have a
	// certificate that one of them has issued, unless ClientAuth says otherwise. By default clients
	// are not asked for a certificate.
	ClientCA string
	// ClientAuth says what is demanded of clients. With ClientCA the default is
	// tls.RequireAndVerifyClientCert, and only tls.VerifyClientCertIfGiven may be set instead.
	// Without ClientCA it must be zero.
	ClientAuth tls.ClientAuthType
	// Interval is the time between two looks at the files. Default 1 s. If it is negative, only
	// Reload looks.
	Interval time.Duration
	// Base has further settings for the server, such as NextProtos and MinVersion. It is copied. Its
	// certificates, ClientAuth, ClientCAs and the functions that choose them are ignored. By default
	// HTTP/2 and HTTP/1.1 are served over TLS 1.2 and 1.3.
	Base *tls.Config
	// Logger receives each change and why new files are not valid. Default slog.Default().
	Logger *slog.Logger
}

// Set is what the files contain. Its methods may be called from any goroutine.
type Set struct {
	opts    Options
	base    *tls.Config
	current atomic.Pointer[tls.Config]
	next    atomic.Int64 // when a handshake looks again, in nanoseconds since start
	start   time.Time

	mu     sync.Mutex // held while files are read; guards what follows
	seen   state
	failed string // why the latest files are not valid; "" if they are
}

// Open reads the files. It returns an error if they are not valid.
func Open(o Options) (*Set, error) {
	switch {
	case len(o.Pairs) == 0:
		return nil, errors.New("certs: no certificate is given")
	case o.ClientCA == "" && o.ClientAuth != tls.NoClientCert:
		return nil, errors.New("certs: ClientAuth is set without ClientCA")
	case o.ClientCA != "" && o.ClientAuth == tls.NoClientCert:
		o.ClientAuth = tls.RequireAndVerifyClientCert
	case o.ClientCA != "" && o.ClientAuth != tls.RequireAndVerifyClientCert && o.ClientAuth != tls.VerifyClientCertIfGiven:
		return nil, errors.New("certs: ClientAuth does not verify certificates by ClientCA")
	}
	if o.Interval == 0 {
		o.Interval = time.Second
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	o.Pairs = append([]Pair(nil), o.Pairs...)
	s := &Set{opts: o, base: baseOf(&o), start: time.Now()}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.load(); err != nil {
		return nil, err
	}
	s.next.Store(int64(o.Interval))
	return s, nil
}

// baseOf returns what the configs have in common.
func baseOf(o *Options) *tls.Config {
	c := &tls.Config{}
	if o.Base != nil {
		c = o.Base.Clone()
	}
	c.MinVersion = max(c.MinVersion, tls.VersionTLS12)
	if len(c.NextProtos) == 0 {
		c.NextProtos = []string{"h2", "http/1.1"}
	}
	c.Certificates, c.GetCertificate, c.GetConfigForClient = nil, nil, nil
	c.ClientAuth, c.ClientCAs = o.ClientAuth, nil
	if o.ClientCA != "" {
		// A resumed session would outlive the authority that its client was admitted by.
		c.SessionTicketsDisabled = true
	}
	return c
}

// Config returns a config whose handshakes have what the files contain at the time.
func (s *Set) Config() *tls.Config {
	c := s.base.Clone()
	c.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
		s.look()
		return s.current.Load(), nil
	}
	return c
}

// look reads the files if they have changed, unless somebody looks or has just looked. So it never
// waits for another handshake.
func (s *Set) look() {
	if s.opts.Interval < 0 {
		return
	}
	now := int64(time.Since(s.start))
	next := s.next.Load()
	if now < next || !s.next.CompareAndSwap(next, now+int64(s.opts.Interval)) || !s.mu.TryLock() {
		return
	}
	defer s.mu.Unlock()
	if s.failed != "" || s.changed() {
		_ = s.reload()
	}
}

// Reload reads the files now. If they are not valid, it returns why, and the certificates stay as
// they are.
func (s *Set) Reload() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reload()
}

// reload is Reload under the lock. A reason is logged once, however often the files are read.
func (s *Set) reload() error {
	before := s.seen.sum
	err := s.load()
	switch {
	case err != nil && err.Error() != s.failed:
		s.failed = err.Error()
		s.opts.Logger.Error("certs: the new files are not valid; the old certificates stay in use", "err", err)
	case err == nil && s.seen.sum != before:
		s.opts.Logger.Info("certs: new certificates are in use", "certificates", len(s.opts.Pairs))
	}
	if err == nil {
		s.failed = ""
	}
	return err
}
