// Command authserver protects an MCP endpoint with bearer tokens and publishes where they come
// from.
package main

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/modelcontextprotocol/go-sdk/auth"
	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/modelcontextprotocol/go-sdk/oauthex"
)

func verify(_ context.Context, token string, _ *http.Request) (*auth.TokenInfo, error) {
	user, scopes, ok := strings.Cut(token, ".")
	if !ok {
		return nil, fmt.Errorf("%w: no scopes", auth.ErrInvalidToken)
	}
	expiration := time.Now().Add(time.Hour)
	if user == "late" {
		expiration = time.Now().Add(-time.Hour)
	}
	return &auth.TokenInfo{UserID: user, Scopes: strings.Split(scopes, "-"), Expiration: expiration}, nil
}

func whoami(ctx context.Context, req *mcp.CallToolRequest, _ struct{}) (*mcp.CallToolResult, any, error) {
	info := req.Extra.TokenInfo
	if info == nil {
		return nil, nil, fmt.Errorf("no token")
	}
	text := fmt.Sprintf("%s may %v, by context %v", info.UserID, info.Scopes, auth.TokenInfoFromContext(ctx) == info)
	return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: text}}}, nil, nil
}

func main() {
	addr := os.Getenv("ADDR")
	server := mcp.NewServer(&mcp.Implementation{Name: "protected", Version: "v1.0.0"}, nil)
	mcp.AddTool(server, &mcp.Tool{Name: "whoami"}, whoami)
	handler := mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return server }, nil)
	protect := auth.RequireBearerToken(verify, &auth.RequireBearerTokenOptions{
		ResourceMetadataURL: "http://" + addr + "/.well-known/oauth-protected-resource/mcp",
		Scopes:              []string{"read"},
	})
	mux := http.NewServeMux()
	mux.Handle("/mcp", protect(handler))
	mux.Handle("/.well-known/oauth-protected-resource/mcp", auth.ProtectedResourceMetadataHandler(&oauthex.ProtectedResourceMetadata{
		Resource:             "https://example.com/mcp",
		AuthorizationServers: []string{"https://login.example.com"},
		ScopesSupported:      []string{"read"},
	}))
	log.Fatal(http.ListenAndServe(addr, mux))
}
