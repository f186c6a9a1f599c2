// Command subscribe decides who may subscribe to what, and tells subscribers of updates.
package main

import (
	"context"
	"fmt"
	"log"
	"strings"
	"sync"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

var (
	mu    sync.Mutex
	notes []string
)

func note(format string, args ...any) {
	mu.Lock()
	defer mu.Unlock()
	notes = append(notes, fmt.Sprintf(format, args...))
}

func read(_ context.Context, req *mcp.ReadResourceRequest) (*mcp.ReadResourceResult, error) {
	return &mcp.ReadResourceResult{Contents: []*mcp.ResourceContents{{URI: req.Params.URI, Text: "now"}}}, nil
}

func main() {
	server := mcp.NewServer(&mcp.Implementation{Name: "subscriptions", Version: "v1.0.0"}, &mcp.ServerOptions{
		SubscribeHandler: func(_ context.Context, req *mcp.SubscribeRequest) error {
			if strings.HasPrefix(req.Params.URI, "secret:") {
				return fmt.Errorf("%s is secret", req.Params.URI)
			}
			note("subscribe %s", req.Params.URI)
			return nil
		},
		UnsubscribeHandler: func(_ context.Context, req *mcp.UnsubscribeRequest) error {
			note("unsubscribe %s", req.Params.URI)
			return nil
		},
	})
	server.AddResource(&mcp.Resource{URI: "clock:now", Name: "clock"}, read)
	server.AddResource(&mcp.Resource{URI: "secret:key", Name: "key"}, read)
	mcp.AddTool(server, &mcp.Tool{Name: "tick"}, func(ctx context.Context, _ *mcp.CallToolRequest, _ struct{}) (*mcp.CallToolResult, any, error) {
		return nil, nil, server.ResourceUpdated(ctx, &mcp.ResourceUpdatedNotificationParams{URI: "clock:now"})
	})
	mcp.AddTool(server, &mcp.Tool{Name: "log"}, func(context.Context, *mcp.CallToolRequest, struct{}) (*mcp.CallToolResult, any, error) {
		mu.Lock()
		defer mu.Unlock()
		return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: strings.Join(notes, ", ")}}}, nil, nil
	})
	if err := server.Run(context.Background(), &mcp.StdioTransport{}); err != nil {
		log.Print(err)
	}
}
