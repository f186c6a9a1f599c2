package mcp_test

import (
	"context"
	"fmt"

	"github.com/mooring-mcp/mooring/mcp"
)

// Features may be added and removed while clients use the server.
func ExampleServer() {
	s := mcp.NewServer(&mcp.Implementation{Name: "sums", Version: "v1.0.0"}, nil)
	stop := s.OnChange(func(ch mcp.Change) { fmt.Println("tools changed:", ch.Topic == mcp.TopicTools) })
	defer stop()
	mcp.AddInlineTool(s, &mcp.Tool{Name: "add"}, add)
	request(s, "tools/call", `"name":"add","arguments":{"a":1,"b":1}`)
	s.RemoveTools("add")
	request(s, "tools/call", `"name":"add","arguments":{"a":1,"b":1}`)
	// Output:
	// tools changed: true
	// content: [{"type":"text","text":"{\"sum\":2}"}]
	// structuredContent: {"sum":2}
	//
	// tools changed: true
	// error: -32602 Invalid params: unknown tool "add"
}

// ServerOptions say what a server offers apart from its features.
func ExampleServerOptions() {
	s := mcp.NewServer(&mcp.Implementation{Name: "sums", Version: "v1.0.0"}, &mcp.ServerOptions{
		Instructions: "Use add instead of mental arithmetic.",
		Cache:        mcp.CacheHints{Discover: mcp.Cacheable{TTLMs: 60_000, CacheScope: mcp.CachePublic}},
	})

	request(s, "server/discover", "")
	// Output:
	// supportedVersions: ["2026-07-28","2025-11-25","2025-06-18","2025-03-26","2024-11-05"]
	// capabilities: {"logging":{}}
	// instructions: "Use add instead of mental arithmetic."
	// ttlMs: 60000
	// cacheScope: "public"
}

// Middleware sees each request before its handler and each result after it.
func ExampleMiddleware() {
	s := mcp.NewServer(&mcp.Implementation{Name: "sums", Version: "v1.0.0"}, nil)
	mcp.AddInlineTool(s, &mcp.Tool{Name: "add"}, add)
	s.AddReceivingMiddleware(func(next mcp.MethodHandler) mcp.MethodHandler {
		return func(ctx context.Context, method string, req mcp.Request) (mcp.Result, error) {
			res, err := next(ctx, method, req)
			fmt.Println(method, err)
			return res, err
		}
	})

	request(s, "tools/call", `"name":"add","arguments":{"a":1,"b":1}`)
	// Output:
	// tools/call <nil>
	// content: [{"type":"text","text":"{\"sum\":2}"}]
	// structuredContent: {"sum":2}
}
