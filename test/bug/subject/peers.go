package main

import (
	"context"
	"net/http"

	mcpgo "github.com/mark3labs/mcp-go/mcp"
	mcpgoserver "github.com/mark3labs/mcp-go/server"
	gosdk "github.com/modelcontextprotocol/go-sdk/mcp"
)

// mcpGo returns mcp-go's server with sessions that it remembers.
func mcpGo() http.Handler {
	s := mcpgoserver.NewMCPServer("subject", "v1.0.0")
	tool := mcpgo.NewTool("echo", mcpgo.WithDescription("Says it again."), mcpgo.WithString("text", mcpgo.Required()))
	s.AddTool(tool, func(_ context.Context, req mcpgo.CallToolRequest) (*mcpgo.CallToolResult, error) {
		text, err := req.RequireString("text")
		if err != nil {
			return nil, err
		}
		return mcpgo.NewToolResultText(text), nil
	})
	return mcpgoserver.NewStreamableHTTPServer(s, mcpgoserver.WithStateful(true))
}

type echoIn struct {
	Text string `json:"text" jsonschema:"what to say"`
}

// goSDK returns the official SDK's server, with sessions, which are its default.
func goSDK() http.Handler {
	s := gosdk.NewServer(&gosdk.Implementation{Name: "subject", Version: "v1.0.0"}, nil)
	gosdk.AddTool(s, &gosdk.Tool{Name: "echo", Description: "Says it again."}, func(_ context.Context, _ *gosdk.CallToolRequest, in echoIn) (*gosdk.CallToolResult, any, error) {
		return &gosdk.CallToolResult{Content: []gosdk.Content{&gosdk.TextContent{Text: in.Text}}}, nil, nil
	})
	return gosdk.NewStreamableHTTPHandler(func(*http.Request) *gosdk.Server { return s }, nil)
}
