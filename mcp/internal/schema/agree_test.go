package schema

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// The tests in this file compare the fast path with the judge: whenever the fast
// path is sure, the judge must agree.

// agree compares both on one value and returns the fast path's verdict.
func agree(t interface {
	Helper()
	Fatalf(string, ...any)
}, s *Schema, schema, value string) verdict {
	t.Helper()
	v := s.fast.check([]byte(value))
	err := s.ask([]byte(value))
	if v == yes && err != nil || v == no && err == nil {
		t.Fatalf("schema %s\nvalue  %s\nfast path %d, judge: %v", schema, value, v, err)
	}
	return v
}

func TestAgree(t *testing.T) {
	count := map[verdict]int{}
	rapid.Check(t, madeAgree(count))
	t.Logf("yes %d, no %d, unsure %d", count[yes], count[no], count[unsure])
	total := count[yes] + count[no] + count[unsure]
	if count[yes] < total/10 || count[no] < total/10 || count[unsure] > total/3 {
		t.Errorf("the generator is lopsided: yes %d, no %d, unsure %d", count[yes], count[no], count[unsure])
	}
}

// madeAgree checks the property and counts the verdicts.
func madeAgree(count map[verdict]int) func(*rapid.T) {
	return func(t *rapid.T) {
		g := maker{t}
		text, err := json.Marshal(g.schema(3))
		if err != nil {
			t.Fatal(err)
		}
		var doc any
		d := json.NewDecoder(strings.NewReader(string(text)))
		d.UseNumber()
		if err := d.Decode(&doc); err != nil {
			t.Fatal(err)
		}
		s, err := Compile(text)
		if err != nil {
			t.Fatalf("Compile(%s): %v", text, err)
		}
		if !s.Fast() {
			t.Fatalf("%s is outside of the subset", text)
		}
		for range 8 {
			var b strings.Builder
			g.value(&b, doc, 4)
			count[agree(t, s, string(text), b.String())]++
		}
	}
}

// A maker makes schemas of the subset, and values that are often valid.
type maker struct{ t *rapid.T }

func (g maker) n(most int) int        { return rapid.IntRange(0, most).Draw(g.t, "n") }
func (g maker) chance(oneIn int) bool { return g.n(oneIn-1) == 0 }
func pick[T any](g maker, vs ...T) T  { return rapid.SampledFrom(vs).Draw(g.t, "pick") }

var makerNames = []string{"a", "b", "ab", "abc", "name", "é", "a\"b", "x/y", "", "long-property-name", "p1", "p2", "p3", "p4", "p5"}
var makerStrings = []string{"", "a", "abc", "aé日😀", "line\nbreak", "\"quoted\"", "12", "abcabc", "\u2028", "q", "r", "s"}
var makerNumbers = []json.Number{"0", "-0", "1", "2", "-1", "10", "1.0", "1e1", "0.1", "1.5", "-2.5e-1", "100", "1E2", "3", "7", "0.30", "12345678901234567", "999999999999999999", "9223372036854775807", "1e300", "1.7976931348623157e308", "123456789012345678901234567890", "0.1234567890123456789"}

// schema returns a schema; references go to the two definitions that root adds.
func (g maker) schema(depth int) any {
	root, ok := g.sub(depth).(map[string]any)
	if !ok {
		return true
	}
	if g.chance(3) {
		root["$defs"] = map[string]any{"s": g.sub(1), "t": map[string]any{"type": "object", "properties": map[string]any{"a": map[string]any{"$ref": "#/$defs/t"}, "b": g.sub(1)}, "title": "recursive"}}
		p, _ := root["properties"].(map[string]any)
		if p == nil {
			p = map[string]any{}
			root["properties"] = p
		}
		p["ab"] = map[string]any{"$ref": "#/$defs/s", "description": "by reference"}
		p["a"] = map[string]any{"$ref": "#/$defs/t", "maxProperties": 3}
	}
	return root
}

