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

// appendString appends s as a JSON string. Bytes that are not UTF-8 become
// U+FFFD, so that a handler's text can never spoil the message around it.
func appendString(dst []byte, s string) []byte {
	if out, err := jsontext.AppendQuote(dst, s); err == nil {
		return out
	}
	out, _ := jsontext.AppendQuote(dst, strings.ToValidUTF8(s, "\uFFFD"))
	return out
}

// appendStringMember appends name, which is the member's text up to its colon,
// and s; nothing when s is empty.
func appendStringMember(dst []byte, name, s string) []byte {
	if s == "" {
		return dst
	}
	return appendString(append(dst, name...), s)
}

// appendBase64 appends b as a JSON string in standard base64; "" for nil.
func appendBase64(dst, b []byte) []byte {
	dst = append(dst, '"')
	dst = base64.StdEncoding.AppendEncode(dst, b)
	return append(dst, '"')
}

// appendValue appends the JSON of v without HTML escapes. A json.RawMessage is
// validated and compacted.
func appendValue(dst []byte, v any) ([]byte, error) {
	b, err := json.MarshalWithOption(v, json.DisableHTMLEscape())
	if err != nil {
		return dst, err
	}
	return append(dst, b...), nil
}

// appendMember appends name, the member's text up to its colon, and v.
func appendMember(dst []byte, name string, v any) ([]byte, error) {
	return appendValue(append(dst, name...), v)
}

// appendMetaMember appends m as the first member of an object when it holds
// anything, and a comma behind it.
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

// marshalMembers returns the object of m, when it holds anything, and of what
// members appends.
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
