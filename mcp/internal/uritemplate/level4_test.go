package uritemplate

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// These are the examples of RFC 6570, section 2.4 and of sections 3.2.2 to 3.2.9 that have
// modifiers.
func TestModifiersOfTheRFC(t *testing.T) {
	tests := []struct {
		template, uri string
		want          vars
	}{
		{"{var:3}", "val", vars{"var": "val"}}, // 2.4.1
		{"{var:30}", "value", vars{"var": "value"}},
		{"{+path:6}here", "/foo/bhere", vars{"path": "/foo/b"}},
		{"{#path:6}here", "#/foo/bhere", vars{"path": "/foo/b"}},
		{"{/var:1,var2}", "/v/value", vars{"var": "v", "var2": "value"}},
		{"{;hello:5}", ";hello=Hello", vars{"hello": "Hello"}},
		{"{?var:3}", "?var=val", vars{"var": "val"}},
		{"{&var:3}", "&var=val", vars{"var": "val"}},
		{"X{.var:3}", "X.val", vars{"var": "val"}},

		{"find{?year*}", "find?year=1965&year=2000&year=2012", vars{"year": "year=1965&year=2000&year=2012"}},
		{"www{.dom*}", "www.example.com", vars{"dom": "example.com"}},
		{"{list*}", "red,green,blue", vars{"list": "red,green,blue"}}, // 3.2.2
		{"{keys*}", "semi=%3B,dot=.,comma=%2C", vars{"keys": "semi=;,dot=.,comma=,"}},
		{"{+list*}", "red,green,blue", vars{"list": "red,green,blue"}}, // 3.2.3
		{"{+keys*}", "semi=;,dot=.,comma=,", vars{"keys": "semi=;,dot=.,comma=,"}},
		{"{#list*}", "#red,green,blue", vars{"list": "red,green,blue"}}, // 3.2.4
		{"X{.list*}", "X.red.green.blue", vars{"list": "red.green.blue"}},
		{"X{.keys*}", "X.semi=%3B.dot=..comma=%2C", vars{"keys": "semi=;.dot=..comma=,"}},
		{"{/list*}", "/red/green/blue", vars{"list": "red/green/blue"}}, // 3.2.6
		{"{/list*,path:4}", "/red/green/blue/%2Ffoo", vars{"list": "red/green/blue//foo"}},
		{"{/keys*}", "/semi=%3B/dot=./comma=%2C", vars{"keys": "semi=;/dot=./comma=,"}},
		{"{;list*}", ";list=red;list=green;list=blue", vars{"list": "list=red;list=green;list=blue"}},
		{"{;keys*}", ";semi=%3B;dot=.;comma=%2C", vars{"keys": "semi=;;dot=.;comma=,"}},
		{"{?list*}", "?list=red&list=green&list=blue", vars{"list": "list=red&list=green&list=blue"}},
		{"{?keys*}", "?semi=%3B&dot=.&comma=%2C", vars{"keys": "semi=;&dot=.&comma=,"}},
		{"{&keys*}", "&semi=%3B&dot=.&comma=%2C", vars{"keys": "semi=;&dot=.&comma=,"}},
	}
	for _, tt := range tests {
		got, ok := parse(t, tt.template).Match(tt.uri)
		if diff := cmp.Diff(tt.want, got); !ok || diff != "" {
			t.Errorf("%q matches %q: %v, values (-want +got):\n%s", tt.template, tt.uri, ok, diff)
		}
	}
}

