package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/cmd/mooring-conformance/authority"
)

// The scenarios of the suite that concern authorization of servers, from their descriptions: the
// suite has not published them. They run against the command, as the suite does.

// protected are the values of --over that serve HTTP by themselves.
var protected = []string{"loops", "net/http", "h2"}

// An answer is what a request gets.
type answer struct {
	status    int
	challenge string // WWW-Authenticate
	content   string
}

// ask sends a message in a revision, with a token if it is not empty.
func ask(t *testing.T, url, rev, method, params, token string) answer {
	t.Helper()
	msg := fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":%q,"params":{%s}}`, method, params)
	r, err := http.NewRequest(http.MethodPost, url, strings.NewReader(msg))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json, text/event-stream")
	r.Header.Set("MCP-Protocol-Version", rev)
	if rev == "2026-07-28" {
		r.Header.Set("Mcp-Method", method)
		for _, key := range []string{`"name":"`, `"uri":"`} {
			if _, after, ok := strings.Cut(params, key); ok {
				name, _, _ := strings.Cut(after, `"`)
				r.Header.Set("Mcp-Name", name)
			}
		}
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := (&http.Client{Timeout: 10 * time.Second}).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	content, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header.Get("WWW-Authenticate"), string(content)}
}

// probe is the request with which the suite finds out whether a token is accepted.
func probe(t *testing.T, url, rev, token string) answer {
	t.Helper()
	if rev == "2026-07-28" {
		return ask(t, url, rev, "server/discover", meta, token)
	}
	return ask(t, url, rev, "initialize", fmt.Sprintf(`"protocolVersion":%q,"capabilities":{},"clientInfo":{"name":"probe","version":"1"}`, rev), token)
}

