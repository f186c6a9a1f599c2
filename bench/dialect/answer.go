package dialect

import (
	"bytes"

	"github.com/mooring-mcp/mooring/jsonrpc"
)

// Methods of notifications that a stream of changes carries.
const (
	Acknowledged     = "notifications/subscriptions/acknowledged" // the first on a stream of Modern
	ToolsListChanged = "notifications/tools/list_changed"
)

// Result reads a message that answers a request whose id is an integer: the content of a JSON response, or the data of an event. Ok says whether it is one. IsError says whether the request failed: the message
// has an error, or it has a result of a tool with isError true. It allocates nothing.
func Result(body []byte) (id int64, isError, ok bool) {
	var m jsonrpc.Message
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

// Method returns the method of a message that is a notification or a request, or nil. It aliases body, except if it was written with escapes.
func Method(body []byte) []byte {
	var m jsonrpc.Message
	if m.Decode(body) != nil {
		return nil
	}
	return m.Method
}

// Session returns the value of the Mcp-Session-Id field of a response's head, with or without the empty line that ends it. It is nil if there is none that a client may take: an id has visible ASCII characters
// only (2025-11-25, transports, "Session Management"). It aliases head.
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
