// Command middleware records which methods pass, measures them, and changes a result.
package main

import (
	"context"
	"log"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

type recorder struct {
	mu   sync.Mutex
	seen []string
}

func (r *recorder) middleware(next mcp.MethodHandler) mcp.MethodHandler {
	return func(ctx context.Context, method string, req mcp.Request) (mcp.Result, error) {
		start := time.Now()
		r.mu.Lock()
		r.seen = append(r.seen, method)
		r.mu.Unlock()
		result, err := next(ctx, method, req)
		log.Printf("%s took %s, session %q, err %v", method, time.Since(start), req.GetSession().ID(), err)
		if res, ok := result.(*mcp.CallToolResult); ok && err == nil {
			res.Content = append(res.Content, &mcp.TextContent{Text: "seen by middleware"})
		}
		return result, err
	}
}

func deny(next mcp.MethodHandler) mcp.MethodHandler {
	return func(ctx context.Context, method string, req mcp.Request) (mcp.Result, error) {
		if call, ok := req.(*mcp.CallToolRequest); ok && call.Params.Name == "secret" {
			res := &mcp.CallToolResult{IsError: true, Content: []mcp.Content{&mcp.TextContent{Text: "denied"}}}
			return res, nil
		}
		return next(ctx, method, req)
	}
}

func main() {
	rec := new(recorder)
	server := mcp.NewServer(&mcp.Implementation{Name: "recorded", Version: "v1.0.0"}, nil)
	server.AddReceivingMiddleware(rec.middleware, deny)
	mcp.AddTool(server, &mcp.Tool{Name: "seen"}, func(context.Context, *mcp.CallToolRequest, struct{}) (*mcp.CallToolResult, any, error) {
		rec.mu.Lock()
		defer rec.mu.Unlock()
		seen := slices.Clone(rec.seen)
		slices.Sort(seen)
		text := strings.Join(slices.Compact(seen), " ")
		return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: text}}}, nil, nil
	})
	mcp.AddTool(server, &mcp.Tool{Name: "secret"}, func(context.Context, *mcp.CallToolRequest, struct{}) (*mcp.CallToolResult, any, error) {
		return nil, nil, nil
	})
	if err := server.Run(context.Background(), &mcp.StdioTransport{}); err != nil {
		log.Print(err)
	}
}
