// Command ratelimit limits requests by method with middleware.
package main

import (
	"context"
	"errors"
	"log"
	"strings"
	"sync"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// A budget is how many requests of a method remain.
type budget struct {
	mu   sync.Mutex
	left map[string]int
}

func (b *budget) take(method string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	n, limited := b.left[method]
	if limited && n > 0 {
		b.left[method] = n - 1
	}
	return !limited || n > 0
}

func limit(b *budget) mcp.Middleware {
	return func(next mcp.MethodHandler) mcp.MethodHandler {
		return func(ctx context.Context, method string, req mcp.Request) (mcp.Result, error) {
			if !strings.HasPrefix(method, "notifications/") && !b.take(method) {
				return nil, errors.New("rate limit exceeded for " + method)
			}
			return next(ctx, method, req)
		}
	}
}

func main() {
	server := mcp.NewServer(&mcp.Implementation{Name: "limited", Version: "v1.0.0"}, nil)
	mcp.AddTool(server, &mcp.Tool{Name: "ping"}, func(context.Context, *mcp.CallToolRequest, struct{}) (*mcp.CallToolResult, any, error) {
		return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: "pong"}}}, nil, nil
	})
	server.AddReceivingMiddleware(limit(&budget{left: map[string]int{"tools/call": 2, "tools/list": 1}}))
	if err := server.Run(context.Background(), &mcp.StdioTransport{}); err != nil {
		log.Print(err)
	}
}
