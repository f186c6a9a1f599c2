package mcp

import (
	"encoding/base64"
	"errors"
	"strings"

	json "github.com/goccy/go-json"
	"github.com/goccy/go-json/jsontext"
)

var (
	errEmptyEmbed = errors.New("mcp: embedded resource without contents")
	errNilContent = errors.New("mcp: content is nil")
)

// appendString appends s, a text of a handler, as a JSON string. Each run of bytes that are not
// UTF-8 becomes one U+FFFD, so that no text can spoil the message around it.
//
// It is not [jsonrpc.AppendString], which writes the short strings of envelopes: that one also
// escapes U+0085, U+2028 and U+2029 and writes one U+FFFD for each byte. This one leaves line ends
// as the handler wrote them and is several times faster on long texts.
func appendString(dst []byte, s string) []byte {
	if out, err := jsontext.AppendQuote(dst, s); err == nil {
		return out
	}
	out, _ := jsontext.AppendQuote(dst, strings.ToValidUTF8(s, "\uFFFD"))
	return out
}

// appendQuotedJSON appends text, which is compact JSON, as a JSON string. Such text has no control
// characters, so that only quotation marks and backslashes need an escape. All else is copied, so
// that the string says octet for octet what the structured content says.
func appendQuotedJSON(dst, text []byte) []byte {
	dst = append(dst, '"')
	start := 0
	for i, b := range text {
		if b == '"' || b == '\\' {
			dst = append(append(dst, text[start:i]...), '\\')
			start = i
		}
	}
	return append(append(dst, text[start:]...), '"')
}

// appendStringMember appends name, the member's text up to and with its colon, and s as its value.
// It appends nothing if s is empty.
func appendStringMember(dst []byte, name, s string) []byte {
	if s == "" {
		return dst
	}
	return appendString(append(dst, name...), s)
}

// appendBase64 appends b as a JSON string in standard base64. Nil becomes "".
func appendBase64(dst, b []byte) []byte {
	dst = append(dst, '"')
	dst = base64.StdEncoding.AppendEncode(dst, b)
	return append(dst, '"')
}

// appendValue appends the JSON of v without HTML escapes. A json.RawMessage is validated and
// compacted.
func appendValue(dst []byte, v any) ([]byte, error) {
	b, err := json.MarshalWithOption(v, json.DisableHTMLEscape())
	if err != nil {
		return dst, err
	}
	return append(dst, b...), nil
}

// appendMember appends name, the member's text up to and with its colon, and v as its value.
func appendMember(dst []byte, name string, v any) ([]byte, error) {
	return appendValue(append(dst, name...), v)
}

// appendMetaMember appends m as the first member of an object, and a comma. It appends nothing if m
// is empty.
func appendMetaMember(dst []byte, m Meta) ([]byte, error) {
	if len(m) == 0 {
		return dst, nil
	}
	dst, err := appendMember(dst, `"_meta":`, m)
	if err != nil {
		return dst, err
	}
	return append(dst, ','), nil
}

// marshalMembers returns the JSON object of m, unless m is empty, and of the members that members
// appends.
func marshalMembers(m Meta, members func([]byte) ([]byte, error)) ([]byte, error) {
	dst, err := appendMetaMember([]byte{'{'}, m)
	if err != nil {
		return nil, err
	}
	if dst, err = members(dst); err != nil {
		return nil, err
	}
	return append(dst, '}'), nil
}
