// Command roots follows the roots of its client, in sessions.
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
	known []string
	moved = make(chan struct{}, 16)
)

func follow(ctx context.Context, ss *mcp.ServerSession) {
	res, err := ss.ListRoots(ctx, nil)
	if err != nil {
		log.Print(err)
		return
	}
	mu.Lock()
	known = known[:0]
	for _, r := range res.Roots {
		known = append(known, r.URI)
	}
	mu.Unlock()
	moved <- struct{}{}
}

func list(context.Context, *mcp.CallToolRequest, struct{}) (*mcp.CallToolResult, any, error) {
	<-moved
	mu.Lock()
	defer mu.Unlock()
	return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: strings.Join(known, " ")}}}, nil, nil
}

func now(ctx context.Context, req *mcp.CallToolRequest, _ struct{}) (*mcp.CallToolResult, any, error) {
	res, err := req.Session.ListRoots(ctx, &mcp.ListRootsParams{})
	if err != nil {
		return nil, nil, fmt.Errorf("roots: %w", err)
	}
	return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: fmt.Sprint(len(res.Roots), " roots")}}}, nil, nil
}

func main() {
	server := mcp.NewServer(&mcp.Implementation{Name: "roots", Version: "v1.0.0"}, &mcp.ServerOptions{
		InitializedHandler: func(ctx context.Context, req *mcp.InitializedRequest) {
			go follow(context.WithoutCancel(ctx), req.Session)
		},
		RootsListChangedHandler: func(ctx context.Context, req *mcp.RootsListChangedRequest) {
			go follow(context.WithoutCancel(ctx), req.Session)
		},
	})
	mcp.AddTool(server, &mcp.Tool{Name: "known"}, list)
	mcp.AddTool(server, &mcp.Tool{Name: "now"}, now)
	if err := server.Run(context.Background(), &mcp.StdioTransport{}); err != nil {
		log.Print(err)
	}
}
