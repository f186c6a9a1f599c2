package schema

import (
	"encoding"
	"encoding/json"
	"log/slog"
	"math/big"
	"reflect"
	"time"

	"github.com/google/jsonschema-go/jsonschema"
)

var (
	textMarshaler   = reflect.TypeFor[encoding.TextMarshaler]()
	textUnmarshaler = reflect.TypeFor[encoding.TextUnmarshaler]()
	numberType      = reflect.TypeFor[json.Number]()
)

// known has the JSON forms of types of the standard library with a form of their own.
var known = map[reflect.Type]string{
	reflect.TypeFor[time.Time]():  "string",
	reflect.TypeFor[slog.Level](): "string",
	reflect.TypeFor[big.Int]():    "integer",
}

const (
	integerPattern = `^-?(0|[1-9][0-9]*)$`
	numberPattern  = `^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?$`
)

// jsonMethods are the names of the methods with which a type reads or writes its own JSON.
var jsonMethods = map[direction][]string{
	reading: {"UnmarshalJSON", "UnmarshalJSONFrom"},
	writing: {"MarshalJSON", "MarshalJSONTo"},
}

// hasJSON reports whether t reads or writes its own JSON.
func hasJSON(t reflect.Type, dir direction) bool {
	for _, name := range jsonMethods[dir] {
		if _, ok := t.MethodByName(name); ok {
			return true
		}
	}
	return false
}

// hasText reports whether t is read from or written as a text.
func hasText(t reflect.Type, dir direction) bool {
	if dir == writing {
		return t.Implements(textMarshaler)
	}
	return t.Implements(textUnmarshaler)
}

// hasMethods reports whether t has a form of its own. An interface has the form of its value.
func hasMethods(t reflect.Type, dir direction) bool {
	if t.Kind() == reflect.Interface || t.Kind() == reflect.Pointer && t.Elem().Kind() == reflect.Interface {
		return false
	}
	return hasJSON(t, dir) || hasText(t, dir)
}

// ownForm returns the schema of a t with a form of its own. Nothing is known of that form, except
// that a text is a string. Where the codec cannot take the address of a t, it does not use the
// methods of *t, and nothing is known at all.
func (in *inferrer) ownForm(t reflect.Type, addressable, isPointer bool) *jsonschema.Schema {
	s := &jsonschema.Schema{}
	if in.dir == writing && !addressable && !hasMethods(t, writing) {
		return s
	}
	ptr := reflect.PointerTo(t)
	switch name := known[t]; {
	case name != "":
		s.Type = name
	case hasJSON(t, in.dir) || hasJSON(ptr, in.dir):
		return s
	default:
		s.Type = "string"
	}
	if k := t.Kind(); isPointer || k == reflect.Map || k == reflect.Slice {
		return nullable(s)
	}
	return s
}

// quotedForm returns the schema of a field of type t with the option string. S is the schema
// without it. The option only applies to scalars and pointers to them.
func quotedForm(t reflect.Type, s *jsonschema.Schema) *jsonschema.Schema {
	if t.Kind() == reflect.Pointer && t.Name() == "" {
		t = t.Elem()
	}
	q := &jsonschema.Schema{Type: "string"}
	switch k := t.Kind(); {
	case t == numberType, k == reflect.Float32, k == reflect.Float64:
		q.Pattern = numberPattern
	case integer(k) != nil:
		q.Pattern = integerPattern
	case k == reflect.Bool:
		q.Enum = []any{"true", "false"}
	case k == reflect.String:
		q.Pattern = `^".*"$`
	default:
		return s
	}
	if len(s.Types) > 0 {
		return nullable(q)
	}
	return q
}
