package auth_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/auth"
)

const metadataURL = "https://example.com/.well-known/oauth-protected-resource/mcp"

// verdicts is a verifier that knows a few tokens.
func verdicts(_ context.Context, token string, _ *http.Request) (*auth.TokenInfo, error) {
	info := &auth.TokenInfo{Scopes: []string{"read", "extra"}, Expiration: time.Now().Add(time.Hour), UserID: "ann"}
	switch token {
	case "good":
	case "full":
		info.Scopes = []string{"write", "read"}
	case "odd":
		info.Scopes = []string{"a\"b", "", "c d", "fine"}
	case "many":
		info.Scopes = nil
		for i := range 1000 {
			info.Scopes = append(info.Scopes, fmt.Sprint("scope-", i))
		}
	case "late":
		info.Expiration = time.Now().Add(-30 * time.Second)
	case "late-and-poor":
		info.Expiration, info.Scopes = time.Now().Add(-time.Hour), nil
	case "forever":
		info.Expiration = time.Time{}
	case "bad":
		return nil, fmt.Errorf("the secret is s3cret: %w", auth.ErrInvalidToken)
	case "oauth":
		return nil, fmt.Errorf("the secret is s3cret: %w", auth.ErrOAuth)
	case "broken":
		return nil, errors.New("the database at 10.0.0.7 is down")
	case "nothing":
		return nil, nil
	}
	return info, nil
}

