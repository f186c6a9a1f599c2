package uritemplate

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func parse(t testing.TB, s string) *Template {
	t.Helper()
	tmpl, err := Parse(s)
	if err != nil {
		t.Fatalf("Parse(%q): %v", s, err)
	}
	return tmpl
}

type vars = map[string]string

// These are the values of RFC 6570, section 3.2. The cases use those that are strings.
var rfc = vars{
	"dub": "me/too", "hello": "Hello World!", "half": "50%", "var": "value", "who": "fred",
	"base": "http://example.com/home/", "path": "/foo/bar", "v": "6", "x": "1024", "y": "768", "empty": "",
}

func pick(names ...string) vars {
	m := vars{}
	for _, n := range names {
		m[n] = rfc[n]
	}
	return m
}

// These are the examples of sections 3.2.2 to 3.2.9. Matching an expansion must return its values.
func TestExpansionsOfTheRFC(t *testing.T) {
	tests := []struct {
		template, uri string
		want          vars
	}{
		{"{var}", "value", pick("var")}, // 3.2.2
		{"{hello}", "Hello%20World%21", pick("hello")},
		{"{half}", "50%25", pick("half")},
		{"{x,y}", "1024,768", pick("x", "y")},
		{"{x,hello,y}", "1024,Hello%20World%21,768", pick("x", "hello", "y")},
		{"?{x,empty}", "?1024,", pick("x", "empty")},
		{"?{x,y}", "?1024", pick("x")},
		{"{+var}", "value", pick("var")}, // 3.2.3
		{"{+hello}", "Hello%20World!", pick("hello")},
		{"{+half}", "50%25", pick("half")},
		{"{+base}index", "http://example.com/home/index", pick("base")},
		{"{+path}/here", "/foo/bar/here", pick("path")},
		{"here?ref={+path}", "here?ref=/foo/bar", pick("path")},
		// ambiguous: the first takes all
		{"up{+path}{var}/here", "up/foo/barvalue/here", vars{"path": "/foo/barvalu", "var": "e"}},
		{"{+x,hello,y}", "1024,Hello%20World!,768", pick("x", "hello", "y")},
		{"{#var}", "#value", pick("var")}, // 3.2.4
		{"{#path,x}/here", "#/foo/bar,1024/here", pick("path", "x")},
		{"foo{#empty}", "foo#", pick("empty")},
		{"foo{#undef}", "foo", vars{}},
		{"{.who}", ".fred", pick("who")}, // 3.2.5
		{"{.half,who}", ".50%25.fred", pick("half", "who")},
		{"www{.dom}", "www.example.com", vars{"dom": "example.com"}},
		{"X{.empty}", "X.", pick("empty")},
		{"X{.undef}", "X", vars{}},
		{"{/who}", "/fred", pick("who")}, // 3.2.6
		{"{/half,who}", "/50%25/fred", pick("half", "who")},
		{"{/who,dub}", "/fred/me%2Ftoo", pick("who", "dub")},
		{"{/var,empty}", "/value/", pick("var", "empty")},
		{"{/var,x}/here", "/value/1024/here", pick("var", "x")},
		{"{;who}", ";who=fred", pick("who")}, // 3.2.7
		{"{;half}", ";half=50%25", pick("half")},
		{"{;empty}", ";empty", pick("empty")},
		{"{;v,empty,who}", ";v=6;empty;who=fred", pick("v", "empty", "who")},
		{"{;v,bar,who}", ";v=6;who=fred", pick("v", "who")},
		{"{;x,y}", ";x=1024;y=768", pick("x", "y")},
		{"{?who}", "?who=fred", pick("who")}, // 3.2.8
		{"{?x,y}", "?x=1024&y=768", pick("x", "y")},
		{"{?x,y,empty}", "?x=1024&y=768&empty=", pick("x", "y", "empty")},
		{"{?x,y,undef}", "?x=1024&y=768", pick("x", "y")},
		{"{&who}", "&who=fred", pick("who")}, // 3.2.9
		{"?fixed=yes{&x}", "?fixed=yes&x=1024", pick("x")},
		{"{&x,y,empty}", "&x=1024&y=768&empty=", pick("x", "y", "empty")},
	}
	for _, tt := range tests {
		got, ok := parse(t, tt.template).Match(tt.uri)
		if diff := cmp.Diff(tt.want, got); !ok || diff != "" {
			t.Errorf("%q matches %q: %v, values (-want +got):\n%s", tt.template, tt.uri, ok, diff)
		}
		if !parse(t, tt.template).Matches(tt.uri) {
			t.Errorf("%q: Matches(%q) = false, Match says true", tt.template, tt.uri)
		}
	}
}

