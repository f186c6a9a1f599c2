package issuer_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/mooring-mcp/mooring/auth/issuer"
)

type object = map[string]any

// An authority is an authorization server with keys that can be rotated.
type authority struct {
	*httptest.Server
	down                atomic.Bool
	discovered, fetched atomic.Int64
	age                 int64 // of the tokens, in seconds

	mu   sync.Mutex
	jwks []object
}

func newAuthority(t testing.TB, keys ...object) *authority {
	t.Helper()
	a := &authority{jwks: keys}
	mux := http.NewServeMux()
	mux.HandleFunc("/.well-known/oauth-authorization-server", func(w http.ResponseWriter, _ *http.Request) {
		a.discovered.Add(1)
		fmt.Fprintf(w, `{"issuer":%q,"jwks_uri":"%s/keys"}`, a.URL, a.URL)
	})
	mux.HandleFunc("/keys", func(w http.ResponseWriter, _ *http.Request) {
		a.fetched.Add(1)
		a.mu.Lock()
		defer a.mu.Unlock()
		_ = json.NewEncoder(w).Encode(object{"keys": a.jwks})
	})
	a.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if a.down.Load() {
			http.Error(w, "down", http.StatusBadGateway)
			return
		}
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(a.Close)
	return a
}

func (a *authority) rotate(keys ...object) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.jwks = keys
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// jwk returns the public key of k as a JWK.
func jwk(kid string, k crypto.Signer) object {
	o := object{"use": "sig"}
	if kid != "" {
		o["kid"] = kid
	}
	switch p := k.Public().(type) {
	case *rsa.PublicKey:
		maps.Copy(o, object{"kty": "RSA", "n": b64(p.N.Bytes()), "e": b64(big.NewInt(int64(p.E)).Bytes())})
	case *ecdsa.PublicKey:
		point, _ := p.Bytes()
		half := len(point) / 2
		maps.Copy(o, object{"kty": "EC", "crv": p.Curve.Params().Name, "x": b64(point[1 : 1+half]), "y": b64(point[1+half:])})
	case ed25519.PublicKey:
		maps.Copy(o, object{"kty": "OKP", "crv": "Ed25519", "x": b64(p)})
	}
	return o
}

// The keys of the tests are made once: an RSA key takes a while.
var keys = sync.OnceValue(func() (k struct {
	rsa, rsaOther, rsaSmall *rsa.PrivateKey
	p256, p384, p521        *ecdsa.PrivateKey
	ed                      ed25519.PrivateKey
}) {
	k.rsa, _ = rsa.GenerateKey(rand.Reader, 2048)
	k.rsaOther, _ = rsa.GenerateKey(rand.Reader, 2048)
	k.rsaSmall, _ = rsa.GenerateKey(rand.Reader, 1024)
	k.p256, _ = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	k.p384, _ = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	k.p521, _ = ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	_, k.ed, _ = ed25519.GenerateKey(rand.Reader)
	return k
})

// sign makes a token of a head and claims as they are.
func sign(head, claims, alg string, k any) string {
	input := b64([]byte(head)) + "." + b64([]byte(claims))
	signature, err := jwt.GetSigningMethod(alg).Sign(input, k)
	if err != nil {
		panic(err)
	}
	return input + "." + b64(signature)
}

// marshal returns base with the members of changes; a change to nil removes a member.
func marshal(base object, changes ...object) string {
	o := maps.Clone(base)
	for _, c := range changes {
		maps.Copy(o, c)
	}
	maps.DeleteFunc(o, func(_ string, v any) bool { return v == nil })
	b, _ := json.Marshal(o)
	return string(b)
}

const audience = "https://mcp.example.com/mcp"

func (a *authority) claims() object {
	return object{"iss": a.URL, "aud": audience, "sub": "ann", "client_id": "cli", "scope": "a b", "exp": time.Now().Unix() + 600, "iat": time.Now().Unix() - a.age}
}

func (a *authority) token(kid, alg string, k any) string {
	return sign(marshal(object{"alg": alg, "typ": "at+jwt", "kid": kid}), marshal(a.claims()), alg, k)
}

func newVerifier(t testing.TB, opts issuer.Options, list ...*authority) *issuer.Verifier {
	t.Helper()
	for _, a := range list {
		opts.Issuers = append(opts.Issuers, issuer.Issuer{URL: a.URL, Audiences: []string{"other", audience}})
	}
	v, err := issuer.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	return v
}
