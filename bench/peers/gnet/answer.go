package main

import (
	"bytes"
	"strconv"

	"github.com/panjf2000/gnet/v2"
)

// A fixed answer is the result that follows the id.
const (
	meta         = `"_meta":{"io.modelcontextprotocol/serverInfo":{"name":"peer-gnet","version":"1"}}`
	capabilities = `"capabilities":{"tools":{"listChanged":true}}`
	tools        = `{"name":"echo","description":"Says ahoy.","inputSchema":{"type":"object","properties":{"text":{"type":"string"}},"required":["text"]}},` +
		`{"name":"toggle","description":"Adds the tool extra, or removes it.","inputSchema":{"type":"object"}}`
	extra = `,{"name":"extra","description":"Exists until toggle is called again.","inputSchema":{"type":"object"}}`

	called      = `{"content":[{"type":"text","text":"ahoy"}]}`
	calledNow   = `{"content":[{"type":"text","text":"ahoy"}],"resultType":"complete",` + meta + `}`
	discovered  = `{"resultType":"complete","supportedVersions":["2026-07-28","2025-11-25"],` + capabilities + `,"ttlMs":0,"cacheScope":"private",` + meta + `}`
	initialized = `{"protocolVersion":"2025-11-25",` + capabilities + `,"serverInfo":{"name":"peer-gnet","version":"1"}}`
	empty       = `{}`
	cached      = `,"resultType":"complete","ttlMs":0,"cacheScope":"private",` + meta
)

const (
	date       = "Date: Sun, 22 Nov 2026 00:00:00 GMT\r\n"
	okHead     = "HTTP/1.1 200 OK\r\n" + date
	streamHead = okHead + "Content-Type: text/event-stream\r\nCache-Control: no-cache\r\nTransfer-Encoding: chunked\r\n\r\n"
	healthy    = okHead + "Content-Type: text/plain\r\nContent-Length: 3\r\n\r\nok\n"
	accepted   = "HTTP/1.1 202 Accepted\r\n" + date + "Content-Length: 0\r\n\r\n"
	noContent  = "HTTP/1.1 204 No Content\r\n" + date + "\r\n"
	notFound   = "HTTP/1.1 404 Not Found\r\n" + date + "Content-Length: 0\r\n\r\n"
	// Every client gets the same session: its ID is never checked.
	session = "Mcp-Session-Id: 7e40be5c9d2f4a1d8c62\r\n"
)

// answer appends the answer to req, and does what it requests.
func (f *floor) answer(dst []byte, c gnet.Conn, req *request) []byte {
	switch {
	case string(req.path) != "/mcp":
		return f.other(dst, req)
	case req.method == "GET":
		f.keep(c, nil)
		return append(append(dst, streamHead...), "3\r\n:\n\n\r\n"...)
	case req.method == "DELETE":
		return append(dst, noContent...)
	case req.id == nil:
		return append(dst, accepted...)
	}
	switch method := methodOf(req.body); string(method) {
	case "tools/call":
		if bytes.Contains(req.body, []byte(`"name":"toggle"`)) {
			f.toggle()
		}
		if req.modern {
			return appendAnswer(dst, req.id, calledNow, "")
		}
		return appendAnswer(dst, req.id, called, "")
	case "subscriptions/listen":
		f.keep(c, req.id)
		return appendAcknowledged(append(dst, streamHead...), req.id)
	case "server/discover":
		return appendAnswer(dst, req.id, discovered, "")
	case "initialize":
		return appendAnswer(dst, req.id, initialized, session)
	case "tools/list":
		list := `{"tools":[` + tools
		if f.extra.Load() {
			list += extra
		}
		list += `]`
		if req.modern {
			list += cached
		}
		return appendAnswer(dst, req.id, list+`}`, "")
	}
	return appendAnswer(dst, req.id, empty, "")
}

// other answers requests outside the MCP endpoint.
func (f *floor) other(dst []byte, req *request) []byte {
	switch string(req.path) {
	case "/healthz":
		return append(dst, healthy...)
	case "/change":
		f.toggle()
		return append(dst, noContent...)
	}
	return append(dst, notFound...)
}

// methodOf returns the value of the first "method" in body.
func methodOf(body []byte) []byte {
	_, rest, _ := bytes.Cut(body, []byte(`"method":"`))
	method, _, _ := bytes.Cut(rest, []byte{'"'})
	return method
}

// appendAnswer appends a whole answer of result, with fields in its head.
func appendAnswer(dst, id []byte, result, fields string) []byte {
	const before, after = `{"jsonrpc":"2.0","id":`, `,"result":`
	dst = append(dst, okHead...)
	dst = append(dst, fields...)
	dst = append(dst, "Content-Type: application/json\r\nContent-Length: "...)
	dst = strconv.AppendInt(dst, int64(len(before)+len(id)+len(after)+len(result)+1), 10)
	dst = append(dst, endOfHead...)
	dst = append(dst, before...)
	dst = append(dst, id...)
	dst = append(dst, after...)
	dst = append(dst, result...)
	return append(dst, '}')
}

// appendAcknowledged appends the first event of a subscription.
func appendAcknowledged(dst, id []byte) []byte {
	return appendEvent(dst, `{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{"notifications":{"toolsListChanged":true},"_meta":{"io.modelcontextprotocol/subscriptionId":`, id, `}}}`)
}

// appendChanged appends the event of a change: of a subscription with that id, or of a session if
// it is nil.
func appendChanged(dst, id []byte) []byte {
	if id == nil {
		return appendEvent(dst, `{"jsonrpc":"2.0","method":"notifications/tools/list_changed"`, nil, `}`)
	}
	return appendEvent(dst, `{"jsonrpc":"2.0","method":"notifications/tools/list_changed","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":`, id, `}}}`)
}

// appendEvent appends a chunk with one event.
func appendEvent(dst []byte, before string, id []byte, after string) []byte {
	const data, end = "data: ", "\n\n"
	dst = strconv.AppendInt(dst, int64(len(data)+len(before)+len(id)+len(after)+len(end)), 16)
	dst = append(dst, "\r\n"+data...)
	dst = append(dst, before...)
	dst = append(dst, id...)
	dst = append(dst, after...)
	return append(dst, end+"\r\n"...)
}