func TestMatch(t *testing.T) {
	tests := []struct {
		template, uri string
		want          vars // nil for no match
	}{
		{"test://template/{id}/data", "test://template/123/data", vars{"id": "123"}},
		{"test://template/{id}/data", "test://template//data", nil},
		{"test://template/{id}/data", "test://template/1/2/data", nil},
		{"test://template/{id}/data", "test://template/1%2F2/data", vars{"id": "1/2"}},
		{"test://template/{id}/data", "test://template/123/data/", nil},
		{"test://template/{id}/data", "test://template/..%2F..%2Fetc/data", vars{"id": "../../etc"}},
		{"a/{id}", "a/%zz", nil},
		{"a/{id}", "a/%4", nil},
		{"a/{id}", "a/%ff", nil},
		{"a/{id}", "a/\xff", nil},
		{"a/{id}", "a/Zürich", vars{"id": "Zürich"}},
		{"a/{id}", "a/x y", nil},
		{"a/{id}", "a/x?y", nil},
		{"a/{id}", "b/x", nil},
		{"a/{id}", "a/", nil},
		{"{a}-{b}", "1-2-3", vars{"a": "1-2", "b": "3"}},
		{"{a}{b}", "xyz", vars{"a": "xy", "b": "z"}},
		{"{a}{b}", "x%41", vars{"a": "x", "b": "A"}},
		{"{a}{b}", "%41", nil},
		{"{a}41", "%41", nil},
		{"x{?a,b}", "x?b=1&a=2", vars{"a": "2", "b": "1"}},
		{"x{?a,b}", "x?a=1&a=2", nil},
		{"x{?a,b}", "x?c=1", nil},
		{"x{?a,b}", "x?", nil},
		{"x{?a}", "x", vars{}},
		{"x{?a}{#f}", "x?a=1#top", vars{"a": "1", "f": "top"}},
		{"file:///{+path}", "file:///a/b/c.txt", vars{"path": "a/b/c.txt"}},
		{"{+a,b}", "1,2,3", vars{"a": "1", "b": "2,3"}},
		{"{a,b}", "1,2,3", nil},
		{"plain", "plain", vars{}},
		{"plain", "plainer", nil},
		{"", "", vars{}},
		{"", "x", nil},
	}
	for _, tt := range tests {
		got, ok := parse(t, tt.template).Match(tt.uri)
		if ok != (tt.want != nil) {
			t.Errorf("%q matches %q: %v (%v), want %v", tt.template, tt.uri, ok, got, tt.want)
		} else if diff := cmp.Diff(tt.want, got); ok && diff != "" {
			t.Errorf("%q of %q (-want +got):\n%s", tt.template, tt.uri, diff)
		}
	}
}

func TestParseRefusals(t *testing.T) {
	for _, s := range []string{
		"{", "}", "a{b", "a}b", "{}", "{,}", "{a,}", "{a b}", "{+}", "{a**}", "{*}", "{a:}", "{a:0}", "{a:03}", "{a:10000}", "{a:-1}", "{a:3*}", "{a*:3}", "{:3}", "{=a}", "{!a}", "{@a}", "{|a}", "{,a}",
		"{a}{a}", "{a,a}", "{{a}}", "{.}", "{a..b}", "{a.}", "{%zz}", "a b", "a\"", "<", "^", "`", "|", "\\", "%", "%4", "%zz",
		"ü", "\x00", strings.Repeat("a", maxTemplate+1), "{" + strings.Repeat("a,", maxVars) + "b}",
	} {
		if tmpl, err := Parse(s); err == nil {
			t.Errorf("Parse(%.40q) = %v, want an error", s, tmpl)
		} else if !strings.HasPrefix(err.Error(), "uritemplate: ") {
			t.Errorf("Parse(%.40q): %q does not begin with the package", s, err)
		}
	}
}

func TestNames(t *testing.T) {
	tmpl := parse(t, "x/{a}{?b.c,d_1,%41}")
	if diff := cmp.Diff([]string{"a", "b.c", "d_1", "%41"}, tmpl.Names()); diff != "" {
		t.Error(diff)
	}
	if tmpl.Literal() || !parse(t, "x/y").Literal() {
		t.Error("Literal is wrong")
	}
	if tmpl.String() != "x/{a}{?b.c,d_1,%41}" {
		t.Errorf("String() = %q", tmpl)
	}
}

