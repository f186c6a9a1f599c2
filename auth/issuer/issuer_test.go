package issuer_test

import (
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/auth"
	"github.com/mooring-mcp/mooring/auth/issuer"
)

func TestVerify(t *testing.T) {
	k := keys()
	a := newAuthority(t, jwk("rsa", k.rsa), jwk("p256", k.p256), jwk("p384", k.p384), jwk("p521", k.p521), jwk("ed", k.ed))
	v := newVerifier(t, issuer.Options{}, a)
	if n := a.discovered.Load() + a.fetched.Load(); n != 0 {
		t.Errorf("%d requests before the first token", n)
	}
	for _, tt := range []struct {
		kid, alg string
		key      any
	}{
		{"rsa", "RS256", k.rsa}, {"rsa", "RS384", k.rsa}, {"rsa", "RS512", k.rsa},
		{"rsa", "PS256", k.rsa}, {"rsa", "PS384", k.rsa}, {"rsa", "PS512", k.rsa},
		{"p256", "ES256", k.p256}, {"p384", "ES384", k.p384}, {"p521", "ES512", k.p521}, {"ed", "EdDSA", k.ed},
	} {
		info, err := v.Verify(t.Context(), a.token(tt.kid, tt.alg, tt.key), nil)
		if err != nil {
			t.Errorf("%s: %v", tt.alg, err)
			continue
		}
		if info.UserID != "ann" || info.ClientID != "cli" || info.Issuer != a.URL || !reflect.DeepEqual(info.Scopes, []string{"a", "b"}) ||
			time.Until(info.Expiration) < 500*time.Second || info.Extra["sub"] != "ann" {
			t.Errorf("%s: got %+v", tt.alg, info)
		}
	}
	if d, f := a.discovered.Load(), a.fetched.Load(); d != 1 || f != 1 {
		t.Errorf("%d metadata and %d key sets were fetched, want 1 each", d, f)
	}
}

// TestVariants verifies tokens that are unusual but valid.
func TestVariants(t *testing.T) {
	k := keys()
	a := newAuthority(t, jwk("ed", k.ed))
	v := newVerifier(t, issuer.Options{ClockSkew: 30 * time.Second}, a)
	now := time.Now().Unix()
	for name, tt := range map[string]struct {
		head, claims object
		want         string
	}{
		"no typ":              {head: object{"typ": nil}},
		"typ JWT":             {head: object{"typ": "JWT"}},
		"typ with prefix":     {head: object{"typ": "application/AT+jwt"}},
		"no kid":              {head: object{"kid": nil}},
		"keys in the head":    {head: object{"jku": "http://127.0.0.1:1/", "x5u": "http://127.0.0.1:1/", "jwk": jwk("ed", k.p256), "x5c": []string{"AAAA"}}},
		"aud is a list":       {claims: object{"aud": []string{"x", audience}}},
		"another audience":    {claims: object{"aud": "other"}},
		"exp within the skew": {claims: object{"exp": now - 20}},
		"exp has a fraction":  {claims: object{"exp": float64(now) + 100.5}},
		"nbf within the skew": {claims: object{"nbf": now + 20}},
		"iat within the skew": {claims: object{"iat": now + 20}},
		"no iat":              {claims: object{"iat": nil}},
		"scope is a list":     {claims: object{"scope": []string{"a", "b"}}},
		"scp is a list":       {claims: object{"scope": nil, "scp": []string{"a", "b"}}},
		"scp is a string":     {claims: object{"scope": nil, "scp": "a b"}},
		"no scope":            {claims: object{"scope": nil}, want: "ann cli []"},
		"azp":                 {claims: object{"client_id": nil, "azp": "other"}, want: "ann other [a b]"},
		"no subject":          {claims: object{"sub": nil}, want: " cli [a b]"},
		"no client":           {claims: object{"client_id": nil}, want: "ann  [a b]"},
	} {
		token := sign(marshal(object{"alg": "EdDSA", "typ": "at+jwt", "kid": "ed"}, tt.head), marshal(a.claims(), tt.claims), "EdDSA", k.ed)
		info, err := v.Verify(t.Context(), token, nil)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if tt.want == "" {
			tt.want = "ann cli [a b]"
		}
		if got := fmt.Sprint(info.UserID, " ", info.ClientID, " ", info.Scopes); got != tt.want {
			t.Errorf("%s: got %q, want %q", name, got, tt.want)
		}
	}
}

func TestSeveralIssuers(t *testing.T) {
	k := keys()
	a, b, foreign := newAuthority(t, jwk("k", k.ed)), newAuthority(t, jwk("k", k.p256)), newAuthority(t, jwk("k", k.p384))
	v := newVerifier(t, issuer.Options{}, a, b)
	for name, tt := range map[string]struct {
		token string
		want  error
	}{
		"of the first":                   {a.token("k", "EdDSA", k.ed), nil},
		"of the second":                  {b.token("k", "ES256", k.p256), nil},
		"of the first, by the second":    {a.token("k", "ES256", k.p256), auth.ErrInvalidToken},
		"of the second, by the first":    {b.token("k", "EdDSA", k.ed), auth.ErrInvalidToken},
		"of one that nobody has trusted": {foreign.token("k", "ES384", k.p384), auth.ErrInvalidToken},
	} {
		if _, err := v.Verify(t.Context(), tt.token, nil); !errors.Is(err, tt.want) {
			t.Errorf("%s: got %v, want %v", name, err, tt.want)
		}
	}
	if n := foreign.discovered.Load() + foreign.fetched.Load(); n != 0 {
		t.Errorf("%d requests to a foreign issuer", n)
	}
}

func TestOptions(t *testing.T) {
	good := issuer.Issuer{URL: "https://as.example.com", Audiences: []string{"x"}}
	change := func(f func(*issuer.Issuer)) issuer.Options {
		is := good
		f(&is)
		return issuer.Options{Issuers: []issuer.Issuer{is}}
	}
	for name, opts := range map[string]issuer.Options{
		"no issuer":      {},
		"negative skew":  {Issuers: []issuer.Issuer{good}, ClockSkew: -1},
		"twice":          {Issuers: []issuer.Issuer{good, good}},
		"no URL":         change(func(is *issuer.Issuer) { is.URL = "" }),
		"http":           change(func(is *issuer.Issuer) { is.URL = "http://as.example.com" }),
		"query":          change(func(is *issuer.Issuer) { is.URL += "?x" }),
		"fragment":       change(func(is *issuer.Issuer) { is.URL += "#x" }),
		"credentials":    change(func(is *issuer.Issuer) { is.URL = "https://u:p@as.example.com" }),
		"no audience":    change(func(is *issuer.Issuer) { is.Audiences = nil }),
		"empty audience": change(func(is *issuer.Issuer) { is.Audiences = []string{""} }),
		"none":           change(func(is *issuer.Issuer) { is.Algorithms = []string{"none"} }),
		"HMAC":           change(func(is *issuer.Issuer) { is.Algorithms = []string{"RS256", "HS256"} }),
		"keys over http": change(func(is *issuer.Issuer) { is.JWKSURL = "http://as.example.com/keys" }),
	} {
		if _, err := issuer.New(opts); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
	if _, err := issuer.New(change(func(is *issuer.Issuer) { is.URL, is.JWKSURL = "accounts", "https://as.example.com/keys" })); err != nil {
		t.Errorf("a name with the URL of keys: %v", err)
	}
}
