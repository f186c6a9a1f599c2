package schema

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"

	"github.com/google/jsonschema-go/jsonschema"
)

// A direction says whether values of a type are read or written. The two differ: a type may have a
// method for one of them only, and a nil embedded pointer leaves out its fields when it is written.
type direction bool

const (
	reading direction = false
	writing direction = true
)

// Infer returns the JSON text of the schema of the values that the codec reads into a t. The codec
// can read every value that the schema admits. If t has no JSON form, the error names the type and
// the field. Names come from json tags and descriptions from jsonschema tags, properties are in
// the order of the fields, and a field without omitempty or omitzero is required. A pointer is
// followed once, as in the official Go SDK. The same type always gives the same text.
func Infer(t reflect.Type) ([]byte, error) { return infer(t, reading) }

// InferOutput returns the JSON text of the schema of the values that the codec writes for a t. It
// does not admit the null of a nil map or pointer at the root, which is written as an empty value
// there.
func InferOutput(t reflect.Type) ([]byte, error) { return infer(t, writing) }

func infer(t reflect.Type, dir direction) ([]byte, error) {
	if t == nil {
		return nil, fmt.Errorf("schema: no type to infer a schema from")
	}
	addressable := t.Kind() == reflect.Pointer
	if addressable {
		t = t.Elem()
	}
	in := inferrer{dir: dir, open: map[reflect.Type]bool{}}
	s, err := in.schema(t, addressable)
	if err != nil {
		return nil, fmt.Errorf("schema: %w", err)
	}
	switch {
	case t.Kind() == reflect.Map && len(s.Types) == 2 && s.Types[1] == "object":
		s.Type, s.Types = "object", nil
	case dir == reading && isAnything(s):
		s.Type = "object" // arguments are always objects
	}
	text, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("schema: %w", err)
	}
	return text, nil
}

// isAnything reports whether s admits every value.
func isAnything(s *jsonschema.Schema) bool { return reflect.ValueOf(*s).IsZero() }

// An inferrer makes the schema of one type.
type inferrer struct {
	dir  direction
	open map[reflect.Type]bool // the types around the one that it looks at
}

// schema returns the schema of t. Addressable says whether the codec finds the methods of *t when
// it writes a t.
func (in *inferrer) schema(t reflect.Type, addressable bool) (*jsonschema.Schema, error) {
	if t.Kind() == reflect.Pointer {
		if hasMethods(t, in.dir) {
			return in.ownForm(t.Elem(), true, true), nil
		}
		s, err := in.schema(t.Elem(), true)
		if err != nil {
			return nil, err
		}
		return nullable(s), nil
	}
	if in.open[t] {
		return nil, fmt.Errorf("the type %v contains itself", t)
	}
	if t.Name() != "" {
		in.open[t] = true
		defer delete(in.open, t)
	}
	if t == numberType {
		return &jsonschema.Schema{Type: "number"}, nil
	}
	if hasMethods(t, in.dir) || hasMethods(reflect.PointerTo(t), in.dir) {
		return in.ownForm(t, addressable, false), nil
	}
	return in.plain(t, addressable)
}

// plain returns the schema of a type without methods of its own.
func (in *inferrer) plain(t reflect.Type, addressable bool) (*jsonschema.Schema, error) {
	switch t.Kind() {
	case reflect.Bool:
		return &jsonschema.Schema{Type: "boolean"}, nil
	case reflect.String:
		return &jsonschema.Schema{Type: "string"}, nil
	case reflect.Float32, reflect.Float64:
		return &jsonschema.Schema{Type: "number"}, nil
	case reflect.Interface:
		if in.dir == reading && t.NumMethod() > 0 {
			return nil, fmt.Errorf("nothing can be read into the interface %v, which has methods", t)
		}
		return &jsonschema.Schema{}, nil
	case reflect.Map:
		return in.mapping(t)
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 && !hasMethods(reflect.PointerTo(t.Elem()), in.dir) {
			return &jsonschema.Schema{Types: []string{"null", "string"}, ContentEncoding: "base64"}, nil
		}
		items, err := in.schema(t.Elem(), true)
		if err != nil {
			return nil, err
		}
		return &jsonschema.Schema{Types: []string{"null", "array"}, Items: items}, nil
	case reflect.Array:
		items, err := in.schema(t.Elem(), addressable)
		if err != nil {
			return nil, err
		}
		n := t.Len()
		return &jsonschema.Schema{Type: "array", Items: items, MinItems: &n, MaxItems: &n}, nil
	case reflect.Struct:
		return in.object(t, addressable)
	}
	if s := integer(t.Kind()); s != nil {
		return s, nil
	}
	return nil, fmt.Errorf("the type %v has no JSON form", t)
}

