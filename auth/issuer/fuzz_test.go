package issuer_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/auth"
	"github.com/mooring-mcp/mooring/auth/issuer"
)

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// FuzzDocuments has the metadata and the key set of an issuer. Whatever they are, a token is
// accepted only if the metadata name this issuer and the set has its key, each to a decoder that is
// not ours, and nothing is requested in plain text, or very often.
func FuzzDocuments(f *testing.F) {
	const url = "https://as.example.com/t"
	k := keys()
	own, _ := json.Marshal(jwk("k", k.ed))
	metadata := `{"issuer":"` + url + `","jwks_uri":"https://as.example.com/keys"}`
	for _, keySet := range []string{`{"keys":[` + string(own) + `]}`, `{"keys":[]}`, `{"keys":[{"kty":"RSA","n":"AQAB","e":"AQAB"},1,null]}`, `{"keys":{}}`, `[`, ""} {
		f.Add([]byte(metadata), []byte(keySet))
	}
	rsa, _ := json.Marshal(object{"keys": []any{jwk("r", k.rsa), jwk("p", k.p256), jwk("k", k.ed)}})
	f.Add([]byte(metadata), rsa)
	for _, m := range []string{`{"issuer":"` + url + `/","jwks_uri":"https://as.example.com/keys"}`, `{"issuer":"` + url + `","jwks_uri":"http://127.0.0.1/"}`, `{"issuer":"x","issuer":"` + url + `"}`, "null"} {
		f.Add([]byte(m), rsa)
	}
	now := time.Now().Unix()
	token := sign(`{"alg":"EdDSA","kid":"k"}`, marshal(object{"iss": url, "aud": audience, "sub": "ann", "exp": now + 3600, "iat": now}), "EdDSA", k.ed)
	f.Fuzz(func(t *testing.T, metadata, keySet []byte) {
		requests := 0
		client := &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			if requests++; r.URL.Scheme != "https" {
				t.Errorf("a request to %s", r.URL)
			}
			content := keySet
			if strings.Contains(r.URL.Path, ".well-known/o") && r.URL.Host == "as.example.com" {
				content = metadata
			}
			return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(content))}, nil
		})}
		v, err := issuer.New(issuer.Options{HTTPClient: client, Issuers: []issuer.Issuer{{URL: url, Audiences: []string{audience}}}})
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			info, err := v.Verify(t.Context(), token, nil)
			switch {
			case err != nil:
				if info != nil || !errors.Is(err, auth.ErrInvalidToken) && !errors.Is(err, auth.ErrUnavailable) {
					t.Errorf("got %+v, %v", info, err)
				}
			case info.UserID != "ann" || !names(metadata, url) || !has(keySet, k.ed.Public().(ed25519.PublicKey)):
				t.Errorf("accepted by %q and %q: %+v", metadata, keySet, info)
			}
		}
		if requests > 4 {
			t.Errorf("%d requests", requests)
		}
	})
}

func names(metadata []byte, url string) bool {
	var m map[string]any
	return json.Unmarshal(metadata, &m) == nil && m["issuer"] == url
}

func has(keySet []byte, key ed25519.PublicKey) bool {
	var set map[string]any
	if json.Unmarshal(keySet, &set) != nil {
		return false
	}
	list, _ := set["keys"].([]any)
	for _, v := range list {
		if one, _ := v.(map[string]any); one["x"] == b64(key) {
			return true
		}
	}
	return false
}
