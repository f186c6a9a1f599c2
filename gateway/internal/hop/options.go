package hop

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"time"
)

// Options say how an upstream is reached. New copies them. For numbers and durations zero means the
// default, and a negative value is an error.
type Options struct {
	// URL is the MCP endpoint, or for SSE2024 the URL of the stream: absolute, http or https, without
	// user information and fragment.
	URL string
	// Header has fields that every request has, for example an API key in Authorization. Fields that
	// belong to the connection or to MCP are an error.
	Header http.Header
	// Transport is cloned for its TLS, proxy and HTTP/2 settings; dialing and limits are the
	// Upstream's. Nil stands for proxies by environment and the system's certificates.
	Transport *http.Transport
	// Credential, if not nil, gives the Authorization of each principal's requests. It takes
	// precedence over Header.
	Credential Credential

	// Concurrency is how many requests are in flight at most, those abandoned included. While a
	// stream is open it is one less if it is 8 or more, so that a server with one stream sees at most
	// Concurrency+1 connections. Default 32.
	Concurrency int
	// Queue is how many requests may wait until others end, and how many notifications. Default 1,024.
	Queue int
	// QueueTimeout is how long a request may wait. Default 5 s.
	QueueTimeout time.Duration
	// DialTimeout limits how long a connection may take. Default 3 s.
	DialTimeout time.Duration
	// IdleTimeout is how long an idle connection is kept, if the server does not announce (by
	// Keep-Alive: timeout) that it closes it earlier: then three quarters of that. Default 15 s.
	IdleTimeout time.Duration
	// MaxMessage is the maximum length in bytes of a message of the upstream. Default 8 MiB.
	MaxMessage int
	// MaxStreams is how many streams may be open: those of sessions and of endless requests, each
	// with a connection and a goroutine. Default 256.
	MaxStreams int
	// MaxAbandoned is how many requests may be abandoned before no new ones are sent. Default 8.
	MaxAbandoned int
	// AbandonTimeout is how long the response of an abandoned request is read. Default 60 s.
	AbandonTimeout time.Duration

	// BreakerAfter is how many requests in a row must end with a connection error, a timeout or a
	// status of 500 or more, until the circuit breaker opens. Default 5.
	BreakerAfter int
	// BreakerWait is for how long the breaker opens at first. The time doubles with each probe that
	// fails, up to BreakerMaxWait. Defaults 5 s and 60 s.
	BreakerWait, BreakerMaxWait time.Duration

	// Logger gets what an operator should know. Default: nothing is logged.
	Logger *slog.Logger
}

// A Credential gives access tokens for an upstream. Its methods may be called from any goroutine.
type Credential interface {
	// Authorization returns the value of the Authorization header field for requests of the
	// principal. Token is the token that the principal has authenticated itself with, which must go to
	// a token endpoint only. An empty value means that the request has no such field. It may block
	// until ctx is done.
	Authorization(ctx context.Context, principal, token string) (value string, err error)
	// Refused says that the upstream refused the value with a 401.
	Refused(principal, value string)
}

func (o Options) withDefaults() (Options, *url.URL, error) {
	u, err := url.Parse(o.URL)
	switch {
	case err != nil:
		return o, nil, errors.New("hop: the URL is malformed")
	case u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.Opaque != "":
		return o, nil, errors.New("hop: the URL must be absolute, of http or https")
	case u.User != nil || u.Fragment != "":
		return o, nil, errors.New("hop: the URL must not have user information or a fragment")
	}
	for name, values := range o.Header {
		for _, v := range values {
			if !validField(name, v) || reserved(name) {
				return o, nil, fmt.Errorf("hop: header field %q cannot be set", name)
			}
		}
	}
	for _, n := range []struct {
		name string
		v    *int
		def  int
	}{
		{"Concurrency", &o.Concurrency, 32}, {"Queue", &o.Queue, 1024},
		{"MaxMessage", &o.MaxMessage, 8 << 20}, {"MaxStreams", &o.MaxStreams, 256},
		{"MaxAbandoned", &o.MaxAbandoned, 8}, {"BreakerAfter", &o.BreakerAfter, 5},
	} {
		if err := orDefault(n.name, n.v, n.def); err != nil {
			return o, nil, err
		}
	}
	for _, d := range []struct {
		name string
		v    *time.Duration
		def  time.Duration
	}{
		{"QueueTimeout", &o.QueueTimeout, 5 * time.Second}, {"DialTimeout", &o.DialTimeout, 3 * time.Second},
		{"IdleTimeout", &o.IdleTimeout, 15 * time.Second}, {"AbandonTimeout", &o.AbandonTimeout, time.Minute},
		{"BreakerWait", &o.BreakerWait, 5 * time.Second}, {"BreakerMaxWait", &o.BreakerMaxWait, time.Minute},
	} {
		if err := orDefault(d.name, d.v, d.def); err != nil {
			return o, nil, err
		}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	o.Header = o.Header.Clone()
	return o, u, nil
}

func orDefault[T int | time.Duration](name string, v *T, def T) error {
	if *v < 0 {
		return fmt.Errorf("hop: %s is negative", name)
	}
	if *v == 0 {
		*v = def
	}
	return nil
}
