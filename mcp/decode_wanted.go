package mcp

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/big"
	"net/netip"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/mooring-mcp/mooring/mcp/internal/schema"
)

// maxWholeDigits is the maximum number of digits that a number with an exponent is written out to.
const maxWholeDigits = 400

// wholeNumber returns the JSON number text without a fraction and an exponent. It returns false if
// text is not an integer or has too many digits.
func wholeNumber(text []byte) ([]byte, bool) {
	mantissa, exponent := text, 0
	if i := bytes.IndexAny(text, "eE"); i >= 0 {
		e, err := strconv.Atoi(string(text[i+1:]))
		mantissa, exponent = text[:i], e
		if err != nil {
			exponent = maxWholeDigits + 1 // then only zero is written out
			if text[i+1] == '-' {
				exponent = -exponent
			}
		}
	}
	mantissa, negative := bytes.CutPrefix(mantissa, []byte("-"))
	whole, fraction, _ := bytes.Cut(mantissa, []byte("."))
	digits := bytes.TrimLeft(append(bytes.Clone(whole), fraction...), "0")
	if len(digits) == 0 {
		return []byte("0"), true
	}
	if exponent > maxWholeDigits || exponent < -len(text) {
		return nil, false
	}
	if exponent -= len(fraction); exponent < 0 {
		for ; exponent < 0; exponent++ {
			if len(digits) == 0 || digits[len(digits)-1] != '0' {
				return nil, false
			}
			digits = digits[:len(digits)-1]
		}
	} else if exponent > 0 {
		if len(digits)+exponent > maxWholeDigits {
			return nil, false
		}
		digits = append(digits, bytes.Repeat([]byte("0"), exponent)...)
	}
	if negative {
		digits = append([]byte("-"), digits...)
	}
	return digits, true
}

// wanted says what a value must be to be decoded into a t, which failed with err.
func wanted(t reflect.Type, err error) string {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch t {
	case reflect.TypeFor[time.Time]():
		return "a date and time as in RFC 3339, for example 2026-01-31T12:00:00Z"
	case reflect.TypeFor[netip.Addr]():
		return "an IP address"
	case reflect.TypeFor[big.Int]():
		return "an integer"
	case reflect.TypeFor[json.Number]():
		return "a number"
	}
	if schema.ReadsItself(reflect.PointerTo(t)) {
		return "a valid value" + ownReason(err)
	}
	switch k := t.Kind(); k {
	case reflect.Bool:
		return "true or false"
	case reflect.String:
		return "a string"
	case reflect.Float32, reflect.Float64:
		return fmt.Sprintf("a number in the range of %d-bit floating point", t.Bits())
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		high := uint64(1)<<(t.Bits()-1) - 1
		return fmt.Sprintf("an integer from -%d to %d", high+1, high)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		return fmt.Sprintf("an integer from 0 to %d", ^uint64(0)>>(64-t.Bits()))
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return "a string in base64"
		}
		return "an array"
	case reflect.Array:
		return fmt.Sprintf("an array of %d items", t.Len())
	case reflect.Map, reflect.Struct:
		return "an object"
	}
	return "a valid value"
}

// ownReason returns the reason that a type's own method gives, unless it mentions Go or JSON.
func ownReason(err error) string {
	for {
		inner, ok := err.(interface{ Unwrap() error })
		if !ok || inner.Unwrap() == nil {
			break
		}
		err = inner.Unwrap()
	}
	text := err.Error()
	if strings.Contains(text, "json") || strings.Contains(text, "Go ") || len(text) > 200 {
		return ""
	}
	return ": " + text
}
