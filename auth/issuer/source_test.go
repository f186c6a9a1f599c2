package issuer_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/auth"
	"github.com/mooring-mcp/mooring/auth/issuer"
)

// TestUnknownKid checks that keys are fetched at most once in MinInterval, whatever tokens say.
func TestUnknownKid(t *testing.T) {
	k := keys()
	a := newAuthority(t, jwk("old", k.ed))
	v := newVerifier(t, issuer.Options{MinInterval: 400 * time.Millisecond}, a)
	verify := func(kid string) error {
		_, err := v.Verify(t.Context(), a.token(kid, "EdDSA", k.ed), nil)
		return err
	}
	if err := verify("old"); err != nil {
		t.Fatal(err)
	}
	for i := range 100 {
		began := time.Now()
		if err := verify(fmt.Sprint("kid", i)); !errors.Is(err, auth.ErrInvalidToken) && !errors.Is(err, auth.ErrUnavailable) {
			t.Fatal(err)
		}
		if d := time.Since(began); d > 300*time.Millisecond {
			t.Errorf("an unknown kid waits for %v", d)
		}
	}
	if n := a.fetched.Load(); n > 2 {
		t.Errorf("%d fetches, want 2 at most", n)
	}
	a.rotate(jwk("new", k.ed))
	time.Sleep(500 * time.Millisecond)
	before := a.fetched.Load()
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if err := verify("new"); err != nil {
				t.Errorf("after the rotation: %v", err)
			}
		})
	}
	wg.Wait()
	if n := a.fetched.Load() - before; n != 1 {
		t.Errorf("%d fetches for a new key, want 1", n)
	}
	a.age = 60
	if err := verify("old"); !errors.Is(err, auth.ErrInvalidToken) {
		t.Errorf("the removed key: got %v", err)
	}
}

// TestNewKey checks that a token with a key that the issuer has published right after the last
// fetch is neither let in nor called invalid, and that an old token is.
func TestNewKey(t *testing.T) {
	k := keys()
	a := newAuthority(t, jwk("old", k.ed))
	v := newVerifier(t, issuer.Options{MinInterval: 2 * time.Second}, a)
	verify := func(kid string, claims object) error {
		head := marshal(object{"alg": "EdDSA", "typ": "at+jwt", "kid": kid})
		_, err := v.Verify(t.Context(), sign(head, marshal(a.claims(), claims), "EdDSA", k.ed), nil)
		return err
	}
	if err := verify("old", nil); err != nil {
		t.Fatal(err)
	}
	a.rotate(jwk("old", k.p256), jwk("new", k.ed))
	now := time.Now().Unix()
	for _, tt := range []struct {
		name, kid string
		claims    object
		want      error
	}{
		{"a new key", "new", nil, auth.ErrUnavailable},
		{"a new key, again", "new", nil, auth.ErrUnavailable},
		{"without iat", "new", object{"iat": nil}, auth.ErrUnavailable},
		{"issued before the fetch", "new", object{"iat": now - 60}, auth.ErrInvalidToken},
		{"iat in the future", "new", object{"iat": now + 60}, auth.ErrInvalidToken},
		{"a kid that nobody has", "random", nil, auth.ErrUnavailable},
		{"a known key", "old", nil, nil},
	} {
		if err := verify(tt.kid, tt.claims); !errors.Is(err, tt.want) || tt.want != auth.ErrUnavailable && errors.Is(err, auth.ErrUnavailable) {
			t.Errorf("%s: got %v, want %v", tt.name, err, tt.want)
		}
	}
	if n := a.fetched.Load(); n != 1 {
		t.Errorf("%d fetches, want 1", n)
	}
	time.Sleep(2100 * time.Millisecond)
	if err := verify("random", nil); !errors.Is(err, auth.ErrInvalidToken) {
		t.Errorf("after a fetch that does not bring the key: got %v", err)
	}
	if err := verify("new", nil); err != nil {
		t.Errorf("the new key: %v", err)
	}
	if n := a.fetched.Load(); n != 2 {
		t.Errorf("%d fetches, want 2", n)
	}
}

// TestRotationUnderLoad rotates keys while tokens are verified. An issuer publishes a key before it
// signs with it, and no token may fail.
func TestRotationUnderLoad(t *testing.T) {
	k := keys()
	a := newAuthority(t, jwk("0", k.ed))
	v := newVerifier(t, issuer.Options{MinInterval: time.Nanosecond, Refresh: 5 * time.Millisecond}, a)
	var mu sync.Mutex
	kid := "0"
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for ctx.Err() == nil {
				mu.Lock()
				token := a.token(kid, "EdDSA", k.ed)
				mu.Unlock()
				if _, err := v.Verify(context.Background(), token, nil); err != nil {
					t.Errorf("got %v", err)
					return
				}
			}
		})
	}
	for i := 1; ctx.Err() == nil; i++ {
		mu.Lock()
		previous := kid
		a.rotate(jwk(previous, k.ed), jwk(fmt.Sprint(i), k.ed))
		kid = fmt.Sprint(i)
		mu.Unlock()
		time.Sleep(200 * time.Millisecond)
	}
	wg.Wait()
}