func (g maker) sub(depth int) any {
	if g.chance(15) {
		return g.chance(2)
	}
	s := map[string]any{}
	if g.chance(4) {
		s["description"], s["default"], s["format"], s["x-y"] = "d", []any{1}, "email", 1
	}
	switch k := g.n(13); {
	case k <= 1:
		s["type"] = pick(g, "integer", "number")
		g.numbers(s)
	case k <= 3:
		s["type"] = "string"
		g.strings(s)
	case k <= 6 && depth > 0:
		s["type"] = "object"
		g.object(s, depth)
	case k <= 8 && depth > 0:
		s["type"] = "array"
		g.array(s, depth)
	case k == 9:
		s["type"] = rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"null", "boolean", "integer", "number", "string", "array", "object"}), 1, 4, rapid.ID).Draw(g.t, "types")
		g.numbers(s)
		g.strings(s)
	case k == 10:
		var vs []any
		for range 1 + g.n(11) {
			vs = append(vs, g.scalar())
		}
		s["enum"] = vs
	case k == 11:
		s["const"] = g.scalar()
	case k == 12 && depth > 0:
		list := []any{g.sub(depth - 1), g.sub(depth - 1)}
		s[pick(g, "anyOf", "oneOf", "allOf")] = list
	case k == 13 && depth > 0:
		if g.chance(2) {
			s["not"] = g.sub(depth - 1)
		} else {
			s["if"], s["then"], s["else"] = g.sub(depth-1), g.sub(depth-1), g.sub(depth-1)
		}
	default:
		s["type"] = pick(g, "boolean", "null")
	}
	return s
}

func (g maker) scalar() any {
	switch g.n(5) {
	case 0:
		return nil
	case 1:
		return g.chance(2)
	case 2, 3:
		return pick(g, makerNumbers[:18]...)
	}
	return pick(g, makerStrings...)
}

func (g maker) numbers(s map[string]any) {
	for _, k := range []string{"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"} {
		if g.chance(6) {
			s[k] = pick(g, makerNumbers[:18]...)
		}
	}
	if g.chance(5) {
		s["multipleOf"] = pick(g, json.Number("1"), "2", "0.1", "2.5", "1e2", "0.01")
	}
}

func (g maker) strings(s map[string]any) {
	if g.chance(3) {
		s["minLength"] = g.n(4)
	}
	if g.chance(3) {
		s["maxLength"] = json.Number(pick(g, "2", "4", "5.0", "10"))
	}
	if g.chance(4) {
		s["pattern"] = pick(g, "^a", "b+", "^[a-z]*$", "é", `\d`)
	}
}

func (g maker) object(s map[string]any, depth int) {
	p := map[string]any{}
	most := 4
	if g.chance(5) {
		most = len(makerNames)
	}
	for range g.n(most) {
		p[pick(g, makerNames...)] = g.sub(depth - 1)
	}
	s["properties"] = p
	if g.chance(2) {
		s["required"] = rapid.SliceOfNDistinct(rapid.SampledFrom(makerNames), 0, 2, rapid.ID).Draw(g.t, "required")
	}
	switch g.n(4) {
	case 0:
		s["additionalProperties"] = false
	case 1:
		s["additionalProperties"] = g.sub(depth - 1)
	}
	if g.chance(6) {
		s["minProperties"] = g.n(2)
	}
	if g.chance(6) {
		s["maxProperties"] = g.n(4)
	}
}

func (g maker) array(s map[string]any, depth int) {
	if g.chance(2) {
		s["items"] = g.sub(depth - 1)
	}
	if g.chance(4) {
		s["prefixItems"] = []any{g.sub(depth - 1), g.sub(depth - 1)}
	}
	if g.chance(5) {
		s["minItems"] = g.n(2)
	}
	if g.chance(5) {
		s["maxItems"] = g.n(3)
	}
	if g.chance(8) {
		s["uniqueItems"] = true
	}
}

