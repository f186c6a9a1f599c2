package mcp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/mooring-mcp/mooring/jsonrpc"
)

func TestTypedTools(t *testing.T) {
	type withDefault struct {
		Days int `json:"days"`
	}
	type out struct {
		N *int `json:"n"`
	}
	s := newTestServer(t, nil)
	AddTool(s, &Tool{Name: "fails"}, func(context.Context, *CallToolRequest, struct{}) (*CallToolResult, addOut, error) {
		return nil, addOut{}, errors.New("the harbour is closed")
	})
	AddTool(s, &Tool{Name: "protocol"}, func(context.Context, *CallToolRequest, struct{}) (*CallToolResult, any, error) {
		return nil, nil, &jsonrpc.Error{Code: -7, Message: "seven", Data: json.RawMessage(`{"x":1}`)}
	})
	AddTool(s, &Tool{Name: "wrapped"}, func(context.Context, *CallToolRequest, struct{}) (*CallToolResult, any, error) {
		return nil, nil, fmt.Errorf("upstream: %w", &jsonrpc.Error{Code: -7, Message: "seven"})
	})
	AddTool(s, &Tool{Name: "nothing"}, func(context.Context, *CallToolRequest, any) (*CallToolResult, any, error) { return nil, nil, nil })
	AddTool(s, &Tool{Name: "both"}, func(_ context.Context, _ *CallToolRequest, in addIn) (*CallToolResult, addOut, error) {
		return &CallToolResult{Meta: Meta{"com.example/x": 1, MetaKeyServerInfo: "forged"}, Content: []Content{&TextContent{Text: "own"}}}, addOut{in.A}, nil
	})
	AddTool(s, &Tool{Name: "list"}, func(context.Context, *CallToolRequest, struct{}) (*CallToolResult, []string, error) {
		return &CallToolResult{Content: []Content{&TextContent{Text: "own"}}}, []string{`a"b`}, nil
	})
	AddTool(s, &Tool{Name: "pointer"}, func(context.Context, *CallToolRequest, *struct{}) (*CallToolResult, *addOut, error) {
		return nil, nil, nil
	})
	AddTool(s, &Tool{Name: "default", InputSchema: json.RawMessage(`{"type":"object","properties":{"days":{"type":"integer","default":7}}}`)},
		func(_ context.Context, _ *CallToolRequest, in withDefault) (*CallToolResult, addOut, error) {
			return nil, addOut{in.Days}, nil
		})
	AddTool(s, &Tool{Name: "sparse", OutputSchema: json.RawMessage(`{"type":"object","properties":{"n":{"type":"integer","default":7},"m":{"type":"integer"}}}`)},
		func(context.Context, *CallToolRequest, struct{}) (*CallToolResult, map[string]int, error) {
			return nil, map[string]int{"m": 1}, nil
		})
	AddTool(s, &Tool{Name: "liar", OutputSchema: json.RawMessage(`{"type":"object","properties":{"n":{"type":"integer"}}}`)},
		func(context.Context, *CallToolRequest, struct{}) (*CallToolResult, out, error) {
			return nil, out{}, nil
		})
	AddTool(s, &Tool{Name: "unwritable"}, func(context.Context, *CallToolRequest, struct{}) (*CallToolResult, any, error) {
		return &CallToolResult{Content: []Content{nil}}, nil, nil
	})
	AddTool(s, &Tool{Name: "open", InputSchema: json.RawMessage(`{"type":"object","properties":{"a":{"type":"integer"}}}`)},
		func(_ context.Context, _ *CallToolRequest, in addIn) (*CallToolResult, addOut, error) {
			return nil, addOut{in.A}, nil
		})
	c := newClient(t, s)

	tests := []struct {
		tool, args string
		code       jsonrpc.Code
		want       []string
	}{
		{"add", `{"a":1,"b":2}`, 0, []string{`"structuredContent":{"sum":3}`, `"text":"{\"sum\":3}"`, `"resultType":"complete"`, `"io.modelcontextprotocol/serverInfo":{"name":"test","version":"v1.0.0"}`}},
		{"echo", `{"text":"a\"\u2028é"}`, 0, []string{`"content":[{"type":"text","text":"a\"`}},
		{"add", `{"a":1}`, 0, []string{`"isError":true`, `missing required property \"b\"`}},
		{"add", `{"a":1,"b":2,"c":3}`, 0, []string{`"isError":true`, `unexpected property`}},
		{"add", `{"a":"1","b":2}`, 0, []string{`"isError":true`, `/a`}},
		{"add", `null`, 0, []string{`"isError":true`}},
		{"open", `{"a":1,"A":99}`, 0, []string{`{"sum":1}`}},
		{"open", `{"A":99}`, 0, []string{`{"sum":0}`}},
		{"fails", `{}`, 0, []string{`"isError":true`, `the harbour is closed`}},
		{"protocol", `{}`, -7, []string{`"message":"seven","data":{"x":1}`}},
		{"wrapped", `{}`, 0, []string{`"isError":true`, `"text":"upstream: seven"`}},
		{"nothing", `{"any":1}`, 0, []string{`"content":[]`}},
		{"both", `{"a":1,"b":2}`, 0, []string{`"com.example/x":1`, `"text":"own"`, `"structuredContent":{"sum":1}`, `"name":"test"`}},
		{"list", `{}`, 0, []string{`"text":"own"`, `"text":"[\"a\\\"b\"]"`, `"structuredContent":["a\"b"]`}},
		{"pointer", `{}`, 0, []string{`"structuredContent":{"sum":0}`}},
		{"default", `{}`, 0, []string{`{"sum":7}`}},
		{"sparse", `{}`, 0, []string{`"structuredContent":{"m":1,"n":7}`, `"text":"{\"m\":1,\"n\":7}"`}},
		{"open", `{"a":1.0}`, 0, []string{`{"sum":1}`}},
		{"no\u202e" + strings.Repeat("é", 200), `{}`, -32602, []string{`unknown tool \"no\\u202eé`, `é\\xc3\""`}},
		{"liar", `{}`, -32603, []string{`output`}},
		{"unwritable", `{}`, -32603, []string{`"message":"Internal error"`}},
	}
	for _, tt := range tests {
		a := c.call("tools/call", fmt.Sprintf(`"name":%q,"arguments":%s`, tt.tool, tt.args))
		if a.code != tt.code {
			t.Errorf("%s %s: code %d, want %d: %s", tt.tool, tt.args, a.code, tt.code, a.body)
		}
		for _, w := range tt.want {
			if !strings.Contains(a.body, w) {
				t.Errorf("%s %s: %s not in %s", tt.tool, tt.args, w, a.body)
			}
		}
		if strings.Contains(a.body, "forged") {
			t.Errorf("a handler replaced the server's identity: %s", a.body)
		}
	}
	a := c.call("tools/call", `"name":"nothing"`)
	a.wantResult("arguments are optional")
}

