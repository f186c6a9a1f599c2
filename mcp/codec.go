package mcp

import (
	json "github.com/goccy/go-json"
	jsonv2 "github.com/goccy/go-json/v2"
)

// exact decodes as encoding/json does, except that names match to the letter: what a
// schema has let pass must not be read otherwise than the schema did. The texts have
// been validated with their message.
var exact = jsonv2.JoinOptions(
	json.DefaultOptionsV1(),
	jsonv2.MatchCaseInsensitiveNames(false),
	json.ReportErrorsWithLegacySemantics(false), // would read the text twice
)

// decodeExact decodes data into v under exact. It copies what it keeps.
func decodeExact[T any](data []byte, v *T) error { return jsonv2.UnmarshalOf(data, v, exact) }
