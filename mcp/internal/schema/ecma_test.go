package schema

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// The table has patterns of ECMA-262, each with texts that match and that do not.
func TestPatterns(t *testing.T) {
	tests := []struct {
		pattern string
		yes, no []string
	}{
		{`^[\u4e00-\u9fa5]+$`, []string{"你好"}, []string{"a", ""}},
		{`^\u0041\x42\u{43}$`, []string{"ABC"}, []string{"abc"}},
		{`^\ud83d\ude00$`, []string{"😀"}, []string{"a"}},
		{`^[\u{1F600}-\u{1F64F}]$`, []string{"😀"}, []string{"a"}},
		{`^[\ud83d\ude00-\ud83d\ude4f]$`, []string{"😀"}, []string{"a"}},
		{`\ud83d`, nil, []string{"😀", "a"}},
		{`^\d+$`, []string{"12"}, []string{"١٢", ""}},
		{`^\w+$`, []string{"a_1"}, []string{"é"}},
		{`^\s$`, []string{" ", "\t", "\v", "\u00a0", "\ufeff", "\u2028"}, []string{"a", "\u200b"}},
		{`^\S$`, []string{"a", "\u200b", "😀"}, []string{" ", "\v", "\u00a0", "\u3000"}},
		{`^[\s,]+$`, []string{", \u00a0"}, []string{"a"}},
		{`^[^\s]$`, []string{"a"}, []string{"\u00a0"}},
		{`^[\S]$`, []string{"a"}, []string{"\u00a0"}},
		{`^[^\S]$`, []string{"\u00a0"}, []string{"a"}},
		{`^.$`, []string{"a", "😀", "\v"}, []string{"\n", "\r", "\u2028", "\u2029"}},
		{`^[.]$`, []string{"."}, []string{"a"}},
		{`^a\.b$`, []string{"a.b"}, []string{"axb"}},
		{`^[^]$`, []string{"a", "\n"}, []string{""}},
		{`a[]`, nil, []string{"a", ""}},
		{`^[[]$`, []string{"["}, []string{"]"}},
		{`^[[:alpha:]]$`, []string{":]", "a]"}, []string{"b"}},
		{`^[\b]$`, []string{"\b"}, []string{"b"}},
		{`\bcat\b`, []string{"a cat"}, []string{"concat"}},
		{`^\cA\cz$`, []string{"\x01\x1a"}, []string{"Az"}},
		{`^\0$`, []string{"\x00"}, []string{"0"}},
		{`^\/api\/v\d$`, []string{"/api/v1"}, []string{"api"}},
		{`^a\-b$`, []string{"a-b"}, nil},
		{`^\ü$`, []string{"ü"}, nil},
		{`^(?<year>\d{4})-(?:\d\d)$`, []string{"2026-11"}, []string{"26-11"}},
		{`^\p{Lu}\p{Letter}*$`, []string{"Äb"}, []string{"ab"}},
		{`^\p{Script=Greek}+$`, []string{"λ"}, []string{"l"}},
		{`^\p{sc=Han}\p{gc=Nd}[\p{General_Category=Lu}\p{L}]$`, []string{"中1A"}, []string{"a1A"}},
		{`^\P{L}$`, []string{"1"}, []string{"a"}},
		{`^\p{Any}\p{ASCII}[^\p{ASCII}]$`, []string{"éaé"}, []string{"ééa"}},
		{`^\P{ASCII}$`, []string{"é"}, []string{"a"}},
		{`^a{2,3}?$`, []string{"aa"}, []string{"a"}},
	}
	for _, tt := range tests {
		s, err := Compile([]byte(`{"type":"string","pattern":` + quoteJSON(tt.pattern) + `}`))
		if err != nil {
			t.Errorf("%s: %v", tt.pattern, err)
			continue
		}
		for want, texts := range map[bool][]string{true: tt.yes, false: tt.no} {
			for _, text := range texts {
				if err := s.Validate([]byte(quoteJSON(text))); (err == nil) != want {
					t.Errorf("%s on %q: %v, want %v", tt.pattern, text, err, want)
				}
			}
		}
	}
}

func quoteJSON(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		if r < ' ' || r == '"' || r == '\\' {
			fmt.Fprintf(&b, `\u%04x`, r)
		} else {
			b.WriteRune(r)
		}
	}
	return b.String() + `"`
}

// Compile refuses patterns that cannot be checked, and CompileUnchecked does not enforce them. It
// refuses no valid value, wherever in the schema the pattern is.
func TestUncheckedPatterns(t *testing.T) {
	for _, pattern := range []string{`^(?=a)`, `(?!b)`, `(?<=a)b`, `(?<!a)b`, `^(a)\1$`, `^(?<n>a)\k<n>$`, `^.{1,5000}$`, `\u12`, `\cé`, `a\`, `[a`, `(`} {
		q := quoteJSON(pattern)
		for _, schema := range []string{
			`{"type":"object","properties":{"a":{"type":"string","pattern":` + q + `}}}`,
			`{"type":"object","properties":{"a":{"not":{"pattern":` + q + `}}}}`,
			`{"type":"object","properties":{"a":{"oneOf":[{"type":"string"},{"pattern":` + q + `}]}}}`,
			`{"type":"object","patternProperties":{` + q + `:false}}`,
		} {
			if _, err := Compile([]byte(schema)); err == nil {
				t.Errorf("%s is compiled", schema)
			}
			s, err := CompileUnchecked([]byte(schema))
			if err != nil {
				t.Errorf("%s, unchecked: %v", schema, err)
				continue
			}
			if err := s.Validate([]byte(`{"a":"aa"}`)); err != nil {
				t.Errorf("%s refuses: %v", schema, err)
			}
		}
		s, err := CompileUnchecked([]byte(`{"type":"object","properties":{"a":{"type":"string","pattern":` + q + `}}}`))
		if err != nil || s.Validate([]byte(`{"a":7}`)) == nil {
			t.Errorf("%s: the rest is not enforced (%v)", pattern, err)
		}
	}
	if s, err := CompileUnchecked([]byte(`{"not":{"pattern":"^a$"}}`)); err != nil || s.Validate([]byte(`"a"`)) == nil {
		t.Errorf("a pattern that can be checked is not (%v)", err)
	}
}

// Any pattern is either compiled or refused.
func TestTranslateNeverPanics(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		parts := rapid.SliceOf(rapid.SampledFrom([]string{`\`, `u`, `4e00`, `{`, `}`, `[`, `]`, `^`, `(`, `)`, `?`, `<`, `=`, `p`, `L`, `a`, `-`, `.`, `*`, `\s`, `ü`, `\c`, `\k`, `1`, `\ud83d`})).Draw(rt, "parts")
		_, _ = compilePattern(strings.Join(parts, ""))
	})
}