func TestRawTool(t *testing.T) {
	s := newTestServer(t, nil)
	schema := json.RawMessage(`{"type":"object","required":["x"]}`)
	s.AddTool(&Tool{Name: "raw", InputSchema: schema, OutputSchema: schema}, func(_ context.Context, req *CallToolRequest) (*CallToolResult, error) {
		return &CallToolResult{StructuredContent: req.Params.Arguments, Content: []Content{&TextContent{Text: req.Params.Name}}}, nil
	})
	s.AddTool(&Tool{Name: "error", InputSchema: schema}, func(context.Context, *CallToolRequest) (*CallToolResult, error) {
		return nil, errors.New("text of the handler")
	})
	s.AddTool(&Tool{Name: "nil", InputSchema: schema}, func(context.Context, *CallToolRequest) (*CallToolResult, error) { return nil, nil })
	c := newClient(t, s)
	c.call("tools/call", `"name":"raw","arguments":{"y":1}`).wantResult("nothing is validated", `"structuredContent":{"y":1}`)
	c.call("tools/call", `"name":"error"`).wantError("a raw handler's error", -32603, 200, "text of the handler")
	c.call("tools/call", `"name":"nil"`).wantResult("no result", `"content":[]`)
}

func TestAddToolPanics(t *testing.T) {
	h := func(context.Context, *CallToolRequest, struct{}) (*CallToolResult, any, error) { return nil, nil, nil }
	raw := func(context.Context, *CallToolRequest) (*CallToolResult, error) { return nil, nil }
	s := newTestServer(t, nil)
	for why, f := range map[string]func(){
		"empty name":             func() { AddTool(s, &Tool{}, h) },
		"a name not in UTF-8":    func() { AddTool(s, &Tool{Name: "\xff"}, h) },
		"no schema":              func() { s.AddTool(&Tool{Name: "x"}, raw) },
		"schema of another type": func() { s.AddTool(&Tool{Name: "x", InputSchema: json.RawMessage(`{"type":"array"}`)}, raw) },
		"no schema at all":       func() { s.AddTool(&Tool{Name: "x", InputSchema: 7}, raw) },
		"unresolved $ref": func() {
			AddTool(s, &Tool{Name: "x", InputSchema: json.RawMessage(`{"type":"object","$ref":"https://example.com/s"}`)}, h)
		},
		"bad output schema": func() { AddTool(s, &Tool{Name: "x", OutputSchema: json.RawMessage(`{"type":"nothing"}`)}, h) },
		"bad x-mcp-header": func() {
			AddTool(s, &Tool{Name: "x", InputSchema: json.RawMessage(`{"type":"object","properties":{"a":{"type":"number","x-mcp-header":"A"}}}`)}, h)
		},
		"a type without JSON": func() {
			AddTool(s, &Tool{Name: "x"}, func(context.Context, *CallToolRequest, struct{ F func() }) (*CallToolResult, any, error) {
				return nil, nil, nil
			})
		},
		"no identity":         func() { NewServer(nil, nil) },
		"a short key":         func() { NewServer(&Implementation{Name: "x", Version: "1"}, &ServerOptions{StateKey: []byte("short")}) },
		"a relative resource": func() { s.AddResource(&Resource{Name: "r", URI: "x/y"}, noRead) },
		"no resource handler": func() { s.AddResource(&Resource{URI: "x:y"}, nil) },
		"no template handler": func() { s.AddResourceTemplate(&ResourceTemplate{URITemplate: "x:{y}"}, nil) },
		"a bad template":      func() { s.AddResourceTemplate(&ResourceTemplate{Name: "t", URITemplate: "x://{"}, noRead) },
		"a nameless prompt":   func() { s.AddPrompt(&Prompt{}, nil) },
		"a nameless argument": func() { s.AddPrompt(&Prompt{Name: "p", Arguments: []*PromptArgument{{}}}, nil) },
	} {
		func() {
			defer func() {
				if v := recover(); v == nil || !strings.HasPrefix(fmt.Sprint(v), "mcp: ") {
					t.Errorf("%s: recovered %v", why, v)
				}
			}()
			f()
		}()
	}
}

