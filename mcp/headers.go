package mcp

import (
	"bytes"
	"encoding/base64"
	"math"
	"strconv"
	"strings"

	"github.com/mooring-mcp/mooring/jsonrpc"
	"github.com/mooring-mcp/mooring/mcp/internal/schema"
)

// This file has the rules of SEP-2243 (basic/transports/streamable-http, "Server Validation").
// Header fields that repeat parts of the body must agree with it, so that a proxy that routes by a
// header and the server that reads the body see the same request.

var (
	errTwice       = headerMismatch("a field was sent more than once")
	errNoVersion   = headerMismatch("MCP-Protocol-Version is missing")
	errVersion     = headerMismatch("MCP-Protocol-Version differs from the body")
	errNoMethodFld = headerMismatch("Mcp-Method is missing")
	errMethod      = headerMismatch("Mcp-Method differs from the body")
	errNoName      = headerMismatch("Mcp-Name is missing")
	errName        = headerMismatch("Mcp-Name differs from the body")
	errNameCoding  = headerMismatch("Mcp-Name is malformed")
)

// checkStandardHeaders compares the standard fields with the body: version and method, and c.name
// if named is true.
func (c *Call) checkStandardHeaders(meta *RequestMeta, method []byte, named bool) *jsonrpc.Error {
	version, _ := stringOf(c.env.version)
	switch {
	case meta.Duplicate:
		return errTwice
	case meta.ProtocolVersion == nil:
		return errNoVersion
	case !bytes.Equal(meta.ProtocolVersion, version):
		return errVersion
	case meta.Method == nil:
		return errNoMethodFld
	case !bytes.Equal(meta.Method, method):
		return errMethod
	case !named:
		return nil
	case meta.Name == nil:
		return errNoName
	}
	name, ok := decodeField(meta.Name)
	switch {
	case !ok:
		return errNameCoding
	case !bytes.Equal(name, c.name):
		return errName
	}
	return nil
}

const (
	base64Prefix = "=?base64?"
	base64Suffix = "?="
)

// decodeField returns the decoded field value ("Value Encoding"): the value itself, or the decoded
// base64 between the markers, which are case-sensitive. It returns false for a value with invalid
// characters or invalid base64.
func decodeField(v []byte) ([]byte, bool) {
	if !validFieldValue(v) {
		return nil, false
	}
	inner, ok := bytes.CutPrefix(v, []byte(base64Prefix))
	if !ok {
		return v, true
	}
	if inner, ok = bytes.CutSuffix(inner, []byte(base64Suffix)); !ok {
		return v, true
	}
	out, err := base64.StdEncoding.Strict().AppendDecode(nil, inner)
	return out, err == nil
}

// validFieldValue reports whether v consists of visible ASCII characters, spaces and tabs (RFC
// 9110, section 5.5, without obs-text).
func validFieldValue(v []byte) bool {
	for _, b := range v {
		if (b < ' ' || b > '~') && b != '\t' {
			return false
		}
	}
	return true
}

// A headerParam is a property of a tool's arguments that a header field repeats.
type headerParam struct {
	field string // the part of the field name after "Mcp-Param-", as annotated
	path  []string
}

// maxHeaderParams is how many of them a tool may have: checkParamHeaders has one bit for each.
const maxHeaderParams = 64

func headerParams(found []schema.HeaderParam) []headerParam {
	var out []headerParam
	for _, h := range found {
		out = append(out, headerParam{h.Name, h.Path})
	}
	return out
}

// checkParamHeaders compares the Mcp-Param fields with the arguments. A field that the tool
// declares must repeat a value of the arguments, and every such value must have its field. Fields
// that the tool does not declare are ignored.
func checkParamHeaders(known []headerParam, args []byte, meta *RequestMeta) *jsonrpc.Error {
	var seen uint64
	var refusal *jsonrpc.Error
	if meta.Params != nil {
		for name, value := range meta.Params {
			i := fieldIndex(known, name)
			if i < 0 {
				continue
			}
			if refusal = checkParamHeader(&known[i], args, value); refusal == nil && seen&(1<<i) != 0 {
				refusal = errTwice
			}
			if refusal != nil {
				return refusal
			}
			seen |= 1 << i
		}
	}
	for i := range known {
		if seen&(1<<i) == 0 && valueAt(args, known[i].path) != nil {
			return headerMismatch("Mcp-Param-" + known[i].field + " is missing")
		}
	}
	return nil
}

func fieldIndex(known []headerParam, name []byte) int {
	for i := range known {
		if len(known[i].field) == len(name) && strings.EqualFold(known[i].field, string(name)) {
			return i
		}
	}
	return -1
}

func checkParamHeader(h *headerParam, args, value []byte) *jsonrpc.Error {
	text, ok := decodeField(value)
	if !ok {
		return headerMismatch("Mcp-Param-" + h.field + " is malformed")
	}
	body := valueAt(args, h.path)
	if body == nil || !fieldEquals(text, body) {
		return headerMismatch("Mcp-Param-" + h.field + " differs from the body")
	}
	return nil
}

// valueAt returns the value of args at the path of property names. It returns nil if there is no
// value or it is null, because no field is expected then.
func valueAt(args []byte, path []string) []byte {
	for _, name := range path {
		var ok bool
		if args, ok = jsonrpc.Member(args, name); !ok {
			return nil
		}
	}
	if isNull(args) {
		return nil
	}
	return args
}

// fieldEquals reports whether text, the decoded field, has the same value as body, which is JSON.
// Strings are compared by octets, numbers by value, true and false by name.
func fieldEquals(text, body []byte) bool {
	if len(body) == 0 {
		return false
	}
	switch body[0] {
	case '"':
		s, ok := stringOf(body)
		return ok && bytes.Equal(text, s)
	case 't', 'f':
		return bytes.Equal(text, body)
	case '{', '[':
		return false
	}
	if bytes.Equal(text, body) {
		return true
	}
	a, okA := integer(text)
	b, okB := integer(body)
	return okA && okB && a == b
}

// integer returns the value of a decimal that is an integer, even if it is written as 42.0 or
// 4.2e1, within the range in which a float64 can represent every integer.
func integer(text []byte) (int64, bool) {
	if n, err := strconv.ParseInt(string(text), 10, 64); err == nil {
		return n, text[0] != '+'
	}
	for _, c := range text {
		if (c < '0' || c > '9') && c != '-' && c != '+' && c != '.' && c != 'e' && c != 'E' {
			return 0, false
		}
	}
	f, err := strconv.ParseFloat(string(text), 64)
	if err != nil || f != math.Trunc(f) || math.Abs(f) > 1<<53-1 {
		return 0, false
	}
	return int64(f), true
}
