package schema

import (
	"slices"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// components finds the strongly connected components (Tarjan) and refuses
// cycles of edges in place.
func (g *growth) components(root *jsonschema.Schema) error {
	for s := range g.nodes {
		if err := g.endless(s); err != nil {
			return err
		}
	}
	g.connect(root)
	return nil
}

// endless looks for a cycle of edges in place.
func (g *growth) endless(s *jsonschema.Schema) error {
	v := g.nodes[s]
	switch {
	case v.done:
		return nil
	case v.active:
		return errEndless
	}
	v.active = true
	for _, t := range inPlace(s) {
		if err := g.endless(t); err != nil {
			return err
		}
	}
	v.active, v.done = false, true
	return nil
}

// connect is Tarjan's algorithm from s.
func (g *growth) connect(s *jsonschema.Schema) *vertex {
	v := g.nodes[s]
	g.next++
	v.order, v.low = g.next, g.next
	g.stack = append(g.stack, s)
	edge := func(t *jsonschema.Schema) {
		w := g.nodes[t]
		switch {
		case t == s:
			v.recursive = true
		case w.order == 0:
			v.low = min(v.low, g.connect(t).low)
		case w.component == 0:
			v.low = min(v.low, w.order)
		}
	}
	for _, t := range inPlace(s) {
		edge(t)
	}
	for _, t := range g.dynamic(s) {
		edge(t)
	}
	eachChild(s, func(_ place, _ string, t *jsonschema.Schema) { edge(t) })
	if v.low != v.order {
		return v
	}
	g.parts++
	i := slices.Index(g.stack, s)
	for _, t := range g.stack[i:] {
		w := g.nodes[t]
		w.component = g.parts
		w.recursive = w.recursive || len(g.stack)-i > 1
	}
	g.stack = g.stack[:i]
	return v
}

// visits returns the greatest number of subschemas that one visit of s can
// apply to one value, not counting recursion. It is not exact beyond maxVisits.
func (g *growth) visits(s *jsonschema.Schema) float64 {
	v := g.nodes[s]
	if v.visits == 0 {
		v.visits = 1 // prevents a second entry through a dynamic reference
		other := func(t *jsonschema.Schema) float64 {
			if g.nodes[t].component == v.component {
				return 0
			}
			return g.visits(t)
		}
		a := g.expand(s, other, map[*jsonschema.Schema]*tally{})
		v.visits = min(max(a.self, a.most()), 2*maxVisits)
	}
	return v.visits
}

// A tally counts the subschemas that one visit of a schema applies, including
// everything that it applies in place.
type tally struct {
	self  float64            // subschemas for the value itself
	items float64            // for each item
	props float64            // for a property whose name is not in names
	names map[string]float64 // for the property with this name, in addition to props
}

// most returns the greatest count for one child value.
func (a *tally) most() float64 {
	m := max(a.items, a.props)
	for _, n := range a.names {
		m = max(m, a.props+n)
	}
	return m
}

// expand tallies s. Weight returns how much an edge to a child counts. A nil in
// done marks a schema that is being expanded.
func (g *growth) expand(s *jsonschema.Schema, weight func(*jsonschema.Schema) float64, done map[*jsonschema.Schema]*tally) *tally {
	if a, ok := done[s]; ok {
		if a == nil {
			a = &tally{}
		}
		return a
	}
	if g.tallies > maxTallies { // the schema will be refused anyway
		return &tally{}
	}
	done[s] = nil
	a := &tally{self: 1, names: map[string]float64{}}
	objects, arrays := true, true
	if s.Types != nil && !s.Types.IsEmpty() { // another type is refused before any child is looked at
		types := s.Types.ToStrings()
		objects, arrays = slices.Contains(types, "object"), slices.Contains(types, "array")
	}
	otherwise := 0.0
	if t, ok := s.AdditionalProperties.(*jsonschema.Schema); ok && objects {
		otherwise = weight(t)
	}
	eachChild(s, func(p place, name string, t *jsonschema.Schema) {
		switch {
		case p == placeItem:
			if arrays {
				a.items += weight(t)
			}
		case !objects:
		case p == placeNamed:
			if w := weight(t) - otherwise; w != 0 {
				a.names[name] += w
			}
		default:
			a.props += weight(t)
		}
	})
	for _, t := range inPlace(s) {
		a.add(g.expand(t, weight, done))
	}
	if ts := g.dynamic(s); len(ts) > 0 { // only one of them is applied
		most := &tally{names: map[string]float64{}}
		for _, t := range ts {
			most.max(g.expand(t, weight, done))
		}
		a.add(most)
	}
	g.tallies += 1 + len(a.names)
	done[s] = a
	return a
}

func (a *tally) add(b *tally) {
	a.self += b.self
	a.items += b.items
	a.props += b.props
	for name, n := range b.names {
		a.names[name] += n
	}
}

// max raises a's counts to b's.
func (a *tally) max(b *tally) {
	a.self = max(a.self, b.self)
	a.items = max(a.items, b.items)
	a.props = max(a.props, b.props)
	for name, n := range b.names {
		a.names[name] = max(a.names[name], n)
	}
}