func TestModifiers(t *testing.T) {
	tests := []struct {
		template, uri string
		want          vars // nil for no match
	}{
		{"repo://{owner}/{repo}/contents{/path*}", "repo://o/r/contents/src/main.go", vars{"owner": "o", "repo": "r", "path": "src/main.go"}},
		{"repo://{owner}/{repo}/contents{/path*}", "repo://o/r/contents", vars{"owner": "o", "repo": "r"}},
		{"repo://{owner}{/path*}/raw", "repo://o/a/raw/b/raw", vars{"owner": "o", "path": "a/raw/b"}},
		{"{/path*}", "/a//b", vars{"path": "a//b"}},
		{"{/path*}", "/", vars{"path": ""}},
		{"{/path*}", "/a?b", nil},
		{"{a:1}{b}", "xyz", vars{"a": "x", "b": "yz"}},
		{"{a:2}", "xyz", nil},
		{"{a:2}{b:2}", "xyz", vars{"a": "xy", "b": "z"}},
		{"{a:2}{b:2}", "wxyz", vars{"a": "wx", "b": "yz"}},
		{"{a:2}{b:2}", "vwxyz", nil},
		{"{a:2}", "%C3%A9%C3%A8", vars{"a": "éè"}},
		{"{a:1}", "%C3%A9%C3%A8", nil},
		{"{a:1}{b}", "%C3%A9%C3%A8", vars{"a": "é", "b": "è"}},
		{"{a:1}", "é", vars{"a": "é"}},
		{"{a:9}", "%C3%C3", nil},
		{"{a:9}", "%C3", nil},
		{"{a,b:1}", "x,y", vars{"a": "x", "b": "y"}},
		{"{a,b:1}", "x,yz", nil},
		{"{a:1,b}", "xyz", vars{"b": "xyz"}}, // a is undefined
		{"{/a:1,b:1,c*}", "/xy/z/w", vars{"c": "xy/z/w"}},
		{"{?a:1,b}", "?a=xy&b=1", nil},
		{"{?a:1,b}", "?b=xy&a=1", vars{"b": "xy", "a": "1"}},
		{"{?a,rest*}", "?x=1&a=2&y=3", vars{"a": "2", "rest": "x=1&y=3"}},
		{"{?rest*}", "?=", vars{"rest": "="}},
		{"{?rest*}", "?", nil},
		{"{?rest*}", "?a&&b", nil},
		{"{?a,b}{&c}", "?a=1&c=2", vars{"a": "1", "c": "2"}},
		{"{?a}{&rest*}", "?a=1&a=2", vars{"a": "1", "rest": "a=2"}},
		{"{?ab,a}", "?ab=1&a=2", vars{"ab": "1", "a": "2"}},
		{"{?a}", "?ab=1", nil},
		{"{?a}", "?a", vars{"a": ""}},
		{"{?a,b}", "?a&b=1&a", nil},
		{"{?p*}{#f}", "?a=%2541&a=%2541#x", vars{"p": "a=%41&a=%41", "f": "x"}},
	}
	for _, tt := range tests {
		got, ok := parse(t, tt.template).Match(tt.uri)
		if ok != (tt.want != nil) {
			t.Errorf("%q matches %q: %v (%v), want %v", tt.template, tt.uri, ok, got, tt.want)
		} else if diff := cmp.Diff(tt.want, got); ok && diff != "" {
			t.Errorf("%q of %q (-want +got):\n%s", tt.template, tt.uri, diff)
		}
		if parse(t, tt.template).Matches(tt.uri) != ok {
			t.Errorf("%q: Matches(%q) is not what Match says", tt.template, tt.uri)
		}
	}
}

