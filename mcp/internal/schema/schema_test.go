package schema

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"
)

// conformance is the schema of the official suite's json-schema-2020-12 scenario.
const conformance = `{"$schema":"https://json-schema.org/draft/2020-12/schema","type":"object","$defs":{"address":{"$anchor":"addressDef","type":"object","properties":{"street":{"type":"string"},"city":{"type":"string"}}}},"properties":{"name":{"type":"string"},"address":{"$ref":"#/$defs/address"},"contactMethod":{"type":"string","enum":["phone","email"]},"phone":{"type":"string"},"email":{"type":"string"}},"allOf":[{"anyOf":[{"required":["phone"]},{"required":["email"]}]}],"if":{"properties":{"contactMethod":{"const":"phone"}},"required":["contactMethod"]},"then":{"required":["phone"]},"else":{"required":["email"]},"additionalProperties":false}`

func mustCompile(t testing.TB, text string) *Schema {
	t.Helper()
	s, err := Compile([]byte(text))
	if err != nil {
		t.Fatalf("Compile(%s): %v", clip(text, 300), err)
	}
	return s
}

func TestConformanceSchema(t *testing.T) {
	s := mustCompile(t, conformance)
	for value, want := range map[string]bool{
		`{"email":"a@b"}`: true,
		`{"contactMethod":"phone","phone":"1","address":{"street":"x"}}`: true,
		`{"contactMethod":"email","email":"a","name":"n"}`:               true,
		`{"contactMethod":"phone","email":"a"}`:                          false,
		`{"contactMethod":"email","phone":"1"}`:                          false,
		`{"phone":"1"}`:                                                  false,
		`{}`:                                                             false,
		`{"email":"a","more":1}`:                                         false,
		`{"email":"a","address":{"city":5}}`:                             false,
		`{"contactMethod":"post","email":"a"}`:                           false,
		`[]`:                                                             false,
	} {
		if err := s.Validate([]byte(value)); (err == nil) != want {
			t.Errorf("Validate(%s) = %v, want valid = %v", value, err, want)
		}
	}
}

