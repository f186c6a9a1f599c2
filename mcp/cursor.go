package mcp

import (
	"encoding/base64"
	"unicode/utf8"
)

// A cursor is the base64url text of a version, the kind of the list and the key of the last
// feature on the previous page. It stays valid while features are added and removed, and it
// reveals nothing that the list does not show anyway.

const cursorVersion = '1'

var cursorCoding = base64.RawURLEncoding.Strict()

// appendCursor appends, as a JSON string, the cursor for the features that follow key.
func appendCursor(dst []byte, kind byte, key string) []byte {
	plain := append([]byte{cursorVersion, kind}, key...)
	dst = append(dst, '"')
	dst = cursorCoding.AppendEncode(dst, plain)
	return append(dst, '"')
}

// cursorKey returns the key in cursor, and whether cursor is one for the kind of list.
func cursorKey(cursor []byte, kind byte) ([]byte, bool) {
	plain, err := cursorCoding.AppendDecode(nil, cursor)
	if err != nil || len(plain) < 2 || plain[0] != cursorVersion || plain[1] != kind || !utf8.Valid(plain) {
		return nil, false
	}
	return plain[2:], true
}
