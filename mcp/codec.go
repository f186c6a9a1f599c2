package mcp

import (
	stdjson "encoding/json"
	"errors"
	"strconv"

	json "github.com/goccy/go-json"
	"github.com/goccy/go-json/jsontext"
	jsonv2 "github.com/goccy/go-json/v2"
)

// exact decodes as encoding/json does, except that names match to the letter: what a
// schema has let pass must not be read otherwise than the schema did. The texts have
// been validated with their message. A number for which nothing but an any is known is
// a float64 if that is written as the same number again, and else a json.Number.
var exact = jsonv2.JoinOptions(
	json.DefaultOptionsV1(),
	jsonv2.MatchCaseInsensitiveNames(false),
	json.ReportErrorsWithLegacySemantics(false), // would read the text twice
	exactNumbers,
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

// anyNumber returns the number text as a float64, or as a json.Number if the float64 would
// be another number when it is written again.
func anyNumber(text []byte) any {
	f, err := strconv.ParseFloat(string(text), 64)
	if err != nil || !sameNumber(text, strconv.AppendFloat(nil, f, 'e', -1, 64)) {
		return stdjson.Number(text)
	}
	return f
}

// decodeExact decodes data into v under exact. It copies what it keeps.
func decodeExact[T any](data []byte, v *T) error { return jsonv2.UnmarshalOf(data, v, exact) }
