package mcp

import (
	stdjson "encoding/json"
	"errors"
	"strconv"

	json "github.com/goccy/go-json"
	"github.com/goccy/go-json/jsontext"
	jsonv2 "github.com/goccy/go-json/v2"
)

// exact decodes as encoding/json does, except that names are matched exactly: a value that a
// schema has admitted must be read as the schema read it. The texts have been validated with their
// message. A number that is decoded into an any becomes a float64 if that is written as the same
// number again, and otherwise a json.Number.
var exact = jsonv2.JoinOptions(plain, exactNumbers)

// plain decodes like exact, for texts in which every number is the same as a float64.
var plain = jsonv2.JoinOptions(
	json.DefaultOptionsV1(),
	jsonv2.MatchCaseInsensitiveNames(false),
	json.ReportErrorsWithLegacySemantics(false), // would read the text twice
)

var exactNumbers = jsonv2.WithUnmarshalers(jsonv2.JoinUnmarshalers(
	jsonv2.UnmarshalFromFunc(func(dec *jsontext.Decoder, v *any) error {
		if dec.PeekKind() != '0' {
			return errors.ErrUnsupported
		}
		text, err := dec.ReadValue()
		if err == nil {
			*v = anyNumber(text)
		}
		return err
	}),
	jsonv2.UnmarshalFromFunc(func(dec *jsontext.Decoder, v *stdjson.Number) error {
		if dec.PeekKind() != '0' {
			return errors.ErrUnsupported
		}
		text, err := dec.ReadValue()
		if err == nil {
			*v = stdjson.Number(text)
		}
		return err
	}),
))

// anyNumber returns the number text as a float64, or as a json.Number if the float64 would be
// written as another number.
func anyNumber(text []byte) any {
	f, err := strconv.ParseFloat(string(text), 64)
	if err != nil || !sameNumber(text, strconv.AppendFloat(nil, f, 'e', -1, 64)) {
		return stdjson.Number(text)
	}
	return f
}

// decodeExact decodes data into v with exact. The previous value of v does not matter. It copies
// what it keeps.
func decodeExact[T any](data []byte, v *T) error {
	if onlyPlainNumbers(data) {
		// Most texts are like this. Looking at each number would take a tenth more time, and
		// garbage.
		if jsonv2.UnmarshalOf(data, v, plain) == nil {
			return nil
		}
		*v = *new(T) // a T may hold a json.Number, which plain cannot read
	}
	return jsonv2.UnmarshalOf(data, v, exact)
}

// onlyPlainNumbers reports whether every number in data has at most 15 digits and no exponent, and
// so is the same as a float64.
func onlyPlainNumbers(data []byte) bool {
	digits := 0
	for i := 0; i < len(data); i++ {
		switch c := data[i]; {
		case c >= '0' && c <= '9':
			if digits++; digits > 15 {
				return false
			}
		case c == '.':
		case digits > 0 && c|0x20 == 'e':
			return false
		case c == '"':
			digits = 0
			for i++; i < len(data) && data[i] != '"'; i++ {
				if data[i] == '\\' {
					i++
				}
			}
		default:
			digits = 0
		}
	}
	return true
}