func TestProviderDown(t *testing.T) {
	k := keys()
	a := newAuthority(t, jwk("k", k.ed))
	v := newVerifier(t, issuer.Options{MinInterval: 50 * time.Millisecond, Refresh: 60 * time.Millisecond, MaxStale: time.Second}, a)
	verify := func(kid string, want error) {
		t.Helper()
		if info, err := v.Verify(t.Context(), a.token(kid, "EdDSA", k.ed), nil); !errors.Is(err, want) || (info == nil) != (want != nil) {
			t.Errorf("kid %s: got %v, %v, want %v", kid, info, err, want)
		}
	}
	a.down.Store(true)
	verify("k", auth.ErrUnavailable) // no keys yet
	verify("k", auth.ErrUnavailable)
	a.down.Store(false)
	time.Sleep(60 * time.Millisecond)
	verify("k", nil)
	a.down.Store(true)
	for range 5 {
		time.Sleep(60 * time.Millisecond)
		verify("k", nil)                     // known keys go on
		verify("other", auth.ErrUnavailable) // nobody knows whether this one is new
	}
	time.Sleep(time.Second)
	verify("k", auth.ErrUnavailable) // too old
	a.down.Store(false)
	time.Sleep(60 * time.Millisecond)
	verify("k", nil)
}

// TestGivesUp checks that a caller does not wait longer than its context, and that the fetch goes
// on without it.
func TestGivesUp(t *testing.T) {
	k := keys()
	a := newAuthority(t, jwk("k", k.ed))
	v := newVerifier(t, issuer.Options{}, a)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := v.Verify(ctx, a.token("k", "EdDSA", k.ed), nil)
	if err != nil && !errors.Is(err, auth.ErrUnavailable) {
		t.Errorf("got %v", err)
	}
	if _, err := v.Verify(t.Context(), a.token("k", "EdDSA", k.ed), nil); err != nil {
		t.Errorf("the next: %v", err)
	}
}

// TestDiscovery has an issuer with a path, and metadata that must not count.
func TestDiscovery(t *testing.T) {
	k := keys()
	keySet := newAuthority(t, jwk("k", k.ed))
	for name, tt := range map[string]struct {
		path  string // of the issuer
		files map[string]string
		ok    bool
		order string // the paths that are requested
	}{
		"RFC 8414, path inserted": {"/t", map[string]string{"/.well-known/oauth-authorization-server/t": "good"}, true, "/.well-known/oauth-authorization-server/t"},
		"OpenID Connect, inserted": {"/t", map[string]string{"/.well-known/openid-configuration/t": "good"}, true,
			"/.well-known/oauth-authorization-server/t /.well-known/openid-configuration/t"},
		"OpenID Connect, appended": {"/t", map[string]string{"/t/.well-known/openid-configuration": "good"}, true,
			"/.well-known/oauth-authorization-server/t /.well-known/openid-configuration/t /t/.well-known/openid-configuration"},
		"trailing slash":      {"/t/", map[string]string{"/t/.well-known/openid-configuration": "good"}, true, ""},
		"first names another": {"", map[string]string{"/.well-known/oauth-authorization-server": `{"issuer":"https://evil","jwks_uri":"KEYS"}`, "/.well-known/openid-configuration": "good"}, true, ""},
		"none":                {"", nil, false, "/.well-known/oauth-authorization-server /.well-known/openid-configuration"},
		"issuer with a slash": {"", map[string]string{"/.well-known/oauth-authorization-server": `{"issuer":"ISSUER/","jwks_uri":"KEYS"}`}, false, ""},
		"issuer twice":        {"", map[string]string{"/.well-known/oauth-authorization-server": `{"issuer":"x","issuer":"ISSUER","jwks_uri":"KEYS"}`}, false, ""},
		"no issuer":           {"", map[string]string{"/.well-known/oauth-authorization-server": `{"jwks_uri":"KEYS"}`}, false, ""},
		"no keys":             {"", map[string]string{"/.well-known/oauth-authorization-server": `{"issuer":"ISSUER"}`}, false, ""},
		"keys in a file":      {"", map[string]string{"/.well-known/oauth-authorization-server": `{"issuer":"ISSUER","jwks_uri":"file:///etc/passwd"}`}, false, ""},
		"keys over http":      {"", map[string]string{"/.well-known/oauth-authorization-server": `{"issuer":"ISSUER","jwks_uri":"http://192.0.2.1/"}`}, false, ""},
		"large":               {"", map[string]string{"/.well-known/oauth-authorization-server": `{"issuer":"ISSUER","jwks_uri":"KEYS","x":"` + strings.Repeat("x", 600<<10) + `"}`}, false, ""},
		"HTML":                {"", map[string]string{"/.well-known/oauth-authorization-server": "<html>"}, false, ""},
	} {
		var base string
		var order []string
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			order = append(order, r.URL.Path)
			content, ok := tt.files[r.URL.Path]
			if !ok {
				http.NotFound(w, r)
				return
			}
			if content == "good" {
				content = `{"issuer":"ISSUER","jwks_uri":"KEYS"}`
			}
			_, _ = strings.NewReplacer("ISSUER", base+tt.path, "KEYS", keySet.URL+"/keys").WriteString(w, content)
		}))
		base = srv.URL
		v, err := issuer.New(issuer.Options{Issuers: []issuer.Issuer{{URL: base + tt.path, Audiences: []string{audience}}}})
		if err != nil {
			t.Fatal(err)
		}
		token := sign(`{"alg":"EdDSA","kid":"k"}`, marshal(keySet.claims(), object{"iss": base + tt.path}), "EdDSA", k.ed)
		_, err = v.Verify(t.Context(), token, nil)
		if tt.ok && err != nil || !tt.ok && !errors.Is(err, auth.ErrUnavailable) {
			t.Errorf("%s: got %v", name, err)
		}
		srv.Close()
		if got := strings.Join(order, " "); tt.order != "" && got != tt.order {
			t.Errorf("%s: requests %s, want %s", name, got, tt.order)
		}
	}
}
