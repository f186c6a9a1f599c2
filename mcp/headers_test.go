package mcp

import (
	"context"
	"encoding/json"
	"iter"
	"testing"
)

func fields(pairs ...string) iter.Seq2[[]byte, []byte] {
	return func(yield func(name, value []byte) bool) {
		for i := 0; i < len(pairs); i += 2 {
			if !yield([]byte(pairs[i]), []byte(pairs[i+1])) {
				return
			}
		}
	}
}

// These are the tables of basic/transports/streamable-http, "Value Encoding" and "Server Behavior
// for Custom Headers".
func TestParamHeaders(t *testing.T) {
	s := newTestServer(t, nil)
	AddTool(s, &Tool{Name: "x", Description: "d", InputSchema: json.RawMessage(`{"type":"object","properties":{
		"region":{"type":"string","x-mcp-header":"Region"},
		"level":{"type":"integer","x-mcp-header":"level"},
		"dry":{"type":"boolean","x-mcp-header":"Dry-Run"},
		"deep":{"type":"object","properties":{"er":{"type":"string","x-mcp-header":"Deep"}}}}}`)},
		func(context.Context, *CallToolRequest, map[string]any) (*CallToolResult, any, error) {
			return nil, nil, nil
		})
	c := newClient(t, s)
	tests := []struct {
		why, args string
		fields    iter.Seq2[[]byte, []byte]
		ok        bool
	}{
		{"nothing", `{}`, nil, true},
		{"plain", `{"region":"us-west1"}`, fields("Region", "us-west1"), true},
		{"name in another case", `{"region":"us-west1"}`, fields("rEGION", "us-west1"), true},
		{"value in another case", `{"region":"us-west1"}`, fields("Region", "US-WEST1"), false},
		{"escapes in the body", `{"regi\u006fn":"us\u002dwest1"}`, fields("Region", "us-west1"), true},
		{"value but no field", `{"region":"us-west1"}`, nil, false},
		{"value but another field", `{"region":"us-west1"}`, fields("Other", "us-west1"), false},
		{"field but no value", `{}`, fields("Region", "us-west1"), false},
		{"field but null", `{"region":null}`, fields("Region", "null"), false},
		{"null", `{"region":null}`, nil, true},
		{"unknown field", `{}`, fields("Other", "\x80"), true},
		{"sent twice", `{"region":"a"}`, fields("Region", "a", "region", "a"), false},
		{"base64", `{"region":"Hello, 世界"}`, fields("Region", "=?base64?SGVsbG8sIOS4lueVjA==?="), true},
		{"base64 of blanks", `{"region":" padded "}`, fields("Region", "=?base64?IHBhZGRlZCA=?="), true},
		{"base64 of a line end", `{"region":"line1\nline2"}`, fields("Region", "=?base64?bGluZTEKbGluZTI=?="), true},
		{"base64 of the markers", `{"region":"=?base64?literal?="}`, fields("Region", "=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?="), true},
		{"markers in upper case are literal", `{"region":"=?BASE64?YQ==?="}`, fields("Region", "=?BASE64?YQ==?="), true},
		{"prefix alone is literal", `{"region":"=?base64?YQ=="}`, fields("Region", "=?base64?YQ=="), true},
		{"suffix alone is literal", `{"region":"YQ==?="}`, fields("Region", "YQ==?="), true},
		{"empty base64", `{"region":""}`, fields("Region", "=?base64??="), true},
		{"bad padding", `{"region":"a"}`, fields("Region", "=?base64?YQ=?="), false},
		{"bad alphabet", `{"region":"a"}`, fields("Region", "=?base64?Y_==?="), false},
		{"line end within base64", `{"region":"a"}`, fields("Region", "=?base64?YQ\n==?="), false},
		{"unused bits", `{"region":"a"}`, fields("Region", "=?base64?YR==?="), false},
		{"bytes above ASCII", `{"region":"é"}`, fields("Region", "é"), false},
		{"control character", `{"region":"\u0001"}`, fields("Region", "\x01"), false},
		{"tab", `{"region":"a\tb"}`, fields("Region", "a\tb"), true},
		{"integer", `{"level":42}`, fields("Level", "42"), true},
		{"integer, with a fraction of zero", `{"level":42}`, fields("Level", "42.0"), true},
		{"integer, fraction in the body", `{"level":42.0}`, fields("Level", "42"), true},
		{"integer with an exponent", `{"level":42}`, fields("Level", "4.2e1"), true},
		{"negative", `{"level":-7}`, fields("Level", "-7"), true},
		{"minus zero", `{"level":0}`, fields("Level", "-0"), true},
		{"another integer", `{"level":42}`, fields("Level", "43"), false},
		{"beyond 2^53 told apart", `{"level":9007199254740993}`, fields("Level", "9007199254740992.0"), false},
		{"beyond 2^53 the same", `{"level":9007199254740993}`, fields("Level", "9007199254740993"), true},
		{"hexadecimal", `{"level":42}`, fields("Level", "0x2a"), false},
		{"plus", `{"level":42}`, fields("Level", "+42"), false},
		{"infinity", `{"level":42}`, fields("Level", "Inf"), false},
		{"huge exponent", `{"level":42}`, fields("Level", "1e999999999"), false},
		{"empty", `{"level":42}`, fields("Level", ""), false},
		{"boolean", `{"dry":true}`, fields("dry-run", "true"), true},
		{"boolean in another case", `{"dry":true}`, fields("dry-run", "True"), false},
		{"nested", `{"deep":{"er":"x"}}`, fields("Deep", "x"), true},
		{"nested but no field", `{"deep":{"er":"x"}}`, nil, false},
		{"no object on the way", `{"deep":"x"}`, nil, true},
		{"object where a string is due", `{"region":{}}`, fields("Region", "{}"), false},
	}
	for _, tt := range tests {
		meta := &RequestMeta{HTTP: true, ProtocolVersion: []byte(modern), Method: []byte("tools/call"), Name: []byte("x"), Params: tt.fields}
		a := c.callHTTP("tools/call", `"name":"x","arguments":`+tt.args, meta)
		if tt.ok {
			a.wantResult(tt.why)
		} else {
			a.wantError(tt.why, -32020, 400)
		}
	}
	c.call("tools/call", `"name":"x","arguments":{"region":"a"}`).wantResult("without HTTP no field is expected")
}

func FuzzDecodeField(f *testing.F) {
	for _, v := range []string{"", "a", "=?base64?YQ==?=", "=?base64?=?=", "=?base64??=", "=?base64?="} {
		f.Add([]byte(v))
	}
	f.Fuzz(func(t *testing.T, v []byte) {
		out, ok := decodeField(v)
		if ok && !validFieldValue(v) {
			t.Errorf("%q accepted", v)
		}
		if ok && string(out) != string(v) && len(v) < len(base64Prefix)+len(base64Suffix) {
			t.Errorf("%q decoded to %q", v, out)
		}
	})
}
