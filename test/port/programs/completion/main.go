// Command completion completes arguments of prompts and resource templates.
package main

import (
	"context"
	"fmt"
	"log"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

var languages = []string{"go", "godot", "python", "ruby"}

func complete(_ context.Context, req *mcp.CompleteRequest) (*mcp.CompleteResult, error) {
	var values []string
	switch ref := req.Params.Ref; ref.Type {
	case "ref/prompt":
		if ref.Name != "review" {
			return nil, fmt.Errorf("unrecognized prompt %q", ref.Name)
		}
		values = languages
	case "ref/resource":
		values = []string{ref.URI, "after " + req.Params.Context.Arguments["owner"]}
	default:
		return nil, fmt.Errorf("unrecognized reference type %q", ref.Type)
	}
	var found []string
	for _, v := range values {
		if ref := req.Params.Ref; ref.Type == "ref/resource" || strings.HasPrefix(v, req.Params.Argument.Value) {
			found = append(found, v)
		}
	}
	return &mcp.CompleteResult{Completion: mcp.CompletionResultDetails{Values: found, Total: len(found), HasMore: false}}, nil
}

func main() {
	server := mcp.NewServer(&mcp.Implementation{Name: "completion"}, &mcp.ServerOptions{CompletionHandler: complete})
	server.AddPrompt(&mcp.Prompt{Name: "review", Arguments: []*mcp.PromptArgument{{Name: "language", Required: true}}},
		func(_ context.Context, req *mcp.GetPromptRequest) (*mcp.GetPromptResult, error) {
			return &mcp.GetPromptResult{
				Description: "code review",
				Messages: []*mcp.PromptMessage{{
					Role:    "user",
					Content: &mcp.TextContent{Text: "Review this " + req.Params.Arguments["language"]},
				}},
			}, nil
		})
	if err := server.Run(context.Background(), &mcp.StdioTransport{}); err != nil {
		log.Print(err)
	}
}
