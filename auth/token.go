package auth

import (
	"context"
	"errors"
	"net/http"
	"time"
)

// TokenInfo is what a verified bearer token says. It must not be changed once a verifier has
// returned it.
type TokenInfo struct {
	Scopes     []string
	Expiration time.Time // the zero time if the token does not expire
	// UserID names the authenticated user. If it is not empty, the sessions of the user's clients
	// are valid for requests of the same user only.
	UserID string
	Extra  map[string]any
}

// ErrInvalidToken is returned, possibly wrapped, by a TokenVerifier for a token that is not valid.
var ErrInvalidToken = errors.New("invalid token")

// ErrOAuth is returned, possibly wrapped, by a TokenVerifier for an error of the OAuth protocol.
var ErrOAuth = errors.New("oauth error")

// A TokenVerifier verifies a bearer token and returns what it says. Its error wraps ErrInvalidToken
// if the token is not valid. It may be called from any goroutine. req is the request that brought
// the token.
type TokenVerifier func(ctx context.Context, token string, req *http.Request) (*TokenInfo, error)

type tokenInfoKey struct{}

// TokenInfoFromContext returns the TokenInfo that ctx carries, or nil if it carries none.
func TokenInfoFromContext(ctx context.Context) *TokenInfo {
	ti, _ := ctx.Value(tokenInfoKey{}).(*TokenInfo)
	return ti
}

// ContextWithTokenInfo returns a copy of ctx that carries ti.
func ContextWithTokenInfo(ctx context.Context, ti *TokenInfo) context.Context {
	return context.WithValue(ctx, tokenInfoKey{}, ti)
}
