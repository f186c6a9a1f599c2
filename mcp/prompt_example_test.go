package mcp_test

import (
	"context"

	"github.com/mooring-mcp/mooring/mcp"
)

// A Prompt is a template of messages. Its required arguments are there when the handler runs.
func ExamplePrompt() {
	s := mcp.NewServer(&mcp.Implementation{Name: "editor", Version: "v1.0.0"}, nil)
	s.AddPrompt(&mcp.Prompt{
		Name:      "review",
		Arguments: []*mcp.PromptArgument{{Name: "file", Required: true}},
	}, func(_ context.Context, req *mcp.GetPromptRequest) (*mcp.GetPromptResult, error) {
		text := &mcp.TextContent{Text: "Review " + req.Params.Arguments["file"] + "."}
		return &mcp.GetPromptResult{Messages: []*mcp.PromptMessage{{Role: mcp.RoleUser, Content: text}}}, nil
	})

	request(s, "prompts/get", `"name":"review","arguments":{"file":"main.go"}`)
	request(s, "prompts/get", `"name":"review"`)
	// Output:
	// messages: [{"content":{"type":"text","text":"Review main.go."},"role":"user"}]
	//
	// error: -32602 Invalid params: missing required argument file
}
