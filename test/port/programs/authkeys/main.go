// Command authkeys has two endpoints for the same server: one for API keys, one for tokens whose
// end is not known.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"os"
	"slices"
	"time"

	"github.com/modelcontextprotocol/go-sdk/auth"
	"github.com/modelcontextprotocol/go-sdk/mcp"
)

var keys = map[string]*auth.TokenInfo{
	"key-ann": {UserID: "ann", Scopes: []string{"read", "write"}},
	"key-bob": {UserID: "bob", Scopes: []string{"read"}, Extra: map[string]any{"team": "quay"}},
}

func verifyKey(_ context.Context, token string, _ *http.Request) (*auth.TokenInfo, error) {
	info, ok := keys[token]
	if !ok {
		return nil, fmt.Errorf("%w: unknown key", auth.ErrInvalidToken)
	}
	out := *info
	out.Expiration = time.Now().Add(time.Minute)
	return &out, nil
}

func verifySession(_ context.Context, token string, r *http.Request) (*auth.TokenInfo, error) {
	switch {
	case token == "broken":
		return nil, errors.New("the session service is down")
	case token == "malformed":
		return nil, fmt.Errorf("%w: malformed", auth.ErrOAuth)
	case r.Header.Get("X-Session") == "":
		return nil, auth.ErrInvalidToken
	}
	return &auth.TokenInfo{UserID: token, Scopes: []string{"read"}}, nil
}

type note struct {
	Text string `json:"text"`
}

func write(ctx context.Context, req *mcp.CallToolRequest, in note) (*mcp.CallToolResult, any, error) {
	info := auth.TokenInfoFromContext(ctx)
	if !slices.Contains(info.Scopes, "write") {
		return nil, nil, fmt.Errorf("%s may not write", info.UserID)
	}
	return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: info.UserID + " wrote " + in.Text}}}, nil, nil
}

func team(_ context.Context, req *mcp.CallToolRequest, _ struct{}) (*mcp.CallToolResult, any, error) {
	return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: fmt.Sprint(req.Extra.TokenInfo.Extra["team"])}}}, nil, nil
}

func main() {
	server := mcp.NewServer(&mcp.Implementation{Name: "notes", Version: "v1.0.0"}, nil)
	mcp.AddTool(server, &mcp.Tool{Name: "write"}, write)
	mcp.AddTool(server, &mcp.Tool{Name: "team"}, team)
	handler := mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return server }, nil)
	mux := http.NewServeMux()
	mux.Handle("/keys", auth.RequireBearerToken(verifyKey, &auth.RequireBearerTokenOptions{Scopes: []string{"read"}})(handler))
	mux.Handle("/sessions", auth.RequireBearerToken(verifySession, &auth.RequireBearerTokenOptions{AllowMissingExpiration: true, ClockSkew: time.Second})(handler))
	log.Fatal(http.ListenAndServe(os.Getenv("ADDR"), mux))
}
