package schema

import (
	"encoding/json"
	"fmt"
	"reflect"

	"github.com/google/jsonschema-go/jsonschema"
)

// Infer returns the JSON text of the schema that describes t's JSON form, as
// github.com/google/jsonschema-go infers it: field names from json tags,
// descriptions from jsonschema tags, properties in the order of the fields; a
// field without omitempty or omitzero is required. A pointer is followed once,
// as in the official Go SDK. The same type always gives the same text. The
// error names the type that has no JSON form (a func, a chan, a cyclic type).
func Infer(t reflect.Type) ([]byte, error) {
	if t == nil {
		return nil, fmt.Errorf("schema: no type to infer a schema from")
	}
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	s, err := jsonschema.ForType(t, &jsonschema.ForOptions{})
	if err != nil {
		return nil, fmt.Errorf("schema: %w", err)
	}
	text, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("schema: %w", err)
	}
	return text, nil
}
