package jsonrpc

import (
	"strings"
	"testing"
)

// The cases of syntaxTests are grouped by the sections of RFC 8259. Each is decoded
// as the params of a message, as a whole text, and inside an array and an object.
var syntaxTests = []struct {
	section     string
	yes, no     []string // without quotation marks around: as Go strings
	notEmbedded []string // refused as a whole text only
}{
	{
		section: "2 structure",
		yes: []string{
			`[]`, `{}`, `[1]`, `[1,2]`, `[[]]`, `[[],[]]`, `[{}]`, `{"a":{}}`, `{"a":[]}`, `{"a":1,"b":2}`, `{"":0}`,
			`[null,1,"1",{}]`, `[[[[[[]]]]]]`, `{"a":{"b":{"c":[]}}}`, `{"a":[{"a":[{"a":1}]}]}`, `[{"a":1},{"a":1}]`, `{"a":{"a":1},"b":{"a":1}}`,
		},
		no: []string{
			``, `[`, `]`, `{`, `}`, `[[]`, `[]]`, `{}}`, `{{}}`, `[}`, `{]`, `[{]}`, `[,]`, `[1,]`, `[,1]`, `[1,,2]`, `[1 2]`, `[1;2]`, `[1:2]`,
			`{"a"}`, `{"a":}`, `{"a" 1}`, `{:1}`, `{1:1}`, `{a:1}`, `{'a':1}`, `{null:1}`, `{[]:1}`, `{"a":1,}`, `{,"a":1}`, `{"a":1,,"b":2}`, `{"a":1 "b":2}`, `{"a":1;"b":2}`,
			`{"a":1:2}`, `{"a"::1}`, `{"a",1}`, `{"a":1]`, `["a":1]`, `["a"`, `{"a":1`, `{"a":`, `{"a"`, `{"a`, `[1,`, `[1`, `[[`, `[{`, `{"a":[`, `{"a":{`, `,`, `:`, `[,,]`, `{,}`, `[]1`,
			`(1)`, `<1>`, `[1]]`, `[*]`, `[...]`, `{"a":...}`, "[\x00]", "\x00", `#[]`, `[]#`, `/**/[]`, `[]//`, `[/*1*/]`, `{"a":/**/1}`,
		},
		notEmbedded: []string{`1 2`, `[] []`, `{} {}`, `1,2`, `"a","b"`, `"a" "b"`, "1\x00", `true false`},
	},
	{
		section: "2 white space",
		yes: []string{
			" []", "[] ", " [ ] ", "\t[\t]\t", "\r[\r]\r", "\n[\n]\n", "[ 1 , 2 ]", "{ \"a\" : 1 , \"b\" : 2 }", "\r\n{\r\n\"a\"\r\n:\r\n1\r\n}\r\n", "[" + strings.Repeat(" ", 100) + "]", " 1 ", "\t\"\"\n",
		},
		no: []string{
			" ", "\t\r\n", "\f[]", "[\f]", "[\v]", "\u00a0[]", "[\u00a0]", "\u2028[]", "[\u0085]", "\ufeff[]", "[\ufeff]", "[]\ufeff", "\u2060[]", "[1\x00]", "{\"a\"\x0b:1}", "[\x1f]", "[\x7f]", "\xa0[]", "\x85",
		},
	},
	{
		section: "3 literals",
		yes:     []string{`true`, `false`, `null`, `[true,false,null]`, ` true`, `{"a":null}`},
		no: []string{
			`True`, `TRUE`, `tru`, `t`, `truE`, `truee`, `nul`, `nulL`, `n`, `NULL`, `nil`, `none`, `fals`, `f`, `False`, `falsee`, `undefined`, `NaN`, `Infinity`, `-Infinity`, `+Infinity`, `inf`, `nan`, `[tru]`, `[nul]`, `[fals`, `yes`, `true1`, `1true`, `nullnull`, `t rue`, "tru\x00", `"a"true`,
		},
	},
	{
		section: "6 numbers",
		yes: []string{
			`0`, `-0`, `1`, `-1`, `10`, `123456789`, `0.0`, `-0.0`, `0.1`, `1.5`, `1e1`, `1E1`, `1e+1`, `1e-1`, `1E+1`, `1E-1`, `0e0`, `0e+0`, `0E-0`, `1e01`, `1.0e00`, `1.25e-10`, `-1.25E+10`,
			`1e400`, `-1e400`, `1e-400`, `123123e100000`, `0.4e00669999999999999999999999`, `9223372036854775808`, `100000000000000000000000000000000`, `0.` + strings.Repeat("0", 100) + `1`, strings.Repeat("9", 500), `20e1`, `1.000000000000000005`,
		},
		no: []string{
			`-`, `+`, `+1`, `++1`, `--1`, `-+1`, `- 1`, `01`, `-01`, `00`, `-00`, `012`, `1.`, `-1.`, `.1`, `-.1`, `.`, `1.e1`, `0.e1`, `1e`, `1E`, `1e+`, `1e-`, `0e`, `0e+`, `1ee1`, `1eE1`, `1e1.5`, `1e1e1`, `1.2.3`, `1..2`, `1e+-1`, `1e++1`,
			`0x1`, `0x`, `0b1`, `0o7`, `1_000`, `1,000.`, `1a`, `1f`, `1L`, `1n`, `0x1.8p1`, `e1`, `E1`, `-e1`, `1 000`, `１`, `1٣`, `∞`, `1/2`, `$1`, `1%`, `-a`, `-"1"`, `[-]`, `[1.]`, `[1e]`, `[01]`, `{"a":-}`, `{"a":1.}`, `{"a":.1}`, "1\x001", `-[]`, `1.a`, `1ea`,
		},
	},
	{
		section: "7 strings",
		yes: []string{
			`""`, `"a"`, `" "`, `"abcdefg"`, `"abcdefgh"`, `"abcdefghi"`, `"` + strings.Repeat("x", 1000) + `"`, `"'"`, `"/"`, `"\/"`, `"\""`, `"\\"`, `"\b\f\n\r\t"`, `"\u0000"`, `"\u001f"`, `"\u0022"`, `"\u005c"`, `"\u00e9"`, `"\u00E9"`, `"\uFFFF"`, `"\ufffe"`, `"\ufeff"`, `"\u2028"`, `"\u0085"`,
			`"\\\\"`, `"\\\""`, `"\\u0041"`, `"\\n"`, `"1234567\""`, `"12345678\""`, `"123456\\"`, `"1234567\\"`, `"// # /* */"`, `"[{,:}]"`, "\"\x7f\"", "\"\u2028\u2029\u0085\"", "\"\u00a0\"", "\"\ufeff\"",
		},
		no: []string{
			`"`, `"a`, `a"`, `"\"`, `"\`, `"\\\"`, `'a'`, `''`, "`a`", `"a""`, `""a"`, `"""`, `"a"b"`, `“a”`, `a`, `\"a\"`, `&quot;a&quot;`, `["a`, `["a]`, `{"a:1}`,
			`"\a"`, `"\v"`, `"\0"`, `"\x41"`, `"\'"`, `"\U0041"`, `"\u"`, `"\u1"`, `"\u12"`, `"\u123"`, `"\u 041"`, `"\u004"`, `"\u004g"`, `"\u00-1"`, `"\u{41}"`, `"\ug000"`, `"\uD83`, `"\ `, `"\ "`, `"\8"`, "\"\\\n\"", "\"\\\x00\"", `"\é"`, `"\N"`, `"\T"`, `"\u+041"`, `"\u００４１"`,
			"\"\n\"", "\"\t\"", "\"\r\"", "\"\x00\"", "\"\x01\"", "\"\x1f\"", "\"a\x1fb\"", "\"1234567\n\"", "\"12345678\n\"", "\"\x08\"", "\"1234567\x1f90123456\"", "\"\x0b\"",
		},
	},
	{
		section: "7 surrogates",
		yes:     []string{`"\ud83d\ude00"`, `"\uD83D\uDE00"`, `"\ud800\udc00"`, `"\udbff\udfff"`, `"\ud7ff"`, `"\ue000"`, `"a\ud83d\ude00b"`, `"\ud83d\ude00\ud83d\ude00"`, `"\\ud800"`, `"\ud834\uDd1e"`},
		no: []string{
			`"\ud800"`, `"\udbff"`, `"\udc00"`, `"\udfff"`, `"\ud83d\ud83d"`, `"\ude00\ud83d"`, `"\ud83da"`, `"\ud83d\n"`, `"\ud83d\u0041"`, `"\ud83d\\ude00"`, `"\ud83d\"`, `"\ud83d\u"`, `"\ud83d\ude0"`, `"\ud83d\ude0g"`, `"\ud83d ude00"`, `"\ud83d\ude00\ud83d"`, `"\ud83d\xde00"`, `"\uD800\uD800\uDC00"`, `"\udc00\udc00"`, `{"\ud800":1}`,
		},
	},
	{
		section: "8.1 UTF-8",
		yes:     []string{`"é"`, `"€"`, `"😀"`, "\"\u007f\u0080\u07ff\u0800\uffff\U00010000\U0010ffff\"", `"日本語"`, `{"é":"é"}`, `"�"`, "\"\ufffe\uffff\"", "\"\U0001ffff\""},
		no: []string{
			"\"\xff\"", "\"\xfe\"", "\"\x80\"", "\"\xbf\"", "\"\xc3\"", "\"\xc3(\"", "\"\xc0\xaf\"", "\"\xc1\xbf\"", "\"\xe0\x80\xaf\"", "\"\xe2\x82\"", "\"\xed\xa0\x80\"", "\"\xed\xbf\xbf\"", "\"\xf0\x80\x80\x80\"", "\"\xf0\x9f\x98\"", "\"\xf4\x90\x80\x80\"", "\"\xf5\x80\x80\x80\"", "\"\xf8\x88\x80\x80\x80\"", "\"\xe9\"", "[\xff]", "\xff", "{\"\xff\":1}", "\xef\xbb", "é", "[é]", "\"\\\xc3\xa9\"", "\"\\u00\xc3\xa9\"", "\xff\xfe[\x00]\x00", "\x00[\x00]",
		},
	},
	{
		section: "4 names, no name twice (RFC 7493, section 2.3)",
		yes:     []string{`{"a":1,"A":2}`, `{"a":1,"b":2,"aa":3}`, `{"a":{"a":{"a":1}}}`, `[{"a":1},{"a":1}]`, `{"é":1,"e":2}`, `{"\u0061":1,"b":2}`, `{"a ":1,"a":2," a":3}`, `{"\\u0061":1,"a":2}`, `{"\n":1,"n":2,"\\n":3}`, `{"\u00e9":1,"e\u0301":2}`},
		no: []string{
			`{"a":1,"a":2}`, `{"a":1,"a":1}`, `{"":1,"":2}`, `{"a":1,"b":2,"a":3}`, `{"a":1,"\u0061":2}`, `{"\u0061":1,"a":2}`, `{"\u0061":1,"\u0061":2}`, `{"\/":1,"/":2}`, `{"\n":1,"\u000a":2}`, `{"\u000A":1,"\u000a":2}`, `{"😀":1,"\ud83d\ude00":2}`, `{"é":1,"\u00e9":2}`, `{"b":[{"a":1,"a":2}]}`, `{"a":{"b":1,"b":2}}`, `[{"a":1,"a":2}]`,
			`{"k0":0,"k1":0,"k2":0,"k3":0,"k4":0,"k5":0,"k6":0,"k7":0,"k8":0,"k9":0,"ka":0,"kb":0,"kc":0,"kd":0,"ke":0,"kf":0,"k0":0}`,
			`{"k0":0,"k1":0,"k2":0,"k3":0,"k4":0,"k5":0,"k6":0,"k7":0,"k8":0,"k9":0,"ka":0,"kb":0,"kc":0,"kd":0,"ke":0,"kf":0,"kg":0,"kg":0}`,
			`{"k0":0,"k1":0,"k2":0,"k3":0,"k4":0,"k5":0,"k6":0,"k7":0,"k8":0,"k9":0,"ka":0,"kb":0,"kc":0,"kd":0,"ke":0,"kf":0,"kg":0,"\u006b0":0}`,
			`{"k\u0030":0,"k1":0,"k2":0,"k3":0,"k4":0,"k5":0,"k6":0,"k7":0,"k8":0,"k9":0,"ka":0,"kb":0,"kc":0,"kd":0,"ke":0,"kf":0,"kg":0,"k0":0}`,
		},
	},
}

