package mcp

import (
	"bytes"
	"strconv"
)

// sameNumber reports whether the JSON numbers a and b have the same value.
func sameNumber(a, b []byte) bool {
	da, ea, ok := significant(a)
	db, eb, same := significant(b)
	return ok && same && ea == eb && (a[0] == '-') == (b[0] == '-') && bytes.Equal(da, db)
}

// significant returns the digits of a number without leading and trailing zeros, and the exponent
// of the last digit. It returns false if the exponent is out of the range of an int.
func significant(text []byte) (digits []byte, exponent int, ok bool) {
	if i := bytes.IndexAny(text, "eE"); i >= 0 {
		e, err := strconv.Atoi(string(text[i+1:]))
		if err != nil {
			return nil, 0, false
		}
		text, exponent = text[:i], e
	}
	whole, fraction, _ := bytes.Cut(bytes.TrimPrefix(text, []byte("-")), []byte("."))
	digits = bytes.TrimLeft(append(bytes.Clone(whole), fraction...), "0")
	exponent -= len(fraction)
	n := len(digits)
	digits = bytes.TrimRight(digits, "0")
	if len(digits) == 0 {
		return nil, 0, true
	}
	return digits, exponent + n - len(digits), true
}
