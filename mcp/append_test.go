package mcp

import (
	"testing"

	"github.com/mooring-mcp/mooring/jsonrpc"
)

// TestStringAppenders shows why there are three ways to append a JSON string: they agree on plain
// text, and each treats one kind of text differently.
func TestStringAppenders(t *testing.T) {
	for _, tt := range []struct {
		name, text                    string
		envelope, content, structured string
	}{
		{"plain", `{"a":"b\\c"}`, `"{\"a\":\"b\\\\c\"}"`, `"{\"a\":\"b\\\\c\"}"`, `"{\"a\":\"b\\\\c\"}"`},
		{"unicode", "ß漢🚢\x7f", "\"ß漢🚢\x7f\"", "\"ß漢🚢\x7f\"", "\"ß漢🚢\x7f\""},
		{"line ends", "\u0085\u2028\u2029", `"\u0085\u2028\u2029"`, "\"\u0085\u2028\u2029\"", "\"\u0085\u2028\u2029\""},
		{"not UTF-8", "a\xff\xfeb", "\"a\uFFFD\uFFFDb\"", "\"a\uFFFDb\"", "\"a\xff\xfeb\""},
	} {
		if got := string(jsonrpc.AppendString(nil, tt.text)); got != tt.envelope {
			t.Errorf("%s: jsonrpc.AppendString: got %q, want %q", tt.name, got, tt.envelope)
		}
		if got := string(appendString(nil, tt.text)); got != tt.content {
			t.Errorf("%s: appendString: got %q, want %q", tt.name, got, tt.content)
		}
		if got := string(appendQuotedJSON(nil, []byte(tt.text))); got != tt.structured {
			t.Errorf("%s: appendQuotedJSON: got %q, want %q", tt.name, got, tt.structured)
		}
	}
}
