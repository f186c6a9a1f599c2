package jsonrpc

import (
	"bytes"
	"strings"
	"unicode/utf8"
)

// inner returns the text between the quotation marks of raw, or raw itself if it has
// none: the text between them cannot begin with one.
func inner(raw []byte) []byte {
	if len(raw) >= 2 && raw[0] == '"' {
		return raw[1 : len(raw)-1 : len(raw)-1]
	}
	return raw
}

// Unquote appends the value of a JSON string to dst. Raw is valid JSON, with or
// without its quotation marks, such as a value or a name that [Members] yields.
func Unquote(dst, raw []byte) []byte {
	return appendUnescaped(dst, inner(raw))
}

// StringValue returns the value of raw, which is valid JSON, as a new string, and
// whether it is a string.
func StringValue(raw []byte) (s string, ok bool) {
	if len(raw) < 2 || raw[0] != '"' {
		return "", false
	}
	raw = inner(raw)
	if bytes.IndexByte(raw, '\\') < 0 {
		return string(raw), true
	}
	return string(appendUnescaped(nil, raw)), true
}

// EqualString reports whether the value of raw, a JSON string with or without its
// quotation marks, is s. It allocates nothing.
func EqualString(raw []byte, s string) bool {
	raw = inner(raw)
	if len(raw) <= len(s) { // with escapes, raw would be longer than its value
		return string(raw) == s && strings.IndexByte(s, '\\') < 0
	}
	for len(raw) > 0 {
		c, size := nextChar(raw)
		raw = raw[size:]
		var enc [utf8.UTFMax]byte
		n := encodeChar(&enc, c)
		if len(s) < n || s[:n] != string(enc[:n]) {
			return false
		}
		s = s[n:]
	}
	return s == ""
}

// IntValue returns the value of raw, which is valid JSON, and whether it is an
// integer that is written without fraction and exponent and fits into 64 bits.
func IntValue(raw []byte) (int64, bool) {
	digits := raw
	negative := len(raw) > 0 && raw[0] == '-'
	if negative {
		digits = raw[1:]
	}
	if len(digits) == 0 || len(digits) > 19 {
		return 0, false
	}
	var n uint64 // 19 digits always fit
	for _, c := range digits {
		if c-'0' > 9 {
			return 0, false
		}
		n = n*10 + uint64(c-'0')
	}
	if negative {
		return int64(-n), n <= 1<<63
	}
	return int64(n), n < 1<<63
}

// A char is one byte of the text, or the code point of an escape.
type char struct {
	r      rune
	isRune bool
}

// nextChar returns the first byte or escape of raw and its length in raw. Raw is not
// empty and is the text between the quotation marks of a valid string.
func nextChar(raw []byte) (c char, size int) {
	if raw[0] != '\\' || len(raw) < 2 {
		return char{r: rune(raw[0])}, 1
	}
	switch raw[1] {
	case 'b':
		return char{r: '\b'}, 2
	case 'f':
		return char{r: '\f'}, 2
	case 'n':
		return char{r: '\n'}, 2
	case 'r':
		return char{r: '\r'}, 2
	case 't':
		return char{r: '\t'}, 2
	case 'u':
		r := hex4(raw, 2)
		if r < 0 {
			return char{r: utf8.RuneError, isRune: true}, len(raw)
		}
		if isHighSurrogate(r) && len(raw) >= 12 {
			return char{r: (r-0xD800)<<10 + hex4(raw, 8) - 0xDC00 + 0x10000, isRune: true}, 12
		}
		return char{r: r, isRune: true}, 6
	}
	return char{r: rune(raw[1])}, 2
}

// encodeChar stores c and returns its length.
func encodeChar(enc *[utf8.UTFMax]byte, c char) int {
	if c.isRune {
		return utf8.EncodeRune(enc[:], c.r)
	}
	enc[0] = byte(c.r)
	return 1
}

// appendUnescaped appends the value of raw, the text between the quotation marks of
// a valid string. The value is never longer than raw.
func appendUnescaped(dst, raw []byte) []byte {
	for {
		i := bytes.IndexByte(raw, '\\')
		if i < 0 {
			return append(dst, raw...)
		}
		dst = append(dst, raw[:i]...)
		c, size := nextChar(raw[i:])
		var enc [utf8.UTFMax]byte
		dst = append(dst, enc[:encodeChar(&enc, c)]...)
		raw = raw[i+size:]
	}
}

// equalUnescaped reports whether two strings have the same value. A and b are the
// texts between the quotation marks of valid strings.
func equalUnescaped(a, b []byte) bool {
	var encA, encB [utf8.UTFMax]byte
	var restA, restB []byte // bytes of an escape that have not been compared
	for {
		if len(restA) == 0 && len(a) > 0 {
			c, size := nextChar(a)
			restA, a = encA[:encodeChar(&encA, c)], a[size:]
		}
		if len(restB) == 0 && len(b) > 0 {
			c, size := nextChar(b)
			restB, b = encB[:encodeChar(&encB, c)], b[size:]
		}
		if len(restA) == 0 || len(restB) == 0 {
			return len(restA) == len(restB)
		}
		n := min(len(restA), len(restB))
		if !bytes.Equal(restA[:n], restB[:n]) {
			return false
		}
		restA, restB = restA[n:], restB[n:]
	}
}

// unescapedLen returns the number of bytes that appendUnescaped would append.
func unescapedLen(raw []byte) int {
	n := 0
	for len(raw) > 0 {
		c, size := nextChar(raw)
		var enc [utf8.UTFMax]byte
		n += encodeChar(&enc, c)
		raw = raw[size:]
	}
	return n
}
