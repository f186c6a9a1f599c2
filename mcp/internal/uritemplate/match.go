package uritemplate

import (
	"net/url"
	"strings"
	"unicode/utf8"
)

// Matches reports whether uri matches the template.
func (t *Template) Matches(uri string) bool {
	_, ok := t.match(uri, false)
	return ok
}

// Match returns the values of the template's variables in uri, percent-decoded,
// and whether uri matches. A variable whose expression or parameter is missing
// is not in the map. A URI with a value that does not decode to UTF-8 does not
// match.
func (t *Template) Match(uri string) (map[string]string, bool) { return t.match(uri, true) }

func (t *Template) match(uri string, want bool) (map[string]string, bool) {
	parts, uri, ok := t.trim(uri)
	if !ok || !utf8.ValidString(uri) {
		return nil, false
	}
	sets := reach(parts, uri)
	if !sets[0].has(0) {
		return nil, false
	}
	m := matcher{uri: uri}
	if want {
		m.found = make(map[string]string, 2)
	}
	pos, rest := 0, sets[len(parts)+1:]
	for i := range parts {
		p := &parts[i]
		if p.vars == nil {
			pos += len(p.literal)
			continue
		}
		n := p.tables()
		m.part, m.to, m.values = p, sets[i+1], rest[:n]
		rest = rest[n:]
		if pos, ok = m.expression(pos); !ok {
			return nil, false
		}
	}
	return m.found, true
}

// trim returns the template and uri without the literals that they begin and end
// with. It returns false if they do not have the same ones, which rules out most
// URIs.
func (t *Template) trim(uri string) (parts []part, rest string, ok bool) {
	parts = t.parts
	if len(parts) > 0 && parts[0].vars == nil {
		if uri, ok = strings.CutPrefix(uri, parts[0].literal); !ok {
			return nil, "", false
		}
		parts = parts[1:]
	}
	if n := len(parts); n > 0 && parts[n-1].vars == nil {
		if uri, ok = strings.CutSuffix(uri, parts[n-1].literal); !ok {
			return nil, "", false
		}
		parts = parts[:n-1]
	}
	return parts, uri, true
}

// A matcher reads the values of an expression forwards, along positions from which
// the end can be reached.
type matcher struct {
	*part
	uri    string
	to     set               // where the expression can end
	values []set             // see tables
	found  map[string]string // nil if nobody wants the values
}

// expression reads the values of the expression that begins at pos, from which the
// end can be reached, and returns where it ends. It returns false if a value does
// not decode, or if a parameter is there twice.
func (m *matcher) expression(pos int) (end int, ok bool) {
	first := m.values
	if m.op.named {
		first = first[len(m.vars):]
	}
	if m.op.first != 0 {
		if pos == len(m.uri) || m.uri[pos] != m.op.first || firstOf(first, pos+1) < 0 {
			return pos, true // it is missing
		}
		pos++
	}
	if m.op.named {
		return m.pairs(pos)
	}
	return m.list(pos)
}

// list reads values without names.
func (m *matcher) list(pos int) (end int, ok bool) {
	start := pos
	j, end := m.first(pos)
	for j >= 0 && end >= 0 {
		v := &m.vars[j]
		next := m.next(end, j)
		if next != j && !m.put(v.name, m.uri[start:end]) {
			return 0, false
		}
		if next < 0 {
			return end, true
		}
		pos = end + 1
		if next != j {
			j, start = next, pos
		}
		end = m.longest(&m.vars[j], pos, m.valueEnds(j))
	}
	return 0, false
}

// first returns the variable whose value begins at pos, and the end of that value.
// An expression without a leading character must not be empty.
func (m *matcher) first(pos int) (j, end int) {
	for j := range m.vars {
		if !m.values[j].has(pos) {
			continue
		}
		ends := m.valueEnds(j)
		if m.op.first == 0 {
			ends = func(i int) bool { return m.to.has(i) && i > pos || m.next(i, j) >= 0 }
		}
		if end := m.longest(&m.vars[j], pos, ends); end >= 0 {
			return j, end
		}
	}
	return -1, -1
}

