package dialect

import (
	"bytes"

	"github.com/mooring-mcp/mooring/jsonrpc"
)

// Methods of notifications on a stream of changes.
const (
	// The first message on a stream of Modern.
	Acknowledged     = "notifications/subscriptions/acknowledged"
	ToolsListChanged = "notifications/tools/list_changed"
)

// Result parses a message that answers a request whose id is an integer: the content of a JSON
// response, or the data of an event. ok reports whether body is such a message. isError reports
// whether the request failed: the message is an error response, or the result of a tool with
// isError true. Result does not allocate.
func Result(body []byte) (id int64, isError, ok bool) {
	var m jsonrpc.Envelope
	if m.Decode(body) != nil || m.Kind != jsonrpc.KindResult && m.Kind != jsonrpc.KindErrorResponse || m.ID == nil {
		return 0, false, false
	}
	if id, ok = jsonrpc.IntValue(m.ID); !ok {
		return 0, false, false
	}
	if m.Kind == jsonrpc.KindErrorResponse {
		return id, true, true
	}
	flag, _ := jsonrpc.Member(m.Result, "isError")
	return id, string(flag) == "true", true
}

// Method returns the method of a notification or a request, or nil. It aliases body unless the
// method was written with escapes.
func Method(body []byte) []byte {
	var m jsonrpc.Envelope
	if m.Decode(body) != nil {
		return nil
	}
	return m.Method
}

// Session returns the value of the Mcp-Session-Id field in a response head, with or without the
// empty line that ends the head. It is nil if there is none that a client may use: an id consists
// of visible ASCII characters only (2025-11-25, transports, "Session Management"). It aliases head.
func Session(head []byte) []byte {
	const name = "mcp-session-id:"
	for {
		i := bytes.IndexByte(head, '\n')
		if i < 0 {
			return nil
		}
		head = head[i+1:]
		if len(head) < len(name) || !bytes.EqualFold(head[:len(name)], []byte(name)) {
			continue
		}
		value := head[len(name):]
		if i := bytes.IndexByte(value, '\n'); i >= 0 {
			value = value[:i]
		}
		value = bytes.Trim(value, " \t\r")
		if !visible(value) {
			return nil
		}
		return value[:len(value):len(value)]
	}
}
