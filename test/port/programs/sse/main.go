// Command sse serves two servers over HTTP+SSE, by path.
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

func newServer(greeting string) *mcp.Server {
	s := mcp.NewServer(&mcp.Implementation{Name: "greeter of " + greeting, Version: "v1.0.0"}, nil)
	mcp.AddTool(s, &mcp.Tool{Name: "greet"}, func(_ context.Context, _ *mcp.CallToolRequest, in args) (*mcp.CallToolResult, any, error) {
		return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: greeting + " " + in.Name}}}, nil, nil
	})
	return s
}

func main() {
	one, two := newServer("Hi"), newServer("Ahoy")
	handler := mcp.NewSSEHandler(func(req *http.Request) *mcp.Server {
		switch req.URL.Path {
		case "/one":
			return one
		case "/two":
			return two
		}
		return nil
	}, nil)
	log.Fatal(http.ListenAndServe(os.Getenv("ADDR"), handler))
}
