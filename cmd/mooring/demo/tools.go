package demo

import (
	"context"

	"github.com/mooring-mcp/mooring/mcp"
)

type echoIn struct {
	Text string `json:"text" jsonschema:"the text to return"`
}

type addIn struct {
	A int64 `json:"a" jsonschema:"first summand"`
	B int64 `json:"b" jsonschema:"second summand"`
}

type addOut struct {
	Sum int64 `json:"sum" jsonschema:"a plus b"`
}

// addTools adds the tools that answer immediately.
func addTools(s *mcp.Server) {
	readOnly := &mcp.ToolAnnotations{ReadOnlyHint: true, IdempotentHint: true, OpenWorldHint: new(bool)}
	mcp.AddTool(s, &mcp.Tool{
		Name: "echo", Title: "Echo", Description: "Returns the text. Runs on a worker.", Annotations: readOnly,
	}, echo)
	mcp.AddInlineTool(s, &mcp.Tool{
		Name: "add", Title: "Add", Description: "Adds two integers. Runs on the event loop.", Annotations: readOnly,
	}, add)
}

func echo(_ context.Context, _ *mcp.CallToolRequest, in echoIn) (*mcp.CallToolResult, any, error) {
	return textResult(in.Text), nil, nil
}

func add(_ *mcp.CallToolRequest, in addIn) (addOut, error) {
	return addOut{Sum: in.A + in.B}, nil
}

func textResult(s string) *mcp.CallToolResult {
	return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: s}}}
}
