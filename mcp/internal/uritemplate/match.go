package uritemplate

import (
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"
)

// Matches reports whether uri matches the template.
func (t *Template) Matches(uri string) bool {
	_, ok := t.match(uri, false)
	return ok
}

// Match returns the values of the template's variables in uri, percent-decoded,
// and whether uri matches. A variable whose expression or parameter is missing
// is not in the map. A URI with a value that does not decode to UTF-8 does not
// match.
func (t *Template) Match(uri string) (map[string]string, bool) { return t.match(uri, true) }

func (t *Template) match(uri string, want bool) (map[string]string, bool) {
	if !utf8.ValidString(uri) || !t.mayMatch(uri) {
		return nil, false
	}
	ends := t.reach(uri)
	if !ends[0].has(0) {
		return nil, false
	}
	var values map[string]string
	if want {
		values = make(map[string]string, 2)
	}
	pos := 0
	for i := range t.parts {
		p := &t.parts[i]
		if p.vars == nil {
			pos += len(p.literal)
			continue
		}
		end := p.longest(uri, pos, ends[i+1])
		if !p.read(uri[pos:end], values) {
			return nil, false
		}
		pos = end
	}
	return values, true
}

// mayMatch quickly rules out most URIs: they differ from the template in its
// first or its last literal.
func (t *Template) mayMatch(uri string) bool {
	if len(t.parts) == 0 {
		return uri == ""
	}
	return strings.HasPrefix(uri, t.parts[0].literal) && strings.HasSuffix(uri, t.parts[len(t.parts)-1].literal)
}

// A set holds positions in a URI.
type set []uint64

func (s set) add(i int)      { s[i/64] |= 1 << (i % 64) }
func (s set) has(i int) bool { return s[i/64]&(1<<(i%64)) != 0 }

// reach returns for each part, and for the end, the positions from which the
// rest of the template reaches the end of uri.
func (t *Template) reach(uri string) []set {
	words := (len(uri)+1)/64 + 1
	all := make(set, words*(len(t.parts)+1))
	sets := make([]set, len(t.parts)+1)
	for i := range sets {
		sets[i] = all[i*words : (i+1)*words]
	}
	sets[len(t.parts)].add(len(uri))
	for i := len(t.parts) - 1; i >= 0; i-- {
		t.parts[i].before(uri, sets[i], sets[i+1])
	}
	return sets
}

// before adds to from the positions where p can begin so that it ends at a
// position in to.
func (p *part) before(uri string, from, to set) {
	if p.vars == nil {
		for i := 0; i+len(p.literal) <= len(uri); i++ {
			if to.has(i+len(p.literal)) && uri[i:i+len(p.literal)] == p.literal {
				from.add(i)
			}
		}
		return
	}
	// inside[i%8] reports whether characters of p, apart from its first one, lead
	// from i to a position in to. A character is at most 3 octets or one rune long.
	var inside [8]bool
	inside[len(uri)%8] = to.has(len(uri))
	if p.op.first != 0 && to.has(len(uri)) {
		from.add(len(uri))
	}
	for i := len(uri) - 1; i >= 0; i-- {
		n := p.unit(uri, i)
		more := n > 0 && inside[(i+n)%8]
		inside[i%8] = more || to.has(i)
		switch {
		case p.op.first == 0 && more,
			p.op.first != 0 && to.has(i),
			p.op.first != 0 && uri[i] == p.op.first && inside[(i+1)%8]:
			from.add(i)
		}
	}
}

// longest returns the last position in to that p can reach from pos. There always
// is one.
func (p *part) longest(uri string, pos int, to set) int {
	best, i := pos, pos
	if p.op.first != 0 {
		if i == len(uri) || uri[i] != p.op.first {
			return pos
		}
		i++
		if to.has(i) {
			best = i
		}
	}
	for i < len(uri) {
		n := p.unit(uri, i)
		if n == 0 {
			break
		}
		i += n
		if to.has(i) {
			best = i
		}
	}
	return best
}

// unit returns the length of the character of p at i, or 0 if p cannot have it.
func (p *part) unit(uri string, i int) int {
	c := uri[i]
	if c == p.op.sep && (len(p.vars) > 1 || p.op.named) || c == '=' && p.op.named {
		return 1
	}
	return unitLen(uri, i, p.op.reserved)
}

// unitLen returns the length of the character at i if it is an unreserved one of
// RFC 3986, section 2, or a reserved one if reserved is true. A percent-encoding
// counts as one character of length 3, and a rune outside ASCII, which IRIs have,
// as one of its length. Otherwise unitLen returns 0.
func unitLen(s string, i int, reserved bool) int {
	c := s[i]
	switch {
	case isAlnum(c) || strings.IndexByte("-._~", c) >= 0:
		return 1
	case c == '%':
		if i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2]) {
			return 3
		}
		return 0
	case c >= utf8.RuneSelf:
		_, n := utf8.DecodeRuneInString(s[i:])
		return n
	case reserved && strings.IndexByte(":/?#[]@!$&'()*+,;=", c) >= 0:
		return 1
	}
	return 0
}

func isAlnum(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

// read puts the values in text, which p matched, into values unless values is
// nil. It reports whether they are values of p's variables.
func (p *part) read(text string, values map[string]string) bool {
	if p.op.first != 0 {
		if text == "" {
			return true
		}
		text = text[1:]
	}
	if !p.op.named {
		return p.readList(text, values)
	}
	seen := uint64(0)
	for pair := range strings.SplitSeq(text, string(p.op.sep)) {
		name, value, _ := strings.Cut(pair, "=")
		i := slices.Index(p.vars, name)
		if i < 0 || seen&(1<<i) != 0 || !put(values, p.vars[i], value) {
			return false
		}
		seen |= 1 << i
	}
	return true
}

func (p *part) readList(text string, values map[string]string) bool {
	if len(p.vars) == 1 {
		return put(values, p.vars[0], text)
	}
	// With an operator that allows reserved characters, separators can be part of
	// a value. The last value takes what is left over.
	n := len(p.vars) + 1
	if p.op.reserved {
		n = len(p.vars)
	}
	for i, value := range strings.SplitN(text, string(p.op.sep), n) {
		if i == len(p.vars) || !put(values, p.vars[i], value) {
			return false
		}
	}
	return true
}

func put(values map[string]string, name, value string) bool {
	v, err := url.PathUnescape(value)
	if err != nil || !utf8.ValidString(v) {
		return false
	}
	if values != nil {
		values[name] = v
	}
	return true
}
