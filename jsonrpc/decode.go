package jsonrpc

import (
	"bytes"
	"unicode/utf8"
)

// MaxIDLength is the maximum length in bytes of an id that is a string, without
// quotation marks and escapes. An integer has at most 19 digits.
const MaxIDLength = 256

// A field is a member of the envelope.
type field uint8

const (
	fieldOther field = iota // ignored
	fieldVersion
	fieldID
	fieldMethod
	fieldParams
	fieldResult
	fieldError
	fieldCase // differs from one of the above only in case
)

// Decode sets m to the message that data holds: one object, with nothing but white
// space after it. Decode validates and ignores members that JSON-RPC does not
// define. A member that is null counts as absent, except for jsonrpc, the id of
// anything but an error, and a result that makes the message a response.
//
// The error is an *Error. It has CodeParseError if data is not JSON by the rules of
// the package comment: for example if it is empty, nested too deeply, names a
// member twice or is longer than 4 GiB. It has CodeInvalidRequest if data is JSON
// but not a message. On an error m is zero, except that with CodeInvalidRequest
// m.ID is the id of the message if it has a valid one.
//
// Data is not changed; the slices of m alias it.
func (m *Envelope) Decode(data []byte) error {
	*m = Envelope{}
	if uint64(len(data)) > maxText {
		return errSize
	}
	if !utf8.Valid(data) {
		return errUTF8
	}
	start := skipSpace(data, 0)
	if start == len(data) || data[start] != '{' {
		if i := scanText(data); i < 0 {
			return scanError(i)
		}
		return errNotObject
	}
	var env outline
	var seen names
	i := env.scan(data, start, m, &seen)
	seen.release()
	if i >= 0 {
		i = scanEnd(data, i)
	}
	if i < 0 {
		*m = Envelope{}
		return scanError(i)
	}
	if err := env.check(m); err != nil {
		*m = Envelope{ID: m.ID}
		return err
	}
	return nil
}

// An outline is what is known of the message's object in addition to the Envelope.
type outline struct {
	version []byte // the value of jsonrpc
	method  []byte // the value of method
	misCase bool   // a name differs only in case
	badID   bool   // there is an id, and it is not valid
	nullID  bool   // the id is null
}

// scan validates the object at i and collects its members. It does not decide
// whether they form a message: that comes after the end of the text, because a
// text that is not JSON is refused for that.
func (env *outline) scan(b []byte, i int, m *Envelope, seen *names) int {
	i = skipSpace(b, i+1)
	if i < len(b) && b[i] == '}' {
		return i + 1
	}
	for {
		value, nameEnd, escaped := scanName(b, i, seen)
		if value < 0 {
			return value
		}
		end := scanValue(b, value, 1)
		if end < 0 {
			return end
		}
		raw := b[value:end:end]
		switch fieldOf(b[i+1:nameEnd], escaped) {
		case fieldVersion:
			env.version = raw
		case fieldID:
			switch {
			case raw[0] == 'n':
				env.nullID = true
			case validID(raw):
				m.ID = raw
			default:
				env.badID = true
			}
		case fieldMethod:
			env.method = present(raw)
		case fieldParams:
			m.Params = present(raw)
		case fieldResult:
			m.Result = raw
		case fieldError:
			m.Error = present(raw)
		case fieldCase:
			env.misCase = true
		}
		i = skipSpace(b, end)
		switch {
		case i >= len(b):
			return badSyntax
		case b[i] == '}':
			return i + 1
		case b[i] != ',':
			return badSyntax
		}
		i = skipSpace(b, i+1)
	}
}

// present returns raw, which is valid JSON or nil, or nil if it is null. Serializers with one type
// for all messages write null for the members that a message does not have.
func present(raw []byte) []byte {
	if len(raw) > 0 && raw[0] == 'n' {
		return nil
	}
	return raw
}

