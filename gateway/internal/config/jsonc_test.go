package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestStandardize(t *testing.T) {
	for src, want := range map[string]string{
		`{"a": 1}`:                     `{"a": 1}`,
		"{ // c\n\"a\": 1, }":          "{     \n\"a\": 1  }",
		"{ // c\r\n\"a\": 1}":          "{     \r\n\"a\": 1}",
		"[1, /* x\n\ty */ 2,/**/ ]":    "[1,     \n      2      ]",
		`["// no", "/* no */", ",]",]`: `["// no", "/* no */", ",]" ]`,
		`["\"//", "\\"] // "`:          `["\"//", "\\"]     `,
		"\ufeff{}":                     "   {}",
		"{}//":                         "{}  ",
		"[1] /* ü */":                  "[1]         ",
		`[[1,],{"a":{},},]`:            `[[1 ],{"a":{} } ]`,
	} {
		got, err := standardize([]byte(src))
		if err != nil || string(got) != want {
			t.Errorf("%q: got %q, %v, want %q", src, got, err, want)
		}
	}
}

func TestStandardizeRefuses(t *testing.T) {
	deep := strings.Repeat("[", maxDepth)
	for _, tt := range []struct {
		src  string
		line int
		col  int
		text string
	}{
		{"", 1, 1, "the text ends too early"},
		{"{\n", 2, 1, "the text ends too early"},
		{"{\n\t\"a\": \"b", 2, 9, "the text ends too early"},
		{"{\n\t\"a\": }", 2, 7, "invalid character '}'"},
		{"{\"a\": 1\n \"b\": 2}", 2, 2, "invalid character '\"' after object key:value pair"},
		{"{} x", 1, 4, "after top-level value"},
		{"[,]", 1, 2, "invalid character ','"},
		{"[1,,]", 1, 4, "invalid character ','"},
		{"{,}", 1, 2, "invalid character ','"},
		{"{\"a\":,}", 1, 6, "invalid character ','"},
		{",", 1, 1, "invalid character ','"},
		{"[1] /", 1, 5, "invalid character '/'"},
		{"[1]\n /* x", 2, 2, "does not end"},
		{"[1]\n /*/", 2, 2, "does not end"},
		{"[\"ü\", 'x']", 1, 7, `invalid character '\''`},
		{"\ufeff[x]", 1, 2, "invalid character 'x'"},
		{"[\"a\xff\"]", 1, 4, "not valid UTF-8"},
		{"\xff\xfe{\x00}\x00", 1, 1, "UTF-16"},
		{deep + "[" + "]" + strings.Repeat("]", maxDepth), 1, maxDepth + 1, "deeper than 64"},
		{"[\"a\n// \"]", 1, 4, "in string literal"},
		{"{\"mcpServers\" {}}", 1, 15, "after object key"},
	} {
		_, err := standardize([]byte(tt.src))
		var syntax *syntaxError
		if !errors.As(err, &syntax) {
			t.Errorf("%q: got %v, want a syntax error", tt.src, err)
			continue
		}
		if got, want := position([]byte(tt.src), syntax.offset), (Position{tt.line, tt.col}); got != want || !strings.Contains(syntax.text, tt.text) {
			t.Errorf("%.40q: got %v %q, want %v %q", tt.src, got, syntax.text, want, tt.text)
		}
	}
	if _, err := standardize([]byte(deep + strings.Repeat("]", maxDepth))); err != nil {
		t.Errorf("%d levels: %v", maxDepth, err)
	}
}

// FuzzStandardize: the result is valid JSON of the same length with the same line ends, all of its
// significant bytes are where they were, strict JSON is not changed, the nodes say the same as
// encoding/json, and each begins where its offset is.
func FuzzStandardize(f *testing.F) {
	for _, seed := range []string{
		`{"a": [1, "x\u0041", true, null, {}], // c` + "\n\"b\": -1.5e3, /* d */ }", "[,]", "\ufeff{}", "[1,/*,*/]", "[\"//\", ]", "\xff\xfe", "/", "\"\\", "[\"ü\"]",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		was := bytes.Clone(src)
		out, err := standardize(src)
		if !bytes.Equal(src, was) {
			t.Fatal("the source has changed")
		}
		if err != nil {
			var syntax *syntaxError
			if !errors.As(err, &syntax) || syntax.offset < 0 || syntax.offset > len(src) {
				t.Fatalf("%q: %v at %d", src, err, syntax.offset)
			}
			if json.Valid(src) && utf8.Valid(src) && !strings.Contains(syntax.text, "deeper") {
				t.Fatalf("%q is valid, got %v", src, err)
			}
			return
		}
		if len(out) != len(src) || !json.Valid(out) {
			t.Fatalf("%q became %q", src, out)
		}
		for i := range out {
			if out[i] != src[i] && (out[i] != ' ' || src[i] == '\n' || src[i] == '\r') {
				t.Fatalf("%q became %q, which differs at %d", src, out, i)
			}
		}
		if json.Valid(src) && !bytes.Equal(out, src) {
			t.Fatalf("%q is valid and became %q", src, out)
		}
		checkTree(t, out, parse(out))
	})
}

// checkTree compares a node with what encoding/json finds where the node begins.
func checkTree(t *testing.T, text []byte, n *node) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(text[n.offset:]))
	d.UseNumber()
	var want any
	if err := d.Decode(&want); err != nil {
		t.Fatalf("%q at %d: %v", text, n.offset, err)
	}
	if got := n.plain(); !reflect.DeepEqual(got, want) {
		t.Fatalf("%q at %d: got %v, want %v", text, n.offset, got, want)
	}
	for _, e := range n.elems {
		checkTree(t, text, e)
	}
	for _, m := range n.members {
		if text[m.offset] != '"' {
			t.Fatalf("%q: no name begins at %d", text, m.offset)
		}
		checkTree(t, text, m.value)
	}
}

// plain returns the node as encoding/json decodes it.
func (n *node) plain() any {
	switch n.kind {
	case isObject:
		m := map[string]any{}
		for _, member := range n.members {
			m[member.name] = member.value.plain()
		}
		return m
	case isArray:
		a := []any{}
		for _, e := range n.elems {
			a = append(a, e.plain())
		}
		return a
	case isString:
		return n.text
	case isNumber:
		return json.Number(n.text)
	case isBool:
		return n.text == "true"
	}
	return nil
}