// value writes a value for schema, which is mostly valid.
func (g maker) value(b *strings.Builder, schema any, depth int) {
	g.space(b)
	defer g.space(b)
	s, _ := schema.(map[string]any)
	if g.chance(25) || s == nil || depth == 0 {
		g.any(b, depth)
		return
	}
	for _, k := range []string{"anyOf", "oneOf", "allOf"} {
		if list, ok := s[k].([]any); ok {
			g.value(b, pick(g, list...), depth-1)
			return
		}
	}
	if c, ok := s["const"]; ok {
		g.scalarText(b, c)
		return
	}
	if e, ok := s["enum"].([]any); ok {
		g.scalarText(b, pick(g, e...))
		return
	}
	if t, ok := s["then"]; ok {
		g.value(b, t, depth-1)
		return
	}
	typ, _ := s["type"].(string)
	if types, ok := s["type"].([]any); ok {
		typ = pick(g, types...).(string)
	}
	switch typ {
	case "object":
		g.objectText(b, s, depth)
	case "array":
		b.WriteByte('[')
		prefix, _ := s["prefixItems"].([]any)
		for i := range g.n(4) {
			if i > 0 {
				b.WriteByte(',')
			}
			item := s["items"]
			if i < len(prefix) {
				item = prefix[i]
			}
			g.value(b, item, depth-1)
		}
		g.space(b)
		b.WriteByte(']')
	case "integer", "number":
		if typ == "integer" && !g.chance(4) {
			fmt.Fprint(b, g.n(30)-5)
			return
		}
		b.WriteString(string(pick(g, makerNumbers...)))
	case "string":
		g.scalarText(b, pick(g, makerStrings...))
	case "boolean":
		b.WriteString(pick(g, "true", "false"))
	case "null":
		b.WriteString("null")
	default:
		g.any(b, depth)
	}
}

func (g maker) objectText(b *strings.Builder, s map[string]any, depth int) {
	p, _ := s["properties"].(map[string]any)
	names := map[string]any{}
	for name, sub := range p {
		names[name] = sub
	}
	req, _ := s["required"].([]any)
	for _, r := range req {
		if _, ok := names[r.(string)]; !ok {
			names[r.(string)] = s["additionalProperties"]
		}
	}
	if g.chance(4) {
		names[pick(g, makerNames...)] = true
	}
	b.WriteByte('{')
	first := true
	for _, name := range makerNames {
		sub, ok := names[name]
		if !ok || g.chance(12) {
			continue
		}
		if !first {
			b.WriteByte(',')
		}
		first = false
		g.space(b)
		g.scalarText(b, name)
		g.space(b)
		b.WriteByte(':')
		g.value(b, sub, depth-1)
	}
	g.space(b)
	b.WriteByte('}')
}

func (g maker) any(b *strings.Builder, depth int) {
	switch k := g.n(5); {
	case k == 0 && depth > 0:
		b.WriteByte('[')
		g.any(b, depth-1)
		b.WriteString(",")
		g.any(b, depth-1)
		b.WriteByte(']')
	case k == 1 && depth > 0:
		b.WriteString(`{"a":`)
		g.any(b, depth-1)
		b.WriteString(` , "é\n" :`)
		g.any(b, depth-1)
		b.WriteByte('}')
	case k == 2:
		b.WriteString(string(pick(g, makerNumbers...)))
	case k == 3:
		b.WriteString(pick(g, "{}", "[]", "[[]]"))
	default:
		g.scalarText(b, g.scalar())
	}
}

func (g maker) scalarText(b *strings.Builder, v any) {
	if n, ok := v.(json.Number); ok {
		b.WriteString(string(n))
		return
	}
	text, err := json.Marshal(v)
	if err != nil {
		g.t.Fatal(err)
	}
	out := string(text)
	if s, ok := v.(string); ok && g.chance(12) {
		out = `"`
		for _, r := range s {
			if r > 0xffff {
				out += fmt.Sprintf(`\u%04X\u%04x`, 0xd800+(r-0x10000)>>10, 0xdc00+(r-0x10000)&0x3ff)
				continue
			}
			out += fmt.Sprintf(`\u%04x`, r)
		}
		out += `"`
	}
	b.WriteString(out)
}

func (g maker) space(b *strings.Builder) {
	if g.chance(10) {
		b.WriteString(pick(g, " ", "\n", "\t \r\n"))
	}
}
