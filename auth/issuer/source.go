package issuer

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/mooring-mcp/mooring/auth"
	"github.com/mooring-mcp/mooring/auth/internal/provider"
)

// A source has the keys of one issuer.
type source struct {
	issuer Issuer
	opts   *Options
	client *http.Client

	mu        sync.Mutex
	set       *keySet       // nil before the first success; replaced, never changed
	attempted time.Time     // when the last attempt to fetch has begun
	err       error         // of the last attempt
	flight    chan struct{} // closed when the attempt in flight has ended; nil if there is none
}

// A keySet is what one fetch has brought.
type keySet struct {
	keys []key
	at   time.Time // when the fetch has begun
}

// verify checks the signature of t. If no key of the set fits, the keys are fetched once more. A
// fetch that has begun before t was there may have missed its key.
func (s *source) verify(ctx context.Context, t *signed) error {
	began := time.Now()
	set, err := s.keys(ctx, nil)
	if err != nil {
		return err
	}
	valid, known := check(set.keys, t)
	for range 2 {
		if valid || known && t.kid != "" || !set.at.Before(began) {
			break
		}
		old := set
		if set, err = s.keys(ctx, set); err != nil {
			return err
		}
		if set == old {
			break // it is too early to fetch them again
		}
		valid, known = check(set.keys, t)
	}
	switch {
	case valid:
		return nil
	case set.at.Before(began) && s.mayBeNew(t, set):
		return fmt.Errorf("%w: %w", auth.ErrUnavailable, errNewKey)
	}
	return invalid(errSignature)
}

var errNewKey = errors.New("a key that is not known, and it is too early to fetch the keys again")

// mayBeNew reports whether t may have been signed with a key that its issuer has published since
// set was fetched. A token that says that it is older names a key that has been removed, and its
// client needs another token. What t says is not to be believed, but whoever forges it can only
// choose between two refusals.
func (s *source) mayBeNew(t *signed, set *keySet) bool {
	if t.kid == "" || slices.ContainsFunc(set.keys, func(k key) bool { return k.kid == t.kid }) {
		return false
	}
	issued, ok := provider.Time(t.claims["iat"])
	const resolution = time.Second // of iat
	return !ok || issued.After(set.at.Add(-s.opts.MinInterval-s.opts.ClockSkew-resolution))
}

// keys returns the keys of the issuer. It waits for a fetch if there are none, or if old is the
// current set, in which the caller has not found its key; unless the last attempt was less than
// MinInterval ago. Keys that are older than Refresh are fetched again without waiting. The error is
// ErrUnavailable.
func (s *source) keys(ctx context.Context, old *keySet) (*keySet, error) {
	s.mu.Lock()
	now := time.Now()
	set := s.set
	if set != nil && now.Sub(set.at) > s.opts.MaxStale {
		set = nil
	}
	wait := set == nil || set == old
	if s.flight == nil && (wait || now.Sub(set.at) > s.opts.Refresh) &&
		(s.attempted.IsZero() || now.Sub(s.attempted) >= s.opts.MinInterval) {
		s.attempted = now
		s.flight = make(chan struct{})
		// The others who wait must not lose the keys because the first of them gives up.
		go s.fly(context.WithoutCancel(ctx), s.flight, now)
	}
	flight, err := s.flight, s.err
	s.mu.Unlock()
	if !wait {
		return set, nil
	}
	if flight != nil {
		select {
		case <-flight:
		case <-ctx.Done():
			return nil, fmt.Errorf("%w: %w", auth.ErrUnavailable, ctx.Err())
		}
		s.mu.Lock()
		set, err = s.set, s.err
		s.mu.Unlock()
	}
	if err == nil && set == nil {
		err = errors.New("too old") // and it is too early to fetch them again
	}
	if err != nil {
		return nil, fmt.Errorf("%w: keys of the issuer: %w", auth.ErrUnavailable, err)
	}
	return set, nil
}

func (s *source) fly(ctx context.Context, done chan struct{}, began time.Time) {
	keys, err := s.fetch(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err = err; err == nil {
		s.set = &keySet{keys: keys, at: began}
	}
	s.flight = nil
	close(done)
}

func (s *source) fetch(ctx context.Context) ([]key, error) {
	from := s.issuer.JWKSURL
	if from == "" {
		var err error
		if from, err = s.discover(ctx); err != nil {
			return nil, err
		}
	}
	content, err := s.get(ctx, from)
	if err != nil {
		return nil, err
	}
	return parseKeys(content, s.opts.MaxKeys)
}

// discover returns the URL of the keys, which the metadata of the issuer have. The first metadata
// that name this very issuer count.
func (s *source) discover(ctx context.Context) (string, error) {
	issuer, err := provider.CheckURL(s.issuer.URL)
	if err != nil {
		return "", err
	}
	var errs []error
	for _, from := range metadataURLs(issuer) {
		keys, err := s.metadata(ctx, from, issuer)
		if err == nil {
			return keys, nil
		}
		errs = append(errs, err)
	}
	return "", errors.Join(errs...)
}

// metadataURLs returns where the metadata of an issuer may be: by RFC 8414 and then by OpenID
// Connect, with the well-known part before the path, and at last by OpenID Connect after it.
func metadataURLs(issuer *url.URL) []string {
	origin := issuer.Scheme + "://" + issuer.Host
	path := strings.TrimSuffix(issuer.EscapedPath(), "/")
	list := []string{origin + "/.well-known/oauth-authorization-server" + path, origin + "/.well-known/openid-configuration" + path}
	if path != "" {
		list = append(list, origin+path+"/.well-known/openid-configuration")
	}
	return list
}

func (s *source) metadata(ctx context.Context, from string, issuer *url.URL) (string, error) {
	content, err := s.get(ctx, from)
	if err != nil {
		return "", err
	}
	object, err := provider.Object(content)
	if err != nil {
		return "", fmt.Errorf("metadata at %s: %w", from, err)
	}
	if object["issuer"] != s.issuer.URL {
		return "", fmt.Errorf("metadata at %s: of another issuer", from)
	}
	text, _ := object["jwks_uri"].(string)
	keys, err := provider.CheckURL(text)
	if err != nil {
		return "", fmt.Errorf("metadata at %s: jwks_uri is %w", from, err)
	}
	if keys.Scheme != issuer.Scheme { // a remote issuer must not send us to loopback
		return "", fmt.Errorf("metadata at %s: jwks_uri has another scheme", from)
	}
	return text, nil
}

func (s *source) get(ctx context.Context, from string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, from, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/json")
	status, content, err := provider.Do(s.client, req, s.opts.MaxResponseBytes)
	if err != nil {
		return nil, err
	}
	if status != http.StatusOK {
		return nil, fmt.Errorf("%s: status %d", from, status)
	}
	return content, nil
}
