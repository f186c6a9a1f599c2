package mcptest

import (
	"fmt"
	"strconv"

	json "github.com/goccy/go-json"
	"github.com/mooring-mcp/mooring/jsonrpc"
	"github.com/mooring-mcp/mooring/mcp"
)

// decodeResult decodes the text of a result into res.
func decodeResult(text []byte, res any) error {
	if r, ok := res.(*mcp.CallToolResult); ok && decodePlain(text, r) {
		return nil
	}
	if err := json.Unmarshal(text, res); err != nil {
		return fmt.Errorf("mcptest: the result: %w", err)
	}
	return nil
}

// decodePlain decodes the result of a tool whose content is text without annotations, as most are,
// in a fifth of the time that Unmarshal takes. For other results it returns false, with res
// unchanged.
func decodePlain(text []byte, res *mcp.CallToolResult) bool {
	var r mcp.CallToolResult
	for name, value := range jsonrpc.Members(text) {
		switch string(name) {
		case "resultType":
		case "content":
			if value[0] != '[' {
				return false
			}
			r.Content = make([]mcp.Content, 0, 1)
			for item := range jsonrpc.Elements(value) {
				s, ok := plainText(item)
				if !ok {
					return false
				}
				r.Content = append(r.Content, &mcp.TextContent{Text: s})
			}
		case "structuredContent":
			r.StructuredContent = decodeAny(value)
		case "isError":
			r.IsError = string(value) == "true"
		case "_meta":
			m, ok := decodeAny(value).(map[string]any)
			if !ok {
				return false
			}
			r.Meta = m
		default:
			return false
		}
	}
	*res = r
	return true
}

// plainText returns the text of a content block, and whether the block has nothing else.
func plainText(block []byte) (text string, ok bool) {
	for name, value := range jsonrpc.Members(block) {
		switch string(name) {
		case "type":
			if string(value) != `"text"` {
				return "", false
			}
		case "text":
			text, ok = jsonrpc.StringValue(value)
		default:
			return "", false
		}
	}
	return text, ok
}

// decodeAny returns the value of raw, which is valid JSON, as Unmarshal stores it in an any. A
// number that is not a float64 is a json.Number.
func decodeAny(raw []byte) any {
	switch raw[0] {
	case '{':
		m := make(map[string]any)
		for name, value := range jsonrpc.Members(raw) {
			m[string(jsonrpc.Unquote(nil, name))] = decodeAny(value)
		}
		return m
	case '[':
		all := make([]any, 0)
		for item := range jsonrpc.Elements(raw) {
			all = append(all, decodeAny(item))
		}
		return all
	case '"':
		s, _ := jsonrpc.StringValue(raw)
		return s
	case 't':
		return true
	case 'f':
		return false
	case 'n':
		return nil
	}
	f, err := strconv.ParseFloat(string(raw), 64)
	if err != nil || len(raw) > 15 && strconv.FormatFloat(f, 'f', -1, 64) != string(raw) {
		return json.Number(raw)
	}
	return f
}
