package jsonrpc

import (
	"bytes"
	"iter"
)

// Members yields the members of obj, a validated object. A name is the text between
// its quotation marks, which may have escapes: compare it with [EqualString] or
// decode it with [Unquote]. A value has no surrounding white space. Both alias obj.
// Members yields nothing if obj is not an object.
func Members(obj []byte) iter.Seq2[[]byte, []byte] {
	return func(yield func(name, value []byte) bool) { walkMembers(obj, yield) }
}

func walkMembers(b []byte, yield func(name, value []byte) bool) {
	i := skipSpace(b, 0)
	if i >= len(b) || b[i] != '{' {
		return
	}
	for {
		i = skipSpace(b, i+1)
		if i >= len(b) || b[i] != '"' {
			return
		}
		nameEnd := skipString(b, i)
		value := skipSpace(b, skipSpace(b, nameEnd)+1) // the colon is in between
		valueEnd := skipValue(b, value)
		if value >= valueEnd {
			return
		}
		if !yield(b[i+1:nameEnd-1:nameEnd-1], b[value:valueEnd:valueEnd]) {
			return
		}
		i = skipSpace(b, valueEnd)
		if i >= len(b) || b[i] != ',' {
			return
		}
	}
}

// Member returns the value of the member of obj, a validated object, with the name,
// and whether there is one. The value aliases obj.
func Member(obj []byte, name string) (value []byte, ok bool) {
	for n, v := range Members(obj) {
		if EqualString(n, name) {
			return v, true
		}
	}
	return nil, false
}

// Elements yields the elements of arr, a validated array, without surrounding white
// space. They alias arr. It yields nothing if arr is not an array.
func Elements(arr []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) { walkElements(arr, yield) }
}

func walkElements(b []byte, yield func([]byte) bool) {
	i := skipSpace(b, 0)
	if i >= len(b) || b[i] != '[' {
		return
	}
	for {
		i = skipSpace(b, i+1)
		end := skipValue(b, i)
		if i >= end {
			return
		}
		if !yield(b[i:end:end]) {
			return
		}
		i = skipSpace(b, end)
		if i >= len(b) || b[i] != ',' {
			return
		}
	}
}

// skipString returns the index after the string that begins at i.
func skipString(b []byte, i int) int {
	for i++; ; {
		q := bytes.IndexByte(b[min(i, len(b)):], '"')
		if q < 0 {
			return len(b)
		}
		s := bytes.IndexByte(b[i:i+q], '\\')
		if s < 0 {
			return i + q + 1
		}
		i += s + 2
	}
}

// skipValue returns the index after the value that begins at i, or i if no value
// begins there.
func skipValue(b []byte, i int) int {
	if i >= len(b) {
		return i
	}
	switch b[i] {
	case '"':
		return skipString(b, i)
	case '{', '[':
		return skipNested(b, i)
	}
	for i < len(b) {
		switch b[i] {
		case ',', ']', '}', ' ', '\n', '\r', '\t':
			return i
		}
		i++
	}
	return i
}

// skipNested returns the index after the object or array that begins at i.
func skipNested(b []byte, i int) int {
	depth := 0
	for i < len(b) {
		switch b[i] {
		case '"':
			i = skipString(b, i)
			continue
		case '{', '[':
			depth++
		case '}', ']':
			depth--
			if depth == 0 {
				return i + 1
			}
		}
		i++
	}
	return i
}
