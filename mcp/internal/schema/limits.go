package schema

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"
)

const (
	// maxText is the maximum length of a schema's text in bytes. The largest
	// schemas generated from real APIs stay below a third of it.
	maxText = 1 << 20

	// maxDepth is the maximum nesting of a schema's text. An object described by
	// "properties" takes two levels, so that a schema can describe 31 nested ones.
	maxDepth = 64

	// maxSubschemas is the maximum number of objects and booleans in a schema's
	// text. Each may be a subschema, and the judge's compile time grows with their
	// square.
	maxSubschemas = 10_000

	// maxReferences is the maximum number of "$ref" and similar keywords. The
	// judge may copy its tables for each, so that its work is the product of
	// references and subschemas.
	maxReferences = 2_000

	// maxResources is the maximum number of "$id", for the same reason.
	maxResources = 200

	// maxVisits is how many subschemas may be applied to one value of the
	// instance, counted along every path of references. It stops chains of
	// definitions that each refer twice to the next.
	maxVisits = 20_000

	// maxGrowth limits the product of the alternatives that a recursive schema can
	// try at each level of an instance; see bounds.go.
	maxGrowth = 1 << 20

	// maxErrorText is the maximum length of a ValidationError's text.
	maxErrorText = 1 << 10

	// maxFailures is the maximum number of failures in a ValidationError's text.
	maxFailures = 5

	// maxExplained is the maximum length of a value that the judge must explain
	// when the fast path is sure that it is not valid. The judge collects every
	// failure: 4 MB of invalid items cost it seconds and a gigabyte.
	maxExplained = 64 << 10

	// maxNumberText and maxExponent limit the numbers that are compared. The judge
	// compares exactly, with rationals: an exponent of seven characters, beyond
	// the range of a float64, would take megabits, and one of eight a nil pointer.
	maxNumberText = 1_000
	maxExponent   = 400
)

// errTrailing is the error for a schema's text with more than one value.
var errTrailing = errors.New("schema: something follows the schema's value")

// parse decodes the text of a schema and enforces the limits above. Numbers
// become json.Number, which keeps their text.
func parse(text []byte) (any, error) {
	if len(text) > maxText {
		return nil, fmt.Errorf("schema: the schema has %d bytes, more than %d", len(text), maxText)
	}
	if !utf8.Valid(text) {
		return nil, errors.New("schema: the schema is not valid UTF-8")
	}
	p := parser{dec: json.NewDecoder(bytes.NewReader(text))}
	p.dec.UseNumber()
	v, err := p.value(0)
	if err != nil {
		return nil, err
	}
	if _, err := p.dec.Token(); err != io.EOF {
		return nil, errTrailing
	}
	return v, nil
}

// A parser builds the value of a schema's text and counts what is limited.
type parser struct {
	dec                               *json.Decoder
	subschemas, references, resources int
}

func (p *parser) token() (json.Token, error) {
	t, err := p.dec.Token()
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return nil, fmt.Errorf("schema: the schema is not valid JSON: %w", err)
	}
	return t, nil
}

func (p *parser) value(depth int) (any, error) {
	t, err := p.token()
	if err != nil {
		return nil, err
	}
	switch t := t.(type) {
	case json.Number:
		if !numberBounded([]byte(t)) {
			return nil, fmt.Errorf("schema: the number %s is out of range", clip(string(t), 40))
		}
		return t, nil
	case json.Delim:
		if depth++; depth > maxDepth {
			return nil, fmt.Errorf("schema: the schema is nested more than %d levels deep", maxDepth)
		}
		if t == '[' {
			return p.array(depth)
		}
		if err := p.count(&p.subschemas, maxSubschemas, "subschemas"); err != nil {
			return nil, err
		}
		return p.object(depth)
	case bool:
		if err := p.count(&p.subschemas, maxSubschemas, "subschemas"); err != nil {
			return nil, err
		}
	}
	return t, nil
}

func (p *parser) array(depth int) (any, error) {
	arr := []any{}
	for p.dec.More() {
		v, err := p.value(depth)
		if err != nil {
			return nil, err
		}
		arr = append(arr, v)
	}
	_, err := p.token()
	return arr, err
}

func (p *parser) object(depth int) (any, error) {
	obj := map[string]any{}
	for p.dec.More() {
		t, err := p.token()
		if err != nil {
			return nil, err
		}
		name := t.(string) // More and Token give a string here or an error
		if _, ok := obj[name]; ok {
			return nil, fmt.Errorf("schema: the member %q appears twice in one object", clip(name, 80))
		}
		switch name {
		case "$ref", "$dynamicRef", "$recursiveRef":
			err = p.count(&p.references, maxReferences, "references")
		case "$id", "id":
			err = p.count(&p.resources, maxResources, "identifiers")
		}
		if err != nil {
			return nil, err
		}
		if obj[name], err = p.value(depth); err != nil {
			return nil, err
		}
	}
	_, err := p.token()
	return obj, err
}

func (p *parser) count(n *int, most int, what string) error {
	if *n++; *n > most {
		return fmt.Errorf("schema: the schema has more than %d %s", most, what)
	}
	return nil
}

// clip returns s, cut to at most n bytes between two runes, with an ellipsis.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	n -= len("…")
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}
