package provider

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"math"
	"strings"
	"time"
	"unicode/utf8"
)

// maxDepth is how deep values may be nested.
const maxDepth = 16

var (
	errObject    = errors.New("not a JSON object")
	errUTF8      = errors.New("not UTF-8")
	errDepth     = errors.New("nested too deep")
	errDuplicate = errors.New("a member appears twice")
)

// Object decodes a JSON object strictly: it must be UTF-8, no object in it may have a member twice,
// and nothing may follow. Numbers become json.Number. An error has nothing of data in it.
func Object(data []byte) (map[string]any, error) {
	if !utf8.Valid(data) {
		return nil, errUTF8
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	v, err := decode(d, maxDepth)
	if err != nil {
		return nil, err
	}
	object, ok := v.(map[string]any)
	if !ok {
		return nil, errObject
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errObject
	}
	return object, nil
}

func decode(d *json.Decoder, depth int) (any, error) {
	t, err := d.Token()
	if err != nil {
		return nil, errObject
	}
	delim, ok := t.(json.Delim)
	if !ok {
		return t, nil
	}
	if depth == 0 {
		return nil, errDepth
	}
	if delim == '[' {
		list := []any{}
		for d.More() {
			v, err := decode(d, depth-1)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		_, err := d.Token()
		return list, err
	}
	object := map[string]any{}
	for d.More() {
		t, err := d.Token()
		name, ok := t.(string)
		if err != nil || !ok {
			return nil, errObject
		}
		if _, ok := object[name]; ok {
			return nil, errDuplicate
		}
		if object[name], err = decode(d, depth-1); err != nil {
			return nil, err
		}
	}
	_, err = d.Token()
	return object, err
}

// maxSeconds is the last second of the year 9999.
const maxSeconds = 253402300799

// Time returns the time of a NumericDate (RFC 7519, section 2), which may have a fraction. ok is
// false if v is not a number, is negative or is beyond the year 9999.
func Time(v any) (t time.Time, ok bool) {
	n, ok := v.(json.Number)
	if !ok {
		return time.Time{}, false
	}
	seconds, err := n.Float64()
	if err != nil || !(seconds >= 0 && seconds <= maxSeconds) {
		return time.Time{}, false
	}
	whole, fraction := math.Modf(seconds)
	return time.Unix(int64(whole), int64(fraction*1e9)), true
}

// Text returns the member name of object if it is a string, and "" if it is absent or null. ok is
// false if it is something else.
func Text(object map[string]any, name string) (text string, ok bool) {
	text, ok = object[name].(string)
	return text, ok || object[name] == nil
}

// Audience returns the member aud, a string or a list of strings, not empty.
func Audience(object map[string]any) (list []string, ok bool) {
	switch v := object["aud"].(type) {
	case string:
		return []string{v}, true
	case []any:
		list, ok = texts(v)
		return list, ok && len(list) > 0
	}
	return nil, false
}

// Scopes returns the scopes of the member name: a list separated by spaces, or a list of strings.
// ok is false if the member is something else.
func Scopes(object map[string]any, name string) (list []string, ok bool) {
	switch v := object[name].(type) {
	case string:
		return strings.Fields(v), true
	case []any:
		return texts(v)
	case nil:
		return nil, true
	}
	return nil, false
}

func texts(list []any) ([]string, bool) {
	out := make([]string, len(list))
	for i, v := range list {
		s, ok := v.(string)
		if !ok {
			return nil, false
		}
		out[i] = s
	}
	return out, true
}

// thumbprintLength is that of a SHA-256 hash in base64url without padding.
const thumbprintLength = 43

// Confirmation returns the thumbprint of the certificate that the member cnf (RFC 7800, RFC 8705)
// binds a token to, and "" if there is no cnf. ok is false if it binds the token to anything else.
func Confirmation(object map[string]any) (thumbprint string, ok bool) {
	cnf := object["cnf"]
	if cnf == nil {
		return "", true
	}
	members, _ := cnf.(map[string]any)
	thumbprint, _ = members["x5t#S256"].(string)
	sum, err := base64.RawURLEncoding.Strict().DecodeString(thumbprint)
	return thumbprint, err == nil && len(sum) == sha256.Size && len(thumbprint) == thumbprintLength && len(members) == 1
}
