package schema

import (
	"bytes"
	"strconv"
)

// The functions in this file read JSON text that is known to be well-formed:
// they look for structure and never for mistakes. They begin at b[i] and return
// the index after what they read. On text that is not well-formed they return
// some index within b and never panic or loop.

// skipSpace returns the index of the next octet that is not white space, or
// len(b).
func skipSpace(b []byte, i int) int {
	for i < len(b) && b[i] <= ' ' {
		i++
	}
	return i
}

// skipString returns the index after the string that begins at b[i], and whether
// the string has an escape.
func skipString(b []byte, i int) (end int, escaped bool) {
	for i++; i < len(b); i++ {
		switch b[i] {
		case '"':
			return i + 1, escaped
		case '\\':
			escaped = true
			i++
		}
	}
	return len(b), escaped
}

// skipScalar returns the index after the number or literal that begins at b[i].
func skipScalar(b []byte, i int) int {
	for i < len(b) {
		switch b[i] {
		case ',', ']', '}', ' ', '\t', '\n', '\r':
			return i
		}
		i++
	}
	return i
}

// isNumber reports whether c begins a number.
func isNumber(c byte) bool { return c == '-' || c-'0' <= 9 }

// skipValue returns the index after the value that begins at b[i]. It returns
// false if a number in it is too large to be compared.
func skipValue(b []byte, i int) (end int, ok bool) {
	depth := 0
	for i < len(b) {
		switch c := b[i]; c {
		case '"':
			i, _ = skipString(b, i)
		case '{', '[':
			depth++
			i++
			continue
		case '}', ']':
			depth--
			i++
		case ',', ':', ' ', '\t', '\n', '\r':
			i++
			continue
		default:
			j := skipScalar(b, i)
			if j == i { // not JSON
				return len(b), false
			}
			if isNumber(c) && !numberBounded(b[i:j]) {
				return j, false
			}
			i = j
		}
		if depth <= 0 {
			return i, true
		}
	}
	return len(b), true
}

// survey returns how deep b is nested. It returns false if a number in b is too
// large to be compared.
func survey(b []byte) (deepest int, ok bool) {
	depth := 0
	for i := 0; i < len(b); {
		switch c := b[i]; c {
		case '"':
			i, _ = skipString(b, i)
		case '{', '[':
			depth++
			deepest = max(deepest, depth)
			i++
		case '}', ']':
			depth--
			i++
		case ',', ':', ' ', '\t', '\n', '\r':
			i++
		default:
			j := skipScalar(b, i)
			if j == i {
				return deepest, false
			}
			if isNumber(c) && !numberBounded(b[i:j]) {
				return deepest, false
			}
			i = j
		}
	}
	return deepest, true
}

// numberBounded reports whether the number text b is short and its exponent
// small enough for an exact comparison at a bounded cost.
func numberBounded(b []byte) bool {
	if len(b) > maxNumberText {
		return false
	}
	if len(b) < 4 { // 1e9 is harmless
		return true
	}
	for i, c := range b {
		if c|0x20 != 'e' {
			continue
		}
		exp := 0
		for _, d := range b[i+1:] {
			if d-'0' > 9 { // the sign
				continue
			}
			if exp = exp*10 + int(d-'0'); exp > maxExponent {
				return false
			}
		}
		return true
	}
	return true
}

// pointerTo returns the JSON Pointer of the value in b that begins at b[at].
// Names have the spelling of the text.
func pointerTo(b []byte, at int) string {
	var ptr []byte
	for i := skipSpace(b, 0); i < at && i < len(b); {
		object := b[i] == '{'
		if !object && b[i] != '[' {
			break
		}
		i = skipSpace(b, i+1)
		token := []byte(nil)
		for index := 0; i < len(b); index++ {
			token = strconv.AppendInt(token[:0], int64(index), 10)
			if object {
				if i == at { // the member's name is not valid
					return string(ptr)
				}
				end, _ := skipString(b, i)
				token = append(token[:0], b[min(i+1, len(b)):max(i+1, end-1)]...)
				i = skipSpace(b, min(skipSpace(b, end)+1, len(b)))
			}
			end, _ := skipValue(b, i)
			if at < end {
				break
			}
			if i = skipSpace(b, end); i < len(b) {
				i = skipSpace(b, i+1)
			}
		}
		token = bytes.ReplaceAll(bytes.ReplaceAll(token, []byte("~"), []byte("~0")), []byte("/"), []byte("~1"))
		ptr = append(append(ptr, '/'), token...)
	}
	return string(ptr)
}
