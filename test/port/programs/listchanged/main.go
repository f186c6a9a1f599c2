// Command listchanged adds and removes features while it serves.
package main

import (
	"context"
	"log"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

func main() {
	server := mcp.NewServer(&mcp.Implementation{Name: "changing", Version: "v1.0.0"}, &mcp.ServerOptions{HasPrompts: true, HasResources: true})
	nothing := func(context.Context, *mcp.CallToolRequest, struct{}) (*mcp.CallToolResult, any, error) {
		return nil, nil, nil
	}
	mcp.AddTool(server, &mcp.Tool{Name: "toggle"}, func(_ context.Context, _ *mcp.CallToolRequest, in struct {
		On bool `json:"on"`
	}) (*mcp.CallToolResult, any, error) {
		if !in.On {
			server.RemoveTools("extra")
			server.RemovePrompts("extra")
			server.RemoveResources("extra:x")
			return nil, nil, nil
		}
		mcp.AddTool(server, &mcp.Tool{Name: "extra"}, nothing)
		server.AddPrompt(&mcp.Prompt{Name: "extra"}, func(context.Context, *mcp.GetPromptRequest) (*mcp.GetPromptResult, error) {
			return &mcp.GetPromptResult{}, nil
		})
		server.AddResource(&mcp.Resource{URI: "extra:x", Name: "extra"}, func(context.Context, *mcp.ReadResourceRequest) (*mcp.ReadResourceResult, error) {
			return &mcp.ReadResourceResult{}, nil
		})
		return nil, nil, nil
	})
	if err := server.Run(context.Background(), &mcp.StdioTransport{}); err != nil {
		log.Print(err)
	}
}