func TestCompileRefuses(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "secret.json")
	if err := os.WriteFile(secret, []byte(`{"type":"string"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	deep := strings.Repeat(`{"items":`, maxDepth+1) + `true` + strings.Repeat(`}`, maxDepth+1)
	tests := []struct{ text, want string }{
		{``, "not valid JSON"},
		{`{`, "not valid JSON"},
		{`{} {}`, "follows"},
		{`{}]`, "follows"},
		{"{\"title\":\"\xff\"}", "UTF-8"},
		{`{"type":"string","type":"object"}`, "twice"},
		{`7`, "not a valid JSON Schema"},
		{`{"type":"strnig"}`, "/type"},
		{`{"type":7}`, "/type"},
		{`{"properties":[]}`, "/properties: must be object, not array"},
		{`{"properties":{"a":{"minLength":-1}}}`, "/properties/a/minLength: must be at least 0"},
		{`{"required":["a","a"]}`, "/required"},
		{`{"pattern":"a(?=b)"}`, `"a(?=b)"`},
		{`{"patternProperties":{"(":true}}`, `/patternProperties`},
		{`{"$schema":"https://example.com/dialect"}`, `"https://example.com/dialect"`},
		{`{"$schema":"http://json-schema.org/draft-03/schema#"}`, `draft-03`},
		{`{"$ref":"http://example.com/a.json"}`, "nothing is fetched"},
		{`{"properties":{"a":{"$ref":"https://example.com/a.json#/b"}}}`, "nothing is fetched"},
		{`{"$ref":"file:///etc/passwd"}`, `"file:///etc/passwd"`},
		{`{"$ref":"file://` + secret + `"}`, "nothing is fetched"},
		{`{"$ref":"` + secret + `"}`, "nothing is fetched"},
		{`{"$schema":"file://` + secret + `"}`, "nothing is fetched"},
		{`{"$id":"file:///etc/x","$ref":"passwd"}`, "nothing is fetched"},
		{`{"$dynamicRef":"http://example.com/#a"}`, "nothing is fetched"},
		{`{"$ref":"other.json"}`, "nothing is fetched"},
		{`{"$ref":"#/$defs/none"}`, "does not resolve within"},
		{`{"$ref":"#none"}`, "anchor"},
		{`{"$ref":"#"}`, "without end"},
		{`{"$ref":"#/$defs/a","$defs":{"a":{"$ref":"#/$defs/b"},"b":{"allOf":[{"$ref":"#/$defs/a"}]}}}`, "without end"},
		{`{"anyOf":[{"type":"string"},{"not":{"$ref":"#"}}]}`, "without end"},
		{deep, "deep"},
		{`{"enum":[` + strings.Repeat("[", maxDepth) + strings.Repeat("]", maxDepth) + `]}`, "deep"},
		{`{"title":"` + strings.Repeat("x", maxText) + `"}`, "bytes"},
		{`{"allOf":[` + strings.Repeat(`true,`, maxSubschemas) + `true]}`, "more than 10000 subschemas"},
		{`{"minimum":1e999999999}`, "out of range"},
		{doubling(20), "too complex"},
		{chain(990, `"x%d":{"$ref":"#/$defs/d0"}`), "too complex"},
		{`{"$defs":{"a":{"allOf":[` + strings.Repeat(`{"properties":{"x":{"$ref":"#/$defs/a"}}},`, 1100) + `true]}},"$ref":"#/$defs/a"}`, "too complex"},
	}
	for _, tt := range tests {
		start := time.Now()
		s, err := Compile([]byte(tt.text))
		if err == nil {
			t.Errorf("Compile(%s) = %v, want an error with %q", clip(tt.text, 200), s, tt.want)
			continue
		}
		msg := err.Error()
		if !strings.Contains(msg, tt.want) || !strings.HasPrefix(msg, "schema: ") || strings.Contains(msg, baseURL) {
			t.Errorf("Compile(%s): %q, want %q in it", clip(tt.text, 200), msg, tt.want)
		}
		if d := time.Since(start); d > 5*time.Second {
			t.Errorf("Compile(%s) took %v", clip(tt.text, 200), d)
		}
	}
}

// doubling returns a schema whose n definitions each refer twice to the next.
func doubling(n int) string {
	var b strings.Builder
	b.WriteString(`{"$ref":"#/$defs/d0","$defs":{`)
	for i := range n {
		fmt.Fprintf(&b, `"d%d":{"anyOf":[{"$ref":"#/$defs/d%d"},{"$ref":"#/$defs/d%d"}]},`, i, i+1, i+1)
	}
	fmt.Fprintf(&b, `"d%d":{"type":"string"}}}`, n)
	return b.String()
}

// chain returns a schema whose n definitions each refer to the next and have
// the properties props.
func chain(n int, props string) string {
	var b strings.Builder
	b.WriteString(`{"$ref":"#/$defs/d0","$defs":{`)
	for i := range n {
		p := props
		if strings.Contains(p, "%d") {
			p = fmt.Sprintf(p, i)
		}
		fmt.Fprintf(&b, `"d%d":{"properties":{%s},"allOf":[{"$ref":"#/$defs/d%d"}]},`, i, p, i+1)
	}
	fmt.Fprintf(&b, `"d%d":{"type":"object"}}}`, n)
	return b.String()
}

func TestCompileAcceptsDialects(t *testing.T) {
	for _, text := range []string{
		`true`, `false`, `{}`,
		`{"$schema":"https://json-schema.org/draft/2020-12/schema"}`,
		`{"$schema":"https://json-schema.org/draft/2019-09/schema","$recursiveAnchor":true,"properties":{"a":{"$recursiveRef":"#"}}}`,
		`{"$schema":"http://json-schema.org/draft-07/schema#","definitions":{"a":{"type":"string"}},"properties":{"x":{"$ref":"#/definitions/a"}}}`,
		`{"$schema":"http://json-schema.org/draft-06/schema#"}`,
		`{"$schema":"http://json-schema.org/draft-04/schema#","minimum":1,"exclusiveMinimum":true}`,
		`{"$ref":"https://json-schema.org/draft/2020-12/schema"}`, // built in, not fetched
		`{"$id":"https://example.com/root","$defs":{"a":{"$id":"a","type":"string"}},"properties":{"x":{"$ref":"https://example.com/a"}}}`,
		`{"unknownKeyword":{"$ref":1},"x-y":[]}`,
		doubling(10),
	} {
		mustCompile(t, text)
	}
}

// A schema at the limits compiles in bounded time.
func TestCompileLarge(t *testing.T) {
	var props, refs, deep strings.Builder
	for i := range 4900 {
		fmt.Fprintf(&props, `"p%d":{"type":"string"},`, i)
	}
	for i := range maxReferences - 1 {
		fmt.Fprintf(&refs, `"p%d":{"$ref":"#/x-hidden/d%d"},`, i, i)
	}
	deep.WriteString(`"x-hidden":{`)
	for i := range maxReferences - 1 {
		fmt.Fprintf(&deep, `"d%d":{"type":"string"},`, i)
	}
	for name, text := range map[string]string{
		"wide": `{"properties":{` + props.String() + `"z":true}}`,
		"refs": `{"properties":{` + refs.String() + `"z":true},` + deep.String() + `"z":true}}`,
	} {
		start := time.Now()
		mustCompile(t, text)
		d := time.Since(start)
		t.Logf("%s: %d bytes in %v", name, len(text), d)
		if d > 20*time.Second {
			t.Errorf("%s took %v", name, d)
		}
	}
}

// A recursive schema with overlapping alternatives refuses values on which the
// judge's work would explode, and accepts those on which it does not.
func TestRecursiveAlternatives(t *testing.T) {
	s := mustCompile(t, `{"anyOf":[
		{"type":"object","properties":{"op":{"const":"and"},"l":{"$ref":"#"}},"required":["op"]},
		{"type":"object","properties":{"op":{"const":"or"},"l":{"$ref":"#"}},"required":["op"]},
		{"type":"string"}]}`)
	nest := func(n int, leaf string) string {
		return strings.Repeat(`{"op":"or","l":`, n) + leaf + strings.Repeat("}", n)
	}
	if err := s.Validate([]byte(nest(8, `"x"`))); err != nil {
		t.Errorf("8 levels: %v", err)
	}
	if err := s.Validate([]byte(nest(8, `1`))); err == nil {
		t.Error("8 levels with a bad leaf: valid")
	}
	start := time.Now()
	err := s.Validate([]byte(nest(120, `1`)))
	if err == nil || !strings.Contains(err.Error(), "levels deep") || time.Since(start) > 5*time.Second {
		t.Errorf("120 levels: %v in %v", err, time.Since(start))
	}
	// Neither the metaschema nor properties of different names overlap.
	for _, text := range []string{
		`{"$ref":"https://json-schema.org/draft/2020-12/schema"}`,
		chain(50, `"x%d":{"$ref":"#/$defs/d0"}`),
		`{"anyOf":[{"type":"array","items":{"$ref":"#"}},{"type":"object","additionalProperties":{"$ref":"#"}},{"type":["string","null"]}]}`,
		`{"properties":{"a":{"$ref":"#"}},"additionalProperties":{"$ref":"#"}}`,
	} {
		if s := mustCompile(t, text); s.depth != 0 {
			t.Errorf("%s limits the depth to %d", clip(text, 100), s.depth)
		}
	}
	// Without overlap there is no limit.
	s = mustCompile(t, `{"type":"object","properties":{"l":{"$ref":"#"},"all":{"type":"array","items":{"$ref":"#"}}},"additionalProperties":{"$ref":"#"}}`)
	if err := s.Validate([]byte(strings.Repeat(`{"l":`, 120) + `{"all":[{"k":{}}]}` + strings.Repeat("}", 120))); err != nil {
		t.Errorf("linear recursion: %v", err)
	}
}

func TestHostileNumbers(t *testing.T) {
	s := mustCompile(t, `{"properties":{"n":{"type":"integer","minimum":0}}}`)
	for _, n := range []string{"1e9999999", "1e-9999999", "1E+500", "1e00000401", strings.Repeat("9", 2000), "0.1e99999999999999999999"} {
		for _, v := range []string{`{"n":` + n + `}`, `{"other":[` + n + `]}`} {
			start := time.Now()
			err := s.Validate([]byte(v))
			if err == nil || !strings.Contains(err.Error(), "out of range") || time.Since(start) > time.Second {
				t.Errorf("Validate(%s) = %v in %v", clip(v, 60), err, time.Since(start))
			}
		}
	}
	if err := s.Validate([]byte(`{"n":1e400,"s":"1e9999999"}`)); err != nil {
		t.Errorf("1e400: %v", err)
	}
}

func TestErrorText(t *testing.T) {
	s := mustCompile(t, `{"type":"object","properties":{
		"city":{"type":"string","minLength":2,"pattern":"^[A-Z]"},
		"days":{"type":"integer","minimum":1,"maximum":14},
		"unit":{"enum":["celsius","kelvin",null]},
		"at":{"type":"object","properties":{"la~t/x":{"type":"number"}},"required":["lon","alt"]},
		"tags":{"type":"array","items":{"type":"string"},"maxItems":2,"uniqueItems":true},
		"any":{"anyOf":[{"type":"string"},{"type":"object","required":["id"]}]},
		"one":{"oneOf":[{"type":"integer"},{"type":"number"}]},
		"never":false},
		"required":["city"],"additionalProperties":false}`)
	tests := []struct{ value, want string }{
		{`{}`, `schema: missing required property "city"`},
		{`[]`, `schema: must be object, not array`},
		{`{"city":"Oslo","x":1,"a":2}`, `schema: unexpected properties "a", "x"`},
		{`{"city":"o"}`, `schema: /city: "o" does not match the pattern "^[A-Z]"; /city: must have at least 2 characters, but has 1`},
		{`{"city":"Oslo","days":1.5}`, `schema: /days: must be integer, not number`},
		{`{"city":"Oslo","days":15}`, `schema: /days: must be at most 14`},
		{`{"city":"Oslo","unit":"f"}`, `schema: /unit: must be one of "celsius", "kelvin", null`},
		{`{"city":"Oslo","at":{"la~t/x":"1","lon":1,"alt":1}}`, `schema: /at/la~0t~1x: must be number, not string`},
		{`{"city":"Oslo","at":{}}`, `schema: /at: missing required properties "lon", "alt"`},
		{`{"city":"Oslo","tags":["a","a",3]}`, `schema: /tags: items 0 and 1 are equal, but must be unique; /tags: must have at most 2 items, but has 3; /tags/2: must be string, not number`},
		{`{"city":"Oslo","any":{}}`, `schema: /any: matches no alternative of anyOf: must be string, not object or missing required property "id"`},
		{`{"city":"Oslo","one":1}`, `schema: /one: must match exactly one alternative of oneOf, but matches the alternatives 0 and 1 (counted from 0)`},
		{`{"city":"Oslo","never":1}`, `schema: /never: is not allowed here`},
	}
	for _, tt := range tests {
		for range 5 { // the text must always be the same
			err := s.Validate([]byte(tt.value))
			var v *ValidationError
			if !errors.As(err, &v) {
				t.Fatalf("Validate(%s) = %v, want a *ValidationError", tt.value, err)
			}
			if err.Error() != tt.want {
				t.Errorf("Validate(%s)\n got %s\nwant %s", tt.value, err, tt.want)
			}
		}
	}
}

func TestErrorTextIsBounded(t *testing.T) {
	s := mustCompile(t, `{"additionalProperties":{"type":"string","pattern":"^`+strings.Repeat("é", 3000)+`$"}}`)
	var b strings.Builder
	for i := range 100 {
		fmt.Fprintf(&b, `,"%d%s":"%s"`, i, strings.Repeat("ü", 60), strings.Repeat("日本", 50))
	}
	err := s.Validate([]byte("{" + b.String()[1:] + "}"))
	if err == nil {
		t.Fatal("valid")
	}
	if n := len(err.Error()); n > maxErrorText || n < 900 || !utf8.ValidString(err.Error()) || !strings.Contains(err.Error(), "and 95 more") {
		t.Errorf("the error has %d bytes: %s", n, err)
	}
}

// A large value with very many failures costs little.
func TestManyFailures(t *testing.T) {
	const n = 200_000
	v := `{"k~/":[{"a":1}` + strings.Repeat(",{}", n) + `]}`
	s := mustCompile(t, `{"additionalProperties":{"type":"array","items":{"type":"object","required":["a"]}}}`)
	start := time.Now()
	err := s.Validate([]byte(v))
	if want := "schema: /k~0~1/1: does not conform to the schema (the value is too large for more details)"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if d := time.Since(start); d > time.Second {
		t.Errorf("it took %v", d)
	}
	// only the judge can check it
	s = mustCompile(t, `{"patternProperties":{"":{"items":{"required":["a"]}}}}`)
	err = s.Validate([]byte(v))
	if want := `schema: /k~0~1/1: missing required property "a"; /k~0~1/2: missing`; err == nil || !strings.HasPrefix(err.Error(), want) || !strings.HasSuffix(err.Error(), "and 199995 more") {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestPointerTo(t *testing.T) {
	b := ` { "a" : [ 1 , {"b/c~":"x","d":[[],[2]]} ] , "e":{} }`
	for mark, want := range map[string]string{`{ "a"`: "", `[ 1`: "/a", `1 ,`: "/a/0", `{"b`: "/a/1", `"x"`: "/a/1/b~1c~0", `[[]`: "/a/1/d", `[],`: "/a/1/d/0", `2]`: "/a/1/d/1/0", `{} }`: "/e"} {
		if got := pointerTo([]byte(b), strings.Index(b, mark)); got != want {
			t.Errorf("pointerTo(%s) = %q, want %q", mark, got, want)
		}
	}
	s := mustCompile(t, `{"type":"array"}`)
	want := "schema: does not conform to the schema (the value is too large for more details)"
	if err := s.Validate([]byte(`"` + strings.Repeat("x", maxExplained) + `"`)); err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	for i := range len(b) + 1 { // texts that break the promise must not hang either
		pointerTo([]byte(b), i)
		pointerTo([]byte(b[:i]), i)
		pointerTo([]byte(b[:i]), i-1)
	}
}

func TestConcurrentValidate(t *testing.T) {
	fast := mustCompile(t, `{"type":"object","properties":{"a":{"type":"integer"}},"required":["a"]}`)
	slow := mustCompile(t, conformance)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 200 {
				for _, s := range []*Schema{fast, slow} {
					if s.Validate([]byte(`{"a":1,"email":"x"}`)) != nil && s == fast {
						t.Error("valid value refused")
					}
					if s.Validate([]byte(`{"a":"x"}`)) == nil {
						t.Error("bad value taken")
					}
				}
			}
		})
	}
	wg.Wait()
}