// wantValid decodes text in every place where a text can be.
func wantValid(t *testing.T, text string, want, embedded bool) {
	t.Helper()
	if embedded {
		for _, place := range [][2]string{{`[`, `]`}, {`[0,`, `]`}, {`[`, `,0]`}, {`{"a":`, `}`}, {`{"a":[{"b":`, `}]}`}, {" ", "\n"}} {
			if got := acceptsText(t, place[0]+text+place[1]); got != want && text != "" {
				t.Errorf("%q inside of %q: accepted %v, want %v", text, place, got, want)
			}
		}
	}
	if got := acceptsText(t, text); got != want {
		t.Errorf("%q: accepted %v, want %v", text, got, want)
	}
}

func TestSyntax(t *testing.T) {
	n := 0
	for _, tt := range syntaxTests {
		t.Run(tt.section, func(t *testing.T) {
			for _, text := range tt.yes {
				wantValid(t, text, true, true)
				for i := range len(text) {
					agree(t, []byte(text[:i]))
				}
			}
			for _, text := range tt.no {
				// For example, a list of elements is a text inside an array.
				wantValid(t, text, false, !strings.ContainsAny(text, ",]}") && strings.TrimSpace(text) != "")
			}
			for _, text := range tt.notEmbedded {
				wantValid(t, text, false, false)
			}
			n += len(tt.yes) + len(tt.no) + len(tt.notEmbedded)
		})
	}
	if n < 400 {
		t.Errorf("only %d cases", n)
	}
}

