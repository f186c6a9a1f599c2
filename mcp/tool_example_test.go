package mcp_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/mooring-mcp/mooring/mcp"
)

// A tool with a typed handler: its schemas are those of the handler's types.
func ExampleAddTool() {
	type Input struct {
		City string `json:"city" jsonschema:"city name, for example Oslo"`
	}
	type Output struct {
		Celsius float64 `json:"celsius"`
	}
	s := mcp.NewServer(&mcp.Implementation{Name: "weather", Version: "v1.0.0"}, nil)
	mcp.AddTool(s, &mcp.Tool{Name: "now"}, func(_ context.Context, _ *mcp.CallToolRequest, in Input) (*mcp.CallToolResult, Output, error) {
		if in.City != "Oslo" {
			return nil, Output{}, errors.New("no station in " + in.City) // the model sees it
		}
		return nil, Output{Celsius: -3.5}, nil
	})

	request(s, "tools/call", `"name":"now","arguments":{"city":"Oslo"}`)
	request(s, "tools/call", `"name":"now","arguments":{"city":"Atlantis"}`)
	// Output:
	// content: [{"type":"text","text":"{\"celsius\":-3.5}"}]
	// structuredContent: {"celsius":-3.5}
	//
	// content: [{"type":"text","text":"no station in Atlantis"}]
	// isError: true
}

// An inline tool runs where its message was read and must not wait.
func ExampleAddInlineTool() {
	s := mcp.NewServer(&mcp.Implementation{Name: "sums", Version: "v1.0.0"}, nil)
	mcp.AddInlineTool(s, &mcp.Tool{Name: "add"}, func(_ *mcp.CallToolRequest, in AddIn) (AddOut, error) {
		return AddOut{in.A + in.B}, nil
	})

	request(s, "tools/call", `"name":"add","arguments":{"a":40,"b":2}`)
	// Output:
	// content: [{"type":"text","text":"{\"sum\":42}"}]
	// structuredContent: {"sum":42}
}

// A Tool describes itself to clients and models.
func ExampleTool() {
	s := mcp.NewServer(&mcp.Implementation{Name: "sums", Version: "v1.0.0"}, nil)
	mcp.AddInlineTool(s, &mcp.Tool{
		Name:        "add",
		Title:       "Addition",
		Description: "Sum of two integers.",
		Annotations: &mcp.ToolAnnotations{ReadOnlyHint: true},
	}, add)

	request(s, "tools/list", "")
	// Output:
	// tools: [{"annotations":{"readOnlyHint":true},"description":"Sum of two integers.","inputSchema":{"type":"object","properties":{"a":{"type":"integer"},"b":{"type":"integer"}},"required":["a","b"],"additionalProperties":false},"name":"add","outputSchema":{"type":"object","properties":{"sum":{"type":"integer"}},"required":["sum"],"additionalProperties":false},"title":"Addition"}]
}

// A raw handler gets the arguments as the client wrote them; nothing is validated.
func ExampleServer_AddTool() {
	s := mcp.NewServer(&mcp.Implementation{Name: "echo", Version: "v1.0.0"}, nil)
	s.AddTool(&mcp.Tool{Name: "echo", InputSchema: json.RawMessage(`{"type":"object"}`)},
		func(_ context.Context, req *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			text := &mcp.TextContent{Text: string(req.Params.Arguments)}
			return &mcp.CallToolResult{Content: []mcp.Content{text}}, nil
		})

	request(s, "tools/call", `"name":"echo","arguments":{"any":["thing",1]}`)
	// Output:
	// content: [{"type":"text","text":"{\"any\":[\"thing\",1]}"}]
}

// A CallToolRequest says who calls, and with which revision and capabilities.
func ExampleCallToolRequest() {
	s := mcp.NewServer(&mcp.Implementation{Name: "mirror", Version: "v1.0.0"}, nil)
	mcp.AddTool(s, &mcp.Tool{Name: "whoami"}, func(_ context.Context, req *mcp.CallToolRequest, _ struct{}) (*mcp.CallToolResult, any, error) {
		text := fmt.Sprintf("%s speaks %s, elicitation %t", req.ClientInfo().Name, req.ProtocolVersion(), req.ClientCapabilities().Elicitation != nil)
		return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: text}}}, nil, nil
	})

	request(s, "tools/call", `"name":"whoami"`)
	// Output:
	// content: [{"type":"text","text":"docs speaks 2026-07-28, elicitation true"}]
}
