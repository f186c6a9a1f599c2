package result

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Plain returns text in a form that is safe for a terminal or a page, on one line and at most limit
// characters long: white space of any kind becomes one space, characters that control terminals or
// the direction of text are dropped, and bytes that are not UTF-8 become U+FFFD. It does not escape
// markup.
func Plain(text string, limit int) string {
	var b strings.Builder
	n, space := 0, false
	for _, r := range text {
		switch {
		case unicode.IsSpace(r):
			space = b.Len() > 0
			continue
		case !unicode.IsPrint(r): // also formatting characters, including those for direction
			continue
		}
		need := 1
		if space {
			need = 2
		}
		if n+need > limit {
			return cut(b.String(), limit)
		}
		if space {
			b.WriteByte(' ')
			space = false
		}
		b.WriteRune(r)
		n += need
	}
	return b.String()
}

// cut makes room for an ellipsis within limit.
func cut(text string, limit int) string {
	if limit < 1 {
		return ""
	}
	for utf8.RuneCountInString(text) > limit-1 {
		_, size := utf8.DecodeLastRuneInString(text)
		text = text[:len(text)-size]
	}
	return strings.TrimRight(text, " ") + "…"
}
