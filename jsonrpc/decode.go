package jsonrpc

import (
	"bytes"
	"unicode/utf8"
)

// MaxIDLength is the length in bytes of the longest string that is taken as an id,
// without quotation marks and escapes. An integer has 19 digits at most.
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
	fieldCase // differs from one of the above in case only
)

// Decode sets m to the message that data holds: one object, and nothing after it
// but white space. A member that JSON-RPC does not know is validated and ignored, and
// one that is null is as if it were absent, apart from jsonrpc, the id of anything but
// an error, and a result that makes the message a response.
//
// The error is an *Error: CodeParseError if data is not JSON as the package comment
// has it, also if it is empty, nested too deeply, names a member twice or is longer
// than 4 GiB; CodeInvalidRequest if it is JSON but no message. Then m is zero,
// except that with CodeInvalidRequest m.ID is the id of the message if it has a
// valid one.
//
// Data is not changed; the slices of m alias it.
func (m *Message) Decode(data []byte) error {
	*m = Message{}
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
	var env envelope
	var seen names
	i := env.scan(data, start, m, &seen)
	seen.release()
	if i >= 0 {
		i = scanEnd(data, i)
	}
	if i < 0 {
		*m = Message{}
		return scanError(i)
	}
	if err := env.check(m); err != nil {
		*m = Message{ID: m.ID}
		return err
	}
	return nil
}

// An envelope is what is known of the message's object besides the Message itself.
type envelope struct {
	version []byte // the value of jsonrpc
	method  []byte // the value of method
	misCase bool   // a name differs in case only
	badID   bool   // there is an id, and it is not valid
	nullID  bool   // the id is null
}

// scan validates the object at i and collects its members. Whether together they
// are a message is not decided before the end of the text, because a text that is
// not JSON is refused as such.
func (env *envelope) scan(b []byte, i int, m *Message, seen *names) int {
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

// present returns raw, valid JSON or nil; nil for null. Serializers that have one type for all
// messages write the members that a message does not have as null.
func present(raw []byte) []byte {
	if len(raw) > 0 && raw[0] == 'n' {
		return nil
	}
	return raw
}

// check sets m.Kind and m.Method, or returns why the members are no message. It
// holds all rules of JSON-RPC 2.0, sections 4 and 5, that are not about syntax.
func (env *envelope) check(m *Message) error {
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
	// Null is a value of result, so it is absent only where another member decides.
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
func checkResponse(m *Message) error {
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
	// Only an error may be without an id: when that of the request could not be read.
	case m.ID == nil:
		return errResultID
	}
	m.Kind = KindResult
	return nil
}

// fieldOf returns which member of the envelope a name is; it stood between
// quotation marks.
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
	// The longest name that is like one of the six has seven characters, each written
	// as an escape.
	if len(name) < 2 || len(name) > 7*6 {
		return fieldOther
	}
	if escaped {
		var buf [7 * 6]byte
		return fieldOf(appendUnescaped(buf[:0], name), false)
	}
	// Other readers compare without regard to case, encoding/json by Unicode's simple
	// folding; what they take for a method must not be ignored here.
	for _, known := range [...]string{"jsonrpc", "id", "method", "params", "result", "error"} {
		if len(name) <= len(known)+1 && bytes.EqualFold(name, []byte(known)) {
			return fieldCase
		}
	}
	return fieldOther
}

// validID reports whether raw, valid JSON, may be an id: a string of at most
// MaxIDLength bytes, or an integer without fraction and exponent of at most 19
// digits. -0 is refused, so that no integer can be written in two ways.
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

// validError reports whether raw, valid JSON, is an error object (section 5.1):
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
