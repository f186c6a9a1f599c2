// Command elicitation asks the user within a call: by a request in sessions, and by a result that
// asks in revisions without them.
package main

import (
	"context"
	"fmt"
	"log"

	"github.com/google/jsonschema-go/jsonschema"
	"github.com/modelcontextprotocol/go-sdk/mcp"
)

var form = &mcp.ElicitParams{
	Message: "Who are you?",
	RequestedSchema: &jsonschema.Schema{
		Type:       "object",
		Properties: map[string]*jsonschema.Schema{"name": {Type: "string"}},
		Required:   []string{"name"},
	},
}

func answered(r *mcp.ElicitResult) (*mcp.CallToolResult, any, error) {
	text := fmt.Sprintf("%s %v", r.Action, r.Content["name"])
	return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: text}}}, nil, nil
}

func ask(ctx context.Context, req *mcp.CallToolRequest, _ struct{}) (*mcp.CallToolResult, any, error) {
	r, err := req.Session.Elicit(ctx, form)
	if err != nil {
		return nil, nil, fmt.Errorf("eliciting failed: %w", err)
	}
	return answered(r)
}

func askByResult(_ context.Context, req *mcp.CallToolRequest, _ struct{}) (*mcp.CallToolResult, any, error) {
	if r, ok := req.Params.InputResponses["who"].(*mcp.ElicitResult); ok {
		return answered(r)
	}
	return &mcp.CallToolResult{InputRequests: mcp.InputRequestMap{"who": form}, RequestState: "asked"}, nil, nil
}

func main() {
	server := mcp.NewServer(&mcp.Implementation{Name: "asker", Version: "v1.0.0"}, nil)
	mcp.AddTool(server, &mcp.Tool{Name: "ask"}, ask)
	mcp.AddTool(server, &mcp.Tool{Name: "ask_by_result"}, askByResult)
	if err := server.Run(context.Background(), &mcp.StdioTransport{}); err != nil {
		log.Print(err)
	}
}
