package credential

import (
	"container/list"
	"context"
	"crypto/sha256"
	"errors"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// Options say where access tokens come from. New copies them. For numbers and durations zero means
// the default, and a negative value is an error.
type Options struct {
	// TokenURL is the token endpoint. If it is empty, it is looked up in the metadata of Issuer (RFC
	// 8414, or OpenID Connect Discovery). URLs must be https, or http if the host is loopback.
	TokenURL, Issuer string

	ClientID, ClientSecret string
	// SecretInBody sends the client's secret as a parameter instead of by HTTP Basic.
	SecretInBody bool

	// Exchange exchanges each principal's own token instead of getting one token for the client.
	Exchange bool
	// SubjectTokenType is the type of the principals' tokens. Default: access tokens.
	SubjectTokenType string

	// Resource is the URL of the upstream, as the parameter resource.
	Resource string
	// Audience and Scope are further parameters, left out if empty.
	Audience, Scope string

	// MaxTokens is how many tokens are kept, the least recently used is dropped. Default 1,024.
	MaxTokens int
	// Timeout limits a request to the authorization server. Default 10 s.
	Timeout time.Duration
	// Client sends the requests, without following redirects. Default: one of its own.
	Client *http.Client
}

const (
	defaultLife = 5 * time.Minute // of a token that does not say
	maxLife     = 24 * time.Hour
	// margin is how long before its end a token is not used any more, at most a tenth of its life.
	margin = 30 * time.Second
	// minAge is for how long a token is not renewed that the upstream refuses: it is not the reason.
	minAge = 5 * time.Second
	// After a failure nothing is asked for retryWait, after a refusal for refusedWait.
	retryWait   = time.Second
	refusedWait = 10 * time.Second
)

// A Source gives access tokens. Its methods may be called from any goroutine.
type Source struct {
	o        Options
	client   *http.Client
	own      bool // client is the Source's
	now      func() time.Time
	life     context.Context
	end      context.CancelFunc
	mu       sync.Mutex // guards what follows
	tokens   map[key]*list.Element
	recent   *list.List // of *token, the most recently used first
	endpoint string
	running  sync.WaitGroup
	closed   bool
}

// A key says whose token one is. A principal may have several tokens, which may differ in what they
// allow.
type key struct {
	principal string
	subject   [sha256.Size]byte
}

// A token is an entry of the cache.
type token struct {
	key    key
	value  string // of the header field Authorization
	err    error
	got    time.Time
	until  time.Time     // value or err is used until then
	flight chan struct{} // closed when the request under way has ended; nil if there is none
}

var (
	errClosed  = errors.New("credential: closed")
	errSubject = errors.New("credential: the principal has no token to exchange")
)

// New returns a Source. It sends nothing.
func New(o Options) (*Source, error) {
	switch {
	case o.TokenURL == "" && o.Issuer == "":
		return nil, errors.New("credential: neither a token endpoint nor an issuer")
	case o.ClientID == "" && (!o.Exchange || o.ClientSecret != ""):
		return nil, errors.New("credential: no client ID")
	case o.MaxTokens < 0 || o.Timeout < 0:
		return nil, errors.New("credential: a negative limit")
	}
	for _, raw := range []string{o.TokenURL, o.Issuer} {
		if raw != "" {
			if err := checkURL(raw); err != nil {
				return nil, err
			}
		}
	}
	if o.Resource != "" {
		if u, err := url.Parse(o.Resource); err != nil || !u.IsAbs() || u.Fragment != "" {
			return nil, errors.New("credential: the resource must be an absolute URL without a fragment")
		}
	}
	if o.MaxTokens == 0 {
		o.MaxTokens = 1024
	}
	if o.Timeout == 0 {
		o.Timeout = 10 * time.Second
	}
	if o.SubjectTokenType == "" {
		o.SubjectTokenType = "urn:ietf:params:oauth:token-type:access_token"
	}
	s := &Source{o: o, now: time.Now, tokens: map[key]*list.Element{}, recent: list.New(), endpoint: o.TokenURL, own: o.Client == nil}
	s.client = newClient(o.Client)
	s.life, s.end = context.WithCancel(context.Background())
	return s, nil
}

// Close ends what is under way. No tokens can be got any more.
func (s *Source) Close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.end()
	s.running.Wait()
	if s.own {
		s.client.CloseIdleConnections()
	}
}

// Authorization returns the value of the header field Authorization for requests of the principal,
// who has authenticated itself with the subject token. It is one of the cache, or a new one, for
// which several callers wait together until ctx is done. If tokens are exchanged, requests without
// a principal, such as those for lists, get a token of the client's own, if it has a secret.
func (s *Source) Authorization(ctx context.Context, principal, subject string) (string, error) {
	k := key{}
	switch {
	case !s.o.Exchange:
		subject = ""
	case subject != "":
		k = key{principal, sha256.Sum256([]byte(subject))}
	case principal != "" || s.o.ClientSecret == "":
		return "", errSubject
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return "", errClosed
	}
	t := s.entry(k)
	if t.flight == nil {
		if s.now().Before(t.until) {
			return t.value, t.err
		}
		t.flight = make(chan struct{})
		s.running.Go(func() { s.renew(t, subject) })
	}
	flight := t.flight
	s.mu.Unlock()
	var err error
	select {
	case <-flight:
	case <-ctx.Done():
		err = ctx.Err()
	}
	s.mu.Lock()
	if err != nil {
		return "", err
	}
	return t.value, t.err
}

// Refused says that the upstream has refused the value with a 401. The next call of Authorization
// gets another, unless this one was got just now.
func (s *Source) Refused(principal, value string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.tokens {
		t := e.Value.(*token)
		if t.value == value && (t.key.principal == principal || !s.o.Exchange) && s.now().Sub(t.got) >= minAge {
			t.until = time.Time{}
		}
	}
}

// entry returns the token of k, and drops the least recently used one if there are too many. Called
// with mu held.
func (s *Source) entry(k key) *token {
	if e := s.tokens[k]; e != nil {
		s.recent.MoveToFront(e)
		return e.Value.(*token)
	}
	if s.recent.Len() >= s.o.MaxTokens {
		last := s.recent.Back()
		delete(s.tokens, last.Value.(*token).key)
		s.recent.Remove(last)
	}
	t := &token{key: k}
	s.tokens[k] = s.recent.PushFront(t)
	return t
}

// renew gets a token for t.
func (s *Source) renew(t *token, subject string) {
	ctx, cancel := context.WithTimeout(s.life, s.o.Timeout)
	defer cancel()
	value, life, err := s.ask(ctx, subject)
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	t.value, t.err, t.got = value, err, now
	var refused *RefusedError
	switch {
	case err == nil:
		if life <= 0 {
			life = defaultLife
		}
		life = min(life, maxLife)
		t.until = now.Add(life - min(margin, life/10))
	case errors.As(err, &refused):
		t.until = now.Add(refusedWait)
	default:
		t.until = now.Add(retryWait)
	}
	close(t.flight)
	t.flight = nil
}
