package upstream

import (
	"bytes"
	"strconv"
	"strings"

	"github.com/mooring-mcp/mooring/jsonrpc"
)

const (
	metaPrefix       = "io.modelcontextprotocol/"
	metaVersion      = metaPrefix + "protocolVersion"
	metaServerInfo   = metaPrefix + "serverInfo"
	metaSubscription = metaPrefix + "subscriptionId"
)

// A stamp is what the gateway writes into a request of its own accord.
type stamp struct {
	modern       bool
	clientInfo   []byte
	capabilities []byte // of this request; only a modern upstream gets them
	level        Level  // likewise
	progress     bool   // ask for progress, by the id of the request
	replace      string // the member of params that becomes name; "" for none
	name         string
}

// appendRequest appends a request with the members of params, which is an object or nil. Reserved
// members of _meta and the progress token are those of the hop; the rest of _meta stays. There is
// no line end in what is appended.
func appendRequest(dst []byte, id int64, method string, params []byte, st *stamp) []byte {
	dst = append(appendHead(dst, id, method), `,"params":{`...)
	start := len(dst)
	var meta []byte
	for name, value := range jsonrpc.Members(params) {
		switch {
		case jsonrpc.EqualString(name, "_meta"):
			meta = value
			continue
		case st.replace != "" && jsonrpc.EqualString(name, st.replace):
			dst = appendName(dst, start, name)
			dst = jsonrpc.AppendString(dst, st.name)
			continue
		}
		dst = appendOneLine(appendName(dst, start, name), value)
	}
	dst = appendMeta(dst, start, id, meta, st)
	if len(dst) == start {
		return append(dst[:start-len(`,"params":{`)], '}')
	}
	return append(dst, `}}`...)
}

// appendHead appends a request up to its method.
func appendHead(dst []byte, id int64, method string) []byte {
	dst = strconv.AppendInt(append(dst, `{"jsonrpc":"2.0","id":`...), id, 10)
	return jsonrpc.AppendString(append(dst, `,"method":`...), method)
}

// appendName appends the name of a member, which is quoted JSON without quotation marks. The
// object began at start.
func appendName(dst []byte, start int, name []byte) []byte {
	if len(dst) > start {
		dst = append(dst, ',')
	}
	dst = append(append(dst, '"'), name...)
	return append(dst, `":`...)
}

// appendMeta appends the member _meta, if it is not empty.
func appendMeta(dst []byte, start int, id int64, meta []byte, st *stamp) []byte {
	before := len(dst)
	if len(dst) > start {
		dst = append(dst, ',')
	}
	dst = append(dst, `"_meta":{`...)
	open := len(dst)
	for name, value := range jsonrpc.Members(meta) {
		if !belongsToHop(name) {
			dst = appendOneLine(appendName(dst, open, name), value)
		}
	}
	dst = appendHop(dst, open, id, st)
	if len(dst) == open {
		return dst[:before]
	}
	return append(dst, '}')
}

// appendHop appends the members of _meta that the gateway gives a request. The object began at
// start.
func appendHop(dst []byte, start int, id int64, st *stamp) []byte {
	if st.progress {
		dst = strconv.AppendInt(appendName(dst, start, []byte("progressToken")), id, 10)
	}
	if !st.modern {
		return dst
	}
	dst = append(appendName(dst, start, []byte(metaVersion)), `"`+modernVersion+`"`...)
	dst = append(appendName(dst, start, []byte(metaPrefix+"clientInfo")), st.clientInfo...)
	dst = appendName(dst, start, []byte(metaPrefix+"clientCapabilities"))
	if len(st.capabilities) > 0 {
		dst = appendOneLine(dst, st.capabilities)
	} else {
		dst = append(dst, `{}`...)
	}
	if level := st.level.String(); level != "" {
		dst = jsonrpc.AppendString(appendName(dst, start, []byte(metaPrefix+"logLevel")), level)
	}
	return dst
}

// belongsToHop reports whether the member of _meta with the name is between two neighbours, and
// not passed on.
func belongsToHop(name []byte) bool {
	if bytes.IndexByte(name, '\\') >= 0 {
		name = jsonrpc.Unquote(nil, name)
	}
	return string(name) == "progressToken" || strings.HasPrefix(string(name), metaPrefix)
}

// appendOneLine appends text, valid JSON, with spaces for line ends.
func appendOneLine(dst, text []byte) []byte {
	start := len(dst)
	dst = append(dst, text...)
	replaceLineEnds(dst[start:])
	return dst
}

// hasLineEnds reports whether text has line ends. In JSON they are white space.
func hasLineEnds(text []byte) bool {
	return bytes.IndexByte(text, '\n') >= 0 || bytes.IndexByte(text, '\r') >= 0
}

func replaceLineEnds(text []byte) {
	if !hasLineEnds(text) {
		return
	}
	for i, b := range text {
		if b == '\n' || b == '\r' {
			text[i] = ' '
		}
	}
}

// restoreToken returns params of notifications/progress with the token of the front, raw JSON, for
// the upstream's.
func restoreToken(params, token []byte) []byte {
	dst := make([]byte, 0, len(params)+len(token))
	dst = append(dst, '{')
	for name, value := range jsonrpc.Members(params) {
		dst = appendName(dst, 1, name)
		if jsonrpc.EqualString(name, "progressToken") {
			value = token
		}
		dst = append(dst, value...)
	}
	return append(dst, '}')
}

// appendCancelled appends the notification that the request with the id is cancelled.
func appendCancelled(dst []byte, id int64, reason string) []byte {
	dst = append(dst, `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":`...)
	dst = strconv.AppendInt(dst, id, 10)
	if reason != "" {
		dst = jsonrpc.AppendString(append(dst, `,"reason":`...), reason)
	}
	return append(dst, `}}`...)
}
