// Command options sets every option of a server that has no feature yet.
package main

import (
	"context"
	"log"
	"log/slog"
	"os"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

func main() {
	server := mcp.NewServer(&mcp.Implementation{Name: "options", Title: "All options", Version: "v1.0.0", WebsiteURL: "https://example.com"}, &mcp.ServerOptions{
		Instructions:              "Do nothing.",
		Logger:                    slog.New(slog.NewTextHandler(os.Stderr, nil)),
		PageSize:                  mcp.DefaultPageSize,
		HasTools:                  true,
		HasPrompts:                true,
		HasResources:              true,
		KeepAlive:                 time.Minute,
		KeepAliveFailureThreshold: 3,
		GetSessionID:              func() string { return "chosen" },
		CompletionHandler: func(context.Context, *mcp.CompleteRequest) (*mcp.CompleteResult, error) {
			return &mcp.CompleteResult{}, nil
		},
		ProgressNotificationHandler: func(_ context.Context, req *mcp.ProgressNotificationServerRequest) {
			slog.Info("progress", "of", req.Params.Progress)
		},
		SetCacheable: func(_ context.Context, req mcp.Request, c *mcp.Cacheable) {
			if _, ok := req.(*mcp.ListToolsRequest); ok {
				c.TTLMs, c.CacheScope = 60_000, "public"
			}
		},
		Capabilities: &mcp.ServerCapabilities{
			Experimental: map[string]any{"example.com/x": map[string]any{}},
			Extensions:   map[string]any{"example.com/y": map[string]any{"z": true}},
		},
	})
	if err := server.Run(context.Background(), &mcp.StdioTransport{}); err != nil {
		log.Print(err)
	}
}
