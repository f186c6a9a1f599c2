// Command thinking keeps a sequence of thoughts and serves it as a resource.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"strings"
	"sync"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

type thought struct {
	Number   int    `json:"number" jsonschema:"from 1"`
	Text     string `json:"text"`
	Revises  *int   `json:"revises,omitempty"`
	NeedMore bool   `json:"needMore"`
}

type chain struct {
	mu       sync.Mutex
	thoughts []thought
}

func (c *chain) add(_ context.Context, _ *mcp.CallToolRequest, in thought) (*mcp.CallToolResult, any, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if in.Number != len(c.thoughts)+1 {
		return nil, nil, fmt.Errorf("thought %d comes next", len(c.thoughts)+1)
	}
	c.thoughts = append(c.thoughts, in)
	text := fmt.Sprintf("thought %d: %s", in.Number, in.Text)
	if in.Revises != nil {
		text += fmt.Sprintf(" (revises %d)", *in.Revises)
	}
	return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: text}}}, nil, nil
}

func (c *chain) read(_ context.Context, req *mcp.ReadResourceRequest) (*mcp.ReadResourceResult, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, id, _ := strings.Cut(req.Params.URI, "://")
	if id != "chain" {
		return nil, mcp.ResourceNotFoundError(req.Params.URI)
	}
	text, err := json.Marshal(c.thoughts)
	if err != nil {
		return nil, err
	}
	return &mcp.ReadResourceResult{Contents: []*mcp.ResourceContents{{URI: req.Params.URI, MIMEType: "application/json", Text: string(text)}}}, nil
}

func main() {
	c := new(chain)
	server := mcp.NewServer(&mcp.Implementation{Name: "thinking"}, &mcp.ServerOptions{Instructions: "Think step by step."})
	mcp.AddTool(server, &mcp.Tool{Name: "think"}, c.add)
	server.AddResource(&mcp.Resource{URI: "thinking://chain"}, c.read)
	server.AddResourceTemplate(&mcp.ResourceTemplate{Name: "part", URITemplate: "thinking://part/{n}"}, c.read)
	if err := server.Run(context.Background(), &mcp.StdioTransport{}); err != nil {
		log.Print(err)
	}
}
