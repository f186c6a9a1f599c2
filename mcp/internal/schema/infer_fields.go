package schema

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"unicode"
)

// A field is a member of a struct's JSON object.
type field struct {
	name, goName  string
	typ           reflect.Type
	tag           reflect.StructTag
	index         []int
	tagged        bool // the name comes from a tag
	quoted        bool // the option string
	optional      bool // omitempty or omitzero
	behindPointer bool // in a struct embedded by a pointer
}

// fieldsOf returns the members of the struct t in order, by the rules of encoding/json. Fields of
// embedded structs count as t's own. Of several fields with one name the shallowest wins; at the
// same depth, the only one that has the name from its tag; and otherwise none.
func fieldsOf(t reflect.Type, dir direction) ([]field, error) {
	var all []field
	err := collectFields(t, dir, nil, false, map[reflect.Type]bool{}, &all)
	if err != nil {
		return nil, err
	}
	byName := map[string][]field{}
	for _, f := range all {
		byName[f.name] = append(byName[f.name], f)
	}
	var fields []field
	for _, same := range byName {
		slices.SortStableFunc(same, func(a, b field) int {
			if c := cmp.Compare(len(a.index), len(b.index)); c != 0 {
				return c
			}
			if a.tagged != b.tagged {
				if a.tagged {
					return -1
				}
				return 1
			}
			return 0
		})
		if len(same) > 1 && len(same[0].index) == len(same[1].index) && same[0].tagged == same[1].tagged {
			continue
		}
		fields = append(fields, same[0])
	}
	slices.SortFunc(fields, func(a, b field) int { return slices.Compare(a.index, b.index) })
	return fields, nil
}

// collectFields appends the candidates of t, which is embedded at index. Within holds the structs
// around it, because a struct that embeds itself adds nothing the second time.
func collectFields(t reflect.Type, dir direction, index []int, behind bool, within map[reflect.Type]bool, all *[]field) error {
	if within[t] {
		return nil
	}
	within[t] = true
	defer delete(within, t)
	for i := range t.NumField() {
		sf := t.Field(i)
		inner, pointer := sf.Type, false
		if inner.Kind() == reflect.Pointer && inner.Name() == "" {
			inner, pointer = inner.Elem(), true
		}
		if !sf.IsExported() && !(sf.Anonymous && inner.Kind() == reflect.Struct) {
			continue
		}
		tag := sf.Tag.Get("json")
		if tag == "-" {
			continue
		}
		name, options, _ := strings.Cut(tag, ",")
		if !validName(name) {
			name = ""
		}
		at := append(slices.Clone(index), i)
		if sf.Anonymous && name == "" && inner.Kind() == reflect.Struct {
			if pointer && dir == reading && !sf.IsExported() {
				return fmt.Errorf("field %v.%s: nothing can be read into an embedded pointer to an unexported struct", t, sf.Name)
			}
			if err := collectFields(inner, dir, at, behind || pointer, within, all); err != nil {
				return err
			}
			continue
		}
		if !sf.IsExported() {
			continue
		}
		f := field{name: cmp.Or(name, sf.Name), goName: sf.Name, typ: sf.Type, tag: sf.Tag, index: at, tagged: name != "", behindPointer: behind}
		for option := range strings.SplitSeq(options, ",") {
			switch option {
			case "omitempty", "omitzero":
				f.optional = true
			case "string":
				f.quoted = true
			}
		}
		*all = append(*all, f)
	}
	return nil
}

// validName reports whether encoding/json accepts s as a name.
func validName(s string) bool {
	for _, c := range s {
		if !strings.ContainsRune("!#$%&()*+-./:;<=>?@[]^_{|}~ ", c) && !unicode.IsLetter(c) && !unicode.IsDigit(c) {
			return false
		}
	}
	return s != ""
}

// A Field is a member that the codec reads into a struct.
type Field struct {
	Type   reflect.Type
	Quoted bool // its tag has the option string
}

// Fields returns the members that the codec reads into the struct t, by name.
func Fields(t reflect.Type) map[string]Field {
	fields, err := fieldsOf(t, reading)
	if err != nil {
		return nil
	}
	byName := make(map[string]Field, len(fields))
	for _, f := range fields {
		byName[f.name] = Field{f.typ, f.quoted}
	}
	return byName
}

// ReadsItself reports whether t has methods that read its JSON or its text form.
func ReadsItself(t reflect.Type) bool { return hasMethods(t, reading) }
