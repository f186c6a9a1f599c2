package auth

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"
)

// TokenInfo is what a verified bearer token says. It must not be changed once a verifier has
// returned it.
type TokenInfo struct {
	Scopes     []string
	Expiration time.Time // the zero time if the token does not expire
	// UserID names the authenticated user: the subject of the token. If it is not empty, the sessions
	// of the user's clients are valid for requests of the same user only.
	UserID string
	// Issuer is the authorization server that has issued the token, and ClientID the client that it
	// was issued to. Both may be empty. They are part of the principal: see Principal.
	Issuer   string
	ClientID string
	// CertificateThumbprint is the SHA-256 thumbprint of the client certificate that the token is
	// bound to, as in the member x5t#S256 of cnf (RFC 8705): base64url without padding. If it is not
	// empty, the token is valid only on connections of that certificate: see CheckBinding.
	CertificateThumbprint string
	Extra                 map[string]any
}

// Principal returns the name of whom a token speaks for, to which sessions and everything else that
// a server keeps for its callers are bound. It is the UserID if the Issuer and the ClientID are
// empty, and otherwise a JSON array of all three, so that no two principals have the same name. It
// is "" if all of them are empty, or ti is nil: an anonymous caller.
func (ti *TokenInfo) Principal() string {
	switch {
	case ti == nil:
		return ""
	case ti.Issuer == "" && ti.ClientID == "" && !strings.HasPrefix(ti.UserID, "["):
		return ti.UserID
	}
	name, _ := json.Marshal([...]string{ti.Issuer, ti.UserID, ti.ClientID}) // strings cannot fail
	return string(name)
}

// ErrInvalidToken is returned, possibly wrapped, by a TokenVerifier for a token that is not valid.
var ErrInvalidToken = errors.New("invalid token")

// ErrUnavailable is returned, possibly wrapped, by a TokenVerifier that cannot tell whether a token
// is valid, because it does not reach whoever knows. The request gets 503.
var ErrUnavailable = errors.New("the token cannot be verified now")

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
