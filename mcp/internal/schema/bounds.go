package schema

import (
	"errors"
	"fmt"
	"math"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// The judge applies every alternative of a schema to a value and remembers
// nothing, so that the work for one value is the number of paths that lead from
// the root to subschemas for it. Two shapes make paths multiply: definitions
// that each refer twice to the next, whatever the value; and a recursive schema
// that offers the same property in several alternatives, where every level of
// the value multiplies them. checkGrowth counts both, on the compiled schema.
//
// Vocabulary: an edge is in place if its end is applied to the same value
// ($ref, allOf, if …). Otherwise it leads to a child value (properties,
// items …). The growth of a recursive schema is the greatest number of its own
// subschemas that one of them can apply to one child value.

var (
	errEndless = errors.New("schema: the schema refers to itself without end: a $ref cycle that no property or item interrupts")
	errComplex = errors.New("schema: the schema is too complex: its references and alternatives multiply")
)

// maxTallies is the maximum number of table entries that checkGrowth makes.
const maxTallies = 1 << 20

// checkGrowth returns how deep a value may be nested for the judge's work to
// stay bounded. 0 means any depth. It returns an error if no depth is safe.
func checkGrowth(root *jsonschema.Schema) (depth int, err error) {
	g := &growth{nodes: map[*jsonschema.Schema]*vertex{}, anchors: map[string][]*jsonschema.Schema{}}
	g.collect(root)
	if err := g.components(root); err != nil {
		return 0, err
	}
	widest := 1.0
	for s, v := range g.nodes {
		if g.visits(s) > maxVisits || g.tallies > maxTallies {
			return 0, errComplex
		}
		if v.recursive {
			same := func(t *jsonschema.Schema) float64 {
				if g.nodes[t].component == v.component {
					return 1
				}
				return 0
			}
			widest = max(widest, g.expand(s, same, map[*jsonschema.Schema]*tally{}).most())
			if g.tallies > maxTallies {
				return 0, errComplex
			}
		}
	}
	if widest <= 1 {
		return 0, nil
	}
	depth = int(math.Log(maxGrowth) / math.Log(widest))
	if depth < 2 {
		return 0, fmt.Errorf("%w (a recursive schema with %.0f ways to check one property)", errComplex, widest)
	}
	return depth, nil
}

type growth struct {
	nodes   map[*jsonschema.Schema]*vertex
	anchors map[string][]*jsonschema.Schema // by $dynamicAnchor
	tallies int

	// Tarjan's algorithm.
	stack []*jsonschema.Schema
	next  int
	parts int
}

type vertex struct {
	order, low   int // 1 and up; 0 if not visited
	component    int // 0 if still open
	recursive    bool
	active, done bool // state of the search along edges in place
	visits       float64
}

// collect finds every subschema.
func (g *growth) collect(root *jsonschema.Schema) {
	todo := []*jsonschema.Schema{root}
	for len(todo) > 0 {
		s := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if s == nil || g.nodes[s] != nil {
			continue
		}
		g.nodes[s] = &vertex{}
		if s.DynamicAnchor != "" {
			g.anchors[s.DynamicAnchor] = append(g.anchors[s.DynamicAnchor], s)
		}
		todo = append(todo, inPlace(s)...)
		if s.DynamicRef != nil {
			todo = append(todo, s.DynamicRef.Ref)
		}
		todo = append(todo, s.RecursiveRef)
		eachChild(s, func(_ place, _ string, t *jsonschema.Schema) { todo = append(todo, t) })
	}
}

// inPlace returns the subschemas that s applies to its own value, without
// those that depend on the path that led to s.
func inPlace(s *jsonschema.Schema) []*jsonschema.Schema {
	var ts []*jsonschema.Schema
	if s.Ref != nil {
		ts = append(ts, s.Ref)
		if s.DraftVersion < 2019 { // its siblings are ignored
			return ts
		}
	}
	ts = append(ts, s.AllOf...)
	ts = append(ts, s.AnyOf...)
	ts = append(ts, s.OneOf...)
	for _, t := range []*jsonschema.Schema{s.Not, s.If, s.Then, s.Else} {
		if t != nil {
			ts = append(ts, t)
		}
	}
	for _, t := range s.DependentSchemas {
		ts = append(ts, t)
	}
	for _, d := range s.Dependencies {
		if t, ok := d.(*jsonschema.Schema); ok {
			ts = append(ts, t)
		}
	}
	return ts
}

// dynamic returns the subschemas that s may apply to its own value, depending
// on the path that led to s.
func (g *growth) dynamic(s *jsonschema.Schema) []*jsonschema.Schema {
	var ts []*jsonschema.Schema
	if d := s.DynamicRef; d != nil {
		ts = append(ts, d.Ref)
		if d.Anchor != "" {
			ts = append(ts, g.anchors[d.Anchor]...)
		}
	}
	if s.RecursiveRef != nil {
		ts = append(ts, s.RecursiveRef)
	}
	return ts
}

// A place says which child values an edge leads to.
type place uint8

const (
	placeItem    place = iota // the items of an array
	placeNamed                // the property with one name
	placeElse                 // the properties that no placeNamed edge of this schema leads to
	placeAnyProp              // the properties with any name
)

// eachChild calls f for the subschemas that s applies to child values.
func eachChild(s *jsonschema.Schema, f func(p place, name string, t *jsonschema.Schema)) {
	if s.Ref != nil && s.DraftVersion < 2019 {
		return
	}
	one := func(p place, t *jsonschema.Schema) {
		if t != nil {
			f(p, "", t)
		}
	}
	for name, t := range s.Properties {
		f(placeNamed, name, t)
	}
	for _, t := range s.PatternProperties {
		one(placeAnyProp, t)
	}
	if t, ok := s.AdditionalProperties.(*jsonschema.Schema); ok {
		one(placeElse, t)
	}
	one(placeAnyProp, s.PropertyNames)
	one(placeAnyProp, s.UnevaluatedProperties)
	switch items := s.Items.(type) {
	case *jsonschema.Schema:
		one(placeItem, items)
	case []*jsonschema.Schema:
		for _, t := range items {
			one(placeItem, t)
		}
	}
	for _, t := range s.PrefixItems {
		one(placeItem, t)
	}
	if t, ok := s.AdditionalItems.(*jsonschema.Schema); ok {
		one(placeItem, t)
	}
	one(placeItem, s.Items2020)
	one(placeItem, s.Contains)
	one(placeItem, s.UnevaluatedItems)
}
