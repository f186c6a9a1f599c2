package child

import (
	"bytes"

	"github.com/mooring-mcp/mooring/jsonrpc"
)

// A class says what a line of a child is to the link.
type class uint8

const (
	stray    class = iota // not a message
	response              // to a request of this side, with its id
	other                 // a request, a notification, or a response without a usable id
)

// classify finds out what msg, which begins with '{', is. It does not validate: a message may turn
// out not to be JSON. It finds the same id as a strict decoder that accepts msg.
func classify(msg []byte) (id int64, c class) {
	var hasID, hasResult bool
	for name, value := range jsonrpc.Members(msg) {
		switch {
		case jsonrpc.EqualString(name, "method"):
			return 0, other
		case jsonrpc.EqualString(name, "id"):
			id, hasID = jsonrpc.IntValue(value)
		case jsonrpc.EqualString(name, "result"), jsonrpc.EqualString(name, "error"):
			hasResult = true
		}
	}
	switch {
	case hasResult && hasID:
		return id, response
	case hasResult:
		return 0, other
	}
	return 0, stray
}

// requestOf returns the id of the request that a line too long for the limit responds to, from what
// is kept of it.
func requestOf(l *longLine) (id int64, ok bool) {
	head := bytes.TrimLeft(l.head, " \t")
	if len(head) == 0 || head[0] != '{' {
		return 0, false
	}
	var hasID, hasResult bool
	for name, value := range jsonrpc.Members(head) {
		cut := len(value) == 0 || &value[len(value)-1] == &head[len(head)-1]
		switch {
		case jsonrpc.EqualString(name, "method"), jsonrpc.EqualString(name, "params"):
			return 0, false
		case jsonrpc.EqualString(name, "id") && !cut:
			id, hasID = jsonrpc.IntValue(value)
		case jsonrpc.EqualString(name, "result"), jsonrpc.EqualString(name, "error"):
			hasResult = true
		}
	}
	if !hasResult {
		return 0, false
	}
	if !hasID {
		id, hasID = lastID(l.tail)
	}
	return id, hasID
}

// lastID returns the id if it is the last member of an object that ends with tail, where the
// official TypeScript SDK writes it. If the text is JSON, its last brace closes the message, so the
// member before it is one of the message; and its name begins with a quotation mark that follows a
// comma, which therefore is not part of a string.
func lastID(tail []byte) (id int64, ok bool) {
	const name = `"id"`
	space := " \t\r"
	rest, ok := bytes.CutSuffix(bytes.TrimRight(tail, space), []byte{'}'})
	if !ok {
		return 0, false
	}
	rest = bytes.TrimRight(rest, space)
	digits := rest[bytes.LastIndexAny(rest, ": \t,")+1:]
	rest, ok = bytes.CutSuffix(bytes.TrimRight(rest[:len(rest)-len(digits)], space), []byte{':'})
	if !ok {
		return 0, false
	}
	rest, ok = bytes.CutSuffix(bytes.TrimRight(rest, space), []byte(name))
	if !ok || !bytes.HasSuffix(bytes.TrimRight(rest, space), []byte{','}) {
		return 0, false
	}
	return jsonrpc.IntValue(digits)
}