// The schema of a host reaches the client with every keyword.
func TestSchemaVerbatim(t *testing.T) {
	const text = `{"$schema":"https://json-schema.org/draft/2020-12/schema","type":"object","$defs":{"address":{"$anchor":"addressDef","type":"object","properties":{"street":{"type":"string"},"city":{"type":"string"}}}},"properties":{"name":{"type":"string"},"address":{"$ref":"#/$defs/address"},"contactMethod":{"type":"string","enum":["phone","email"]},"phone":{"type":"string"},"email":{"type":"string"}},"allOf":[{"anyOf":[{"required":["phone"]},{"required":["email"]}]}],"if":{"properties":{"contactMethod":{"const":"phone"}},"required":["contactMethod"]},"then":{"required":["phone"]},"else":{"required":["email"]},"additionalProperties":false}`
	s := newTestServer(t, nil)
	AddTool(s, &Tool{Name: "json_schema_2020_12_tool", Description: "d", InputSchema: json.RawMessage(text)},
		func(context.Context, *CallToolRequest, map[string]any) (*CallToolResult, any, error) {
			return nil, nil, nil
		})
	c := newClient(t, s)
	c.call("tools/list", "").wantResult("verbatim", `"inputSchema":`+text)
	c.call("tools/call", `"name":"json_schema_2020_12_tool","arguments":{"contactMethod":"phone","email":"x"}`).wantResult("if/then", `"isError":true`)
	c.call("tools/call", `"name":"json_schema_2020_12_tool","arguments":{"contactMethod":"phone","phone":"x"}`).wantResult("valid", `"content":[]`)
}

func TestToolIsCopied(t *testing.T) {
	s := newTestServer(t, nil)
	def := &Tool{Name: "mine", Description: "before"}
	AddTool(s, def, echo)
	def.Description = "after"
	newClient(t, s).call("tools/list", "").wantResult("a copy", "before")
	if def.InputSchema != nil {
		t.Error("AddTool changed the host's Tool")
	}
}