// asRegexp returns a regular expression for the same language, for templates without an
// expression of several named variables.
func asRegexp(tmpl *Template) *regexp.Regexp {
	var b strings.Builder
	b.WriteString(`^`)
	for i := range tmpl.parts {
		p := &tmpl.parts[i]
		if p.vars == nil {
			b.WriteString(regexp.QuoteMeta(p.literal))
			continue
		}
		sep := regexp.QuoteMeta(string(p.op.sep))
		chars := func(v variable, least int) string {
			class := `ab.-~`
			if p.op.reserved {
				class += `/,?&#;=`
			} else if v.explode || p.op.named {
				class += `=`
			}
			if v.splits {
				class = strings.ReplaceAll(class, string(p.op.sep), "")
			}
			most := ""
			if v.max > 0 {
				most = fmt.Sprint(v.max)
			}
			return fmt.Sprintf("[%s]{%d,%s}", strings.ReplaceAll(class, "-", `\-`), least, most)
		}
		var text string
		switch {
		case p.op.named && p.vars[0].explode:
			one := chars(p.vars[0], 1)
			text = fmt.Sprintf("%s(?:%s%s)*", one, sep, one)
		case p.op.named:
			text = fmt.Sprintf("%s(?:=%s)?", p.vars[0].name, chars(p.vars[0], 0))
		default:
			// rest[j] is a separator, and what can follow it behind a value of the variable j-1
			rest := make([]string, len(p.vars)+1)
			rest[len(p.vars)] = `[^\s\S]`
			var starts []string
			for j, v := range slices.Backward(p.vars) {
				again, least := "", 0
				if v.explode {
					again = fmt.Sprintf("(?:%s%s)", sep, chars(v, 0))
				}
				if p.op.first == 0 {
					least = 1
					if v.explode {
						starts = append(starts, fmt.Sprintf("%s+(?:%s)?", again, rest[j+1]))
					}
					starts = append(starts, rest[j+1])
				}
				if again != "" {
					again += "*"
				}
				starts = append(starts, fmt.Sprintf("%s%s(?:%s)?", chars(v, least), again, rest[j+1]))
				rest[j] = fmt.Sprintf("%s%s%s(?:%s)?|%s", sep, chars(v, 0), again, rest[j+1], rest[j+1])
			}
			text = strings.Join(starts, "|")
		}
		if p.op.first != 0 {
			fmt.Fprintf(&b, "(?:%s(?:%s))?", regexp.QuoteMeta(string(p.op.first)), text)
		} else {
			fmt.Fprintf(&b, "(?:%s)", text)
		}
	}
	return regexp.MustCompile(b.String() + `$`)
}

// Every short URI matches exactly if a regular expression says so.
func TestMatchesAsARegexpDoes(t *testing.T) {
	const alphabet = "a.,/?&=;"
	templates := []string{
		"{a}", "{+a}", "{#a}", "{.a}", "{/a}", "{;a}", "{?a}", "{&a}", "{a*}", "{+a*}", "{.a*}", "{/a*}", "{;a*}", "{?a*}", "{&a*}",
		"{a:2}", "{+a:2}", "{/a:1}", "{?a:1}", "{a,b}", "{+a,b}", "{.a,b}", "{/a,b}", "{a*,b}", "{a,b*}", "{/a*,b:1}", "{/a:1,b*}",
		"{a:1}{b:1}", "{a:1}{/b*}", "a{a:1}a", "{/a*}/a", "{/a*}{?b*}", "{a}{a2}", "{+a:1}{b}", "{?a}{&b*}", "{a,b,c}", "{.a:1,b:1,c*}",
	}
	var all []string
	for level, last := 0, []string{""}; level <= 5; level++ {
		all = append(all, last...)
		var next []string
		for _, s := range last {
			for _, c := range alphabet {
				next = append(next, s+string(c))
			}
		}
		last = next
	}
	for _, text := range templates {
		tmpl := parse(t, text)
		re := asRegexp(tmpl)
		wrong := 0
		for _, uri := range all {
			if got, want := tmpl.Matches(uri), re.MatchString(uri); got != want && wrong < 5 {
				wrong++
				t.Errorf("%q matches %q: %v, but %s says %v", text, uri, got, re, want)
			}
		}
	}
}

