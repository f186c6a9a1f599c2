package demo

import (
	"context"
	"sync"

	"github.com/mooring-mcp/mooring/mcp"
)

type noArgs struct{}

// addToggle adds the tool toggle, which adds and removes the tool extra.
func addToggle(s *mcp.Server) {
	var mu sync.Mutex // guards exists, and keeps additions and removals in order
	exists := false
	mcp.AddTool(s, &mcp.Tool{
		Name: "toggle", Title: "Toggle", Description: "Adds the tool extra or removes it. Listeners are notified that the list has changed.",
		Annotations: &mcp.ToolAnnotations{DestructiveHint: new(bool), OpenWorldHint: new(bool)},
	}, func(context.Context, *mcp.CallToolRequest, noArgs) (*mcp.CallToolResult, any, error) {
		mu.Lock()
		defer mu.Unlock()
		exists = !exists
		if !exists {
			s.RemoveTools("extra")
			return textResult("removed extra"), nil, nil
		}
		mcp.AddTool(s, &mcp.Tool{Name: "extra", Title: "Extra", Description: "Exists until toggle is called again."}, extra)
		return textResult("added extra"), nil, nil
	})
}

func extra(context.Context, *mcp.CallToolRequest, noArgs) (*mcp.CallToolResult, any, error) {
	return textResult("I am extra."), nil, nil
}
