package schema

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// defaults holds what is filled in for the properties of one object schema,
// sorted by name.
type defaults struct {
	props []defaultProp
}

type defaultProp struct {
	name   string
	member []byte    // `"name":default`, added if the property is absent; nil to add nothing
	inside *defaults // filled in within the property if it is present; nil to fill in nothing
}

// compileDefaults collects the defaults of s and of the objects within it. As
// in the official Go SDK the default of a required property is ignored, and
// references are not followed. It returns nil if there is nothing to fill in.
func compileDefaults(s *jsonschema.Schema) (*defaults, error) {
	d := &defaults{}
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		sub := s.Properties[name]
		inside, err := compileDefaults(sub)
		if err != nil {
			return nil, err
		}
		p := defaultProp{name: name, inside: inside}
		if !slices.Contains(s.Required, name) {
			if p.member, err = p.absent(sub); err != nil {
				return nil, err
			}
		}
		if p.member != nil || p.inside != nil {
			d.props = append(d.props, p)
		}
	}
	if len(d.props) == 0 {
		return nil, nil
	}
	return d, nil
}

// absent returns the member to add if the property is absent: its default, with
// the defaults inside filled in. If it has no default, but describes an object
// with defaults and without required properties, the member is that object.
func (p *defaultProp) absent(s *jsonschema.Schema) ([]byte, error) {
	var text []byte
	switch {
	case s.Default != nil:
		var err error
		if text, err = marshal(*s.Default); err != nil {
			return nil, err
		}
	case p.inside != nil && len(s.Required) == 0 && s.Types != nil && s.Types.String() == "[object]":
		text = []byte("{}")
	default:
		return nil, nil
	}
	member, err := marshal(p.name)
	if err != nil {
		return nil, err
	}
	member = append(member, ':')
	if p.inside != nil {
		if out, changed := p.inside.apply(nil, text); changed {
			text = out
		}
	}
	return append(member, text...), nil
}

// marshal returns the JSON text of v without HTML escapes.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, fmt.Errorf("schema: a default has no JSON text: %w", err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// ApplyDefaults fills in the schema's defaults for absent properties of value,
// in the value itself and in the objects within it that the schema describes by
// "properties". If there is nothing to add, it returns value and false and costs
// next to nothing. Otherwise it appends the completed value to dst and returns
// the extended dst and true. The value must be as for Validate, and dst must not
// overlap it. An absent object is added if its own properties have defaults and
// none of them is required.
func (s *Schema) ApplyDefaults(dst, value []byte) (out []byte, changed bool) {
	if s.defaults == nil {
		return value, false
	}
	out, changed = s.defaults.apply(dst, value)
	if !changed {
		return value, false
	}
	return out, true
}

// apply appends value with its defaults to dst. If changed is false, what was
// appended equals value.
func (d *defaults) apply(dst, value []byte) (out []byte, changed bool) {
	i := skipSpace(value, 0)
	if i == len(value) || value[i] != '{' {
		return append(dst, value...), false
	}
	i++
	dst = append(dst, value[:i]...)
	seen := make([]bool, len(d.props))
	empty := true
	for {
		start := i
		i = skipSpace(value, i)
		if i >= len(value) || value[i] == '}' {
			// Members are added before the white space that ends the object.
			for k, p := range d.props {
				if seen[k] || p.member == nil {
					continue
				}
				if !empty {
					dst = append(dst, ',')
				}
				dst = append(dst, p.member...)
				empty, changed = false, true
			}
			return append(dst, value[start:]...), changed
		}
		if value[i] == ',' {
			i = skipSpace(value, i+1)
		}
		end, escaped := skipString(value, i)
		name := value[i:end]
		v := skipSpace(value, end)
		v = skipSpace(value, min(v+1, len(value))) // the colon
		vend, _ := skipValue(value, v)
		dst = append(dst, value[start:v]...)
		empty = false
		k := d.find(name, escaped)
		if k < 0 || d.props[k].inside == nil {
			dst = append(dst, value[v:vend]...)
		} else {
			var c bool
			dst, c = d.props[k].inside.apply(dst, value[v:vend])
			changed = changed || c
		}
		if k >= 0 {
			seen[k] = true
		}
		i = vend
	}
}

// find returns the index of the property whose name's JSON text is quoted, or -1.
func (d *defaults) find(quoted []byte, escaped bool) int {
	if len(quoted) < 2 {
		return -1
	}
	name := quoted[1 : len(quoted)-1]
	if escaped {
		var s string
		if json.Unmarshal(quoted, &s) != nil {
			return -1
		}
		name = []byte(s)
	}
	return slices.IndexFunc(d.props, func(p defaultProp) bool { return p.name == string(name) })
}
