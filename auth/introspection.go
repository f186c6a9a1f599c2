package auth

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/mooring-mcp/mooring/auth/internal/provider"
)

// IntrospectionOptions configure [NewIntrospection].
type IntrospectionOptions struct {
	// URL is the introspection endpoint, of https, or of http on loopback. It is required.
	URL string
	// ClientID and ClientSecret authenticate this server to the endpoint, by HTTP Basic. Without a
	// ClientID the requests have no credentials.
	ClientID, ClientSecret string

	// Audiences are the values of which a token's aud must have one. If there are none, aud is not
	// checked: then tokens for any other service of the same authorization server are accepted.
	Audiences []string
	// Issuer is what a token's iss must be, exactly. If it is empty, iss is not checked.
	Issuer string

	// CacheTTL is how long a token that is active is believed to be so, but never past its
	// expiration. The default is 30 seconds, which is how late a revocation may be noticed. A
	// negative value turns the cache off.
	CacheTTL time.Duration
	// NegativeTTL is how long a token that is not active is believed to be so. The default is 5
	// seconds. A negative value turns the cache off.
	NegativeTTL time.Duration
	// MaxCached is how many tokens of each kind are cached. The default is 4096. When a cache is
	// full, any one of its tokens makes room.
	MaxCached int

	// ClockSkew is how far the clocks of this server and of the authorization server may differ.
	// The default is 0.
	ClockSkew time.Duration

	// HTTPClient sends the requests; redirects are never followed. The default is a client that
	// takes its proxy from the environment.
	HTTPClient *http.Client
	// Timeout is how long a request may take, if HTTPClient has no timeout. The default is 5
	// seconds.
	Timeout time.Duration
	// MaxRequests is how many requests may be in flight. Further tokens get ErrUnavailable. The
	// default is 64.
	MaxRequests int
	// MaxTokenBytes is how large a token may be. Larger ones are not valid. The default is 16 KiB.
	MaxTokenBytes int
	// MaxResponseBytes is how large a response may be. The default is 64 KiB.
	MaxResponseBytes int64
}

func (o *IntrospectionOptions) setDefaults() {
	o.Audiences = slices.Clone(o.Audiences)
	setDefault(&o.CacheTTL, 30*time.Second)
	setDefault(&o.NegativeTTL, 5*time.Second)
	setDefault(&o.Timeout, 5*time.Second)
	setDefault(&o.MaxCached, 4096)
	setDefault(&o.MaxRequests, 64)
	setDefault(&o.MaxTokenBytes, 16<<10)
	setDefault(&o.MaxResponseBytes, 64<<10)
}

func setDefault[T comparable](p *T, value T) {
	var zero T
	if *p == zero {
		*p = value
	}
}

// An Introspection verifies opaque tokens at an introspection endpoint (RFC 7662). Create it with
// [NewIntrospection].
type Introspection struct {
	opts   IntrospectionOptions
	client *http.Client

	mu       sync.Mutex
	active   map[tokenHash]verdict
	inactive map[tokenHash]verdict
	flights  map[tokenHash]*flight
}

type tokenHash = [sha256.Size]byte

// A verdict is what the endpoint has said of a token.
type verdict struct {
	info  *TokenInfo
	err   error
	until time.Time
}

// A flight is a request in flight. All who bring its token wait for it.
type flight struct {
	done chan struct{} // closed when info and err are set
	info *TokenInfo
	err  error
}

// NewIntrospection returns a verifier that asks an introspection endpoint. It sends nothing yet.
func NewIntrospection(opts IntrospectionOptions) (*Introspection, error) {
	if _, err := provider.CheckURL(opts.URL); err != nil {
		return nil, fmt.Errorf("auth: the introspection endpoint is %w", err)
	}
	if opts.ClientID == "" && opts.ClientSecret != "" {
		return nil, errors.New("auth: introspection has a client secret without a client ID")
	}
	opts.setDefaults()
	return &Introspection{
		opts: opts, client: provider.NewClient(opts.HTTPClient, opts.Timeout, false),
		active: map[tokenHash]verdict{}, inactive: map[tokenHash]verdict{}, flights: map[tokenHash]*flight{},
	}, nil
}

// Verify is a [TokenVerifier]. A token is valid if the endpoint says that it is active, it has not
// expired, and its audience and issuer are those of the options. It must name a subject or a
// client. One that is bound to a client certificate (x5t#S256, RFC 8705) is valid with it only, and
// one that is bound to another key (cnf, as of DPoP) never: see ErrBound. What cannot be found out
// is ErrUnavailable: no response, a status other than 200, or content that is not an answer.
//
// UserID is sub, or else username, ClientID is client_id, and Extra is the whole response, with
// numbers of type json.Number. Issuer is iss, or else the endpoint's URL. Expiration is zero if the
// response has no exp.
func (in *Introspection) Verify(ctx context.Context, token string, r *http.Request) (*TokenInfo, error) {
	info, err := in.verify(ctx, token)
	if err != nil {
		return nil, err
	}
	if err := CheckBinding(ctx, info, r); err != nil { // the cache has info for all who bring token
		return nil, err
	}
	return info, nil
}

