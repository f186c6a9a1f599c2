package dialect

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"

	"github.com/mooring-mcp/mooring/jsonrpc"
)

// A session argument is the id that initialize returned, see [Session]. An empty one is left out:
// the server has no sessions. Modern and Plain have no sessions and ignore the argument.

// AppendDiscover appends server/discover, which only Modern has.
func (t *Target) AppendDiscover(dst []byte, id int64) []byte {
	t.need(Modern, "server/discover")
	dst, at := t.begin(dst, "server/discover", "", nil)
	dst = appendEnvelope(dst, id, "server/discover")
	return t.end(dst, at, false)
}

// AppendInitialize appends initialize, which only Legacy has. It requests t.Revision.
func (t *Target) AppendInitialize(dst []byte, id int64) []byte {
	t.need(Legacy, "initialize")
	dst, at := openLength(append(dst, t.first...))
	dst = appendEnvelope(dst, id, "initialize")
	dst = append(dst, `"protocolVersion":"`...)
	dst = append(dst, t.Revision...)
	dst = append(dst, `","capabilities":{},"clientInfo":`+clientInfo...)
	return t.end(dst, at, true)
}

// AppendInitialized appends notifications/initialized, which only Legacy has. It gets 202.
func (t *Target) AppendInitialized(dst, session []byte) []byte {
	t.need(Legacy, "notifications/initialized")
	dst, at := t.begin(dst, "notifications/initialized", "", session)
	dst = append(dst, `{"jsonrpc":"2.0","method":"notifications/initialized"}`...)
	return closeLength(dst, at)
}

// AppendPing appends a request that needs nothing but an answer: ping in Legacy, and
// server/discover in Modern, which has no ping.
func (t *Target) AppendPing(dst []byte, id int64, session []byte) []byte {
	if t.Era == Modern {
		return t.AppendDiscover(dst, id)
	}
	t.need(Legacy, "ping")
	dst, at := t.begin(dst, "ping", "", session)
	dst = appendEnvelope(dst, id, "ping")
	return t.end(dst, at, false)
}

// AppendToolsList appends tools/list without a cursor: the request for the first page.
func (t *Target) AppendToolsList(dst []byte, id int64, session []byte) []byte {
	return t.appendToolsPage(dst, id, session, nil)
}

// appendToolsPage appends tools/list. cursor is a JSON string, or nil.
func (t *Target) appendToolsPage(dst []byte, id int64, session, cursor []byte) []byte {
	t.needMCP("tools/list")
	dst, at := t.begin(dst, "tools/list", "", session)
	dst = appendEnvelope(dst, id, "tools/list")
	if cursor != nil {
		dst = append(append(dst, `"cursor":`...), cursor...)
	}
	return t.end(dst, at, cursor != nil)
}

// AppendCall appends tools/call. arguments must be a JSON object, which is not checked; empty means
// {}.
func (t *Target) AppendCall(dst []byte, id int64, session []byte, tool string, arguments []byte) []byte {
	t.needMCP("tools/call")
	dst, at := t.begin(dst, "tools/call", tool, session)
	dst = appendEnvelope(dst, id, "tools/call")
	dst = jsonrpc.AppendString(append(dst, `"name":`...), tool)
	dst = append(dst, `,"arguments":`...)
	if len(arguments) == 0 {
		arguments = emptyObject
	}
	dst = append(dst, arguments...)
	return t.end(dst, at, true)
}

// AppendListen appends subscriptions/listen for changes of the tool list, which only Modern has.
// Its answer is a stream whose first message is notifications/subscriptions/acknowledged.
func (t *Target) AppendListen(dst []byte, id int64) []byte {
	t.need(Modern, "subscriptions/listen")
	dst, at := t.begin(dst, "subscriptions/listen", "", nil)
	dst = appendEnvelope(dst, id, "subscriptions/listen")
	dst = append(dst, `"notifications":{"toolsListChanged":true}`...)
	return t.end(dst, at, true)
}

// AppendGet appends the GET that a stream answers, which Legacy and Plain have.
func (t *Target) AppendGet(dst, session []byte) []byte {
	if t.get == nil {
		panic("dialect: no GET in era " + t.Era.String())
	}
	return append(t.appendSession(append(dst, t.get...), session), "\r\n"...)
}

// AppendDelete appends the DELETE that ends a session, which only Legacy has.
func (t *Target) AppendDelete(dst, session []byte) []byte {
	t.need(Legacy, "DELETE")
	return append(t.appendSession(append(dst, t.del...), session), "\r\n"...)
}

