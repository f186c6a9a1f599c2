package mcp

import (
	"bytes"

	"github.com/mooring-mcp/mooring/jsonrpc"
)

// The functions in this file write content of an upstream in a revision. What needs no change is
// returned as it is. Content of a kind that the revision does not have becomes text, so that the
// model learns of it.

// rawKind reports whether the revision has content of the kind, a JSON string.
func (w *wire) rawKind(kind []byte) bool {
	text, _ := stringOf(kind)
	switch string(text) {
	case "text", "image", "resource":
		return true
	case "audio":
		return w.audio
	case "resource_link":
		return w.resourceLinks
	}
	return w.all()
}

// rawContents returns arr, the content of a tool's result.
func (w *wire) rawContents(arr []byte) []byte {
	return w.rawEach(arr, w.rawContent)
}

// rawMessages returns arr, the messages of a prompt.
func (w *wire) rawMessages(arr []byte) []byte {
	return w.rawEach(arr, func(msg []byte) []byte {
		was := member(msg, "content")
		own := w.rawContent(was)
		if sameBytes(was, own) {
			return msg
		}
		return withMember(msg, "content", own)
	})
}

// rawEach returns arr with each element as change returns it.
func (w *wire) rawEach(arr []byte, change func([]byte) []byte) []byte {
	var out []byte
	n, at := 0, 0
	for e := range jsonrpc.Elements(arr) {
		own := change(e)
		if out == nil && sameBytes(own, e) {
			n++
			continue
		}
		if out == nil { // the first change: copy what comes before
			out = make([]byte, 0, len(arr)+len(own))
			out = append(out, '[')
			for before := range jsonrpc.Elements(arr) {
				if at++; at > n {
					break
				}
				out = append(append(out, before...), ',')
			}
		} else {
			out = append(out, ',')
		}
		out = append(out, own...)
	}
	if out == nil {
		return arr
	}
	return append(out, ']')
}

// rawContent returns item, one piece of content.
func (w *wire) rawContent(item []byte) []byte {
	kind := member(item, "type")
	if !isObject(item) || w.rawKind(kind) {
		return item
	}
	name, _ := stringOf(kind)
	var text []byte
	switch string(name) {
	case "resource_link":
		text = appendString(nil, linkText(&ResourceLink{
			URI: memberString(item, "uri"), Name: memberString(item, "name"),
			Title: memberString(item, "title"), Description: memberString(item, "description"),
		}))
	default:
		shown := "[" + string(name)
		if mime := memberString(item, "mimeType"); mime != "" {
			shown += ": " + mime
		}
		text = appendString(nil, shown+"]")
	}
	out := append(append([]byte(`{"type":"text","text":`), text...), '}')
	if notes := member(item, "annotations"); isObject(notes) {
		out = append(append(append(out[:len(out)-1], `,"annotations":`...), notes...), '}')
	}
	return out
}

// withText returns content, an array or nil, with structured as text, unless it has that already.
func withText(content, structured []byte) []byte {
	text := appendQuotedLine(nil, structured)
	for e := range jsonrpc.Elements(content) {
		if said, ok := stringOf(member(e, "text")); ok && sameJSON(said, structured) {
			return content
		}
	}
	out := []byte{'['}
	for e := range jsonrpc.Elements(content) {
		out = append(append(out, e...), ',')
	}
	out = append(append(out, `{"type":"text","text":`...), text...)
	return append(out, `}]`...)
}

// sameJSON reports whether said is the text of value, white space at its ends aside.
func sameJSON(said, value []byte) bool { return bytes.Equal(bytes.TrimSpace(said), value) }

// appendQuotedLine appends value, which is JSON, as a JSON string.
func appendQuotedLine(dst, value []byte) []byte {
	return appendString(dst, string(appendLine(nil, value)))
}

// withMember returns obj with value as its member of that name.
func withMember(obj []byte, name string, value []byte) []byte {
	out := make([]byte, 0, len(obj)+len(value))
	out = append(out, '{')
	for n, v := range jsonrpc.Members(obj) {
		if jsonrpc.EqualString(n, name) {
			v = value
		}
		out = append(appendName(out, n), v...)
	}
	return append(out, '}')
}
