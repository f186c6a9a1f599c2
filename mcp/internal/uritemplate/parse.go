package uritemplate

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// maxTemplate is the maximum length of a template. It limits the cost of a match.
const maxTemplate = 4096

// maxVars is the maximum number of variables in one expression. A match has a set
// of bits for those that it has seen.
const maxVars = 64

// A Template is a parsed URI Template. It is immutable and may be used from any
// goroutine.
type Template struct {
	text  string
	parts []part
}

// A part is a literal or an expression.
type part struct {
	literal string     // if vars is nil
	vars    []variable // of an expression, in order
	op      operator
}

// A variable is a varspec of RFC 6570, section 2.3.
type variable struct {
	name    string
	max     int  // maximum length in characters, from a prefix modifier; 0 without one
	explode bool // it has the explode modifier

	// splits says that the separator of the expression ends the value.
	splits bool
}

// An operator is the row of RFC 6570, section 3.2.1 (and appendix A) for an
// expression: its first character, the separator of its values, whether the
// values are named, and which characters it allows.
type operator struct {
	first    byte // 0 if there is none; the expression is not empty then
	sep      byte
	named    bool
	reserved bool // reserved characters stand for themselves
}

func operatorOf(c byte) (op operator, ok bool) {
	switch c {
	case 0:
		return operator{sep: ','}, true
	case '+':
		return operator{sep: ',', reserved: true}, true
	case '#':
		return operator{first: '#', sep: ',', reserved: true}, true
	case '.':
		return operator{first: '.', sep: '.'}, true
	case '/':
		return operator{first: '/', sep: '/'}, true
	case ';':
		return operator{first: ';', sep: ';', named: true}, true
	case '?':
		return operator{first: '?', sep: '&', named: true}, true
	case '&':
		return operator{first: '&', sep: '&', named: true}, true
	}
	return operator{}, false
}

// Parse parses the template s. It refuses what RFC 6570, section 2 does not
// allow, a name used twice, literals that are not ASCII, and templates of more
// than 4096 octets.
func Parse(s string) (*Template, error) {
	if len(s) > maxTemplate {
		return nil, fmt.Errorf("uritemplate: longer than %d octets", maxTemplate)
	}
	t := &Template{text: s}
	rest := s
	for rest != "" {
		literal, after, open := strings.Cut(rest, "{")
		if err := checkLiteral(literal); err != nil {
			return nil, err
		}
		if literal != "" {
			t.parts = append(t.parts, part{literal: literal})
		}
		if !open {
			break
		}
		body, tail, closed := strings.Cut(after, "}")
		if !closed {
			return nil, errors.New("uritemplate: expression without its closing brace")
		}
		p, err := parseExpression(body)
		if err != nil {
			return nil, err
		}
		for _, v := range p.vars {
			if slices.Contains(t.Names(), v.name) {
				return nil, fmt.Errorf("uritemplate: variable %q twice", v.name)
			}
		}
		t.parts = append(t.parts, p)
		rest = tail
	}
	return t, nil
}

// checkLiteral refuses what RFC 6570, section 2.1 does not allow in literals. It
// allows the apostrophe, as erratum 6937 does.
func checkLiteral(s string) error {
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c <= ' ' || c >= 0x7f || strings.IndexByte("\"<>\\^`|}", c) >= 0:
			return fmt.Errorf("uritemplate: character %q in a literal", c)
		case c == '%' && unitLen(s, i, false) != 3:
			return errors.New("uritemplate: bad percent-encoding in a literal")
		}
	}
	return nil
}

func parseExpression(body string) (part, error) {
	var c byte
	if body != "" && strings.IndexByte("+#./;?&=,!@|", body[0]) >= 0 {
		c, body = body[0], body[1:]
	}
	op, ok := operatorOf(c)
	if !ok {
		return part{}, fmt.Errorf("uritemplate: operator %q is reserved", c)
	}
	specs := strings.Split(body, ",")
	if len(specs) > maxVars {
		return part{}, fmt.Errorf("uritemplate: more than %d variables in an expression", maxVars)
	}
	p := part{op: op}
	for i, spec := range specs {
		v, err := parseVariable(spec)
		if err != nil {
			return part{}, err
		}
		if slices.ContainsFunc(p.vars, func(o variable) bool { return o.name == v.name }) {
			return part{}, fmt.Errorf("uritemplate: variable %q twice", v.name)
		}
		last := i == len(specs)-1
		v.splits = v.explode || op.named || len(specs) > 1 && !(op.reserved && last)
		p.vars = append(p.vars, v)
	}
	return p, nil
}

// parseVariable parses a varspec: a name with at most one modifier (section 2.4).
func parseVariable(spec string) (variable, error) {
	var v variable
	name, length, prefix := strings.Cut(spec, ":")
	if prefix {
		// max-length is a number from 1 to 9999 without leading zeros
		n, err := strconv.Atoi(length)
		if err != nil || len(length) > 4 || n < 1 || strconv.Itoa(n) != length {
			return v, fmt.Errorf("uritemplate: bad prefix modifier in %q", spec)
		}
		v.max = n
	} else {
		name, v.explode = strings.CutSuffix(name, "*")
	}
	v.name = name
	return v, checkName(name)
}

// checkName returns an error if v is not a varname of RFC 6570, section 2.3.
func checkName(v string) error {
	if v == "" {
		return errors.New("uritemplate: empty variable name")
	}
	dot := true // a dot may not be first, last or next to another
	for i := 0; i < len(v); i++ {
		c := v[i]
		switch {
		case isAlnum(c) || c == '_':
			dot = false
		case c == '.' && !dot:
			dot = true
		case c == '%' && unitLen(v, i, false) == 3:
			i += 2
			dot = false
		default:
			return fmt.Errorf("uritemplate: bad variable name %q", v)
		}
	}
	if dot {
		return fmt.Errorf("uritemplate: bad variable name %q", v)
	}
	return nil
}

// String returns the text that was parsed.
func (t *Template) String() string { return t.text }

// Names returns the names of the variables in the order of the template.
func (t *Template) Names() []string {
	var names []string
	for i := range t.parts {
		for _, v := range t.parts[i].vars {
			names = append(names, v.name)
		}
	}
	return names
}

// Literal reports whether the template has no expression.
func (t *Template) Literal() bool {
	return !slices.ContainsFunc(t.parts, func(p part) bool { return p.vars != nil })
}
