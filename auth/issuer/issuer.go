// Package issuer verifies access tokens that are JWTs (RFC 9068), by the keys that their issuers
// publish. It finds the keys by itself (RFC 8414, OpenID Connect Discovery) and follows their
// rotation.
package issuer

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/mooring-mcp/mooring/auth"
	"github.com/mooring-mcp/mooring/auth/internal/provider"
)

// An Issuer is an authorization server whose tokens are accepted.
type Issuer struct {
	// URL is what the member iss of its tokens and of its metadata must be, byte for byte. A
	// trailing slash counts. It must be of https, or of http on loopback, unless JWKSURL is set.
	URL string
	// JWKSURL is where its keys are. If it is empty, the metadata of the issuer say so.
	JWKSURL string
	// Audiences are the values of which the member aud must have one. They need not be the URL of
	// the resource: Entra, for one, has the GUID of an application there. At least one is required.
	Audiences []string
	// Algorithms are the signature algorithms that are accepted. The default is all that this
	// package has: RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512 and EdDSA.
	Algorithms []string
}

// Options configure [New].
type Options struct {
	// Issuers are whose tokens are accepted. At least one is required.
	Issuers []Issuer
	// ClockSkew is how far the clocks of this server and of an issuer may differ. The default is 0.
	// Expiration of the TokenInfo is exp as it is: who compares it again must grant the same skew.
	ClockSkew time.Duration

	// HTTPClient sends the requests. It follows redirects on the same host only. The default is a
	// client that takes its proxy from the environment.
	HTTPClient *http.Client
	// Timeout is how long a request may take, if HTTPClient has no timeout. The default is 5
	// seconds.
	Timeout time.Duration

	// Refresh is the age from which on keys are fetched again in the background, on use. The
	// default is 10 minutes. It is how late the removal of a key may be noticed.
	Refresh time.Duration
	// MaxStale is the age up to which keys are used while their issuer cannot be reached. The
	// default is 24 hours.
	MaxStale time.Duration
	// MinInterval is the time between two attempts to fetch the keys of an issuer, whatever the
	// reason: an unknown kid, or an attempt that has failed. The default is 10 seconds.
	MinInterval time.Duration

	// MaxTokenBytes is how large a token may be. Larger ones are not valid. The default is 16 KiB.
	MaxTokenBytes int
	// MaxResponseBytes is how large metadata and key sets may be. The default is 512 KiB.
	MaxResponseBytes int64
	// MaxKeys is how many keys of an issuer are used: the first ones. The default is 100.
	MaxKeys int
}

func (o *Options) setDefaults() {
	setDefault(&o.Timeout, 5*time.Second)
	setDefault(&o.Refresh, 10*time.Minute)
	setDefault(&o.MaxStale, 24*time.Hour)
	setDefault(&o.MinInterval, 10*time.Second)
	setDefault(&o.MaxTokenBytes, 16<<10)
	setDefault(&o.MaxResponseBytes, 512<<10)
	setDefault(&o.MaxKeys, 100)
}

func setDefault[T ~int | ~int64](p *T, value T) {
	if *p <= 0 {
		*p = value
	}
}

// A Verifier verifies tokens of a few issuers. Create it with [New].
type Verifier struct {
	opts    Options
	sources map[string]*source // by the issuer's URL
}

// New returns a verifier. It sends nothing yet: the keys of an issuer are fetched with its first
// token.
func New(opts Options) (*Verifier, error) {
	if len(opts.Issuers) == 0 {
		return nil, errors.New("issuer: no issuers")
	}
	if opts.ClockSkew < 0 {
		return nil, errors.New("issuer: a negative ClockSkew")
	}
	opts.setDefaults()
	v := &Verifier{opts: opts, sources: map[string]*source{}}
	client := provider.NewClient(opts.HTTPClient, opts.Timeout, true)
	for _, is := range opts.Issuers {
		if err := is.check(); err != nil {
			return nil, fmt.Errorf("issuer: %s: %w", is.URL, err)
		}
		if v.sources[is.URL] != nil {
			return nil, fmt.Errorf("issuer: %s is there twice", is.URL)
		}
		is.Audiences = slices.Clone(is.Audiences)
		is.Algorithms = slices.Clone(is.Algorithms)
		if len(is.Algorithms) == 0 {
			is.Algorithms = slices.Collect(maps.Keys(algorithms))
		}
		v.sources[is.URL] = &source{issuer: is, opts: &v.opts, client: client}
	}
	return v, nil
}

func (is *Issuer) check() error {
	if is.URL == "" {
		return errors.New("no URL")
	}
	if len(is.Audiences) == 0 || slices.Contains(is.Audiences, "") {
		return errors.New("no audience, or an empty one")
	}
	for _, alg := range is.Algorithms {
		if _, ok := algorithms[alg]; !ok {
			return fmt.Errorf("algorithm %q is not one of the asymmetric ones", alg)
		}
	}
	if is.JWKSURL != "" {
		if _, err := provider.CheckURL(is.JWKSURL); err != nil {
			return fmt.Errorf("the URL of the keys is %w", err)
		}
		return nil
	}
	u, err := provider.CheckURL(is.URL)
	if err != nil {
		return err
	}
	if u.RawQuery != "" || u.ForceQuery {
		return errors.New("a URL with a query")
	}
	return nil
}

// Verify is an [auth.TokenVerifier]. A token is valid if it is a JWS of one of the issuers, for one
// of its audiences, has not expired, and one of the issuer's keys has signed it. It must have exp,
// and sub or a client. Its type must be at+jwt, JWT or absent, and it must not demand extensions
// (crit). If it is bound to a client certificate (x5t#S256, RFC 8705), it is valid with that only,
// and if it is bound to another key (cnf, as of DPoP), never: see [auth.ErrBound]. Keys in the
// token, and URLs of keys, are ignored.
//
// The error wraps [auth.ErrUnavailable] if the keys of the issuer cannot be fetched, or if the
// token names a key that is not known, which may be a new one, and MinInterval forbids to fetch
// them again. It wraps [auth.ErrInvalidToken] otherwise; the signature is checked last, so that
// only tokens that look right cost more than their decoding. UserID is sub, ClientID client_id or
// else azp, Issuer iss, and Scopes are those of scope, or else of scp. Extra has all claims, with
// numbers of type json.Number.
func (v *Verifier) Verify(ctx context.Context, token string, r *http.Request) (*auth.TokenInfo, error) {
	t, err := parse(token, v.opts.MaxTokenBytes)
	if err != nil {
		return nil, invalid(err)
	}
	iss, _ := t.claims["iss"].(string)
	src := v.sources[iss]
	if src == nil {
		return nil, invalid(errIssuer)
	}
	if !slices.Contains(src.issuer.Algorithms, t.alg) {
		return nil, invalid(errAlgorithm)
	}
	info, err := t.judge(&src.issuer, v.opts.ClockSkew, time.Now())
	if err != nil {
		return nil, invalid(err)
	}
	if err := src.verify(ctx, t); err != nil {
		return nil, err
	}
	if err := auth.CheckBinding(ctx, info, r); err != nil {
		return nil, err
	}
	return info, nil
}

func invalid(err error) error { return fmt.Errorf("%w: %w", auth.ErrInvalidToken, err) }
