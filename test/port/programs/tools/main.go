// Command tools returns everything that the handler of a tool can return.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"
)

type point struct {
	X int `json:"x"`
	Y int `json:"y"`
}

func add[Out any](s *mcp.Server, name string, h func() (*mcp.CallToolResult, Out, error)) {
	mcp.AddTool(s, &mcp.Tool{Name: name}, func(context.Context, *mcp.CallToolRequest, struct{}) (*mcp.CallToolResult, Out, error) { return h() })
}

func text(s string) *mcp.CallToolResult {
	return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: s}}}
}

func main() {
	s := mcp.NewServer(&mcp.Implementation{Name: "tools", Version: "v1.0.0"}, nil)
	add(s, "nothing", func() (*mcp.CallToolResult, any, error) { return nil, nil, nil })
	add(s, "struct", func() (*mcp.CallToolResult, point, error) { return nil, point{1, 2}, nil })
	add(s, "pointer", func() (*mcp.CallToolResult, *point, error) { return nil, &point{1, 2}, nil })
	add(s, "nil_pointer", func() (*mcp.CallToolResult, *point, error) { return nil, nil, nil })
	add(s, "map", func() (*mcp.CallToolResult, map[string]int, error) { return nil, map[string]int{"a": 1}, nil })
	add(s, "any", func() (*mcp.CallToolResult, any, error) { return nil, point{3, 4}, nil })
	add(s, "text_and_struct", func() (*mcp.CallToolResult, point, error) { return text("a point"), point{5, 6}, nil })
	add(s, "list", func() (*mcp.CallToolResult, []string, error) { return nil, []string{"a", "b"}, nil })
	add(s, "word", func() (*mcp.CallToolResult, string, error) { return nil, "a", nil })
	add(s, "error", func() (*mcp.CallToolResult, any, error) { return nil, nil, errors.New("it broke") })
	add(s, "protocol_error", func() (*mcp.CallToolResult, any, error) {
		return nil, nil, &jsonrpc.Error{Code: -32000, Message: "not today"}
	})
	add(s, "wrapped_error", func() (*mcp.CallToolResult, any, error) {
		return nil, nil, fmt.Errorf("wrapped: %w", &jsonrpc.Error{Code: -32000, Message: "not today"})
	})
	add(s, "is_error", func() (*mcp.CallToolResult, any, error) {
		res := text("failed")
		res.IsError = true
		return res, nil, nil
	})
	add(s, "set_error", func() (*mcp.CallToolResult, any, error) {
		var res mcp.CallToolResult
		res.SetError(errors.New("set"))
		return &res, nil, nil
	})
	add(s, "everything", func() (*mcp.CallToolResult, any, error) {
		return &mcp.CallToolResult{
			Meta: mcp.Meta{"example.com/k": "v"},
			Content: []mcp.Content{
				&mcp.TextContent{Text: "a", Annotations: &mcp.Annotations{Audience: []mcp.Role{"user"}}},
				&mcp.ImageContent{Data: []byte("png"), MIMEType: "image/png"},
				&mcp.AudioContent{Data: []byte("wav"), MIMEType: "audio/wav"},
				&mcp.ResourceLink{URI: "file:///a", Name: "a"},
				&mcp.EmbeddedResource{Resource: &mcp.ResourceContents{URI: "file:///b", Text: "b"}},
			},
		}, nil, nil
	})
	mcp.AddTool(s, &mcp.Tool{Name: "in_map"}, func(_ context.Context, _ *mcp.CallToolRequest, in map[string]any) (*mcp.CallToolResult, any, error) {
		return text(fmt.Sprint(in)), nil, nil
	})
	mcp.AddTool(s, &mcp.Tool{Name: "in_any", InputSchema: map[string]any{"type": "object"}}, func(_ context.Context, _ *mcp.CallToolRequest, in any) (*mcp.CallToolResult, any, error) {
		return text(fmt.Sprint(in)), nil, nil
	})
	mcp.AddTool(s, &mcp.Tool{Name: "kept"}, keep)
	if err := s.Run(context.Background(), &mcp.StdioTransport{}); err != nil {
		log.Print(err)
	}
}

var kept [][]byte

// keep keeps the raw arguments of all calls, which belong to the handler.
func keep(_ context.Context, req *mcp.CallToolRequest, _ map[string]any) (*mcp.CallToolResult, any, error) {
	kept = append(kept, req.Params.Arguments)
	return text(fmt.Sprintf("%s", kept)), nil, nil
}
