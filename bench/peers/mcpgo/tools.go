package main

import (
	"context"
	"sync"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
	"github.com/mooring-mcp/mooring/bench/peers/internal/serve"
)

func addTools(s *server.MCPServer) {
	s.AddTool(mcp.NewTool("echo", mcp.WithDescription("Says the text back."), mcp.WithString("text", mcp.Required(), mcp.Description("what to say back"))),
		func(_ context.Context, req mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			said, err := req.RequireString("text")
			return result(said, err)
		})
	s.AddTool(mcp.NewTool("sleep", mcp.WithDescription("Answers after a time."), mcp.WithInteger("milliseconds", mcp.Required(), mcp.Description("how long to sleep"))),
		func(ctx context.Context, req mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			ms, err := req.RequireInt("milliseconds")
			if err != nil {
				return result("", err)
			}
			said, err := serve.Sleep(ctx, ms)
			return result(said, err)
		})
	s.AddTool(mcp.NewTool("large", mcp.WithDescription("Answers with a long text."), mcp.WithInteger("bytes", mcp.Required(), mcp.Description("how long the text shall be"))),
		func(_ context.Context, req mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			n, err := req.RequireInt("bytes")
			if err != nil {
				return result("", err)
			}
			said, err := serve.Large(n)
			return result(said, err)
		})
	var mu sync.Mutex // guards there, and keeps additions and removals in order
	there := false
	s.AddTool(mcp.NewTool("toggle", mcp.WithDescription("Adds the tool extra, or removes it.")),
		func(context.Context, mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			mu.Lock()
			defer mu.Unlock()
			there = !there
			if !there {
				s.DeleteTools("extra")
				return mcp.NewToolResultText("extra is gone"), nil
			}
			s.AddTool(mcp.NewTool("extra", mcp.WithDescription("Exists until toggle is called again.")),
				func(context.Context, mcp.CallToolRequest) (*mcp.CallToolResult, error) {
					return mcp.NewToolResultText("I am extra."), nil
				})
			return mcp.NewToolResultText("extra is there"), nil
		})
}

// result returns a tool's answer: its text, or its error as the tool's own error.
func result(said string, err error) (*mcp.CallToolResult, error) {
	if err != nil {
		return mcp.NewToolResultError(err.Error()), nil
	}
	return mcp.NewToolResultText(said), nil
}