// verify is Verify without the binding.
func (in *Introspection) verify(ctx context.Context, token string) (*TokenInfo, error) {
	if token == "" || len(token) > in.opts.MaxTokenBytes || strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return nil, fmt.Errorf("%w: not a token of RFC 6750", ErrInvalidToken)
	}
	hash := sha256.Sum256([]byte(token))
	now := time.Now()
	in.mu.Lock()
	for _, cache := range [...]map[tokenHash]verdict{in.active, in.inactive} {
		if v, ok := cache[hash]; ok {
			if now.Before(v.until) {
				in.mu.Unlock()
				return v.info, v.err
			}
			delete(cache, hash)
		}
	}
	f := in.flights[hash]
	if f == nil {
		if len(in.flights) >= in.opts.MaxRequests {
			in.mu.Unlock()
			return nil, fmt.Errorf("%w: too many introspection requests in flight", ErrUnavailable)
		}
		f = &flight{done: make(chan struct{})}
		in.flights[hash] = f
		// The others who wait must not lose their answer because the first of them gives up.
		go in.fly(context.WithoutCancel(ctx), hash, token, f)
	}
	in.mu.Unlock()
	select {
	case <-f.done:
		return f.info, f.err
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, ctx.Err())
	}
}

// fly asks for token, and leaves the verdict in f and in the cache.
func (in *Introspection) fly(ctx context.Context, hash tokenHash, token string, f *flight) {
	defer func() {
		in.mu.Lock()
		defer in.mu.Unlock()
		delete(in.flights, hash)
		now := time.Now()
		switch {
		case f.err == nil:
			until := now.Add(in.opts.CacheTTL)
			if end := f.info.Expiration; !end.IsZero() && end.Before(until) {
				until = end
			}
			in.keep(in.active, hash, verdict{info: f.info, until: until}, now)
		case errors.Is(f.err, ErrInvalidToken):
			in.keep(in.inactive, hash, verdict{err: f.err, until: now.Add(in.opts.NegativeTTL)}, now)
		}
		close(f.done)
	}()
	object, err := in.ask(ctx, token)
	if err != nil {
		f.info, f.err = nil, fmt.Errorf("%w: introspection: %w", ErrUnavailable, err)
		return
	}
	f.info, f.err = in.judge(object, time.Now())
}

// keep adds a verdict to a cache, which has room for MaxCached.
func (in *Introspection) keep(cache map[tokenHash]verdict, hash tokenHash, v verdict, now time.Time) {
	if in.opts.MaxCached < 0 || !now.Before(v.until) {
		return
	}
	for other := range cache {
		if len(cache) < in.opts.MaxCached {
			break
		}
		delete(cache, other)
	}
	cache[hash] = v
}

// ask sends token to the endpoint and returns the answer, which has a member active.
func (in *Introspection) ask(ctx context.Context, token string) (map[string]any, error) {
	form := url.Values{"token": {token}, "token_type_hint": {"access_token"}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, in.opts.URL, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "application/json")
	if in.opts.ClientID != "" { // RFC 6749, section 2.3.1: both are form-encoded first
		req.SetBasicAuth(url.QueryEscape(in.opts.ClientID), url.QueryEscape(in.opts.ClientSecret))
	}
	status, content, err := provider.Do(in.client, req, in.opts.MaxResponseBytes)
	if err != nil {
		return nil, err
	}
	if status != http.StatusOK {
		return nil, fmt.Errorf("status %d", status)
	}
	object, err := provider.Object(content)
	if err != nil {
		return nil, err
	}
	if _, ok := object["active"].(bool); !ok {
		return nil, errors.New("the response has no active")
	}
	return object, nil
}

// judge returns what an answer says.
func (in *Introspection) judge(object map[string]any, now time.Time) (*TokenInfo, error) {
	refuse := func(why string) (*TokenInfo, error) { return nil, fmt.Errorf("%w: %s", ErrInvalidToken, why) }
	if object["active"] != true {
		return refuse("not active")
	}
	bound, ok := provider.Confirmation(object)
	if !ok {
		return nil, fmt.Errorf("%w: %w", ErrInvalidToken, ErrBound)
	}
	if kind, ok := provider.Text(object, "token_type"); !ok || kind != "" && !strings.EqualFold(kind, "Bearer") && !strings.EqualFold(kind, "access_token") {
		return refuse("not a bearer token")
	}
	info := &TokenInfo{Extra: object, CertificateThumbprint: bound}
	if exp, present := object["exp"]; present {
		end, ok := provider.Time(exp)
		if !ok || !now.Before(end.Add(in.opts.ClockSkew)) {
			return refuse("expired")
		}
		info.Expiration = end
	}
	if nbf, present := object["nbf"]; present {
		if begin, ok := provider.Time(nbf); !ok || now.Add(in.opts.ClockSkew).Before(begin) {
			return refuse("not valid yet")
		}
	}
	if len(in.opts.Audiences) > 0 {
		aud, ok := provider.Audience(object)
		if !ok || !slices.ContainsFunc(aud, func(s string) bool { return slices.Contains(in.opts.Audiences, s) }) {
			return refuse("for another audience")
		}
	}
	var oks [5]bool
	var username string
	info.Issuer, oks[0] = provider.Text(object, "iss")
	info.UserID, oks[1] = provider.Text(object, "sub")
	username, oks[2] = provider.Text(object, "username")
	info.ClientID, oks[3] = provider.Text(object, "client_id")
	info.Scopes, oks[4] = provider.Scopes(object, "scope")
	if oks != [5]bool{true, true, true, true, true} {
		return refuse("a member has the wrong type")
	}
	if in.opts.Issuer != "" && info.Issuer != in.opts.Issuer {
		return refuse("of another issuer")
	}
	setDefault(&info.Issuer, in.opts.URL)
	setDefault(&info.UserID, username)
	if info.UserID == "" && info.ClientID == "" {
		return refuse("names neither a subject nor a client")
	}
	return info, nil
}
