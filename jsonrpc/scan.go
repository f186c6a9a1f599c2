package jsonrpc

import (
	"encoding/binary"
	"math/bits"
)

// MaxDepth is the number of objects and arrays that may be open at once. The first
// is the envelope, or in a batch its array.
const MaxDepth = 128

// The functions in this file validate. Each takes the text and the index where its
// construct begins, and returns the index after it or one of these. They assume
// that the text is valid UTF-8. MaxDepth limits their recursion.
const (
	badSyntax = -1
	badDepth  = -2
	badName   = -3 // an object names a member twice
)

// skipSpace returns the index of the first byte from i on that is not white space
// (RFC 8259, section 2).
func skipSpace(b []byte, i int) int {
	for i < len(b) && b[i] <= ' ' && (b[i] == ' ' || b[i] == '\n' || b[i] == '\r' || b[i] == '\t') {
		i++
	}
	return i
}

// scanText validates that b is one value between optional white space.
func scanText(b []byte) int {
	i := scanValue(b, skipSpace(b, 0), 0)
	if i < 0 {
		return i
	}
	return scanEnd(b, i)
}

// scanEnd validates that nothing but white space follows.
func scanEnd(b []byte, i int) int {
	if i = skipSpace(b, i); i != len(b) {
		return badSyntax
	}
	return i
}

// scanValue validates a value inside depth open objects and arrays.
func scanValue(b []byte, i, depth int) int {
	if i >= len(b) {
		return badSyntax
	}
	switch b[i] {
	case '"':
		i, _ = scanString(b, i+1)
		return i
	case '{':
		return scanObject(b, i, depth+1)
	case '[':
		return scanArray(b, i, depth+1)
	case 't':
		return scanLiteral(b, i, "true")
	case 'f':
		return scanLiteral(b, i, "false")
	case 'n':
		return scanLiteral(b, i, "null")
	}
	return scanNumber(b, i)
}

func scanLiteral(b []byte, i int, lit string) int {
	if len(b)-i < len(lit) || string(b[i:i+len(lit)]) != lit {
		return badSyntax
	}
	return i + len(lit)
}

// scanNumber validates a number (RFC 8259, section 6).
func scanNumber(b []byte, i int) int {
	if i < len(b) && b[i] == '-' {
		i++
	}
	switch {
	case i >= len(b):
		return badSyntax
	case b[i] == '0':
		i++
	default:
		if i = scanDigits(b, i); i < 0 {
			return i
		}
	}
	if i < len(b) && b[i] == '.' {
		if i = scanDigits(b, i+1); i < 0 {
			return i
		}
	}
	if i < len(b) && b[i]|0x20 == 'e' {
		i++
		if i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		return scanDigits(b, i)
	}
	return i
}

// scanDigits validates one digit or more.
func scanDigits(b []byte, i int) int {
	start := i
	for i < len(b) && b[i]-'0' <= 9 {
		i++
	}
	if i == start {
		return badSyntax
	}
	return i
}

const (
	low  = 0x0101010101010101 // the lowest bit of each byte
	high = 0x8080808080808080 // the highest bit of each byte
)

// stringStops marks the bytes of w that end a run of plain characters: quotation
// marks, backslashes and control characters. The lowest mark is exact; above it
// a borrow may have marked a byte wrongly.
//
// Exchanging 0x20 for 0x22 moves the quotation mark next to the control characters,
// so that one comparison finds both.
func stringStops(w uint64) uint64 {
	return (((w ^ low*0x02) - low*0x21) | ((w ^ low*'\\') - low)) &^ w & high
}