// expand returns the expansion of tmpl with the values that Match returns.
func expand(tmpl *Template, values vars) string {
	var b strings.Builder
	for i := range tmpl.parts {
		p := &tmpl.parts[i]
		if p.vars == nil {
			b.WriteString(p.literal)
			continue
		}
		sep := string(p.op.sep)
		first := true
		for _, v := range p.vars {
			value, ok := values[v.name]
			if !ok {
				continue
			}
			switch {
			case !first:
				b.WriteString(sep)
			case p.op.first != 0:
				b.WriteByte(p.op.first)
			}
			first = false
			if p.op.named && !v.explode {
				b.WriteString(v.name)
				if value != "" || p.op.sep == '&' {
					b.WriteByte('=')
				}
			}
			plain := p.op.reserved
			for _, c := range value {
				// The separators of an exploded value are in it.
				if v.explode && (string(c) == sep || c == '=') || plain && c < utf8.RuneSelf && unitLen(string(c), 0, true) == 1 {
					b.WriteRune(c)
				} else if unitLen(string(c), 0, false) == 1 && c < utf8.RuneSelf {
					b.WriteRune(c)
				} else {
					b.WriteString(escape(string(c)))
				}
			}
		}
	}
	return b.String()
}

// What a template expands to matches it, and the values that were found expand to the same URI.
func TestExpansionOfAMatch(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var b strings.Builder
		values := vars{}
		for i := range rapid.IntRange(1, 4).Draw(t, "parts") {
			b.WriteString(rapid.SampledFrom([]string{"", "", "/", "x", "a.b", "?q=1", "-"}).Draw(t, "literal"))
			op := rapid.SampledFrom([]string{"", "+", "#", ".", "/", ";", "?", "&"}).Draw(t, "operator")
			b.WriteString("{" + op)
			named := op == ";" || op == "?" || op == "&"
			variables := rapid.IntRange(1, 3).Draw(t, "variables")
			for j := range variables {
				if j > 0 {
					b.WriteByte(',')
				}
				name := fmt.Sprintf("v%d%d", i, j)
				b.WriteString(name)
				value := rapid.StringOfN(rapid.SampledFrom([]rune("ab.é€ %")), 1, 5, -1).Draw(t, "value")
				if op == "." {
					value = strings.ReplaceAll(value, ".", "a") // it separates values: see doc.go
				}
				modifier := rapid.IntRange(0, 3).Draw(t, "modifier")
				if named && variables > 1 && modifier == 0 {
					modifier = 2 // parameters with any name would stand before those behind them
				}
				switch modifier {
				case 0:
					b.WriteByte('*')
					if named {
						value = "k=" + value
					}
					sep := op
					if op == "" || op == "+" || op == "#" {
						sep = ","
					} else if op == "?" {
						sep = "&"
					}
					value = strings.Join(slices.Repeat([]string{value}, rapid.IntRange(1, 3).Draw(t, "values")), sep)
				case 1:
					n := rapid.IntRange(1, 4).Draw(t, "max")
					fmt.Fprintf(&b, ":%d", n)
					value = string([]rune(value)[:min(n, utf8.RuneCountInString(value))])
				}
				// An expression without an operator has a value: see doc.go.
				if op == "" || op == "+" || rapid.IntRange(0, 3).Draw(t, "defined") > 0 {
					values[name] = value
				}
			}
			b.WriteByte('}')
		}
		tmpl, err := Parse(b.String())
		if err != nil {
			t.Fatal(err)
		}
		uri := expand(tmpl, values)
		found, ok := tmpl.Match(uri)
		if !ok {
			t.Fatalf("%q does not match its expansion %q", tmpl, uri)
		}
		// Parameters match in any order.
		pieces := func(uri string) []string {
			return slices.Sorted(slices.Values(strings.FieldsFunc(uri, func(c rune) bool { return strings.ContainsRune("?&;", c) })))
		}
		if again := expand(tmpl, found); again != uri && !slices.Equal(pieces(again), pieces(uri)) {
			t.Fatalf("%q: %q was read as %q, which expands to %q", tmpl, uri, found, again)
		}
	})
}
