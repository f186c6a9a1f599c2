package auth

import (
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"github.com/mooring-mcp/mooring/internal/bearer"
)

// RequireBearerTokenOptions configure [RequireBearerToken]. The zero value demands a valid token
// that expires, of any scope.
type RequireBearerTokenOptions struct {
	// ResourceMetadataURL is the absolute URL of the protected resource metadata, which clients
	// read to find the authorization server. It is part of each challenge. See
	// [ProtectedResourceMetadataHandler].
	ResourceMetadataURL string

	// Scopes are the scopes that a token must have, all of them. They are part of each challenge.
	Scopes []string

	// AllowMissingExpiration accepts tokens whose TokenInfo has no Expiration. The verifier must
	// then notice by itself that a token is no longer valid.
	AllowMissingExpiration bool

	// ClockSkew is how long after its Expiration a token is still accepted, because clocks differ.
	// The default is 0.
	ClockSkew time.Duration

	// Logger gets the errors of the verifier that are not the client's. The default is
	// slog.Default().
	Logger *slog.Logger
}

// firstModern is the revision since which a client keeps the scopes that it has been granted when
// it asks for those of a challenge (SEP-2350).
const firstModern = "2026-07-28"

// A refusal is the reason for which a request is not served. Its text is fixed: what a verifier
// says of a token is not for whoever sent it.
type refusal struct {
	status int
	code   string // of RFC 6750; "" if the request brought no token
	text   string
}

var (
	errNoToken      = &refusal{http.StatusUnauthorized, "", "a bearer token is required"}
	errTwice        = &refusal{http.StatusBadRequest, bearer.InvalidRequest, "more than one Authorization field"}
	errMalformed    = &refusal{http.StatusBadRequest, bearer.InvalidRequest, "the bearer token is malformed"}
	errOAuth        = &refusal{http.StatusBadRequest, bearer.InvalidRequest, "the token request is not valid"}
	errInvalid      = &refusal{http.StatusUnauthorized, bearer.InvalidToken, "the token is not valid"}
	errExpired      = &refusal{http.StatusUnauthorized, bearer.InvalidToken, "the token has expired"}
	errNoExpiration = &refusal{http.StatusUnauthorized, bearer.InvalidToken, "the token does not expire"}
	errScope        = &refusal{http.StatusForbidden, bearer.InsufficientScope, "the token lacks a scope"}
	errUnavailable  = &refusal{http.StatusServiceUnavailable, "", "the token cannot be verified now"}
	errVerifier     = &refusal{http.StatusInternalServerError, "", "the token could not be verified"}
)

// RequireBearerToken returns middleware that serves only requests with a bearer token (RFC 6750)
// that verifier accepts. The handler finds the TokenInfo by [TokenInfoFromContext], and handlers of
// tools find it in RequestExtra.TokenInfo.
//
// Other requests get 401 with a challenge in WWW-Authenticate, which names no error if the request
// brought no token, and invalid_token otherwise; 403 with insufficient_scope if the token lacks a
// scope; 400 with invalid_request if the Authorization field is malformed or repeated, or the error
// of verifier wraps [ErrOAuth]; 503 if it wraps [ErrUnavailable]; and 500 if it wraps none of these
// nor [ErrInvalidToken]. The token is read from the Authorization field only, never from the query.
//
// Nil opts are the defaults; opts are copied. RequireBearerToken panics if verifier is nil.
func RequireBearerToken(verifier TokenVerifier, opts *RequireBearerTokenOptions) func(http.Handler) http.Handler {
	if verifier == nil {
		panic("auth: RequireBearerToken: nil verifier")
	}
	g := &guard{verifier: verifier}
	if opts != nil {
		g.opts = *opts
		g.opts.Scopes = slices.Clone(opts.Scopes)
	}
	if g.opts.Logger == nil {
		g.opts.Logger = slog.Default()
	}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			info, refused := g.check(r, time.Now())
			if refused != nil {
				g.refuse(w, r, info, refused)
				return
			}
			next.ServeHTTP(w, r.WithContext(ContextWithTokenInfo(r.Context(), info)))
		})
	}
}

// A guard is the middleware with its settings.
type guard struct {
	verifier TokenVerifier
	opts     RequireBearerTokenOptions
}

// check returns what the token of r says, or why r is refused. With errScope it returns both.
func (g *guard) check(r *http.Request, now time.Time) (*TokenInfo, *refusal) {
	token, refused := bearerToken(r.Header)
	if refused != nil {
		return nil, refused
	}
	info, err := g.verifier(r.Context(), token, r)
	switch {
	case errors.Is(err, ErrInvalidToken):
		return nil, errInvalid
	case errors.Is(err, ErrOAuth):
		return nil, errOAuth
	case errors.Is(err, ErrUnavailable):
		g.opts.Logger.WarnContext(r.Context(), "auth: verifying a token", "error", err)
		return nil, errUnavailable
	case err != nil:
		g.opts.Logger.ErrorContext(r.Context(), "auth: verifying a token", "error", err)
		return nil, errVerifier
	case info == nil:
		g.opts.Logger.ErrorContext(r.Context(), "auth: the verifier returned neither a TokenInfo nor an error")
		return nil, errVerifier
	case info.Expiration.IsZero():
		if !g.opts.AllowMissingExpiration {
			return nil, errNoExpiration
		}
	case info.Expiration.Add(g.opts.ClockSkew).Before(now):
		return nil, errExpired
	}
	if CheckBinding(r.Context(), info, r) != nil {
		return nil, errInvalid
	}
	for _, s := range g.opts.Scopes {
		if !slices.Contains(info.Scopes, s) {
			return info, errScope
		}
	}
	return info, nil
}

// bearerToken returns the token in the Authorization field of h.
func bearerToken(h http.Header) (string, *refusal) {
	fields := h["Authorization"]
	switch len(fields) {
	case 0:
		return "", errNoToken
	case 1:
	default:
		return "", errTwice
	}
	token, found := bearer.Read(fields[0])
	switch found {
	case bearer.None:
		return "", errNoToken
	case bearer.Malformed:
		return "", errMalformed
	}
	return token, nil
}

// refuse answers r. Info is what its token says, if that is known.
func (g *guard) refuse(w http.ResponseWriter, r *http.Request, info *TokenInfo, refused *refusal) {
	switch refused {
	case errVerifier:
	case errUnavailable:
		w.Header().Set("Retry-After", "1")
	default:
		scopes := g.opts.Scopes
		if refused == errScope && r.Header.Get("MCP-Protocol-Version") < firstModern {
			scopes = bearer.WithGranted(scopes, info.Scopes)
		}
		w.Header().Add("WWW-Authenticate", g.challenge(refused, scopes))
	}
	http.Error(w, refused.text, refused.status)
}

// challenge returns a challenge of RFC 6750, section 3, with the parameter of RFC 9728, section
// 5.1.
func (g *guard) challenge(refused *refusal, scopes []string) string {
	return string(bearer.AppendChallenge(nil, &bearer.Challenge{
		Error: refused.code, Description: refused.text,
		Metadata: bearer.Metadata{Base: g.opts.ResourceMetadataURL}, Scopes: scopes,
	}))
}
