package auth_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"time"

	"github.com/mooring-mcp/mooring/auth"
)

// A host on net/http protects its MCP endpoint and publishes where tokens come from.
func ExampleRequireBearerToken() {
	verify := func(_ context.Context, token string, _ *http.Request) (*auth.TokenInfo, error) {
		if token != "opensesame" {
			return nil, auth.ErrInvalidToken
		}
		return &auth.TokenInfo{UserID: "ann", Scopes: []string{"read"}, Expiration: time.Now().Add(time.Hour)}, nil
	}
	protect := auth.RequireBearerToken(verify, &auth.RequireBearerTokenOptions{
		ResourceMetadataURL: "https://example.com/.well-known/oauth-protected-resource/mcp",
		Scopes:              []string{"read"},
	})
	endpoint := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(w, "hello,", auth.TokenInfoFromContext(r.Context()).UserID)
	})
	mux := http.NewServeMux()
	mux.Handle("/mcp", protect(endpoint))
	mux.Handle("/.well-known/oauth-protected-resource/mcp", auth.ProtectedResourceMetadataHandler(&auth.ProtectedResourceMetadata{
		Resource:             "https://example.com/mcp",
		AuthorizationServers: []string{"https://login.example.com"},
	}))

	for _, token := range []string{"", "guess", "opensesame"} {
		r := httptest.NewRequest("POST", "/mcp", nil)
		if token != "" {
			r.Header.Set("Authorization", "Bearer "+token)
		}
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, r)
		fmt.Println(w.Code, w.Header().Get("WWW-Authenticate"))
	}
	// Output:
	// 401 Bearer resource_metadata="https://example.com/.well-known/oauth-protected-resource/mcp", scope="read"
	// 401 Bearer error="invalid_token", error_description="the token is not valid", resource_metadata="https://example.com/.well-known/oauth-protected-resource/mcp", scope="read"
	// 200
}

// Tokens without a form are shown to the authorization server that has issued them.
func ExampleNewIntrospection() {
	as := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, `{"active":%t,"sub":"ann","aud":"https://mcp.example.com/mcp","scope":"read"}`, r.FormValue("token") == "opensesame")
	}))
	defer as.Close()
	in, err := auth.NewIntrospection(auth.IntrospectionOptions{
		URL: as.URL, ClientID: "mooring", ClientSecret: "secret",
		Audiences: []string{"https://mcp.example.com/mcp"},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, token := range []string{"opensesame", "guess"} {
		info, err := in.Verify(context.Background(), token, nil)
		if errors.Is(err, auth.ErrInvalidToken) {
			fmt.Println("not valid")
			continue
		}
		fmt.Println(info.UserID, info.Scopes)
	}
	// Output:
	// ann [read]
	// not valid
}

// A file has the hashes of keys that do not expire.
func ExampleNewTokenFile() {
	dir, err := os.MkdirTemp("", "tokens")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "tokens")
	line := "alice " + auth.HashToken("a-long-and-random-key") + " read write\n"
	if err := os.WriteFile(path, []byte(line), 0o600); err != nil {
		fmt.Println(err)
		return
	}
	keys, err := auth.NewTokenFile(path, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	info, err := keys.Verify(context.Background(), "a-long-and-random-key", nil)
	fmt.Println(info.UserID, info.Scopes, err)
	// Output:
	// alice [read write] <nil>
}

// Verifiers that need no network come first.
func ExampleChain() {
	local := func(_ context.Context, token string, _ *http.Request) (*auth.TokenInfo, error) {
		if token != "key" {
			return nil, auth.ErrInvalidToken
		}
		return &auth.TokenInfo{UserID: "script"}, nil
	}
	remote := func(_ context.Context, token string, _ *http.Request) (*auth.TokenInfo, error) {
		return nil, auth.ErrUnavailable // the authorization server is down
	}
	verify := auth.Chain(local, remote)
	for _, token := range []string{"key", "another"} {
		info, err := verify(context.Background(), token, nil)
		fmt.Println(info.Principal(), errors.Is(err, auth.ErrUnavailable))
	}
	// Output:
	// script false
	//  true
}

// The client of a connection with TLS is who its certificate says. The same function is
// server.Authentication.Certificate.
func ExampleCertificateSubject() {
	verify := auth.CertificateSubject(&auth.CertificateOptions{Name: auth.FirstURI, Scopes: []string{"read"}})
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		info, err := verify.VerifyRequest(r)
		if err != nil {
			http.Error(w, "a client certificate is required", http.StatusUnauthorized)
			return
		}
		fmt.Fprintln(w, "hello,", info.UserID)
	})
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, httptest.NewRequest("POST", "/mcp", nil)) // without TLS
	fmt.Println(w.Code)
	// Output:
	// 401
}
