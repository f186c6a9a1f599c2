package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"
)

// maxDepth is how deep values may be nested. A configuration needs six levels.
const maxDepth = 64

// A syntaxError is what is wrong with a text, and the offset of the first byte that is.
type syntaxError struct {
	offset int
	text   string
}

func (e *syntaxError) Error() string { return e.text }

// standardize returns src, which is JSON with comments and trailing commas, as strict JSON. The
// result is as long as src and has its line ends: what is left out has become spaces, so that an
// offset in one is the same place in the other. The error is a *syntaxError.
func standardize(src []byte) ([]byte, error) {
	if len(src) >= 2 && (src[0] == 0xfe && src[1] == 0xff || src[0] == 0xff && src[1] == 0xfe) {
		return nil, &syntaxError{0, "the text is UTF-16, want UTF-8"}
	}
	s := stripper{out: append([]byte(nil), src...)}
	if hasBOM(src) {
		blank(s.out[:3])
	}
	if err := s.strip(); err != nil {
		return nil, err
	}
	if i := invalidUTF8(s.out); i >= 0 {
		return nil, &syntaxError{i, "the text is not valid UTF-8"}
	}
	var value json.RawMessage
	err := json.Unmarshal(s.out, &value)
	var syntax *json.SyntaxError
	switch {
	case err == nil:
		return s.out, nil
	case !errors.As(err, &syntax):
		return nil, &syntaxError{0, err.Error()}
	case syntax.Error() == "unexpected end of JSON input":
		return nil, &syntaxError{len(src), "the text ends too early"}
	}
	// Offset counts the bytes that were read, the wrong one included
	return nil, &syntaxError{max(int(syntax.Offset)-1, 0), syntax.Error()}
}

func hasBOM(src []byte) bool {
	return len(src) >= 3 && src[0] == 0xef && src[1] == 0xbb && src[2] == 0xbf
}

// invalidUTF8 returns the offset of the first byte that is not UTF-8, or -1.
func invalidUTF8(text []byte) int {
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRune(text[i:])
		if r == utf8.RuneError && size == 1 {
			return i
		}
		i += size
	}
	return -1
}

// blank makes spaces of everything but line ends.
func blank(b []byte) {
	for i, c := range b {
		if c != '\n' && c != '\r' {
			b[i] = ' '
		}
	}
}

// A stripper makes spaces of the comments and trailing commas of out. It looks only for these, for
// strings, in which they are none, and for the depth; the rest is for the parser of JSON to judge.
type stripper struct {
	out   []byte
	depth int
	// before is the last significant character, and comma where it is if it is a comma that comes
	// after a value, otherwise -1.
	before byte
	comma  int
}

func (s *stripper) strip() error {
	s.comma = -1
	for i := 0; i < len(s.out); {
		end := i + 1
		switch c := s.out[i]; c {
		case ' ', '\t', '\r', '\n':
			i++
			continue
		case '/':
			if end = commentEnd(s.out, i); end < 0 {
				return &syntaxError{i, "a comment begins here and does not end"}
			}
			if end > i {
				blank(s.out[i:end])
				i = end
				continue
			}
			end = i + 1 // no comment: an error of JSON
		case '"':
			end = stringEnd(s.out, i)
		case '{', '[':
			if s.depth++; s.depth > maxDepth {
				return &syntaxError{i, fmt.Sprintf("the value is nested deeper than %d levels", maxDepth)}
			}
		case '}', ']':
			s.depth--
			if s.comma >= 0 {
				s.out[s.comma] = ' '
			}
		}
		s.significant(i)
		i = end
	}
	return nil
}

// significant notes the character at i, which is neither white space nor of a comment.
func (s *stripper) significant(i int) {
	c := s.out[i]
	isAfterValue := s.before != 0 && s.before != ',' && s.before != ':' && s.before != '{' && s.before != '['
	s.comma = -1
	if c == ',' && isAfterValue {
		s.comma = i
	}
	s.before = c
}

// commentEnd returns the end of the comment that begins at i, i if there is none, or -1 if it does
// not end. The end of a line is not part of the comment before it.
func commentEnd(text []byte, i int) int {
	if i+1 == len(text) {
		return i
	}
	switch text[i+1] {
	case '/':
		for end := i + 2; end < len(text); end++ {
			if text[end] == '\n' || text[end] == '\r' {
				return end
			}
		}
		return len(text)
	case '*':
		for end := i + 2; end+1 < len(text); end++ {
			if text[end] == '*' && text[end+1] == '/' {
				return end + 2
			}
		}
		return -1
	}
	return i
}

// stringEnd returns the end of the string that begins at i, or of the text.
func stringEnd(text []byte, i int) int {
	for i++; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		case '\n': // an error, which would otherwise swallow comments up to the next quote
			return i
		}
	}
	return len(text)
}
