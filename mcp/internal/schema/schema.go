package schema

import (
	"fmt"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// A Schema is a compiled JSON Schema. It is immutable; its methods may be
// called from any goroutine.
type Schema struct {
	judge    *jsonschema.Schema
	fast     *node     // nil if the schema is outside of the fast path's subset
	defaults *defaults // nil if no property has a default

	// depth is how deep a value may be nested; 0 means no limit. See bounds.go.
	depth int

	// lax says that nothing is checked: see CompileUnchecked.
	lax bool
}

// Compile compiles the JSON text of a schema. It returns an error that says
// what to correct if the text is not JSON, is not a valid schema of its
// dialect, exceeds a limit in limits.go, has an unknown dialect, or refers to
// something that it does not contain. It keeps nothing of text.
func Compile(text []byte) (*Schema, error) {
	doc, err := parse(text)
	if err != nil {
		return nil, err
	}
	judge, err := compileJudge(doc, compilePattern)
	if err != nil {
		return nil, err
	}
	return newSchema(judge)
}

func newSchema(judge *jsonschema.Schema) (*Schema, error) {
	depth, err := checkGrowth(judge)
	if err != nil {
		return nil, err
	}
	s := &Schema{judge: judge, depth: depth}
	if s.defaults, err = compileDefaults(judge); err != nil {
		return nil, err
	}
	if depth == 0 { // the fast path would repeat the work of overlapping alternatives
		s.fast = compileFast(judge)
	}
	return s, nil
}

// CompileUnchecked is like Compile, but admits patterns that cannot be checked here, such as those
// with look-ahead: they match everything. If that could make a valid value invalid, as within
// "not", the schema checks nothing at all.
func CompileUnchecked(text []byte) (*Schema, error) {
	doc, err := parse(text)
	if err != nil {
		return nil, err
	}
	unchecked := false
	engine := func(source string) (jsonschema.Regexp, error) {
		re, err := compilePattern(source)
		if err != nil {
			unchecked = true
			return uncheckedPattern(source), nil
		}
		return re, nil
	}
	judge, err := compileJudge(doc, engine)
	if err != nil {
		return nil, err
	}
	s, err := newSchema(judge)
	if err == nil {
		s.lax = unchecked && !monotone(doc)
	}
	return s, err
}

// monotone reports whether a pattern in doc that matches more can only make more values valid. It
// errs on the side of false: a property with the name of such a keyword counts as one.
func monotone(doc any) bool {
	switch v := doc.(type) {
	case map[string]any:
		for key, sub := range v {
			switch key {
			case "not", "if", "oneOf", "contains", "patternProperties", "unevaluatedProperties", "unevaluatedItems", "dependentSchemas":
				return false
			}
			if !monotone(sub) {
				return false
			}
		}
	case []any:
		for _, sub := range v {
			if !monotone(sub) {
				return false
			}
		}
	}
	return true
}

// Fast reports whether the fast path covers the whole schema.
func (s *Schema) Fast() bool { return s.fast != nil }

// Validate returns nil if value conforms to s, and otherwise a *ValidationError.
// The caller guarantees that value is the text of one JSON value: well-formed,
// UTF-8, without duplicate members, at most 128 levels deep.
func (s *Schema) Validate(value []byte) error {
	if s.lax {
		return nil
	}
	if s.fast != nil {
		at, v := s.fast.walk(value, skipSpace(value, 0))
		switch {
		case v == yes:
			return nil
		case v == no && len(value) > maxExplained:
			return refused(pointerTo(value, at), "does not conform to the schema (the value is too large for more details)")
		}
	}
	return s.ask(value)
}

// ask lets the judge decide.
func (s *Schema) ask(value []byte) (err error) {
	depth, ok := survey(value)
	if !ok {
		return refused("", "a number is out of range")
	}
	if s.depth > 0 && depth > s.depth {
		return refused("", fmt.Sprintf("nested %d levels deep, but this recursive schema can be checked to %d only", depth, s.depth))
	}
	return judge(s.judge, value)
}