// AppendStream appends the request that opens the era's stream of changes: subscriptions/listen in
// Modern, GET in the others.
func (t *Target) AppendStream(dst []byte, id int64, session []byte) []byte {
	if t.Era == Modern {
		return t.AppendListen(dst, id)
	}
	return t.AppendGet(dst, session)
}

var emptyObject = []byte("{}")

func (t *Target) need(e Era, what string) {
	if t.Era != e || e == Modern && t.meta == nil || e == Legacy && t.get == nil {
		panic(fmt.Sprintf("dialect: no %s in era %q, or not prepared", what, t.Era))
	}
}

func (t *Target) needMCP(what string) {
	if t.post == nil {
		panic(fmt.Sprintf("dialect: no %s in era %q, or not prepared", what, t.Era))
	}
}

// begin appends the head of a POST and returns the position of its Content-Length.
func (t *Target) begin(dst []byte, method, name string, session []byte) ([]byte, int) {
	dst = append(dst, t.post...)
	if t.Era == Modern {
		dst = append(append(append(dst, "Mcp-Method: "...), method...), "\r\n"...)
		if name != "" {
			dst = append(appendFieldValue(append(dst, "Mcp-Name: "...), name), "\r\n"...)
		}
	}
	return openLength(t.appendSession(dst, session))
}

func (t *Target) appendSession(dst, session []byte) []byte {
	if t.Era != Legacy || len(session) == 0 {
		return dst
	}
	return append(append(append(dst, "Mcp-Session-Id: "...), session...), "\r\n"...)
}

// appendEnvelope appends the part of a request that comes before the members of params.
func appendEnvelope(dst []byte, id int64, method string) []byte {
	dst = strconv.AppendInt(append(dst, `{"jsonrpc":"2.0","id":`...), id, 10)
	return append(append(append(dst, `,"method":"`...), method...), `","params":{`...)
}

// end closes params and the message. some reports whether params already has members.
func (t *Target) end(dst []byte, at int, some bool) []byte {
	if t.meta != nil {
		if some {
			dst = append(dst, ',')
		}
		dst = append(dst, t.meta...)
	}
	return closeLength(append(dst, "}}"...), at)
}

// The length of the content is unknown before the content is written. Most lengths have three
// digits, so that much room is reserved, and the content is moved only for other lengths.
const (
	freeDigits = 3
	afterField = len("\r\n\r\n")
)

// openLength appends the last field of a head without its value, and returns the position of the
// value. The content follows.
func openLength(dst []byte) ([]byte, int) {
	dst = append(dst, "Content-Length: "...)
	at := len(dst)
	return append(dst, "000\r\n\r\n"...), at
}

// closeLength fills in the length of what follows the head.
func closeLength(dst []byte, at int) []byte {
	n := len(dst) - at - freeDigits - afterField
	var text [20]byte
	digits := strconv.AppendInt(text[:0], int64(n), 10)
	if more := len(digits) - freeDigits; more > 0 {
		dst = append(dst, text[:more]...)
		copy(dst[at+freeDigits+more:], dst[at+freeDigits:len(dst)-more])
	} else if more < 0 {
		copy(dst[at+freeDigits+more:], dst[at+freeDigits:])
		dst = dst[:len(dst)+more]
	}
	copy(dst[at:], digits)
	return dst
}

// appendFieldValue appends s as the value of Mcp-Name: unchanged, or as =?base64?…?= if a field
// value cannot carry it or if it would look encoded (transports/streamable-http, "Value Encoding").
func appendFieldValue(dst []byte, s string) []byte {
	plain := s[0] != ' ' && s[len(s)-1] != ' ' && !strings.HasPrefix(s, "=?base64?")
	for i := 0; plain && i < len(s); i++ {
		plain = s[i] >= ' ' && s[i] < 0x7f
	}
	if plain {
		return append(dst, s...)
	}
	dst = append(dst, "=?base64?"...)
	at := len(dst)
	for range base64.StdEncoding.EncodedLen(len(s)) {
		dst = append(dst, '=')
	}
	encodeBase64(dst[at:], s)
	return append(dst, "?="...)
}

// encodeBase64 fills dst, which has the length of the encoding. It works in groups of three, so
// that s need not be converted to a slice.
func encodeBase64(dst []byte, s string) {
	var group [3]byte
	for len(s) > 0 {
		n := copy(group[:], s)
		base64.StdEncoding.Encode(dst, group[:n])
		s, dst = s[n:], dst[4:]
	}
}
