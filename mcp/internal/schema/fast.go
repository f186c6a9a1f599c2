package schema

import (
	"unicode/utf8"
)

// check walks the value b once. It allocates nothing.
func (n *node) check(b []byte) verdict {
	_, v := n.walk(b, skipSpace(b, 0))
	return v
}

// walk judges the value that begins at b[i]. If it is valid, end is the index
// after it. If not, end is where the invalid value within it begins.
func (n *node) walk(b []byte, i int) (end int, v verdict) {
	if i >= len(b) {
		return i, unsure
	}
	switch c := b[i]; c {
	case '"':
		switch {
		case n.kinds&kindString == 0:
			return i, no
		case n.str == nil && n.enum == nil:
			end, _ = skipString(b, i)
			v = yes
		default:
			end, v = n.walkString(b, i)
		}
	case '{':
		switch {
		case n.kinds&kindObject == 0:
			return i, no
		case n.obj == nil:
			end, v = walkAny(b, i)
		default:
			end, v = n.obj.walk(b, i)
		}
	case '[':
		switch {
		case n.kinds&kindArray == 0:
			return i, no
		case n.arr == nil:
			end, v = walkAny(b, i)
		default:
			end, v = n.arr.walk(b, i)
		}
	case 't', 'f':
		if n.kinds&kindBoolean == 0 || n.enum != nil && (c == 't' && !n.enum.yes || c == 'f' && !n.enum.no) {
			return i, no
		}
		end, v = skipScalar(b, i), yes
	case 'n':
		if n.kinds&kindNull == 0 {
			return i, no
		}
		end, v = skipScalar(b, i), yes
	default:
		if !isNumber(c) {
			return i, unsure
		}
		if n.kinds&kindInteger == 0 {
			return i, no
		}
		end, v = n.walkNumber(b, i)
	}
	if v == yes && n.also != nil {
		if v = n.also.check(b, i); v != yes {
			return i, v
		}
	}
	return end, v
}

// walkAny skips a value that the schema does not describe.
func walkAny(b []byte, i int) (end int, v verdict) {
	end, ok := skipValue(b, i)
	if !ok {
		return i, unsure
	}
	return end, yes
}

func (n *node) walkString(b []byte, i int) (end int, v verdict) {
	end, escaped := skipString(b, i)
	if end-i < 2 {
		return i, unsure
	}
	raw := b[i+1 : end-1]
	if e := n.enum; e != nil {
		if escaped {
			return i, unsure
		}
		if !e.holds(raw) {
			return i, no
		}
	}
	r := n.str
	if r == nil {
		return end, yes
	}
	// No text has more code points than octets: the count is often not needed.
	if r.min > len(raw) {
		return i, no
	}
	if r.min > 0 || r.max >= 0 && len(raw) > r.max {
		count := runes(raw, escaped)
		if count < r.min || r.max >= 0 && count > r.max {
			return i, no
		}
	}
	if r.pattern != nil {
		if escaped {
			return i, unsure
		}
		if !r.pattern.Match(raw) {
			return i, no
		}
	}
	return end, yes
}

// runes returns the number of code points of a string whose JSON text is raw.
func runes(raw []byte, escaped bool) (count int) {
	if !escaped {
		return utf8.RuneCount(raw)
	}
	for i := 0; i < len(raw); count++ {
		if raw[i] != '\\' {
			_, n := utf8.DecodeRune(raw[i:])
			i += n
			continue
		}
		if i+6 > len(raw) || raw[i+1] != 'u' {
			i += 2
			continue
		}
		// Two halves of a surrogate pair are one code point. So is a half on its
		// own, because it is replaced by one.
		high := isHex(raw[i+2], 'd') && (raw[i+3] == '8' || raw[i+3] == '9' || isHex(raw[i+3], 'a') || isHex(raw[i+3], 'b'))
		i += 6
		if high && i+6 <= len(raw) && raw[i] == '\\' && raw[i+1] == 'u' && isHex(raw[i+2], 'd') && (raw[i+3]|0x20 >= 'c') {
			i += 6
		}
	}
	return count
}

// isHex reports whether c is the hexadecimal digit lower, a letter.
func isHex(c, lower byte) bool { return c|0x20 == lower }

func (e *enum) holds(s []byte) bool {
	if e.set != nil {
		_, ok := e.set[string(s)]
		return ok
	}
	for _, v := range e.strings {
		if v == string(s) {
			return true
		}
	}
	return false
}

func (n *node) walkNumber(b []byte, i int) (end int, v verdict) {
	end = i + 1 // a digit or the sign
	for end < len(b) && b[end]-'0' <= 9 {
		end++
	}
	whole := end == len(b) || b[end] != '.' && b[end]|0x20 != 'e'
	if !whole {
		end = skipScalar(b, end)
	}
	if !n.decimal && (whole || !n.integer) {
		if !numberBounded(b[i:end]) {
			return i, unsure
		}
		return end, yes
	}
	d, ok := parseDecimal(b[i:end])
	if !ok {
		return i, unsure
	}
	if n.integer && !d.isInteger() {
		return i, no
	}
	if e := n.enum; e != nil {
		found := false
		for _, want := range e.numbers {
			found = found || want == d
		}
		if !found {
			return i, no
		}
	}
	for k := range n.numbers {
		if v := n.numbers[k].check(d); v != yes {
			return i, v
		}
	}
	return end, yes
}

func (a *array) walk(b []byte, start int) (end int, v verdict) {
	i := skipSpace(b, start+1)
	count := 0
	if i < len(b) && b[i] == ']' {
		i++
	} else {
		for {
			item := a.items
			if count < len(a.prefix) {
				item = a.prefix[count]
			}
			count++
			if item == nil {
				i, v = walkAny(b, i)
			} else {
				i, v = item.walk(b, i)
			}
			if v != yes {
				return i, v
			}
			if i = skipSpace(b, i); i >= len(b) {
				return start, unsure
			}
			if b[i] == ']' {
				i++
				break
			}
			i = skipSpace(b, i+1) // the comma
		}
	}
	if count < a.min || a.max >= 0 && count > a.max {
		return start, no
	}
	if a.unique && count > 1 {
		return start, unsure
	}
	return i, yes
}
