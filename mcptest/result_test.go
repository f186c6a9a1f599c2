package mcptest_test

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mooring-mcp/mooring/mcp"
	"github.com/mooring-mcp/mooring/mcptest"
)

// TestResults checks that a result arrives as the handler returned it.
func TestResults(t *testing.T) {
	for name, want := range map[string]*mcp.CallToolResult{
		"empty":  {Content: []mcp.Content{}},
		"texts":  {Content: []mcp.Content{&mcp.TextContent{Text: "a\n\"ü"}, &mcp.TextContent{}}},
		"failed": {Content: []mcp.Content{&mcp.TextContent{Text: "a"}}, IsError: true},
		"annotated": {Content: []mcp.Content{
			&mcp.TextContent{Text: "a", Annotations: &mcp.Annotations{Priority: 0.5}},
			&mcp.TextContent{Text: "b", Meta: mcp.Meta{"k": "v"}},
		}},
		"image": {Content: []mcp.Content{&mcp.ImageContent{Data: []byte("x"), MIMEType: "image/png"}}},
		"link":  {Content: []mcp.Content{&mcp.ResourceLink{URI: "a:b", Name: "n"}}},
		"structured": {Content: []mcp.Content{&mcp.TextContent{Text: "a"}}, StructuredContent: map[string]any{
			"n": 1.5, "s": "x\ty", "l": []any{true, false, nil, "z"}, "o": map[string]any{}, "é\"": 1e3,
		}},
	} {
		s := mcp.NewServer(&mcp.Implementation{Name: "test", Version: "v1.0.0"}, nil)
		s.AddTool(&mcp.Tool{Name: "t", InputSchema: map[string]any{"type": "object"}}, func(context.Context, *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			return want, nil
		})
		got, _, err := mcptest.Call[any](t.Context(), s, "t", nil)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		delete(got.Meta, mcp.MetaKeyServerInfo)
		if len(got.Meta) == 0 {
			got.Meta = nil
		}
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(mcp.CallToolResult{})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// TestLongNumbers checks that no digit gets lost.
func TestLongNumbers(t *testing.T) {
	s := mcp.NewServer(&mcp.Implementation{Name: "test", Version: "v1.0.0"}, nil)
	s.AddTool(&mcp.Tool{Name: "t", InputSchema: map[string]any{"type": "object"}}, func(context.Context, *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		return &mcp.CallToolResult{StructuredContent: json.RawMessage(`{"a":9007199254740993,"b":9007199254740992,"c":1e999,"d":-0.25}`)}, nil
	})
	res, out, err := mcptest.Call[struct{ A, B int64 }](t.Context(), s, "t", nil)
	if err != nil {
		t.Fatal(err)
	}
	if out.A != 9007199254740993 || out.B != 9007199254740992 {
		t.Errorf("typed: %+v", out)
	}
	want := map[string]any{"a": json.Number("9007199254740993"), "b": float64(9007199254740992), "c": json.Number("1e999"), "d": -0.25}
	if diff := cmp.Diff(want, res.StructuredContent); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
