package server

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/textproto"
	"net/url"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mooring-mcp/mooring/auth"
	"github.com/mooring-mcp/mooring/httpparse"
	"github.com/mooring-mcp/mooring/internal/bearer"
)

// An authenticator finds out who the callers of a Server are. Its methods may be called from any
// goroutine.
type authenticator struct {
	opts  *Authentication
	srv   *Server
	base  string // the origin of the server in challenges; "" if they name no metadata
	cache authCache

	counts [numAuthOutcomes]atomic.Uint64 // of requests
	warned atomic.Int64                   // the second of the last line in the log

	mu      sync.Mutex    // guards the rest
	running int           // goroutines that verify
	queue   []*authFlight // flights that wait for one of them
}

// verifyQueue is how many flights may wait for each that is being verified.
const verifyQueue = 8

// newAuthenticator returns the authenticator of s, or nil if there is none.
func newAuthenticator(s *Server) *authenticator {
	o := s.opts.Authenticate
	if o == nil {
		return nil
	}
	a := &authenticator{opts: o, srv: s}
	a.cache.most = max(1, o.MaxCached/authShards)
	a.cache.clock, a.cache.every = s.tick, sweepVerdicts
	a.cache.stopped = func() bool { return s.base.Err() != nil }
	if o.Metadata != nil {
		if a.base = s.opts.PublicURL; a.base == "" {
			a.base = publicOf(o.Metadata.Resource)
		}
	}
	return a
}

// credential returns the token or the key that a request brings. The outcome is authOK if there is
// one, which may be malformed. It is valid until the buffer of the head changes.
func (a *authenticator) credential(r *httpparse.Request) (credential []byte, isKey bool, o authOutcome) {
	if r.Duplicate && isTwice(r, "Authorization") {
		return nil, false, authMalformed
	}
	token := bearer.Cut(r.Authorization)
	switch {
	case len(token) > 0 && a.opts.Verifier == nil:
		return nil, false, authInvalid
	case len(token) > maxToken && !bearer.IsToken68(token):
		return nil, false, authMalformed
	case len(token) > maxToken:
		return nil, false, authInvalid
	case len(token) > 0:
		return token, false, authOK
	case a.opts.KeyHeader == "":
		return nil, false, authNone
	}
	for name, value := range r.Fields() {
		if !isField(name, a.opts.KeyHeader) {
			continue
		}
		if credential != nil {
			return nil, true, authMalformed
		}
		credential = value
	}
	switch {
	case len(credential) == 0:
		return nil, false, authNone
	case len(credential) > maxToken:
		return nil, true, authInvalid
	}
	return credential, true, authOK
}

// known returns the verdict on a credential without asking the verifier, if that is possible. A
// token is looked at only if there is no verdict on it: none is kept on one that is malformed.
func (a *authenticator) known(k *authKey, credential []byte, now tick) (verdict, bool) {
	v, ok := a.cache.find(k, now)
	switch {
	case ok:
		return v, true
	case !k.key && !bearer.IsToken68(credential):
		return verdict{outcome: authMalformed}, true
	case a.full():
		return verdict{outcome: authOverload}, true
	}
	return verdict{}, false
}

// isField reports whether name is want in any case.
func isField(name []byte, want string) bool {
	return len(name) == len(want) && strings.EqualFold(string(name), want)
}

// isTwice reports whether a request has a field more than once.
func isTwice(r *httpparse.Request, field string) bool {
	n := 0
	for name := range r.Fields() {
		if isField(name, field) {
			n++
		}
	}
	return n > 1
}

// appendChallenge appends the value of WWW-Authenticate for a refusal at the path of an endpoint.
// scopes may be nil.
func (a *authenticator) appendChallenge(dst []byte, path string, r *authRefusal, scopes []string) []byte {
	c := bearer.Challenge{Error: r.code, Description: r.text, Scopes: scopes, Metadata: a.metadataOf(path)}
	return bearer.AppendChallenge(dst, &c)
}

// metadataOf returns the URL of the protected resource metadata of the endpoint at a path. It is
// empty if none is published, or a is nil.
func (a *authenticator) metadataOf(path string) bearer.Metadata {
	if a == nil || a.base == "" {
		return bearer.Metadata{}
	}
	return bearer.Metadata{Base: a.base, Path: metadataPath(path)}
}

// stats returns the counts of requests, by the name of the outcome.
func (a *authenticator) stats() map[string]uint64 {
	m := make(map[string]uint64, numAuthOutcomes)
	for o := range a.counts {
		m[authOutcome(o).String()] = a.counts[o].Load()
	}
	return m
}

// full reports whether another flight has to be refused.
func (a *authenticator) full() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.fullLocked()
}

func (a *authenticator) fullLocked() bool {
	most := a.opts.MaxVerifying
	return a.running >= most && len(a.queue) >= min(most, maxInt/verifyQueue)*verifyQueue
}

// start verifies the token of a flight as soon as it is its turn. If too many wait, the flight ends
// at once.
func (a *authenticator) start(f *authFlight) {
	f.due = time.Now().Add(a.opts.VerifyTimeout)
	a.mu.Lock()
	switch {
	case a.running < a.opts.MaxVerifying:
		a.running++
		a.mu.Unlock()
		go a.verifyAll(f)
	case a.fullLocked():
		a.mu.Unlock()
		a.cache.land(f, verdict{outcome: authOverload}, 0, 0)
	default:
		a.queue = append(a.queue, f)
		a.mu.Unlock()
	}
}

// verifyAll verifies f, and then what waits.
func (a *authenticator) verifyAll(f *authFlight) {
	defer func() {
		if f != nil { // a verifier has ended the goroutine
			a.land(f, nil, errNoVerdict)
			if f = a.next(); f != nil {
				go a.verifyAll(f)
			}
		}
	}()
	for f != nil {
		info, err := a.verify(f)
		a.land(f, info, err)
		f = a.next()
	}
}

