package mcp

import (
	"bytes"

	"github.com/mooring-mcp/mooring/jsonrpc"
)

// params are the members that the methods read from a request's params. They are JSON text that
// aliases the message, and nil if absent.
type params struct {
	raw            []byte // the object itself
	meta           []byte
	name           []byte
	uri            []byte
	cursor         []byte
	arguments      []byte
	inputResponses []byte
	requestState   []byte
	ref            []byte
	argument       []byte
	context        []byte
	notifications  []byte
	version        []byte // protocolVersion of initialize
}

// scan reads the members of obj. It ignores members with other names, as the protocol wants. A
// member that is null counts as absent, even if it is required, because many serializers write
// null for a value that is not set.
func (p *params) scan(obj []byte) {
	p.raw = obj
	for name, value := range jsonrpc.Members(obj) {
		if isNull(value) {
			continue
		}
		switch string(unescaped(name)) {
		case "_meta":
			p.meta = value
		case "name":
			p.name = value
		case "uri":
			p.uri = value
		case "cursor":
			p.cursor = value
		case "arguments":
			p.arguments = value
		case "inputResponses":
			p.inputResponses = value
		case "requestState":
			p.requestState = value
		case "ref":
			p.ref = value
		case "argument":
			p.argument = value
		case "context":
			p.context = value
		case "notifications":
			p.notifications = value
		case "protocolVersion":
			p.version = value
		}
	}
}

// unescaped returns the value of a member's name as [jsonrpc.Members] yields it.
func unescaped(name []byte) []byte {
	if bytes.IndexByte(name, '\\') < 0 {
		return name
	}
	return jsonrpc.Unquote(nil, name)
}

// stringOf returns the value of raw and whether raw is a JSON string. Unless it has escapes, the
// value aliases raw.
func stringOf(raw []byte) ([]byte, bool) {
	if len(raw) < 2 || raw[0] != '"' {
		return nil, false
	}
	return unescaped(raw[1 : len(raw)-1]), true
}

func isObject(raw []byte) bool { return len(raw) > 1 && raw[0] == '{' }

// member returns the value of the named member of obj, or nil if there is none or it is null.
func member(obj []byte, name string) []byte {
	raw, _ := jsonrpc.Member(obj, name)
	if isNull(raw) {
		return nil
	}
	return raw
}

func isNull(raw []byte) bool { return string(raw) == "null" }

// emptyObject reports whether raw is {}, perhaps with white space between the braces.
func emptyObject(raw []byte) bool {
	return isObject(raw) && len(bytes.TrimLeft(raw[1:], " \t\r\n")) == 1
}
