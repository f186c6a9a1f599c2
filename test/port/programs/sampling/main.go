// Command sampling asks the client's model within calls, and pings its client.
package main

import (
	"context"
	"fmt"
	"log"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

var question = []*mcp.SamplingMessage{{Role: "user", Content: &mcp.TextContent{Text: "Say something."}}}

func sample(ctx context.Context, req *mcp.CallToolRequest, _ struct{}) (*mcp.CallToolResult, any, error) {
	res, err := req.Session.CreateMessage(ctx, &mcp.CreateMessageParams{Messages: question, MaxTokens: 100, SystemPrompt: "Be brief."})
	if err != nil {
		return nil, nil, fmt.Errorf("sampling: %w", err)
	}
	return &mcp.CallToolResult{Content: []mcp.Content{res.Content, &mcp.TextContent{Text: res.Model}}}, nil, nil
}

func sampleByResult(_ context.Context, req *mcp.CallToolRequest, _ struct{}) (*mcp.CallToolResult, any, error) {
	switch r := req.Params.InputResponses["m"].(type) {
	case *mcp.CreateMessageResult:
		return &mcp.CallToolResult{Content: []mcp.Content{r.Content}}, nil, nil
	case *mcp.CreateMessageWithToolsResult:
		return &mcp.CallToolResult{Content: r.Content}, nil, nil
	}
	return &mcp.CallToolResult{InputRequests: mcp.InputRequestMap{"m": &mcp.CreateMessageParams{Messages: question, MaxTokens: 100}}}, nil, nil
}

func ping(ctx context.Context, req *mcp.CallToolRequest, _ struct{}) (*mcp.CallToolResult, any, error) {
	if err := req.Session.Ping(ctx, nil); err != nil {
		return nil, nil, fmt.Errorf("ping: %w", err)
	}
	return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: "pong"}}}, nil, nil
}

func main() {
	server := mcp.NewServer(&mcp.Implementation{Name: "sampler", Version: "v1.0.0"}, nil)
	mcp.AddTool(server, &mcp.Tool{Name: "sample"}, sample)
	mcp.AddTool(server, &mcp.Tool{Name: "sample_by_result"}, sampleByResult)
	mcp.AddTool(server, &mcp.Tool{Name: "ping"}, ping)
	if err := server.Run(context.Background(), &mcp.StdioTransport{}); err != nil {
		log.Print(err)
	}
}
