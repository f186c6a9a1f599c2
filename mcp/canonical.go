package mcp

import (
	"bytes"
	"slices"

	"github.com/mooring-mcp/mooring/jsonrpc"
)

// maxCanonicalDepth ends the recursion on what is no decoded message; those are at
// most jsonrpc.MaxDepth deep.
const maxCanonicalDepth = jsonrpc.MaxDepth

// appendCanonical appends raw without white space, with the members of objects in the
// order of their names and strings in one spelling. Clients that send a request again
// may write it anew, in another order; numbers are compared by their text.
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
