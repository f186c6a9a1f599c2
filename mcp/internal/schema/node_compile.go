package schema

import (
	"encoding/json"
	"maps"
	"math/big"
	"slices"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// compileNode fills n from s. The subset that it supports is: boolean schemas,
// type, enum and const of scalars, the bounds of numbers, strings, arrays and
// objects, pattern, uniqueItems (sure for up to one item), items, prefixItems,
// properties, required (up to 64), additionalProperties, $ref, allOf, anyOf,
// oneOf, not, if/then/else, and every annotation.
func (c *fastCompiler) compileNode(n *node, s *jsonschema.Schema) {
	if s.Bool != nil {
		if !*s.Bool {
			n.kinds = 0
		}
		return
	}
	if beyond(s) || s.Ref != nil && s.DraftVersion < 2019 {
		c.ok = false
		return
	}
	if s.Types != nil && !s.Types.IsEmpty() {
		n.kinds = typeKinds(s.Types.ToStrings())
		n.integer = n.kinds&kindNumber == 0
	}
	c.values(n, s)
	if hasNumber(s) {
		c.number(n, s)
	}
	if hasString(s) {
		n.str = &stringRule{min: orElse(s.MinLength, 0), max: orElse(s.MaxLength, -1)}
		if s.Pattern != nil {
			re, ok := checkedByRE2(s.Pattern)
			c.ok = c.ok && ok
			n.str.pattern = re
		}
	}
	if hasArray(s) {
		c.array(n, s)
	}
	if hasObject(s) {
		c.object(n, s)
	}
	c.also(n, s)
	n.decimal = n.enum != nil || n.numbers != nil
}

// orElse returns *p, or other if p is nil.
func orElse(p *int, other int) int {
	if p == nil {
		return other
	}
	return *p
}

func typeKinds(names []string) (k kinds) {
	for _, name := range names {
		switch name {
		case "null":
			k |= kindNull
		case "boolean":
			k |= kindBoolean
		case "integer":
			k |= kindInteger
		case "number":
			k |= kindInteger | kindNumber
		case "string":
			k |= kindString
		case "array":
			k |= kindArray
		case "object":
			k |= kindObject
		}
	}
	return k
}

// values compiles enum and const.
func (c *fastCompiler) values(n *node, s *jsonschema.Schema) {
	var vs []any
	switch {
	case s.Enum != nil && s.Const != nil:
		c.ok = false // having both is rare, and each would need its own enum
		return
	case s.Enum != nil:
		vs = s.Enum.Values
	case s.Const != nil:
		vs = []any{*s.Const}
	default:
		return
	}
	e := &enum{}
	for _, v := range vs {
		switch v := v.(type) {
		case nil:
			e.kinds |= kindNull
		case bool:
			e.kinds |= kindBoolean
			e.yes, e.no = e.yes || v, e.no || !v
		case string:
			e.kinds |= kindString
			e.strings = append(e.strings, v)
		case json.Number:
			d, ok := parseDecimal([]byte(v))
			c.ok = c.ok && ok
			e.kinds |= kindInteger | kindNumber
			e.numbers = append(e.numbers, d)
		default:
			c.ok = false
		}
	}
	if len(e.strings) > fewNames {
		e.set = map[string]struct{}{}
		for _, v := range e.strings {
			e.set[v] = struct{}{}
		}
	}
	n.enum = e
	n.kinds &= e.kinds
}

func (c *fastCompiler) number(n *node, s *jsonschema.Schema) {
	for _, r := range []struct {
		op  numberOp
		val *big.Rat
	}{
		{opMinimum, s.Minimum}, {opMaximum, s.Maximum},
		{opAbove, s.ExclusiveMinimum}, {opBelow, s.ExclusiveMaximum},
		{opMultiple, s.MultipleOf},
	} {
		if r.val == nil {
			continue
		}
		d, ok := ratDecimal(r.val)
		c.ok = c.ok && ok && (r.op != opMultiple || r.val.Sign() > 0)
		n.numbers = append(n.numbers, numberRule{r.op, d})
	}
}

func (c *fastCompiler) array(n *node, s *jsonschema.Schema) {
	a := &array{min: orElse(s.MinItems, 0), max: orElse(s.MaxItems, -1), unique: s.UniqueItems}
	n.arr = a
	prefix, rest := s.PrefixItems, s.Items2020
	switch items := s.Items.(type) { // before 2020-12
	case *jsonschema.Schema:
		rest = items
	case []*jsonschema.Schema:
		prefix = items
	}
	switch more := s.AdditionalItems.(type) {
	case *jsonschema.Schema:
		rest = more
	case bool:
		if !more {
			a.items = &node{}
		}
	}
	for _, p := range prefix {
		a.prefix = append(a.prefix, c.node(p))
	}
	if rest != nil {
		a.items = c.node(rest)
	}
}

func (c *fastCompiler) object(n *node, s *jsonschema.Schema) {
	o := &object{min: orElse(s.MinProperties, 0), max: orElse(s.MaxProperties, -1)}
	n.obj = o
	switch more := s.AdditionalProperties.(type) {
	case *jsonschema.Schema:
		o.others = c.node(more)
	case bool:
		if !more {
			o.others = &node{}
		}
	}
	required := slices.Compact(slices.Sorted(slices.Values(s.Required)))
	if len(required) > maxRequired {
		c.ok = false
		return
	}
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		o.props = append(o.props, prop{name: name, node: c.node(s.Properties[name])})
	}
	for i, name := range required {
		k := slices.IndexFunc(o.props, func(p prop) bool { return p.name == name })
		if k < 0 { // a required property that is otherwise an additional one
			k = len(o.props)
			o.props = append(o.props, prop{name: name, node: o.others})
		}
		o.props[k].bit = 1 << i
		o.required |= 1 << i
	}
	if len(o.props) > fewNames {
		o.index = map[string]int{}
		for i, p := range o.props {
			o.index[p.name] = i
		}
	}
}

// also compiles the schemas that s applies in place.
func (c *fastCompiler) also(n *node, s *jsonschema.Schema) {
	if s.Ref == nil && s.AllOf == nil && s.AnyOf == nil && s.OneOf == nil && s.Not == nil && s.If == nil {
		return
	}
	a := &also{}
	n.also = a
	if s.Ref != nil {
		a.all = append(a.all, c.node(s.Ref))
	}
	a.all = append(a.all, c.list(s.AllOf)...)
	a.any = c.list(s.AnyOf)
	a.one = c.list(s.OneOf)
	if s.Not != nil {
		a.not = c.node(s.Not)
	}
	if s.If != nil {
		a.cond = c.node(s.If)
		if s.Then != nil {
			a.then = c.node(s.Then)
		}
		if s.Else != nil {
			a.other = c.node(s.Else)
		}
	}
}

func (c *fastCompiler) list(ss []*jsonschema.Schema) []*node {
	var ns []*node
	for _, s := range ss {
		ns = append(ns, c.node(s))
	}
	return ns
}