// valueEnds returns a function that reports whether a value of the variable j can
// end at a position.
func (m *matcher) valueEnds(j int) func(int) bool {
	return func(i int) bool { return m.to.has(i) || m.next(i, j) >= 0 }
}

// next returns the variable to whose value a separator at i leads from a value of
// the variable j, or -1 if it leads nowhere. Variables may be undefined, and then
// are passed over.
func (m *matcher) next(i, j int) int {
	if i == len(m.uri) || m.uri[i] != m.op.sep {
		return -1
	}
	if !m.vars[j].explode {
		j++
	}
	if k := firstOf(m.values[j:], i+1); k >= 0 {
		return j + k
	}
	return -1
}

// firstOf returns the index of the first set that has i, or -1 if none has.
func firstOf(sets []set, i int) int {
	for j := range sets {
		if sets[j].has(i) {
			return j
		}
	}
	return -1
}

// pairs reads values with names.
func (m *matcher) pairs(pos int) (end int, ok bool) {
	names := m.values[len(m.vars)]
	ends := func(i int) bool { return m.pairEnds(m.uri, i, m.to, names) }
	seen := uint64(0)
	var rest exploded
	j, at := m.named(pos, seen)
	for j >= 0 {
		v := &m.vars[j]
		if end = m.longest(v, at, ends); end < 0 || v.explode && end == pos {
			return 0, false
		}
		value, ok := decoded(m.uri[at:end])
		switch {
		case !ok:
			return 0, false
		case m.found == nil:
		case v.explode:
			rest.add(v.name, value, m.op.sep)
		default:
			m.found[v.name] = value
		}
		seen |= 1 << j
		if end == len(m.uri) || m.uri[end] != m.op.sep || !names.has(end+1) {
			rest.put(m.found)
			return end, true
		}
		pos = end + 1
		if j, at = m.named(pos, seen); j < 0 && m.to.has(end) {
			rest.put(m.found)
			return end, true // what follows belongs to another expression
		}
	}
	return 0, false // a parameter is there twice
}

// named returns the variable of the parameter at pos, and where its value begins.
// Those in seen have had theirs. It returns -1 if there is none.
func (m *matcher) named(pos int, seen uint64) (j, at int) {
	exploded := -1
	for j := range m.vars {
		if m.vars[j].explode {
			exploded = j
		} else if at, ok := m.valueOf(m.uri, pos, j, m.to, m.values); ok && seen&(1<<j) == 0 {
			return j, at
		}
	}
	return exploded, pos
}

// longest returns the last position in ends that a value of v can reach from pos,
// or -1 if there is none.
func (m *matcher) longest(v *variable, pos int, ends func(int) bool) int {
	best := -1
	for i, left := pos, v.limit(); ; left-- {
		if ends(i) {
			best = i
		}
		if left == 0 || i == len(m.uri) {
			return best
		}
		n := m.unit(v, m.uri, i)
		if n == 0 {
			return best
		}
		i += n
	}
}

// put notes the value of the variable called name. It returns false if text does
// not decode to UTF-8.
func (m *matcher) put(name, text string) bool {
	v, ok := decoded(text)
	if ok && m.found != nil {
		m.found[name] = v
	}
	return ok
}

// decoded returns text without percent-encodings. It returns false if that is not
// UTF-8.
func decoded(text string) (string, bool) {
	v, err := url.PathUnescape(text)
	return v, err == nil && utf8.ValidString(v)
}

// exploded collects the values of a variable with the explode modifier, of which
// an expression with names has one at most.
type exploded struct {
	name string
	text []byte
}

// add adds a value, decoded.
func (e *exploded) add(name, value string, sep byte) {
	if e.name != "" {
		e.text = append(e.text, sep)
	}
	e.name, e.text = name, append(e.text, value...)
}

// put puts the values into found, if there are any.
func (e *exploded) put(found map[string]string) {
	if e.name != "" {
		found[e.name] = string(e.text)
	}
}
