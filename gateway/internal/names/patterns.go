package names

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Limits of a list of patterns.
const (
	MaxPatterns      = 1000 // in a list
	MaxPatternLength = 256  // bytes of a pattern, without its !
)

// Patterns decide which of an upstream's names are offered. They are compared with the upstream's
// own names, never with advertised ones. May be used from any goroutine.
//
// A pattern allows the names that it matches, and one that begins with ! denies them. In a pattern,
// * stands for any characters, also for none; everything else stands for itself. The order of the
// list has no meaning: a name is allowed if no pattern denies it, and one allows it or all patterns
// of the list deny. So "read_*", "!*_secret" allows read_file, but neither read_secret nor write,
// and "!delete_*" alone allows all but the names that begin with delete_.
type Patterns struct {
	allow, deny matcher
	all         bool // what is not denied is allowed
}

// Compile returns the patterns of a list. A nil or empty list allows every name.
func Compile(list []string) (*Patterns, error) {
	if len(list) > MaxPatterns {
		return nil, fmt.Errorf("%d patterns: at most %d are possible", len(list), MaxPatterns)
	}
	p := &Patterns{all: true}
	for _, s := range list {
		if err := CheckPattern(s); err != nil {
			return nil, err
		}
		if denied, ok := strings.CutPrefix(s, "!"); ok {
			p.deny.add(denied)
			continue
		}
		p.allow.add(s)
		p.all = false
	}
	return p, nil
}

// CheckPattern returns what is wrong with a pattern, or nil.
func CheckPattern(s string) error {
	switch s = strings.TrimPrefix(s, "!"); {
	case s == "":
		return errors.New("the pattern is empty")
	case s[0] == '!':
		return errors.New("the pattern has more than one ! in front")
	case len(s) > MaxPatternLength:
		return fmt.Errorf("the pattern is longer than %d bytes", MaxPatternLength)
	}
	return nil
}

// Allow reports whether a name is offered.
func (p *Patterns) Allow(name string) bool {
	return (p.all || p.allow.match(name)) && !p.deny.match(name)
}

// A matcher matches names with any of its globs. The zero matcher matches none.
type matcher struct {
	exact map[string]struct{}
	globs []glob
}

func (m *matcher) add(s string) {
	if strings.Contains(s, "*") {
		m.globs = append(m.globs, newGlob(s))
		return
	}
	if m.exact == nil {
		m.exact = make(map[string]struct{})
	}
	m.exact[s] = struct{}{}
}

func (m *matcher) match(name string) bool {
	if _, ok := m.exact[name]; ok {
		return true
	}
	for i := range m.globs {
		if m.globs[i].match(name) {
			return true
		}
	}
	return false
}

// A glob is a pattern with at least one *: what a name begins with, what it contains after that, in
// order and without overlap, and what it ends with.
type glob struct {
	prefix, suffix string
	middle         []string // none is empty
}

func newGlob(s string) (g glob) {
	parts := strings.Split(s, "*")
	g.prefix, g.suffix = parts[0], parts[len(parts)-1]
	for _, part := range parts[1 : len(parts)-1] {
		if part != "" {
			g.middle = append(g.middle, part)
		}
	}
	return g
}

// match takes the first place for each part. If the rest does not fit then, it fits nowhere, so
// that nothing has to be tried twice.
func (g *glob) match(name string) bool {
	rest, ok := strings.CutPrefix(name, g.prefix)
	if !ok {
		return false
	}
	if rest, ok = strings.CutSuffix(rest, g.suffix); !ok {
		return false
	}
	for _, part := range g.middle {
		_, after, ok := strings.Cut(rest, part)
		if !ok {
			return false
		}
		rest = after
	}
	return true
}

// A Scope says which scopes a caller needs for the names that a pattern matches.
type Scope struct {
	Pattern string // as in Patterns, without !
	Scopes  []string
}

// Scopes say which scopes a caller needs for a name. May be used from any goroutine.
type Scopes struct{ rules []scopeRule }

type scopeRule struct {
	match  matcher
	scopes []string
}

// CompileScopes returns the rules of a list. A name needs the scopes of all patterns that match it.
func CompileScopes(list []Scope) (*Scopes, error) {
	if len(list) > MaxPatterns {
		return nil, fmt.Errorf("%d patterns: at most %d are possible", len(list), MaxPatterns)
	}
	s := &Scopes{rules: make([]scopeRule, len(list))}
	for i, rule := range list {
		if strings.HasPrefix(rule.Pattern, "!") {
			return nil, errors.New("a pattern with scopes cannot have a ! in front")
		}
		if err := CheckPattern(rule.Pattern); err != nil {
			return nil, err
		}
		s.rules[i].match.add(rule.Pattern)
		s.rules[i].scopes = rule.Scopes
	}
	return s, nil
}

// Of appends to dst the scopes that a name needs in the order of the rules, each once.
func (s *Scopes) Of(dst []string, name string) []string {
	first := len(dst)
	for i := range s.rules {
		if !s.rules[i].match.match(name) {
			continue
		}
		for _, scope := range s.rules[i].scopes {
			if !slices.Contains(dst[first:], scope) {
				dst = append(dst, scope)
			}
		}
	}
	return dst
}
