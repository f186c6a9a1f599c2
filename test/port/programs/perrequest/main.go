// Command perrequest makes a server for each request, by the tenant in the path, and caches its
// schemas.
package main

import (
	"context"
	"log"
	"net/http"
	"os"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

type args struct {
	Name string `json:"name"`
}

var cache = mcp.NewSchemaCache()

func newServer(tenant string) *mcp.Server {
	s := mcp.NewServer(&mcp.Implementation{Name: tenant, Version: "v1.0.0"}, &mcp.ServerOptions{SchemaCache: cache, Instructions: "for " + tenant})
	mcp.AddTool(s, &mcp.Tool{Name: "greet_" + tenant}, func(_ context.Context, _ *mcp.CallToolRequest, in args) (*mcp.CallToolResult, any, error) {
		return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: tenant + " greets " + in.Name}}}, nil, nil
	})
	return s
}

func main() {
	handler := mcp.NewStreamableHTTPHandler(func(r *http.Request) *mcp.Server {
		tenant := r.PathValue("tenant")
		if tenant == "closed" {
			return nil
		}
		return newServer(tenant)
	}, &mcp.StreamableHTTPOptions{Stateless: true})
	mux := http.NewServeMux()
	mux.Handle("/{tenant}/mcp", handler)
	log.Fatal(http.ListenAndServe(os.Getenv("ADDR"), mux))
}
