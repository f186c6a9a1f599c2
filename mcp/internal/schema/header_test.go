package schema

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestHeaderParams(t *testing.T) {
	tests := []struct {
		text string
		want []HeaderParam
	}{
		{`true`, nil},
		{`{"type":"object","properties":{"q":{"type":"string"}}}`, nil},
		{`{"type":"object","properties":{"region":{"type":"string","x-mcp-header":"Region"},"q":{"type":"string"}}}`,
			[]HeaderParam{{"Region", []string{"region"}, "string"}}},
		{`{"properties":{"b":{"type":"boolean","x-mcp-header":"B"},"a":{"type":"object","properties":{"n":{"type":"integer","x-mcp-header":"x!#$%&'*+-.^_|~9"}}}}}`,
			[]HeaderParam{{"x!#$%&'*+-.^_|~9", []string{"a", "n"}, "integer"}, {"B", []string{"b"}, "boolean"}}},
		// A property may have the name of the keyword, and data may look like it.
		{`{"properties":{"x-mcp-header":{"type":"string"}},"default":{"x-mcp-header":"é"},"examples":[{"x-mcp-header":""}],"const":{"x-mcp-header":1}}`, nil},
		{`{"properties":{"properties":{"type":"string","x-mcp-header":"P"}}}`, []HeaderParam{{"P", []string{"properties"}, "string"}}},
	}
	for _, tt := range tests {
		got, err := HeaderParams([]byte(tt.text))
		if err != nil {
			t.Errorf("HeaderParams(%s): %v", tt.text, err)
		}
		if d := cmp.Diff(tt.want, got); d != "" {
			t.Errorf("HeaderParams(%s) (-want +got):\n%s", tt.text, d)
		}
	}
}

func TestHeaderParamsRefuses(t *testing.T) {
	tests := []struct{ text, want string }{
		{`{"properties":{"a":{"type":"string","x-mcp-header":""}}}`, "empty"},
		{`{"properties":{"a":{"type":"string","x-mcp-header":1}}}`, "must be a string"},
		{`{"properties":{"a":{"type":"string","x-mcp-header":"a b"}}}`, "token"},
		{`{"properties":{"a":{"type":"string","x-mcp-header":"a\r\nb"}}}`, "token"},
		{`{"properties":{"a":{"type":"string","x-mcp-header":"é"}}}`, "token"},
		{`{"properties":{"a":{"type":"string","x-mcp-header":"A:"}}}`, "token"},
		{`{"properties":{"a":{"type":"number","x-mcp-header":"A"}}}`, "type must be"},
		{`{"properties":{"a":{"type":["string","null"],"x-mcp-header":"A"}}}`, "type must be"},
		{`{"properties":{"a":{"x-mcp-header":"A"}}}`, "type must be"},
		{`{"properties":{"a":{"type":"object","x-mcp-header":"A"}}}`, "type must be"},
		{`{"properties":{"a":{"type":"string","x-mcp-header":"Tenant"},"b":{"type":"string","x-mcp-header":"tENANT"}}}`, "also used at /properties/a"},
		{`{"type":"string","x-mcp-header":"A"}`, "reachable"},
		{`{"items":{"type":"string","x-mcp-header":"A"}}`, "reachable"},
		{`{"prefixItems":[{"type":"string","x-mcp-header":"A"}]}`, "reachable"},
		{`{"properties":{"l":{"items":{"properties":{"a":{"type":"string","x-mcp-header":"A"}}}}}}`, "reachable"},
		{`{"$defs":{"a":{"type":"string","x-mcp-header":"A"}}}`, "reachable"},
		{`{"additionalProperties":{"type":"string","x-mcp-header":"A"}}`, "reachable"},
		{`{"patternProperties":{"^a":{"type":"string","x-mcp-header":"A"}}}`, "reachable"},
		{`{"anyOf":[{"properties":{"a":{"type":"string","x-mcp-header":"A"}}}]}`, "at /anyOf/0/properties/a: not on a property"},
		{`{"if":{"properties":{"a":{"type":"string","x-mcp-header":"A"}}}}`, "reachable"},
		{`{"not":{"properties":{"a":{"type":"string","x-mcp-header":"A"}}}}`, "reachable"},
		{`{`, "JSON"},
	}
	for _, tt := range tests {
		got, err := HeaderParams([]byte(tt.text))
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("HeaderParams(%s) = %v, %v, want an error with %q", tt.text, got, err, tt.want)
		}
	}
}
