package mcp

import (
	json "github.com/goccy/go-json"
	jsonv2 "github.com/goccy/go-json/v2"
)

// exact decodes as encoding/json does, except that names match to the letter and
// may not occur twice, in objects and structs alike: what a schema has let pass must
// not be read otherwise than the schema did.
var exact = jsonv2.JoinOptions(json.DefaultOptionsV1(), jsonv2.MatchCaseInsensitiveNames(false))

// decodeExact decodes data into v, a pointer, under exact. It copies what it keeps.
func decodeExact(data []byte, v any) error { return jsonv2.Unmarshal(data, v, exact) }