func TestRequireBearerToken(t *testing.T) {
	const metadata = `resource_metadata="` + metadataURL + `"`
	scoped := auth.RequireBearerTokenOptions{ResourceMetadataURL: metadataURL, Scopes: []string{"read", "write"}}
	open := auth.RequireBearerTokenOptions{ResourceMetadataURL: metadataURL}
	skewed := auth.RequireBearerTokenOptions{ClockSkew: time.Minute}
	eternal := auth.RequireBearerTokenOptions{AllowMissingExpiration: true}
	missing := `Bearer error="insufficient_scope", error_description="the token lacks a scope", ` + metadata
	for _, tt := range []struct {
		name      string
		opts      *auth.RequireBearerTokenOptions
		fields    []string
		version   string
		status    int
		challenge string
	}{
		{"no token", &open, nil, "", 401, `Bearer ` + metadata},
		{"no token, scopes", &scoped, nil, "", 401, `Bearer ` + metadata + `, scope="read write"`},
		{"no token, no options", nil, nil, "", 401, `Bearer realm="mcp"`},
		{"another scheme", &open, []string{"Basic YTpi"}, "", 401, `Bearer ` + metadata},
		{"the scheme alone", &open, []string{"Bearer"}, "", 401, `Bearer ` + metadata},
		{"an empty token", &open, []string{"Bearer  "}, "", 401, `Bearer ` + metadata},
		{"a longer scheme", &open, []string{"BearerX good"}, "", 401, `Bearer ` + metadata},

		{"valid", &open, []string{"Bearer good"}, "", 200, ""},
		{"valid, no options", nil, []string{"Bearer good"}, "", 200, ""},
		{"the scheme in capitals", &open, []string{"BEARER good"}, "", 200, ""},
		{"white space", &open, []string{"\tbearer   good "}, "", 200, ""},
		{"all scopes", &scoped, []string{"Bearer full"}, "", 200, ""},

		{"two fields", &open, []string{"Bearer good", "Bearer good"}, "", 400, `Bearer error="invalid_request", error_description="more than one Authorization field", ` + metadata},
		{"two tokens", &open, []string{"Bearer good good"}, "", 400, `Bearer error="invalid_request", error_description="the bearer token is malformed", ` + metadata},
		{"quotes", &open, []string{`Bearer "good"`}, "", 400, `Bearer error="invalid_request", error_description="the bearer token is malformed", ` + metadata},
		{"only padding", &open, []string{"Bearer =="}, "", 400, `Bearer error="invalid_request", error_description="the bearer token is malformed", ` + metadata},
		{"padding inside", &open, []string{"Bearer go=od"}, "", 400, `Bearer error="invalid_request", error_description="the bearer token is malformed", ` + metadata},
		{"ErrOAuth", &open, []string{"Bearer oauth"}, "", 400, `Bearer error="invalid_request", error_description="the token request is not valid", ` + metadata},

		{"not valid", &open, []string{"Bearer bad"}, "", 401, `Bearer error="invalid_token", error_description="the token is not valid", ` + metadata},
		{"not valid, scopes", &scoped, []string{"Bearer bad"}, "", 401, `Bearer error="invalid_token", error_description="the token is not valid", ` + metadata + `, scope="read write"`},
		{"expired", &open, []string{"Bearer late"}, "", 401, `Bearer error="invalid_token", error_description="the token has expired", ` + metadata},
		{"expired within the skew", &skewed, []string{"Bearer late"}, "", 200, ""},
		{"expired before the skew", &skewed, []string{"Bearer late-and-poor"}, "", 401, `Bearer error="invalid_token", error_description="the token has expired"`},
		{"expired before scopes", &scoped, []string{"Bearer late-and-poor"}, "", 401, `Bearer error="invalid_token", error_description="the token has expired", ` + metadata + `, scope="read write"`},
		{"never expires", &open, []string{"Bearer forever"}, "", 401, `Bearer error="invalid_token", error_description="the token does not expire", ` + metadata},
		{"may never expire", &eternal, []string{"Bearer forever"}, "", 200, ""},

		{"a scope lacks", &scoped, []string{"Bearer good"}, "2026-07-28", 403, missing + `, scope="read write"`},
		{"a scope lacks, earlier revision", &scoped, []string{"Bearer good"}, "2025-11-25", 403, missing + `, scope="read write extra"`},
		{"a scope lacks, no revision", &scoped, []string{"Bearer good"}, "", 403, missing + `, scope="read write extra"`},
		{"scopes that are none", &scoped, []string{"Bearer odd"}, "", 403, missing + `, scope="read write fine"`},

		{"the verifier fails", &open, []string{"Bearer broken"}, "", 500, ""},
		{"the verifier returns nil", &open, []string{"Bearer nothing"}, "", 500, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var logged bytes.Buffer
			opts := tt.opts
			if opts != nil {
				quiet := *opts
				quiet.Logger = slog.New(slog.NewTextHandler(&logged, nil))
				opts = &quiet
			}
			var served *auth.TokenInfo
			h := auth.RequireBearerToken(verdicts, opts)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				served = auth.TokenInfoFromContext(r.Context())
			}))
			r := httptest.NewRequest("POST", "/mcp?access_token=good", nil)
			for _, f := range tt.fields {
				r.Header.Add("Authorization", f)
			}
			if tt.version != "" {
				r.Header.Set("MCP-Protocol-Version", tt.version)
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if w.Code != tt.status {
				t.Errorf("status %d, want %d", w.Code, tt.status)
			}
			if got := w.Header().Get("WWW-Authenticate"); got != tt.challenge {
				t.Errorf("challenge\n%s, want\n%s", got, tt.challenge)
			}
			if ok := served != nil && served.UserID == "ann"; ok != (tt.status == 200) {
				t.Errorf("the handler got %+v", served)
			}
			if b := w.Body.String(); strings.Contains(b, "s3cret") || strings.Contains(b, "10.0.0.7") {
				t.Errorf("the client learns %q", b)
			}
			if (logged.Len() > 0) != (tt.status == 500) {
				t.Errorf("logged %q", logged.String())
			}
		})
	}
}

func TestGrantedScopesAreBounded(t *testing.T) {
	h := auth.RequireBearerToken(verdicts, &auth.RequireBearerTokenOptions{Scopes: []string{"admin"}})(http.NotFoundHandler())
	r := httptest.NewRequest("POST", "/mcp", nil)
	r.Header.Set("Authorization", "Bearer many")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	got := w.Header().Get("WWW-Authenticate")
	if w.Code != 403 || !strings.Contains(got, `scope="admin scope-0 scope-1 `) || len(got) > 2200 {
		t.Errorf("%d, a challenge of %d bytes: %s", w.Code, len(got), got)
	}
}

func TestRequireBearerTokenCopiesItsOptions(t *testing.T) {
	opts := &auth.RequireBearerTokenOptions{ResourceMetadataURL: "https://a\"b\\c\r\nX: y", Scopes: []string{"read"}}
	h := auth.RequireBearerToken(verdicts, opts)(http.NotFoundHandler())
	opts.Scopes[0] = "other"
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	if got, want := w.Header().Get("WWW-Authenticate"), `Bearer resource_metadata="https://a\"b\\c  X: y", scope="read"`; got != want {
		t.Errorf("challenge %s, want %s", got, want)
	}
}

func TestRequireBearerTokenNeedsAVerifier(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	auth.RequireBearerToken(nil, nil)
}
