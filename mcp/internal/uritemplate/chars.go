package uritemplate

import (
	"strings"
	"unicode/utf8"
)

// unit returns the length of the character at i if a value of v in p can have it,
// and otherwise 0. The percent-encodings of one rune are one character: a value has
// whole runes, and prefix modifiers count them.
func (p *part) unit(v *variable, s string, i int) int {
	c := s[i]
	if c == p.op.sep && v.splits {
		return 0
	}
	if c == '=' && (p.op.named || v.explode) {
		return 1
	}
	if c == '%' {
		return runeLen(s, i)
	}
	return unitLen(s, i, p.op.reserved)
}

// unitLen returns the length of the character at i if it is an unreserved one of
// RFC 3986, section 2, or a reserved one if reserved is true. A percent-encoding
// counts as one character of length 3, and a rune outside ASCII, which IRIs have,
// as one of its length. Otherwise unitLen returns 0.
func unitLen(s string, i int, reserved bool) int {
	c := s[i]
	switch {
	case isAlnum(c) || strings.IndexByte("-._~", c) >= 0:
		return 1
	case c == '%':
		if i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2]) {
			return 3
		}
		return 0
	case c >= utf8.RuneSelf:
		_, n := utf8.DecodeRuneInString(s[i:])
		return n
	case reserved && strings.IndexByte(":/?#[]@!$&'()*+,;=", c) >= 0:
		return 1
	}
	return 0
}

// runeLen returns the length of the percent-encodings of a rune at i, or 0 if they
// are not there.
func runeLen(s string, i int) int {
	var octets [utf8.UTFMax]byte
	for n := range octets {
		at := i + 3*n
		if at >= len(s) || s[at] != '%' || unitLen(s, at, false) == 0 {
			return 0
		}
		octets[n] = unhex(s[at+1])<<4 | unhex(s[at+2])
		if utf8.FullRune(octets[:n+1]) {
			if r, size := utf8.DecodeRune(octets[:n+1]); r == utf8.RuneError && size == 1 {
				return 0
			}
			return 3 * (n + 1)
		}
	}
	return 0
}

func isAlnum(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

// unhex returns the value of the hexadecimal digit c.
func unhex(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c | 0x20 - 'a' + 10
}
