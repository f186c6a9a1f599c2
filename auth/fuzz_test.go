package auth_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/auth"
	"github.com/mooring-mcp/mooring/internal/bearer"
)

// A roundTrip is an http.RoundTripper.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func responseOf(status int, content []byte) *http.Response {
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(content))}
}

// hasHash reports whether a line of a token file that is not a comment has the hash of token.
func hasHash(content, token string) bool {
	for line := range strings.Lines(content) {
		fields := strings.Fields(line)
		if len(fields) > 1 && fields[0][0] != '#' && strings.EqualFold(fields[1], auth.HashToken(token)) {
			return true
		}
	}
	return false
}

// FuzzIntrospection has responses of an introspection endpoint. Whatever they are, a token is
// accepted only if the response says, to a decoder that is not ours, that it is active, names this
// audience, and has not expired; and a second look, at the cache, finds the same.
func FuzzIntrospection(f *testing.F) {
	const audience = "https://mcp.example.com/mcp"
	for _, content := range []string{
		`{"active":true,"sub":"ann","aud":"https://mcp.example.com/mcp","exp":9999999999,"scope":"a b"}`,
		`{"active":true,"client_id":"c","aud":["x","https://mcp.example.com/mcp"],"cnf":{"x5t#S256":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}}`,
		`{"active":false}`, `{"active":true,"active":false}`, `{"active":true,"sub":"ann","aud":[[]],"exp":1e400}`,
		`{"active":true,"sub":"a","iss":"b","aud":"https://mcp.example.com/mcp","nbf":-1}`, `[]`, `{"active":1}`, "\xff", ``,
	} {
		f.Add([]byte(content), 200)
	}
	f.Add([]byte(`{"active":true,"sub":"ann","aud":"https://mcp.example.com/mcp"}`), 201)
	f.Fuzz(func(t *testing.T, content []byte, status int) {
		in, err := auth.NewIntrospection(auth.IntrospectionOptions{
			URL: "https://as.example.com/introspect", Audiences: []string{audience},
			HTTPClient: &http.Client{Transport: roundTrip(func(*http.Request) (*http.Response, error) { return responseOf(status, content), nil })},
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx := bearer.WithoutBinding(t.Context())
		info, err := in.Verify(ctx, "token", nil)
		if (info == nil) != (err != nil) || err != nil && !errors.Is(err, auth.ErrInvalidToken) && !errors.Is(err, auth.ErrUnavailable) {
			t.Fatalf("got %+v, %v", info, err)
		}
		again, errAgain := in.Verify(ctx, "token", nil)
		if (err == nil) != (errAgain == nil) || errors.Is(err, auth.ErrInvalidToken) != errors.Is(errAgain, auth.ErrInvalidToken) {
			if info == nil || time.Now().Before(info.Expiration.Add(-time.Second)) {
				t.Fatalf("first %v, then %v", err, errAgain)
			}
		}
		if err != nil {
			return
		}
		if again != nil && again.Principal() != info.Principal() {
			t.Errorf("first %+v, then %+v", info, again)
		}
		var object map[string]any
		if status != 200 || json.Unmarshal(content, &object) != nil {
			t.Fatalf("a token is accepted for status %d, %q", status, content)
		}
		aud, _ := object["aud"].([]any)
		if object["active"] != true || object["aud"] != audience && !slices.Contains(aud, any(audience)) {
			t.Errorf("a token is accepted for %q", content)
		}
		if info.UserID == "" && info.ClientID == "" || info.Issuer == "" || !info.Expiration.IsZero() && info.Expiration.Before(time.Now().Add(-time.Minute)) {
			t.Errorf("accepted: %+v", info)
		}
		if cnf := object["cnf"]; (cnf != nil) != (info.CertificateThumbprint != "") {
			t.Errorf("cnf %v has become %q", cnf, info.CertificateThumbprint)
		}
	})
}

// FuzzTokenFile has the content of token files: what is accepted lets in its own tokens only.
func FuzzTokenFile(f *testing.F) {
	f.Add("ann "+auth.HashToken("one")+" read write\n", "one")
	f.Add("# x\r\nann sha256:00\n", "")
	f.Fuzz(func(t *testing.T, content, token string) {
		path := t.TempDir() + "/tokens"
		writeTokens(t, path, content)
		file, err := auth.NewTokenFile(path, nil)
		if err != nil {
			return
		}
		info, err := file.Verify(t.Context(), token, nil)
		listed := hasHash(content, token)
		if (err == nil) != listed || err != nil && !errors.Is(err, auth.ErrInvalidToken) || err == nil && (info.UserID == "" || info.Principal() == "") {
			t.Errorf("%q: got %+v, %v; listed: %t", content, info, err, listed)
		}
	})
}