// integer returns the schema of an integer of kind k, or nil. A float64 cannot represent the
// bounds of 64-bit integers, so the decoder refuses numbers beyond them.
func integer(k reflect.Kind) *jsonschema.Schema {
	bounds := func(low, high float64) *jsonschema.Schema {
		return &jsonschema.Schema{Type: "integer", Minimum: &low, Maximum: &high}
	}
	switch k {
	case reflect.Int, reflect.Int64:
		return &jsonschema.Schema{Type: "integer"}
	case reflect.Uint, reflect.Uint64, reflect.Uintptr:
		return &jsonschema.Schema{Type: "integer", Minimum: new(float64)}
	case reflect.Int8:
		return bounds(-1<<7, 1<<7-1)
	case reflect.Int16:
		return bounds(-1<<15, 1<<15-1)
	case reflect.Int32:
		return bounds(-1<<31, 1<<31-1)
	case reflect.Uint8:
		return bounds(0, 1<<8-1)
	case reflect.Uint16:
		return bounds(0, 1<<16-1)
	case reflect.Uint32:
		return bounds(0, 1<<32-1)
	}
	return nil
}

// mapping returns the schema of a map. A nil map is written as null.
func (in *inferrer) mapping(t reflect.Type) (*jsonschema.Schema, error) {
	s := &jsonschema.Schema{Types: []string{"null", "object"}}
	key := t.Key()
	ptr := reflect.PointerTo(key)
	switch {
	case in.dir == reading && ptr.Implements(textUnmarshaler), in.dir == writing && key.Implements(textMarshaler):
	case key.Kind() == reflect.String:
	case integer(key.Kind()) != nil:
		s.PropertyNames = &jsonschema.Schema{Pattern: integerPattern}
	default:
		return nil, fmt.Errorf("the type %v has no JSON form: its keys are neither strings, integers nor of a type with a text form", t)
	}
	values, err := in.schema(t.Elem(), false)
	if err != nil {
		return nil, err
	}
	s.AdditionalProperties = values
	return s, nil
}

// object returns the schema of a struct.
func (in *inferrer) object(t reflect.Type, addressable bool) (*jsonschema.Schema, error) {
	s := &jsonschema.Schema{
		Type:                 "object",
		Properties:           map[string]*jsonschema.Schema{},
		AdditionalProperties: &jsonschema.Schema{Not: &jsonschema.Schema{}},
	}
	fields, err := fieldsOf(t, in.dir)
	if err != nil {
		return nil, err
	}
	for _, f := range fields {
		p, err := in.schema(f.typ, addressable || f.behindPointer)
		if err != nil {
			return nil, fmt.Errorf("field %v.%s: %w", t, f.goName, err)
		}
		if f.quoted && !hasMethods(f.typ, in.dir) && !hasMethods(reflect.PointerTo(f.typ), in.dir) {
			p = quotedForm(f.typ, p)
		}
		if tag, ok := f.tag.Lookup("jsonschema"); ok {
			word, _, isKey := strings.Cut(tag, "=")
			if tag == "" || isKey && word != "" && !strings.ContainsAny(word, " \t\n") {
				return nil, fmt.Errorf("field %v.%s: the jsonschema tag is a description and must not be empty or begin with WORD=", t, f.goName)
			}
			p.Description = tag
		}
		s.Properties[f.name] = p
		s.PropertyOrder = append(s.PropertyOrder, f.name)
		if !f.optional && !(in.dir == writing && f.behindPointer) {
			s.Required = append(s.Required, f.name)
		}
	}
	return s, nil
}

// nullable returns s changed to admit null too.
func nullable(s *jsonschema.Schema) *jsonschema.Schema {
	if s.Type != "" {
		s.Types, s.Type = []string{"null", s.Type}, ""
	}
	if s.Enum != nil {
		s.Enum = append(s.Enum, nil)
	}
	return s
}
