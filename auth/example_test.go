package auth_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
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
