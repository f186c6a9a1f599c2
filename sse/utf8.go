package sse

import "unicode/utf8"

// appendUTF8 appends b, decoded and encoded again as section 9.2.6 and the Encoding
// standard (UTF-8 decoder, https://encoding.spec.whatwg.org/#utf-8-decoder) require:
// each longest beginning of a character that is not completed becomes U+FFFD.
func appendUTF8(dst, b []byte) []byte {
	if utf8.Valid(b) {
		return append(dst, b...)
	}
	for len(b) > 0 {
		if r, n := utf8.DecodeRune(b); r != utf8.RuneError || n > 1 {
			dst = append(dst, b[:n]...)
			b = b[n:]
			continue
		}
		dst = append(dst, "\uFFFD"...)
		b = b[badPrefix(b):]
	}
	return dst
}

// badPrefix returns how many bytes at the beginning of b are replaced by one U+FFFD.
// B does not begin with a whole character.
func badPrefix(b []byte) int {
	lower, upper := byte(0x80), byte(0xBF) // of the second byte
	var need int
	switch c := b[0]; {
	case 0xC2 <= c && c <= 0xDF:
		need = 1
	case 0xE0 <= c && c <= 0xEF:
		need = 2
		switch c {
		case 0xE0:
			lower = 0xA0
		case 0xED:
			upper = 0x9F
		}
	case 0xF0 <= c && c <= 0xF4:
		need = 3
		switch c {
		case 0xF0:
			lower = 0x90
		case 0xF4:
			upper = 0x8F
		}
	}
	n := 1
	for ; need > 0 && n < len(b) && lower <= b[n] && b[n] <= upper; need-- {
		lower, upper = 0x80, 0xBF
		n++
	}
	return n
}
