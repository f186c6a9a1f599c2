package schema

import (
	"encoding/json"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

// FuzzAgree checks that for every schema in the subset the fast path is never
// sure of what the judge denies, and that nothing panics.
func FuzzAgree(f *testing.F) {
	for _, s := range []string{conformance, `{"type":"object","properties":{"A":{"type":"integer"},"B":{"type":"integer"}},"required":["A","B"],"additionalProperties":false}`,
		`{"oneOf":[{"type":"string","pattern":"^a","maxLength":3},{"multipleOf":0.1},{"$ref":"#/$defs/d"}],"$defs":{"d":{"type":"array","items":{"$ref":"#/$defs/d"},"uniqueItems":true}}}`,
		`{"enum":[1,"a",null,1e2],"not":{"const":1}}`} {
		for _, v := range []string{addValue, `{"email":"x","contactMethod":"phone"}`, `"a\u00e9"`, `[[],[[]]]`, `1.00e2`, `null`} {
			f.Add(s, v)
		}
	}
	f.Fuzz(func(t *testing.T, schema, value string) {
		s, err := Compile([]byte(schema))
		if err != nil {
			return
		}
		if !trusted(value) {
			// The value breaks the promise. Any answer will do, but there must be one.
			if s.Fast() {
				s.fast.check([]byte(value))
			}
			s.ApplyDefaults(nil, []byte(value))
			return
		}
		if s.Fast() {
			agree(t, s, schema, value)
		}
		out, changed := s.ApplyDefaults(nil, []byte(value))
		if changed && !trusted(string(out)) {
			t.Fatalf("schema %s, value %s: ApplyDefaults made %s", schema, value, out)
		}
		if again, changed := s.ApplyDefaults(nil, out); changed {
			t.Fatalf("schema %s: ApplyDefaults changed its own %s to %s", schema, out, again)
		}
	})
}

// FuzzMadeAgree drives the maker of TestAgree with the fuzzer's bytes.
func FuzzMadeAgree(f *testing.F) {
	f.Fuzz(rapid.MakeFuzz(madeAgree(map[verdict]int{})))
}

// trusted reports whether value keeps the promise that Validate asks for.
func trusted(value string) bool {
	if !json.Valid([]byte(value)) || !utf8.ValidString(value) {
		return false
	}
	// parse refuses duplicates and depth; it also refuses numbers out of range,
	// on which both paths must agree as well.
	_, err := parse([]byte(value))
	return err == nil || !numbersBounded(value)
}

func numbersBounded(value string) bool { _, ok := survey([]byte(value)); return ok }
