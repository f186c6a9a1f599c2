// Command schemas has tools with schemas of every origin, and names that are not quite right.
package main

import (
	"context"
	"encoding/json"
	"log"

	"github.com/google/jsonschema-go/jsonschema"
	"github.com/modelcontextprotocol/go-sdk/mcp"
)

type input struct {
	Name  string   `json:"name" jsonschema:"the person to greet"`
	Count int      `json:"count,omitempty" jsonschema:"how often"`
	Tags  []string `json:"tags,omitempty"`
}

type output struct {
	Greeting string `json:"greeting"`
	Count    int    `json:"count"`
	Note     string `json:"note,omitempty"`
}

func greet(_ context.Context, _ *mcp.CallToolRequest, in input) (*mcp.CallToolResult, output, error) {
	return nil, output{Greeting: "Hi " + in.Name, Count: in.Count}, nil
}

func raw(_ context.Context, req *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
	var in map[string]any
	if err := json.Unmarshal(req.Params.Arguments, &in); err != nil {
		return nil, err
	}
	return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: string(req.Params.Arguments)}}, StructuredContent: in}, nil
}

func main() {
	server := mcp.NewServer(&mcp.Implementation{Name: "schemas", Version: "v1.0.0"}, nil)
	mcp.AddTool(server, &mcp.Tool{Name: "inferred"}, greet)

	in, err := jsonschema.For[input](nil)
	if err != nil {
		log.Fatal(err)
	}
	minimum := 1.0
	in.Properties["count"].Minimum = &minimum
	in.Properties["count"].Default = json.RawMessage("3")
	mcp.AddTool(server, &mcp.Tool{Name: "custom schema", InputSchema: in}, greet)

	mcp.AddTool(server, &mcp.Tool{
		Name:        "map/schema",
		InputSchema: map[string]any{"type": "object", "properties": map[string]any{"name": map[string]any{"type": "string", "enum": []string{"ann", "bob"}}}, "required": []string{"name"}},
		OutputSchema: &jsonschema.Schema{
			Type: "object",
			Properties: map[string]*jsonschema.Schema{
				"greeting": {Type: "string"},
				"count":    {Type: "integer"},
				"note":     {Type: "string", Default: json.RawMessage(`"by default"`)},
			},
		},
	}, greet)

	server.AddTool(&mcp.Tool{Name: "raw", InputSchema: json.RawMessage(`{"type":"object"}`)}, raw)
	server.AddTool(&mcp.Tool{Name: "schema:pointer", InputSchema: &jsonschema.Schema{Type: "object"}}, raw)
	if err := server.Run(context.Background(), &mcp.StdioTransport{}); err != nil {
		log.Print(err)
	}
}
