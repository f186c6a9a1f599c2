package mcp

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
)

// A result that reports an error reaches the model as the handler wrote it. It is not validated
// against the output schema, and a zero Out is not output.
func TestErrorResultsAreNotValidated(t *testing.T) {
	type out struct {
		Name string   `json:"name"`
		List []string `json:"list"`
	}
	const strict = `{"type":"object","properties":{"name":{"type":"string","minLength":1}},"required":["name"]}`
	failed := func() *CallToolResult {
		return &CallToolResult{IsError: true, Content: []Content{&TextContent{Text: "no such ship"}}}
	}
	s := newTestServer(t, nil)
	add := func(name string, h func() (*CallToolResult, out)) {
		AddTool(s, &Tool{Name: name, OutputSchema: json.RawMessage(strict)}, func(context.Context, *CallToolRequest, struct{}) (*CallToolResult, out, error) {
			res, o := h()
			return res, o, nil
		})
	}
	add("zero", func() (*CallToolResult, out) { return failed(), out{} })
	add("filled", func() (*CallToolResult, out) { return failed(), out{List: []string{"a"}} })
	AddTool(s, &Tool{Name: "pointer", OutputSchema: json.RawMessage(strict)}, func(context.Context, *CallToolRequest, struct{}) (*CallToolResult, *out, error) {
		return failed(), nil, nil
	})
	AddTool(s, &Tool{Name: "inferred"}, func(context.Context, *CallToolRequest, struct{}) (*CallToolResult, out, error) {
		return failed(), out{}, nil
	})
	AddTool(s, &Tool{Name: "any"}, func(context.Context, *CallToolRequest, struct{}) (*CallToolResult, any, error) {
		return failed(), nil, nil
	})
	AddTool(s, &Tool{Name: "wrong", OutputSchema: json.RawMessage(strict)}, func(context.Context, *CallToolRequest, struct{}) (*CallToolResult, out, error) {
		return nil, out{}, nil
	})
	c := newClient(t, s)
	for _, name := range []string{"zero", "filled", "pointer", "inferred", "any"} {
		got := c.call("tools/call", `"name":"`+name+`","arguments":{}`).body
		if !strings.Contains(got, `"isError":true`) || !strings.Contains(got, "no such ship") {
			t.Errorf("%s: %s, want the tool's own error", name, got)
		}
		if has := strings.Contains(got, "structuredContent"); has != (name == "filled") {
			t.Errorf("%s: %s, structured content: %v", name, got, has)
		}
	}
	if got := c.call("tools/call", `"name":"`+"wrong"+`","arguments":{}`).body; !strings.Contains(got, "-32603") {
		t.Errorf("a success that breaks the schema: %s", got)
	}
}