// TestTokenAudienceValidation is auth-token-audience-validation. Its authorization server begins
// after the server, which has to fetch keys lazily.
func TestTokenAudienceValidation(t *testing.T) {
	for _, over := range protected {
		t.Run(over, func(t *testing.T) {
			a, err := authority.Start("127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			addr := strings.TrimPrefix(a.URL, "http://")
			a.Close()
			t.Setenv(issuerURL, a.URL)
			serve(t, func(url string) {
				a, err := authority.Start(addr)
				if err != nil {
					t.Skip("another process has taken the port: ", err)
				}
				defer a.Close()
				base := strings.TrimSuffix(url, endpointPath)
				for _, rev := range []string{"2025-06-18", "2025-11-25", "2026-07-28"} {
					for _, c := range []struct {
						what, token string
						status      int
						code        string // of the challenge
					}{
						{"no token", "", 401, ""},
						{"a valid token", a.Token(authority.Claims{"aud": url}), 200, ""},
						{"a valid token for localhost", a.Token(authority.Claims{"aud": strings.Replace(url, "127.0.0.1", "localhost", 1)}), 200, ""},
						{"another audience", a.Token(authority.Claims{"aud": "https://other.example.com/mcp"}), 401, "invalid_token"},
						{"the audience without its path", a.Token(authority.Claims{"aud": base}), 401, "invalid_token"},
						{"no audience", a.Token(nil), 401, "invalid_token"},
						{"an expired token", a.Token(authority.Claims{"aud": url, "exp": time.Now().Unix() - 60}), 401, "invalid_token"},
						{"a key that is not published", a.ForgedToken(authority.Claims{"aud": url}), 401, "invalid_token"},
					} {
						got := probe(t, url, rev, c.token)
						if got.status != c.status {
							t.Errorf("%s, %s: %d %s, want %d", rev, c.what, got.status, got.content, c.status)
						}
						if c.status == 200 {
							continue
						}
						if want := `resource_metadata="` + base + `/.well-known/oauth-protected-resource/mcp"`; !strings.HasPrefix(got.challenge, "Bearer ") ||
							!strings.Contains(got.challenge, want) {
							t.Errorf("%s, %s: the challenge is %q, want %s in it", rev, c.what, got.challenge, want)
						}
						if has := strings.Contains(got.challenge, "error="); has != (c.code != "") || has && !strings.Contains(got.challenge, `error="`+c.code+`"`) {
							t.Errorf("%s, %s: the challenge is %q, want error %q", rev, c.what, got.challenge, c.code)
						}
					}
				}
			}, "--over", over, "--auth", "issuer")
		})
	}
}

// TestScopeChallenge is sep-2350-server-scope-challenge.
func TestScopeChallenge(t *testing.T) {
	const s = scopeRoot
	operations := []struct {
		method, params string
		needs          []string
		result         string
	}{
		{"tools/call", `"name":"test_simple_text"`, []string{s + "tools:call", s + "tools:test_simple_text"}, `"content":[{"type":"text"`},
		{"resources/read", `"uri":"test://static-text"`, []string{s + "resources:read", s + "resources:static"}, `"uri":"test://static-text"`},
		{"resources/read", `"uri":"test://template/123/data"`, []string{s + "resources:read", s + "resources:template:123"}, `123`},
		{"prompts/get", `"name":"test_simple_prompt"`, []string{s + "prompts:get", s + "prompts:test_simple_prompt"}, `"role":"user"`},
	}
	for _, over := range protected {
		t.Run(over, func(t *testing.T) {
			serve(t, func(url string) {
				base := strings.TrimSuffix(url, endpointPath)
				for _, op := range operations {
					params := op.params + "," + meta
					for _, token := range []string{"", fullToken} {
						if got := ask(t, url, "2026-07-28", op.method, params, token); got.status != 200 || !strings.Contains(got.content, op.result) {
							t.Errorf("%s with %q: %d %s, want 200 and %s", op.params, token, got.status, got.content, op.result)
						}
					}
					got := ask(t, url, "2026-07-28", op.method, params, lowToken)
					c := challengeOf(got.challenge)
					scopes := strings.Fields(c["scope"])
					slices.Sort(scopes)
					if got.status != 403 || c["error"] != "insufficient_scope" || !slices.Equal(scopes, op.needs) ||
						!strings.HasPrefix(c["resource_metadata"], base+"/.well-known/oauth-protected-resource") {
						t.Errorf("%s: %d %q, want 403 and a challenge with %q", op.params, got.status, got.challenge, op.needs)
					}
					if strings.Contains(got.content, op.result) {
						t.Errorf("%s: the refusal has the result: %s", op.params, got.content)
					}
				}
				if got := ask(t, url, "2026-07-28", "tools/call", operations[0].params+","+meta, "mcp-conformance-scope-other"); got.status != 401 {
					t.Errorf("a token that is not known: %d, want 401", got.status)
				}
			}, "--over", over, "--auth", "scopes")
		})
	}
}

// challengeOf returns the parameters of the only challenge in a field, all of which must be quoted
// strings without commas.
func challengeOf(field string) map[string]string {
	params := map[string]string{}
	rest, ok := strings.CutPrefix(field, "Bearer ")
	if !ok {
		return params
	}
	for _, p := range strings.Split(rest, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(p), "=")
		params[name] = strings.Trim(value, `"`)
	}
	return params
}

// TestTokenIsDemanded checks what `make conformance` relies on with OVER=auth: nobody is served
// without the token in the file, and the token has the length of real ones.
func TestTokenIsDemanded(t *testing.T) {
	name := filepath.Join(t.TempDir(), "token")
	t.Setenv(tokenFile, name)
	serve(t, func(url string) {
		token, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if n := len(token); n < 700 || n > 1000 {
			t.Errorf("the token has %d bytes", n)
		}
		for token, want := range map[string]int{"": 401, string(token[:len(token)-8]): 401, string(token): 200} {
			if got := probe(t, url, "2026-07-28", token); got.status != want {
				t.Errorf("a token of %d bytes: %d %s, want %d", len(token), got.status, got.content, want)
			}
		}
	}, "--auth", "token")
}

func TestAuthNeedsHTTP(t *testing.T) {
	for _, args := range [][]string{{"--over", "stdio", "--auth", "token"}, {"--over", "bridge", "--auth", "issuer"}, {"--auth", "nobody"}} {
		if out, err := command(t, args...).CombinedOutput(); err == nil || bytes.Count(out, []byte("\n")) != 1 {
			t.Errorf("%q: %v %q, want a failure and one line", args, err, out)
		}
	}
}
