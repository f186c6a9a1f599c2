// Package authority is an authorization server for tests: it publishes metadata (RFC 8414) and a
// key, and makes access tokens (RFC 9068). Nobody can log in there.
package authority

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"maps"
	"math/big"
	"net"
	"net/http"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// Claims are the claims of a token.
type Claims map[string]any

// An Authority is an authorization server. Its methods may be called from any goroutine.
type Authority struct {
	URL string // the issuer

	key, unpublished *rsa.PrivateKey
	srv              *http.Server
}

const kid = "conformance"

// Start starts an authorization server on an address, with new keys.
func Start(addr string) (*Authority, error) {
	a := &Authority{}
	for _, key := range []**rsa.PrivateKey{&a.key, &a.unpublished} {
		var err error
		if *key, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
			return nil, err
		}
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, err
	}
	a.URL = "http://" + l.Addr().String()
	mux := http.NewServeMux()
	mux.HandleFunc("/.well-known/oauth-authorization-server", says(map[string]any{
		"issuer": a.URL, "jwks_uri": a.URL + "/.well-known/jwks.json",
		"authorization_endpoint": a.URL + "/authorize", "token_endpoint": a.URL + "/token",
		"response_types_supported": []string{"code"}, "code_challenge_methods_supported": []string{"S256"},
	}))
	encode := base64.RawURLEncoding.EncodeToString
	mux.HandleFunc("/.well-known/jwks.json", says(map[string]any{"keys": []any{map[string]any{
		"kty": "RSA", "use": "sig", "alg": "RS256", "kid": kid,
		"n": encode(a.key.N.Bytes()), "e": encode(big.NewInt(int64(a.key.E)).Bytes()),
	}}}))
	a.srv = &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = a.srv.Serve(l) }()
	return a, nil
}

// says returns a handler whose answer is always the JSON of v.
func says(v any) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(v)
	}
}

// Close ends the server.
func (a *Authority) Close() { _ = a.srv.Close() }

// Token returns a token with the claims. Those of iss, sub, client_id, jti, iat and exp that are
// missing are added; the token expires in five minutes then.
func (a *Authority) Token(claims Claims) string { return a.sign(a.key, claims) }

// ForgedToken is Token with a key that is not published.
func (a *Authority) ForgedToken(claims Claims) string { return a.sign(a.unpublished, claims) }

func (a *Authority) sign(key *rsa.PrivateKey, claims Claims) string {
	now := time.Now().Unix()
	all := jwt.MapClaims{
		"iss": a.URL, "sub": "conformance-user", "client_id": "conformance-client", "jti": rand.Text(),
		"iat": now, "exp": now + 300,
	}
	maps.Copy(all, claims)
	t := jwt.NewWithClaims(jwt.SigningMethodRS256, all)
	t.Header["kid"], t.Header["typ"] = kid, "at+jwt"
	text, err := t.SignedString(key)
	if err != nil {
		panic(err) // the key is of the right type, and the claims are JSON
	}
	return text
}