// next returns the next flight that waits, or nil if the goroutine is not needed any more.
func (a *authenticator) next() *authFlight {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.queue) == 0 {
		a.queue = nil
		a.running--
		return nil
	}
	f := a.queue[0]
	a.queue[0] = nil
	a.queue = a.queue[1:]
	return f
}

var (
	errNoVerdict = errors.New("server: the verifier returned neither a TokenInfo nor an error")
	errPanicked  = errors.New("server: the verifier panicked")
)

// verify calls the verifier for a flight.
func (a *authenticator) verify(f *authFlight) (info *auth.TokenInfo, err error) {
	defer func() {
		if r := recover(); r != nil {
			a.srv.logger().Error("server: the verifier panicked", "panic", a.hide(f, r), "stack", string(debug.Stack()))
			info, err = nil, errPanicked
		}
	}()
	// Others bring the token later, so its binding is checked with each request.
	ctx, cancel := context.WithDeadline(bearer.WithoutBinding(a.srv.base), f.due)
	defer cancel()
	if ctx.Err() != nil { // it has waited for too long
		return nil, auth.ErrUnavailable
	}
	r := f.req
	if r == nil {
		r = f.request()
	}
	if info, err = a.opts.Verifier(ctx, f.token, r.WithContext(ctx)); err != nil && ctx.Err() != nil &&
		!errors.Is(err, auth.ErrInvalidToken) {
		err = errors.Join(auth.ErrUnavailable, err)
	}
	return info, err
}

// request returns the request that brought the token, without its content.
func (f *authFlight) request() *http.Request {
	var req httpparse.Request
	if _, err := httpparse.ParseRequest(&req, f.head, 0, f.limits); err != nil {
		panic("server: a head that was accepted is refused") // same bytes, same limits
	}
	r := &http.Request{
		Method: req.Method.String(), Host: string(req.Host), RequestURI: string(req.Target), RemoteAddr: f.peer,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: int(req.Minor), Header: http.Header{}, Body: http.NoBody,
	}
	if r.URL, _ = url.ParseRequestURI(r.RequestURI); r.URL == nil {
		r.URL = &url.URL{Path: string(req.Path), RawQuery: string(req.Query)}
	}
	addFields(r.Header, &req, len(f.head))
	return r
}

// addFields adds the fields of req, whose head has n octets, to an empty h. All texts are parts of
// one, and all slices of one array: whoever sends bad tokens makes the server do this often.
func addFields(h http.Header, req *httpparse.Request, n int) {
	var b strings.Builder
	b.Grow(n)
	ends := make([][2]int, 0, 16) // of each name, and of its value
	for name, value := range req.Fields() {
		b.Write(name)
		end := b.Len()
		b.Write(value)
		ends = append(ends, [2]int{end, b.Len()})
	}
	text, begin := b.String(), 0
	values := make([]string, len(ends))
	for i, end := range ends {
		name := textproto.CanonicalMIMEHeaderKey(text[begin:end[0]])
		values[i] = text[end[0]:end[1]]
		begin = end[1]
		if h[name] == nil {
			h[name] = values[i : i+1 : i+1] // another value does not go over the next field's
		} else {
			h[name] = append(h[name], values[i])
		}
	}
}

// land ends a flight with what the verifier has returned.
func (a *authenticator) land(f *authFlight, info *auth.TokenInfo, err error) {
	now := time.Now()
	if isProxyIssuer(info) {
		err = errProxyIssuer
	}
	v := verdict{outcome: authOK}
	keep := a.opts.NegativeTTL
	switch {
	case errors.Is(err, auth.ErrInvalidToken):
		if v.outcome = authInvalid; errors.Is(err, auth.ErrBound) {
			v.outcome = authBound
		}
	case errors.Is(err, auth.ErrOAuth):
		v.outcome = authOAuth
	case err == nil && info == nil:
		err = errNoVerdict
		fallthrough
	case err != nil:
		v.outcome, keep = authError, min(keep, time.Second)
		if errors.Is(err, auth.ErrUnavailable) {
			v.outcome = authUnavailable
		}
		a.warn(f, err, now)
	case info.Expiration.IsZero():
		if keep = a.opts.CacheTTL; !a.opts.AllowMissingExpiration {
			v.outcome, keep = authInvalid, a.opts.NegativeTTL
		}
	default:
		left := info.Expiration.Add(a.opts.ClockSkew).Sub(now)
		if keep = min(a.opts.CacheTTL, left); left < 0 {
			v.outcome, keep = authExpired, a.opts.NegativeTTL
		}
	}
	if v.outcome == authOK {
		v.who = identityOf(info)
		keep = min(keep, forever/2) / tickUnit * tickUnit // never longer than the token is valid
	}
	a.cache.land(f, v, a.srv.tickAt(now), keep)
}

// warn logs why a token could not be verified, at most once a second.
func (a *authenticator) warn(f *authFlight, err error, now time.Time) {
	if last := a.warned.Load(); last == now.Unix() || !a.warned.CompareAndSwap(last, now.Unix()) {
		return
	}
	level := slog.LevelError
	if errors.Is(err, auth.ErrUnavailable) {
		level = slog.LevelWarn
	}
	a.srv.logger().Log(context.Background(), level, "server: a token could not be verified", "error", a.hide(f, err))
}

// hide returns the text of what a verifier has said, without the token.
func (a *authenticator) hide(f *authFlight, what any) string {
	var text string
	switch w := what.(type) {
	case error:
		text = w.Error()
	case string:
		text = w
	default:
		text = "of another type than error and string"
	}
	return strings.ReplaceAll(text, f.token, "[token]")
}
