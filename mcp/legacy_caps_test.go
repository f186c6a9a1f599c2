package mcp

import (
	"context"
	"encoding/json"
	"testing"
)

// Bits and declarations convert into each other without loss.
func TestCapabilityBits(t *testing.T) {
	for text, bits := range map[string]CapabilityBits{
		`{}`:           0,
		`{"roots":{}}`: CapabilityRoots,
		`{"roots":{"listChanged":true},"sampling":{}}`:          CapabilityRoots | CapabilityRootsListChanged | CapabilitySampling,
		`{"sampling":{"context":{},"tools":{}}}`:                CapabilitySampling | CapabilitySamplingContext | CapabilitySamplingTools,
		`{"sampling":{"tools":{}}}`:                             CapabilitySampling | CapabilitySamplingTools,
		`{"elicitation":{"form":{}}}`:                           CapabilityElicitation | CapabilityElicitationForm,
		`{"elicitation":{"url":{}}}`:                            CapabilityElicitation | CapabilityElicitationURL,
		`{"elicitation":{"form":{},"url":{}}}`:                  CapabilityElicitation | CapabilityElicitationForm | CapabilityElicitationURL,
		`{"sampling":{"context":{}},"elicitation":{"form":{}}}`: CapabilitySampling | CapabilitySamplingContext | CapabilityElicitation | CapabilityElicitationForm,
	} {
		if got := capabilityBits([]byte(text)); got != bits {
			t.Errorf("%s: %b, want %b", text, got, bits)
		}
		back, err := json.Marshal(bits.clientCapabilities())
		if err != nil || string(back) != text {
			t.Errorf("%b: %s, want %s (%v)", bits, back, text, err)
		}
	}
	for text, bits := range map[string]CapabilityBits{
		`{"elicitation":{}}`:                             CapabilityElicitation | CapabilityElicitationForm,
		`{"roots":true,"sampling":[],"elicitation":"x"}`: 0,
		`{"roots":{"listChanged":"true"}}`:               CapabilityRoots,
		`{"sampl\u0069ng":{}}`:                           CapabilitySampling,
		``:                                               0,
	} {
		if got := capabilityBits([]byte(text)); got != bits {
			t.Errorf("%s: %b, want %b", text, got, bits)
		}
	}
}

// A mistake of a handler is an internal error in every revision. What an earlier revision leaves
// out does not change the values that the handler returned.
func TestLegacyHandlersMistakes(t *testing.T) {
	s := newTestServer(t, nil)
	kept := &CallToolResult{Content: []Content{
		&AudioContent{Data: []byte{1}, MIMEType: "a/b", Meta: Meta{"k": 1}}, &TextContent{Text: "t", Meta: Meta{"k": 1}},
		&ImageContent{Data: []byte{1}, MIMEType: "a/b", Meta: Meta{"k": 1}}, &EmbeddedResource{Resource: &ResourceContents{URI: "test://x", Meta: Meta{"k": 1}}},
	}}
	for name, res := range map[string]*CallToolResult{
		"nil content": {Content: []Content{nil}}, "no resource": {Content: []Content{&EmbeddedResource{}}},
		"unwritable": {StructuredContent: func() {}}, "unwritable meta": {Meta: Meta{"f": func() {}}},
	} {
		s.AddTool(&Tool{Name: name[:2] + "-" + name[len(name)-4:], InputSchema: json.RawMessage(`{"type":"object"}`)},
			func(context.Context, *CallToolRequest) (*CallToolResult, error) { return res, nil })
	}
	s.AddTool(&Tool{Name: "kept", InputSchema: json.RawMessage(`{"type":"object"}`)}, func(context.Context, *CallToolRequest) (*CallToolResult, error) { return kept, nil })
	s.AddPrompt(&Prompt{Name: "nil"}, func(context.Context, *GetPromptRequest) (*GetPromptResult, error) {
		return &GetPromptResult{Messages: []*PromptMessage{nil}}, nil
	})
	before, err := json.Marshal(kept)
	if err != nil {
		t.Fatal(err)
	}
	everyLegacy(t, s, `{}`, func(t *testing.T, rev string, c *client) {
		for _, tool := range []string{"ni-tent", "no-urce", "un-able", "un-meta"} {
			c.call("tools/call", `"name":"`+tool+`"`).wantError(tool, -32603, 200)
		}
		c.call("prompts/get", `"name":"nil"`).wantError("a nil message", -32603, 200)
		c.call("tools/call", `"name":"kept"`).wantResult("kept")
		if after, err := json.Marshal(kept); err != nil || string(after) != string(before) {
			t.Errorf("became %s (%v)", after, err)
		}
	})
}
