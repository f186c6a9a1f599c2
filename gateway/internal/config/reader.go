package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxList is how many elements a list of words may have, and how many header fields there may be.
const maxList = 1000

// A reader reads one file and collects what is wrong in it.
type reader struct {
	file     string
	src      []byte
	lookup   func(string) (string, bool)
	errors   Errors
	warnings []*Problem
}

// A place is a value of the file, and where it is.
type place struct {
	r  *reader
	n  *node
	at string
}

func (p place) problem(offset int, at, format string, args []any) *Problem {
	return &Problem{File: p.r.file, Pos: position(p.r.src, offset), At: at, Text: fmt.Sprintf(format, args...)}
}

// errorf reports that the value is wrong.
func (p place) errorf(format string, args ...any) {
	if len(p.r.errors) < maxErrors {
		p.r.errors = append(p.r.errors, p.problem(p.n.offset, p.at, format, args))
	}
}

func (p place) warnf(format string, args ...any) {
	switch n := len(p.r.warnings); {
	case n < maxWarnings:
		p.r.warnings = append(p.r.warnings, p.problem(p.n.offset, p.at, format, args))
	case n == maxWarnings:
		p.r.warnings = append(p.r.warnings, &Problem{File: p.r.file, Text: fmt.Sprintf("more than %d warnings: the others are not shown", maxWarnings)})
	}
}

// is reports whether the value is of a kind. If not, that is an error.
func (p place) is(k kind) bool {
	if p.n.kind == k {
		return true
	}
	p.errorf("got %v, want %v", p.n.kind, k)
	return false
}

// A field is a member of an object, with its name.
type field struct {
	place
	name string
}

// fields returns the members of an object, and nil if the value is none. A member that is there
// twice is an error.
func (p place) fields() []field {
	if !p.is(isObject) {
		return nil
	}
	list := make([]field, 0, len(p.n.members))
	first := make(map[string]int, len(p.n.members))
	for _, m := range p.n.members {
		at := show(m.name)
		if p.at != "" {
			at = p.at + "." + at
		}
		f := field{place{p.r, m.value, at}, m.name}
		if offset, twice := first[m.name]; twice {
			if len(p.r.errors) < maxErrors { // a position costs time
				f.errorf("it is there twice, first in line %d", position(p.r.src, offset).Line)
			}
			continue
		}
		first[m.name] = m.offset
		list = append(list, f)
	}
	return list
}

// elems returns the elements of an array, nil if the value is none.
func (p place) elems() []place {
	if !p.is(isArray) {
		return nil
	}
	list := make([]place, len(p.n.elems))
	for i, n := range p.n.elems {
		list[i] = place{p.r, n, p.at + "[" + strconv.Itoa(i) + "]"}
	}
	return list
}

// str returns a string as it is written.
func (p place) str() (string, bool) {
	if !p.is(isString) {
		return "", false
	}
	return p.n.text, true
}

// expanded returns a string with its variables replaced. No value has a NUL, which neither a
// process nor HTTP can be given.
func (p place) expanded() (expansion, bool) {
	s, ok := p.str()
	if !ok {
		return expansion{}, false
	}
	return p.expand(s, p.r.lookup)
}

func (p place) expand(s string, lookup func(string) (string, bool)) (expansion, bool) {
	e, err := expand(s, lookup)
	switch {
	case err != nil:
		p.errorf("%v", err)
	case strings.IndexByte(e.text, 0) >= 0:
		p.errorf("the value contains a NUL")
	default:
		return e, true
	}
	return expansion{}, false
}

// bool returns true or false.
func (p place) bool() bool { return p.is(isBool) && p.n.text == "true" }

// oneOf returns a string that is one of some.
func oneOf[T ~string](p place, values ...T) (value T) {
	s, ok := p.str()
	if !ok {
		return value
	}
	if i := slices.Index(values, T(s)); i >= 0 {
		return values[i]
	}
	words := make([]string, len(values))
	for i, v := range values {
		words[i] = string(v)
	}
	p.errorf("%s is none of %s", quote(s), strings.Join(words, ", "))
	return value
}

// integer returns a whole number between two bounds, or the lower one if that is an error.
func (p place) integer(least, most int) int {
	if !p.is(isNumber) {
		return least
	}
	n, err := strconv.Atoi(p.n.text)
	if err != nil || n < least || n > most {
		p.errorf("want a whole number between %d and %d", least, most)
		return least
	}
	return n
}

// duration returns a time such as "1m30s".
func (p place) duration() time.Duration {
	s, ok := p.str()
	if !ok {
		return 0
	}
	d, err := time.ParseDuration(s)
	if err != nil || d < time.Millisecond || d > maxTime {
		p.errorf("want a duration between 1ms and 24h, such as \"500ms\", \"15s\" or \"2m\"")
		return 0
	}
	return d
}

// words returns an array of strings that are not empty and, each by itself, pass a check. An array
// without elements is an error: it says nothing, and could be meant in two ways.
func (p place) words(check func(string) error) (list []string) {
	elems := p.elems()
	switch {
	case p.n.kind == isArray && len(elems) == 0:
		p.errorf("the list is empty; leave it out")
	case len(elems) > maxList:
		p.errorf("the list has more than %d elements", maxList)
		return nil
	}
	for _, e := range elems {
		s, ok := e.str()
		if !ok {
			continue
		}
		switch err := check(s); {
		case err != nil:
			e.errorf("%v", err)
		case slices.Contains(list, s):
			e.errorf("%s is there twice", quote(s))
		default:
			list = append(list, s)
		}
	}
	return list
}
