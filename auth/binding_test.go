package auth_test

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/auth"
	"github.com/mooring-mcp/mooring/internal/bearer"
)

// over returns a request over TLS whose client has a certificate, or none.
func over(cert *x509.Certificate) *http.Request {
	r := httptest.NewRequest("POST", "/mcp", nil)
	r.TLS = &tls.ConnectionState{}
	if cert != nil {
		r.TLS.PeerCertificates = []*x509.Certificate{cert}
	}
	return r
}

func thumbprintOf(cert *x509.Certificate) string {
	sum := sha256.Sum256(cert.Raw)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// A bound token is valid with its certificate only, also if it is in a cache, whoever asks.
func TestBindings(t *testing.T) {
	cert, other := clientCertificate(t, nil).Leaf, clientCertificate(t, nil).Leaf
	thumb := thumbprintOf(cert)
	bound := `{"x5t#S256":"` + thumb + `"}`
	for cnf, ok := range map[string]bool{
		bound:                               true,
		`null`:                              true,
		`{"jkt":"` + thumb + `"}`:           false,
		`{"x5t#S256":"x"}`:                  false,
		`{"x5t#S256":"` + thumb + `="}`:     false,
		`{"x5t#S256":"` + thumb[:42] + `"}`: false,
		`{"x5t#S256":1}`:                    false,
		`{"x5t#S256":null}`:                 false,
		`{"x5t":"` + thumb + `"}`:           false,
		`{"x5t#S256":"` + thumb + `","jkt":"` + thumb + `"}`: false,
		`{}`:    false,
		`[]`:    false,
		`"x"`:   false,
		`false`: false,
	} {
		url, requests := endpoint(t, func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprintf(w, `{"active":true,"sub":"ann","cnf":%s}`, cnf)
		})
		in := introspection(t, auth.IntrospectionOptions{URL: url})
		protected := auth.RequireBearerToken(in.Verify, &auth.RequireBearerTokenOptions{AllowMissingExpiration: true})(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		for range 2 { // the second time from the cache
			for name, tt := range map[string]struct {
				r     *http.Request
				valid bool
			}{
				"its certificate": {over(cert), ok}, "another": {over(other), ok && cnf == "null"}, "none": {over(nil), ok && cnf == "null"},
				"no TLS": {httptest.NewRequest("POST", "/", nil), ok && cnf == "null"}, "no request": {nil, ok && cnf == "null"},
			} {
				info, err := in.Verify(t.Context(), "x", tt.r)
				if (err == nil) != tt.valid || err != nil && (!errors.Is(err, auth.ErrInvalidToken) || !errors.Is(err, auth.ErrBound) || info != nil) {
					t.Errorf("%s, %s: got %+v, %v", cnf, name, info, err)
				}
				if tt.r == nil {
					continue
				}
				tt.r.Header.Set("Authorization", "Bearer x")
				w := httptest.NewRecorder()
				protected.ServeHTTP(w, tt.r)
				if (w.Code == 200) != tt.valid || !tt.valid && (w.Code != 401 || !strings.Contains(w.Header().Get("WWW-Authenticate"), "invalid_token")) {
					t.Errorf("%s, %s: status %d", cnf, name, w.Code)
				}
			}
		}
		if n := requests.Load(); ok && n != 1 {
			t.Errorf("%s: %d requests, want 1", cnf, n)
		}
		// A caller that checks by itself gets what the token says, unless nobody can check it.
		info, err := in.Verify(bearer.WithoutBinding(t.Context()), "x", nil)
		if (err == nil) != ok || ok && (info.CertificateThumbprint != "") != (cnf == bound) {
			t.Errorf("%s: got %+v, %v", cnf, info, err)
		}
	}
}

// RequireBearerToken checks the binding that a verifier of the host's reports.
func TestRequireBearerTokenBinding(t *testing.T) {
	cert := clientCertificate(t, nil).Leaf
	verify := func(context.Context, string, *http.Request) (*auth.TokenInfo, error) {
		return &auth.TokenInfo{UserID: "ann", Expiration: time.Now().Add(time.Hour), CertificateThumbprint: thumbprintOf(cert)}, nil
	}
	h := auth.RequireBearerToken(verify, nil)(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	for r, status := range map[*http.Request]int{over(cert): 200, over(clientCertificate(t, nil).Leaf): 401, over(nil): 401, httptest.NewRequest("GET", "/", nil): 401} {
		r.Header.Set("Authorization", "Bearer x")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != status {
			t.Errorf("status %d, want %d", w.Code, status)
		}
	}
}
