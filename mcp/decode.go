package mcp

import (
	"bytes"
	"errors"
	"fmt"
	"math/big"
	"reflect"
	"strconv"
	"strings"

	jsonv2 "github.com/goccy/go-json/v2"
	"github.com/mooring-mcp/mooring/jsonrpc"
	"github.com/mooring-mcp/mooring/mcp/internal/schema"
)

// decodeArguments decodes arguments that conform to their schema. JSON Schema allows integers with
// a fraction of zero or an exponent, but the codec does not: such numbers are written out, and the
// arguments decoded again. An error says what the argument must be.
func decodeArguments[T any](data []byte, v *T) error {
	if decodeExact(data, v) == nil {
		return nil
	}
	r := rewriter{}
	if err := r.value(bytes.TrimLeft(data, " \t\r\n"), reflect.TypeFor[T](), "arguments"); err != nil {
		return err
	}
	var fresh T
	if err := decodeExact(r.out, &fresh); err != nil {
		return errors.New("arguments must be " + wanted(reflect.TypeFor[T](), err))
	}
	*v = fresh
	return nil
}

// A rewriter copies a JSON value, guided by the Go type that it will be decoded into.
type rewriter struct{ out []byte }

// value appends text, which is for a t and is found at path.
func (r *rewriter) value(text []byte, t reflect.Type, path string) error {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if schema.ReadsItself(t) || schema.ReadsItself(reflect.PointerTo(t)) {
		return r.leaf(text, t, path)
	}
	first := text[0]
	switch k := t.Kind(); {
	case first == 'n' || k == reflect.Interface:
		return r.leaf(text, t, path)
	case k >= reflect.Int && k <= reflect.Uintptr:
		if first == '-' || first >= '0' && first <= '9' {
			if whole, ok := wholeNumber(text); ok {
				text = whole
			}
		}
		return r.leaf(text, t, path)
	case first == '[' && (k == reflect.Slice || k == reflect.Array):
		return r.elements(text, t.Elem(), path)
	case first == '{' && k == reflect.Map:
		return r.members(text, path, func(name string) (schema.Field, error) {
			return schema.Field{Type: t.Elem()}, checkKey(t, name, path)
		})
	case first == '{' && k == reflect.Struct:
		fields := schema.Fields(t)
		return r.members(text, path, func(name string) (schema.Field, error) { return fields[name], nil })
	}
	return r.leaf(text, t, path)
}

// leaf appends text if it can be decoded into a t.
func (r *rewriter) leaf(text []byte, t reflect.Type, path string) error {
	v := reflect.New(t)
	err := jsonv2.Unmarshal(text, v.Interface(), exact)
	if err != nil && t == reflect.TypeFor[big.Int]() {
		if whole, ok := wholeNumber(text); ok {
			text, err = whole, v.Interface().(*big.Int).UnmarshalJSON(whole)
		}
	}
	if err != nil {
		return errors.New(path + " must be " + wanted(t, err))
	}
	r.out = append(r.out, text...)
	return nil
}

func (r *rewriter) elements(text []byte, t reflect.Type, path string) error {
	r.out = append(r.out, '[')
	i := 0
	for item := range jsonrpc.Elements(text) {
		if i > 0 {
			r.out = append(r.out, ',')
		}
		if err := r.value(item, t, path+"["+strconv.Itoa(i)+"]"); err != nil {
			return err
		}
		i++
	}
	r.out = append(r.out, ']')
	return nil
}

// members appends the object text. Field returns what the member with a name is decoded into.
func (r *rewriter) members(text []byte, path string, field func(string) (schema.Field, error)) error {
	r.out = append(r.out, '{')
	first := true
	for quoted, value := range jsonrpc.Members(text) {
		var name string
		if err := jsonv2.Unmarshal(append(append([]byte{'"'}, quoted...), '"'), &name); err != nil {
			return errors.New(path + " must have names of valid Unicode")
		}
		f, err := field(name)
		if err != nil {
			return err
		}
		if !first {
			r.out = append(r.out, ',')
		}
		first = false
		r.out = append(append(append(r.out, '"'), quoted...), `":`...)
		switch at := memberPath(path, name); {
		case f.Type == nil: // no field has that name
			r.out = append(r.out, value...)
		case f.Quoted:
			err = r.quoted(value, f.Type, at)
		default:
			err = r.value(value, f.Type, at)
		}
		if err != nil {
			return err
		}
	}
	r.out = append(r.out, '}')
	return nil
}

// quoted appends text, which is for a field of type t with the tag option string.
func (r *rewriter) quoted(text []byte, t reflect.Type, path string) error {
	one := reflect.New(reflect.StructOf([]reflect.StructField{{Name: "V", Type: t, Tag: `json:"v,string"`}}))
	whole := append(append([]byte(`{"v":`), text...), '}')
	if err := jsonv2.Unmarshal(whole, one.Interface(), exact); err != nil {
		return errors.New(path + " must be a string with " + wanted(t, err))
	}
	r.out = append(r.out, text...)
	return nil
}

// checkKey returns an error if name cannot be decoded into a key of the map type t.
func checkKey(t reflect.Type, name, path string) error {
	text := append(appendString([]byte{'{'}, name), `:null}`...)
	m := reflect.New(reflect.MapOf(t.Key(), reflect.TypeFor[any]()))
	if err := jsonv2.Unmarshal(text, m.Interface(), exact); err != nil {
		return fmt.Errorf("%s: the name %.100q must be %s", path, name, wanted(t.Key(), err))
	}
	return nil
}

// memberPath returns the path of the member called name of the object at path.
func memberPath(path, name string) string {
	plain := name != "" && strings.IndexFunc(name, func(c rune) bool {
		return c != '_' && c != '-' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z')
	}) < 0
	if plain {
		return path + "." + name
	}
	return path + "[" + strconv.Quote(name) + "]"
}