func TestDepth(t *testing.T) {
	if MaxDepth != 128 {
		t.Errorf("MaxDepth is %d, documented as 128", MaxDepth)
	}
	nest := func(open, shut string, n int) string { return strings.Repeat(open, n) + strings.Repeat(shut, n) }
	for _, tt := range []struct {
		name, text string
		want       bool
	}{
		{"arrays", nest("[", "]", MaxDepth), true},
		{"arrays, one more", nest("[", "]", MaxDepth+1), false},
		{"objects", nest(`{"a":`, "}", MaxDepth-1)[:5*(MaxDepth-1)] + "1" + strings.Repeat("}", MaxDepth-1), true},
		{"objects, the innermost empty", strings.Repeat(`{"a":`, MaxDepth-1) + "{}" + strings.Repeat("}", MaxDepth-1), true},
		{"objects, one more", strings.Repeat(`{"a":`, MaxDepth) + "{}" + strings.Repeat("}", MaxDepth), false},
		{"mixed", nest(`[{"a":`, "}]", MaxDepth/2)[:6*MaxDepth/2] + "1" + strings.Repeat("}]", MaxDepth/2), true},
		{"mixed, one more", strings.Repeat(`[{"a":`, MaxDepth/2) + "[]" + strings.Repeat("}]", MaxDepth/2), false},
		{"wide, not deep", "[" + strings.Repeat("[],", 1000) + "[]]", true},
		{"a million, unclosed", strings.Repeat("[", 1_000_000), false},
		{"a million objects", strings.Repeat(`{"a":`, 1_000_000), false},
		{"brackets in a string", `["` + strings.Repeat("[", 1000) + `"]`, true},
	} {
		if got := acceptsText(t, tt.text); got != tt.want {
			t.Errorf("%s: accepted %v, want %v", tt.name, got, tt.want)
		}
	}
	var m Envelope
	envelope := func(depth int) []byte {
		return []byte(`{"jsonrpc":"2.0","id":1,"method":"m","params":{"a":` + nest("[", "]", depth-2) + `}}`)
	}
	if err := m.Decode(envelope(MaxDepth)); err != nil {
		t.Errorf("envelope at the limit: %v", err)
	}
	if err := m.Decode(envelope(MaxDepth + 1)); err != error(errDepth) {
		t.Errorf("envelope beyond the limit: %v, want %v", err, errDepth)
	}
}