// For any values the expansion matches, and if it is not ambiguous, matching
// returns the values.
func TestMatchUndoesExpansion(t *testing.T) {
	tmpl := parse(t, "x://{a}/{b,c}{/d}{?e,f}{#g}")
	rapid.Check(t, func(t *rapid.T) {
		val := func(name string) string { return rapid.StringN(1, 6, -1).Draw(t, name) }
		v := vars{"a": val("a"), "b": val("b"), "c": val("c"), "d": val("d"), "e": val("e"), "f": val("f"), "g": val("g")}
		uri := "x://" + escape(v["a"]) + "/" + escape(v["b"]) + "," + escape(v["c"]) + "/" + escape(v["d"]) +
			"?e=" + escape(v["e"]) + "&f=" + escape(v["f"]) + "#" + escape(v["g"])
		got, ok := tmpl.Match(uri)
		if diff := cmp.Diff(v, got); !ok || diff != "" {
			t.Fatalf("%q: %v (-want +got):\n%s", uri, ok, diff)
		}
	})
}

func escape(s string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if c := s[i]; isAlnum(c) {
			b.WriteByte(c)
		} else {
			b.Write([]byte{'%', hex[c>>4], hex[c&15]})
		}
	}
	return b.String()
}

// A URI that nearly matches in very many ways must be cheap to refuse: ten times
// the length must not take a hundred times the time.
func TestHostileURIsAreLinear(t *testing.T) {
	for _, tt := range []struct{ template, piece string }{
		{"x://{a}-{b}-{c}-{d}-{e}-{+f}-{+g}!", "-"},
		{"x://{a,b,c,d,e,f,g*}{+h,i,j,k*}!", ","},
		{"x://{/a*}{/b*}{/c:9}{/d:9,e*}!", "/"},
		{"x://{?a,b,c:3,d*}{&e,f*}!", "&a=b"},
		{"x://{a:9999}41{b:9999}41{+c}!", "%41"},
	} {
		tmpl := parse(t, tt.template)
		cost := func(n int) time.Duration {
			uri := "x://" + strings.Repeat(tt.piece, n/len(tt.piece)) + "\"!"
			best := time.Hour
			for range 5 {
				start := time.Now()
				if tmpl.Matches(uri) {
					t.Fatal("matched")
				}
				best = min(best, time.Since(start))
			}
			return best
		}
		small, large := cost(10_000), cost(100_000)
		if large > 40*small+5*time.Millisecond {
			t.Errorf("%s: 10,000 octets take %v, 100,000 take %v", tt.template, small, large)
		}
	}
}

// So must one that matches, with its values.
func TestLongMatchesAreLinear(t *testing.T) {
	for _, tt := range []struct{ template, piece string }{
		{"{;a*}{;b*}{;c,d,e,f*}", ";b"},
		{"{?a*}{&b*}{&c*}", "&a="},
		{"{?a,b,c}{&d,e*}{#f}", "&b=1"},
		{"{+a,b,c}{/d*}", "/,"},
	} {
		tmpl := parse(t, tt.template)
		cost := func(n int) time.Duration {
			uri := strings.Repeat(tt.piece, n/len(tt.piece))
			best := time.Hour
			for range 5 {
				start := time.Now()
				if _, ok := tmpl.Match(uri); !ok {
					t.Fatalf("%s does not match", tt.template)
				}
				best = min(best, time.Since(start))
			}
			return best
		}
		small, large := cost(10_000), cost(100_000)
		if large > 40*small+5*time.Millisecond {
			t.Errorf("%s: 10,000 octets take %v, 100,000 take %v", tt.template, small, large)
		}
	}
}

func FuzzMatch(f *testing.F) {
	f.Add("x/{a}{?b,c}", "x/1?b=2")
	f.Add("{+a}/{b}", "a/b/c")
	f.Fuzz(func(t *testing.T, template, uri string) {
		tmpl, err := Parse(template)
		if err != nil {
			return
		}
		values, ok := tmpl.Match(uri)
		if ok != tmpl.Matches(uri) {
			t.Fatalf("Match and Matches differ on %q of %q", uri, template)
		}
		for name := range values {
			if !strings.Contains(template, name) {
				t.Fatalf("value for %q, which %q does not have", name, template)
			}
		}
	})
}

func BenchmarkMatch(b *testing.B) {
	tmpl := parse(b, "test://template/{id}/data")
	b.ReportAllocs()
	for b.Loop() {
		if !tmpl.Matches("test://template/12345/data") {
			b.Fatal("no match")
		}
	}
}
