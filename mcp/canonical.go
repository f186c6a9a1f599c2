package mcp

import (
	"bytes"
	"slices"

	"github.com/mooring-mcp/mooring/jsonrpc"
)

// maxCanonicalDepth ends the recursion on input that is not a decoded message. Decoded messages
// are at most jsonrpc.MaxDepth deep.
const maxCanonicalDepth = jsonrpc.MaxDepth

// appendCanonical appends raw without white space, with the members of objects sorted by name and
// with one spelling for each string. A client that sends a request again may encode it anew, in
// another order. Numbers are compared by their text.
func appendCanonical(dst, raw []byte) []byte { return canonical(dst, raw, 0) }

func canonical(dst, raw []byte, depth int) []byte {
	if len(raw) == 0 || depth > maxCanonicalDepth {
		return append(dst, raw...)
	}
	switch raw[0] {
	case '{':
		type member struct{ name, value []byte }
		var members []member
		for name, value := range jsonrpc.Members(raw) {
			members = append(members, member{unescaped(name), value})
		}
		slices.SortFunc(members, func(a, b member) int { return bytes.Compare(a.name, b.name) })
		dst = append(dst, '{')
		for _, m := range members {
			dst = append(jsonrpc.AppendString(dst, string(m.name)), ':')
			dst = append(canonical(dst, m.value, depth+1), ',')
		}
		return append(dst, '}')
	case '[':
		dst = append(dst, '[')
		for e := range jsonrpc.Elements(raw) {
			dst = append(canonical(dst, e, depth+1), ',')
		}
		return append(dst, ']')
	case '"':
		s, _ := stringOf(raw)
		return jsonrpc.AppendString(dst, string(s))
	}
	return append(dst, raw...)
}