// check sets m.Kind and m.Method, or returns why the members are not a message. It
// has all rules of JSON-RPC 2.0, sections 4 and 5, that are not about syntax.
func (env *outline) check(m *Envelope) error {
	switch {
	case env.misCase:
		return errCase
	// "jsonrpc: A String specifying the version of the JSON-RPC protocol. MUST be
	// exactly "2.0"."
	case len(env.version) == 0 || env.version[0] != '"' || !EqualString(env.version, "2.0"):
		return errVersion
	// MCP, Base Protocol: "Requests MUST include a string or integer ID. […] the ID
	// MUST NOT be null." JSON-RPC 2.0, section 5: "If there was an error in detecting
	// the id in the Request object […], it MUST be Null."
	case env.badID, env.nullID && (env.method != nil || m.Error == nil):
		return errID
	}
	// Null is a valid result, so a null result counts as absent only if another
	// member decides the kind of message.
	if env.method != nil || m.Error != nil {
		m.Result = present(m.Result)
	}
	if env.method == nil {
		return checkResponse(m)
	}
	switch {
	// "method: A String containing the name of the method to be invoked."
	case env.method[0] != '"':
		return errMethod
	case m.Result != nil || m.Error != nil:
		return errMixed
	// "params: A Structured value […]. This member MAY be omitted." In MCP it is an
	// object.
	case m.Params != nil && m.Params[0] != '{':
		return errParams
	}
	m.Method = inner(env.method)
	if bytes.IndexByte(m.Method, '\\') >= 0 {
		m.Method = appendUnescaped(make([]byte, 0, len(m.Method)), m.Method)
	}
	m.Kind = KindRequest
	if m.ID == nil {
		m.Kind = KindNotification
	}
	return nil
}

// checkResponse sets m.Kind if the members are a response.
func checkResponse(m *Envelope) error {
	switch {
	case m.Result == nil && m.Error == nil:
		return errNoKind
	// "Either the result member or error member MUST be included, but both members
	// MUST NOT be included."
	case m.Result != nil && m.Error != nil:
		return errMixed
	case m.Params != nil:
		return errRespParams
	case m.Error != nil:
		if !validError(m.Error) {
			return errErrorShape
		}
		m.Kind = KindErrorResponse
		return nil
	// Only an error may lack an id, if that of the request could not be read.
	case m.ID == nil:
		return errResultID
	}
	m.Kind = KindResult
	return nil
}

// fieldOf returns the member of the envelope with the name, which is the text
// between quotation marks.
func fieldOf(name []byte, escaped bool) field {
	switch string(name) {
	case "jsonrpc":
		return fieldVersion
	case "id":
		return fieldID
	case "method":
		return fieldMethod
	case "params":
		return fieldParams
	case "result":
		return fieldResult
	case "error":
		return fieldError
	}
	// The longest of the six names has seven characters, and each may be written as
	// an escape.
	if len(name) < 2 || len(name) > 7*6 {
		return fieldOther
	}
	if escaped {
		var buf [7 * 6]byte
		return fieldOf(appendUnescaped(buf[:0], name), false)
	}
	// Other readers ignore case; encoding/json uses Unicode's simple folding. What
	// they take for a method must not be ignored here.
	for _, known := range [...]string{"jsonrpc", "id", "method", "params", "result", "error"} {
		if len(name) <= len(known)+1 && bytes.EqualFold(name, []byte(known)) {
			return fieldCase
		}
	}
	return fieldOther
}

// validID reports whether raw, which is valid JSON, may be an id: a string of at
// most MaxIDLength bytes, or an integer of at most 19 digits without fraction and
// exponent. It refuses -0, so that no integer can be written in two ways.
func validID(raw []byte) bool {
	if raw[0] == '"' {
		text := inner(raw)
		return len(text) <= MaxIDLength || unescapedLen(text) <= MaxIDLength
	}
	digits := raw
	if raw[0] == '-' {
		digits = raw[1:]
		if digits[0] == '0' {
			return false
		}
	}
	if len(digits) > 19 {
		return false
	}
	for _, c := range digits {
		if c-'0' > 9 {
			return false
		}
	}
	return true
}

// validError reports whether raw, which is valid JSON, is an error object (section 5.1):
// "code: […] MUST be an integer", "message: A String".
func validError(raw []byte) bool {
	code, ok := Member(raw, "code")
	if !ok {
		return false
	}
	if _, ok = IntValue(code); !ok {
		return false
	}
	message, ok := Member(raw, "message")
	return ok && message[0] == '"'
}