// scanString validates the rest of a string after its opening quotation mark and
// reports whether it has escapes.
func scanString(b []byte, i int) (end int, escaped bool) {
	for {
		if len(b)-i >= 8 {
			stops := stringStops(binary.LittleEndian.Uint64(b[i:]))
			if stops == 0 {
				i += 8
				continue
			}
			i += bits.TrailingZeros64(stops) >> 3
		} else if i >= len(b) {
			return badSyntax, escaped
		}
		switch c := b[i]; {
		case c == '"':
			return i + 1, escaped
		case c == '\\':
			escaped = true
			if i = scanEscape(b, i); i < 0 {
				return i, escaped
			}
		case c < 0x20:
			return badSyntax, escaped
		default:
			i++
		}
	}
}

// scanEscape validates an escape, which begins with a backslash at i. It validates
// the two halves of a surrogate pair together.
func scanEscape(b []byte, i int) int {
	if len(b)-i < 2 {
		return badSyntax
	}
	switch b[i+1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return i + 2
	case 'u':
	default:
		return badSyntax
	}
	r := hex4(b, i+2)
	i += 6
	switch {
	case r < 0 || isLowSurrogate(r):
		return badSyntax
	case !isHighSurrogate(r):
		return i
	}
	if len(b)-i < 6 || b[i] != '\\' || b[i+1] != 'u' || !isLowSurrogate(hex4(b, i+2)) {
		return badSyntax
	}
	return i + 6
}

func isHighSurrogate(r rune) bool { return r>>10 == 0xD800>>10 }
func isLowSurrogate(r rune) bool  { return r>>10 == 0xDC00>>10 }

// hex4 returns the value of the four hexadecimal digits at i, or -1.
func hex4(b []byte, i int) rune {
	if len(b)-i < 4 {
		return -1
	}
	var r rune
	for _, c := range b[i : i+4] {
		switch {
		case c-'0' <= 9:
			r = r<<4 | rune(c-'0')
		case (c|0x20)-'a' <= 5:
			r = r<<4 | rune((c|0x20)-'a'+10)
		default:
			return -1
		}
	}
	return r
}

// scanArray validates the array that begins at i. Depth objects and arrays are open
// in it, including itself.
func scanArray(b []byte, i, depth int) int {
	if depth > MaxDepth {
		return badDepth
	}
	i = skipSpace(b, i+1)
	if i < len(b) && b[i] == ']' {
		return i + 1
	}
	for {
		if i = scanValue(b, i, depth); i < 0 {
			return i
		}
		i = skipSpace(b, i)
		switch {
		case i >= len(b):
			return badSyntax
		case b[i] == ']':
			return i + 1
		case b[i] != ',':
			return badSyntax
		}
		i = skipSpace(b, i+1)
	}
}

// scanObject validates the object that begins at i. Depth objects and arrays are
// open in it, including itself.
func scanObject(b []byte, i, depth int) int {
	if depth > MaxDepth {
		return badDepth
	}
	var seen names
	i = scanMembers(b, i, depth, &seen)
	seen.release()
	return i
}

func scanMembers(b []byte, i, depth int, seen *names) int {
	i = skipSpace(b, i+1)
	if i < len(b) && b[i] == '}' {
		return i + 1
	}
	for {
		if i, _, _ = scanName(b, i, seen); i < 0 {
			return i
		}
		if i = scanValue(b, i, depth); i < 0 {
			return i
		}
		i = skipSpace(b, i)
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

// scanName validates a member's name and the colon, and adds the name to seen. It
// returns the index of the member's value, that of the name's closing quotation
// mark, and whether the name has escapes.
func scanName(b []byte, i int, seen *names) (value, nameEnd int, escaped bool) {
	if i >= len(b) || b[i] != '"' {
		return badSyntax, 0, false
	}
	end, escaped := scanString(b, i+1)
	if end < 0 {
		return end, 0, false
	}
	colon := skipSpace(b, end)
	if colon >= len(b) || b[colon] != ':' {
		return badSyntax, 0, false
	}
	if !seen.add(b, i+1, end-1, escaped) {
		return badName, 0, false
	}
	return skipSpace(b, colon+1), end - 1, escaped
}
