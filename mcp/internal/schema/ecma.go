package schema

import (
	"errors"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// Patterns of a JSON Schema are regular expressions of ECMA-262, read as Unicode (JSON Schema
// Core, section 6.4). They are translated where their syntax differs from that of RE2. What RE2
// cannot do is refused, or left unchecked if the author asks for that.

// An ecmaPattern is a translated pattern. Errors show the original.
type ecmaPattern struct {
	*regexp.Regexp
	source string
}

// String returns the pattern as it is in the schema.
func (p ecmaPattern) String() string { return p.source }

// An uncheckedPattern is a pattern that RE2 cannot express. It matches everything.
type uncheckedPattern string

func (uncheckedPattern) MatchString(string) bool { return true }
func (p uncheckedPattern) String() string        { return string(p) }

// compilePattern is the judge's engine of regular expressions.
func compilePattern(source string) (jsonschema.Regexp, error) {
	text, err := translatePattern(source)
	if err != nil {
		return nil, err
	}
	re, err := regexp.Compile(text)
	if err != nil {
		return nil, err
	}
	if text == source {
		return re, nil
	}
	return ecmaPattern{re, source}, nil
}

// checkedByRE2 returns the compiled expression of a pattern for the fast path.
func checkedByRE2(p jsonschema.Regexp) (*regexp.Regexp, bool) {
	switch p := p.(type) {
	case *regexp.Regexp:
		return p, true
	case ecmaPattern:
		return p.Regexp, true
	}
	return nil, false
}

var (
	errLook      = errors.New("look-ahead and look-behind cannot be checked")
	errBackRef   = errors.New("references to groups cannot be checked")
	errBackslash = errors.New("a backslash at the end")
	errClass     = errors.New("a character class without an end")
)

// These are the white space and the line terminators of ECMA-262 (sections 12.2 and 12.3), without
// and with brackets.
const (
	ecmaSpace    = `\t-\r \x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}\x{feff}`
	ecmaNotSpace = `\x00-\x08\x0e-\x1f!-\x{9f}\x{a1}-\x{167f}\x{1681}-\x{1fff}\x{200b}-\x{2027}\x{202a}-\x{202e}\x{2030}-\x{205e}\x{2060}-\x{2fff}\x{3001}-\x{fefe}\x{ff00}-\x{10ffff}`
	ecmaDot      = `[^\n\r\x{2028}\x{2029}]`
	anything     = `[\x00-\x{10ffff}]`
	nothing      = `[^\x00-\x{10ffff}]`
)

// translatePattern returns the RE2 expression that matches the same texts as source.
func translatePattern(source string) (string, error) {
	if !strings.ContainsAny(source, `\.[(`) {
		return source, nil
	}
	t := translator{in: source}
	for t.in != "" {
		if err := t.atom(); err != nil {
			return "", err
		}
	}
	return t.out.String(), nil
}

// A translator holds the rest of a pattern and the part that it has translated.
type translator struct {
	in  string
	out strings.Builder
}

// copy writes the next n bytes as they are.
func (t *translator) copy(n int) {
	t.out.WriteString(t.in[:n])
	t.in = t.in[n:]
}

// put writes text for the next n bytes.
func (t *translator) put(n int, text string) {
	t.out.WriteString(text)
	t.in = t.in[n:]
}

func (t *translator) atom() error {
	switch t.in[0] {
	case '.':
		t.put(1, ecmaDot)
	case '[':
		return t.class()
	case '\\':
		return t.escape(false)
	case '(':
		for _, look := range []string{"(?=", "(?!", "(?<=", "(?<!"} {
			if strings.HasPrefix(t.in, look) {
				return errLook
			}
		}
		t.copy(1)
	default:
		t.copy(1)
	}
	return nil
}

// class translates a character class: "[" stands for itself within it, and it may be empty.
func (t *translator) class() error {
	for _, empty := range []struct{ text, means string }{{"[]", nothing}, {"[^]", anything}} {
		if strings.HasPrefix(t.in, empty.text) {
			t.put(len(empty.text), empty.means)
			return nil
		}
	}
	t.copy(1)
	if strings.HasPrefix(t.in, "^") {
		t.copy(1)
	}
	for t.in != "" {
		switch t.in[0] {
		case ']':
			t.copy(1)
			return nil
		case '[':
			t.put(1, `\[`)
		case '\\':
			if err := t.escape(true); err != nil {
				return err
			}
		default:
			t.copy(1)
		}
	}
	return errClass
}

// escape translates an escape, which begins with a backslash.
func (t *translator) escape(inClass bool) error {
	if len(t.in) == 1 {
		return errBackslash
	}
	bracketed := func(set string) string {
		if inClass {
			return set
		}
		return "[" + set + "]"
	}
	switch c := t.in[1]; c {
	case 's':
		t.put(2, bracketed(ecmaSpace))
	case 'S':
		t.put(2, bracketed(ecmaNotSpace))
	case 'b':
		if inClass {
			t.put(2, `\x08`)
		} else {
			t.copy(2)
		}
	case 'u':
		return t.codePoint()
	case 'c':
		if len(t.in) < 3 || !isLetter(t.in[2]) {
			return errors.New(`\c without a letter`)
		}
		t.put(3, hexRune(rune(t.in[2]%32)))
	case 'k':
		return errBackRef
	case '0':
		t.put(2, `\x00`)
	case '1', '2', '3', '4', '5', '6', '7', '8', '9':
		return errBackRef
	case 'p', 'P':
		return t.property(inClass)
	default:
		r, n := utf8.DecodeRuneInString(t.in[1:])
		if r >= utf8.RuneSelf { // RE2 escapes none of these
			t.put(1+n, t.in[1:1+n])
			return nil
		}
		t.copy(2)
	}
	return nil
}

// codePoint translates \uXXXX, a pair of these that are surrogates, and \u{X…}.
func (t *translator) codePoint() error {
	rest := t.in[2:]
	if digits, ok := strings.CutPrefix(rest, "{"); ok {
		digits, _, ok = strings.Cut(digits, "}")
		r, err := strconv.ParseUint(digits, 16, 32)
		if !ok || err != nil || r > utf8.MaxRune {
			return errors.New(`\u{…} without a code point`)
		}
		t.put(len(`\u{}`)+len(digits), hexRune(rune(r)))
		return nil
	}
	high, ok := hexUnit(rest)
	if !ok {
		return errors.New(`\u without four hexadecimal digits`)
	}
	const n = len(`\u0000`)
	if low, ok := hexUnit(strings.TrimPrefix(t.in[n:], `\u`)); ok && strings.HasPrefix(t.in[n:], `\u`) && high&0xfc00 == 0xd800 && low&0xfc00 == 0xdc00 {
		t.put(2*n, hexRune(0x10000+(high-0xd800)<<10+(low-0xdc00)))
		return nil
	}
	t.put(n, hexRune(high))
	return nil
}

// property translates \p{…}. RE2 takes only the name of a general category or a script.
func (t *translator) property(inClass bool) error {
	name, rest, ok := strings.Cut(t.in[2:], "}")
	if !strings.HasPrefix(name, "{") || !ok {
		t.copy(2) // \pL, which only RE2 has
		return nil
	}
	negated := t.in[1] == 'P'
	name = name[1:]
	for _, kind := range []string{"General_Category=", "gc=", "Script=", "sc=", "Script_Extensions=", "scx="} {
		name = strings.TrimPrefix(name, kind)
	}
	n := len(t.in) - len(rest)
	set := ""
	switch {
	case name == "Any" && !negated:
		set = `\x00-\x{10ffff}`
	case name == "ASCII" && !negated:
		set = `\x00-\x7f`
	case name == "ASCII":
		set = `\x{80}-\x{10ffff}`
	default:
		t.put(n, t.in[:2]+"{"+name+"}")
		return nil
	}
	if !inClass {
		set = "[" + set + "]"
	}
	t.put(n, set)
	return nil
}

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

// hexUnit returns the number of the four hexadecimal digits at the beginning of s.
func hexUnit(s string) (rune, bool) {
	if len(s) < 4 {
		return 0, false
	}
	n, err := strconv.ParseUint(s[:4], 16, 16)
	return rune(n), err == nil
}

// hexRune writes r in a form that RE2 takes both inside a class and outside.
func hexRune(r rune) string { return `\x{` + strconv.FormatInt(int64(r), 16) + `}` }
