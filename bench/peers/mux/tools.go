package main

import (
	"context"
	"sync"

	"github.com/mooring-mcp/mooring/bench/peers/internal/serve"
	"github.com/mooring-mcp/mooring/mcp"
)

type noArgs struct{}

type addIn struct {
	A int `json:"a"`
	B int `json:"b"`
}

type addOut struct {
	Sum int `json:"sum"`
}

type echoIn struct {
	Text string `json:"text" jsonschema:"what to say back"`
}

type sleepIn struct {
	Milliseconds int `json:"milliseconds" jsonschema:"how long to sleep"`
}

type largeIn struct {
	Bytes int `json:"bytes" jsonschema:"how long the text shall be"`
}

func addTools(s *mcp.Server) {
	mcp.AddInlineTool(s, &mcp.Tool{Name: "add", Description: "Adds two integers on the event loop."},
		func(_ *mcp.CallToolRequest, in addIn) (addOut, error) { return addOut{in.A + in.B}, nil })
	mcp.AddTool(s, &mcp.Tool{Name: "echo", Description: "Says the text back."},
		func(_ context.Context, _ *mcp.CallToolRequest, in echoIn) (*mcp.CallToolResult, any, error) {
			return text(in.Text), nil, nil
		})
	mcp.AddTool(s, &mcp.Tool{Name: "sleep", Description: "Answers after a time."},
		func(ctx context.Context, _ *mcp.CallToolRequest, in sleepIn) (*mcp.CallToolResult, any, error) {
			said, err := serve.Sleep(ctx, in.Milliseconds)
			return text(said), nil, err
		})
	mcp.AddTool(s, &mcp.Tool{Name: "large", Description: "Answers with a long text."},
		func(_ context.Context, _ *mcp.CallToolRequest, in largeIn) (*mcp.CallToolResult, any, error) {
			said, err := serve.Large(in.Bytes)
			return text(said), nil, err
		})
	var mu sync.Mutex // guards there, and keeps additions and removals in order
	there := false
	mcp.AddTool(s, &mcp.Tool{Name: "toggle", Description: "Adds the tool extra, or removes it."},
		func(context.Context, *mcp.CallToolRequest, noArgs) (*mcp.CallToolResult, any, error) {
			mu.Lock()
			defer mu.Unlock()
			there = !there
			if !there {
				s.RemoveTools("extra")
				return text("extra is gone"), nil, nil
			}
			mcp.AddTool(s, &mcp.Tool{Name: "extra", Description: "Exists until toggle is called again."},
				func(context.Context, *mcp.CallToolRequest, noArgs) (*mcp.CallToolResult, any, error) {
					return text("I am extra."), nil, nil
				})
			return text("extra is there"), nil, nil
		})
}

func text(s string) *mcp.CallToolResult {
	return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: s}}}
}
