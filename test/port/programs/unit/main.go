// Command unit calls handlers as their unit tests do, with requests that it makes itself.
package main

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

func add(_ context.Context, req *mcp.CallToolRequest, in struct{ A, B int }) (*mcp.CallToolResult, int, error) {
	_ = req.Params.GetProgressToken()
	return nil, in.A + in.B, nil
}

func raw(_ context.Context, req *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
	return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: string(req.Params.Arguments)}}}, nil
}

func greet(_ context.Context, req *mcp.GetPromptRequest) (*mcp.GetPromptResult, error) {
	return &mcp.GetPromptResult{Messages: []*mcp.PromptMessage{{Role: "user", Content: &mcp.TextContent{Text: "Hi " + req.Params.Arguments["name"]}}}}, nil
}

func read(_ context.Context, req *mcp.ReadResourceRequest) (*mcp.ReadResourceResult, error) {
	return nil, mcp.ResourceNotFoundError(req.Params.URI)
}

func main() {
	ctx := context.Background()
	_, sum, err := add(ctx, &mcp.CallToolRequest{Params: &mcp.CallToolParamsRaw{Name: "add"}}, struct{ A, B int }{40, 2})
	fmt.Println(sum, err)
	res, err := raw(ctx, &mcp.CallToolRequest{Params: &mcp.CallToolParamsRaw{Name: "raw", Arguments: json.RawMessage(`{"a":1}`)}})
	fmt.Println(res.Content[0].(*mcp.TextContent).Text, err)
	prompt, err := greet(ctx, &mcp.GetPromptRequest{Params: &mcp.GetPromptParams{Arguments: map[string]string{"name": "you"}}})
	text, _ := json.Marshal(prompt.Messages)
	fmt.Println(string(text), err)
	_, err = read(ctx, &mcp.ReadResourceRequest{Params: &mcp.ReadResourceParams{URI: "a:b"}})
	fmt.Println(err != nil)

	var tool mcp.Tool
	_ = json.Unmarshal([]byte(`{"name":"t","inputSchema":{"type":"object"},"annotations":{"readOnlyHint":true}}`), &tool)
	fmt.Println(tool.Name, tool.Annotations.ReadOnlyHint)
	var result mcp.CallToolResult
	_ = json.Unmarshal([]byte(`{"content":[{"type":"text","text":"x"}],"isError":true}`), &result)
	fmt.Println(len(result.Content), result.IsError)
	text, _ = json.Marshal(&mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: "x"}}})
	fmt.Println(string(text))
}
