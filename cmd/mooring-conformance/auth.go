package main

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"time"

	"github.com/mooring-mcp/mooring/auth"
	"github.com/mooring-mcp/mooring/auth/issuer"
	"github.com/mooring-mcp/mooring/cmd/mooring-conformance/authority"
	"github.com/mooring-mcp/mooring/server"
)

// The environment variables with which the suite names the authorization server that its scenario
// auth-token-audience-validation runs, and the audience of the tokens. The server is not there
// before the scenario begins.
const (
	issuerURL  = "MCP_CONFORMANCE_AUTH_ISSUER"
	issuerPort = "MCP_CONFORMANCE_AUTH_SERVER_PORT"
	audience   = "MCP_CONFORMANCE_AUTH_AUDIENCE"
)

// tokenFile is the environment variable that names the file to which --auth token writes the token
// that its clients must send.
const tokenFile = "MOORING_CONFORMANCE_TOKEN"

// guards are what --auth may name. Each adds to opts who may call, and returns what ends it; origin
// is that of the server.
var guards = map[string]func(opts *server.Options, origin string) (end func(), err error){
	"off":    func(*server.Options, string) (func(), error) { return func() {}, nil },
	"scopes": guardScopes,
	"issuer": guardIssuer,
	"token":  guardToken,
}

// tokenLife is how long the tokens of --auth token and --auth scopes are valid.
const tokenLife = time.Hour

// guardToken demands tokens of an authorization server in this process, as long as real ones, and
// hands one out.
func guardToken(opts *server.Options, origin string) (func(), error) {
	a, err := authority.Start("127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	claims := authority.Claims{"aud": origin + endpointPath, "exp": time.Now().Add(tokenLife).Unix(), "groups": groups()}
	if name := os.Getenv(tokenFile); name != "" {
		if err := os.WriteFile(name, []byte(a.Token(claims)), 0o600); err != nil {
			return nil, err
		}
	}
	return a.Close, trust(opts, origin, a.URL, origin+endpointPath)
}

// groups fills a token to the length that those of large providers have, about 800 bytes.
func groups() []string {
	list := make([]string, 6)
	for i := range list {
		list[i] = fmt.Sprintf("00000000-0000-4000-8000-%012d", i)
	}
	return list
}

// guardIssuer demands tokens of the suite's authorization server, as auth-token-audience-validation
// does of a server with authorization.
func guardIssuer(opts *server.Options, origin string) (func(), error) {
	from := cmp.Or(os.Getenv(issuerURL), "http://127.0.0.1:"+cmp.Or(os.Getenv(issuerPort), "9797"))
	audiences := []string{os.Getenv(audience)}
	if audiences[0] == "" {
		audiences = []string{origin + endpointPath, localhost(origin) + endpointPath}
	}
	return func() {}, trust(opts, origin, from, audiences...)
}

// localhost returns the origin with localhost as its host.
func localhost(origin string) string {
	u, err := url.Parse(origin)
	if err != nil {
		return origin
	}
	return u.Scheme + "://localhost:" + u.Port()
}

// trust demands tokens of an issuer for one of the audiences.
func trust(opts *server.Options, origin, from string, audiences ...string) error {
	v, err := issuer.New(issuer.Options{Issuers: []issuer.Issuer{{URL: from, Audiences: audiences}}})
	if err != nil {
		return err
	}
	opts.PublicURL = origin
	opts.Authenticate = &server.Authentication{
		Verifier: v.Verify,
		Metadata: &auth.ProtectedResourceMetadata{AuthorizationServers: []string{from}},
	}
	return nil
}

// The tokens of sep-2350-server-scope-challenge, and how its scopes begin. The first token has a
// scope that nothing needs, the second has all others.
const (
	lowToken  = "mcp-conformance-scope-low"
	fullToken = "mcp-conformance-scope-full"
	scopeRoot = "mcp:conformance:"
)

// guardScopes demands scopes of callers with one of the two tokens. Callers without a token are
// served as if there were no authorization: other scenarios send none.
func guardScopes(opts *server.Options, origin string) (func(), error) {
	scopes := func(names ...string) []string {
		for i := range names {
			names[i] = scopeRoot + names[i]
		}
		return names
	}
	opts.PublicURL = origin
	opts.Scopes = &server.Scopes{
		Anonymous: true,
		Tools:     map[string][]string{"test_simple_text": scopes("tools:call", "tools:test_simple_text")},
		Resources: map[string][]string{
			"test://static-text":       scopes("resources:read", "resources:static"),
			"test://template/123/data": scopes("resources:read", "resources:template:123"),
		},
		Prompts: map[string][]string{"test_simple_prompt": scopes("prompts:get", "prompts:test_simple_prompt")},
	}
	granted := map[string][]string{
		lowToken: scopes("baseline"),
		fullToken: scopes("tools:call", "tools:test_simple_text", "resources:read", "resources:static",
			"resources:template:123", "prompts:get", "prompts:test_simple_prompt"),
	}
	opts.Authenticate = &server.Authentication{
		Optional: true,
		Metadata: &auth.ProtectedResourceMetadata{AuthorizationServers: []string{"http://127.0.0.1:9797"}},
		Verifier: func(_ context.Context, token string, _ *http.Request) (*auth.TokenInfo, error) {
			list, ok := granted[token]
			if !ok {
				return nil, auth.ErrInvalidToken
			}
			return &auth.TokenInfo{UserID: token, Scopes: list, Expiration: time.Now().Add(tokenLife)}, nil
		},
	}
	return func() {}, nil
}
