package config

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Split splits a command line into words as a POSIX shell does, which is not started for that:
// words are separated by white space, '…' keeps everything, "…" and a backslash keep spaces. What
// only a shell can do, such as pipes, redirections and variables, is an error and must be quoted if
// it is meant as it stands. An error names the column and has nothing of the line.
func Split(line string) ([]string, error) {
	s := splitter{line: line}
	for s.at < len(line) {
		if err := s.next(); err != nil {
			return nil, err
		}
	}
	s.end()
	return s.words, nil
}

// A splitter has come to the byte at, outside quotes.
type splitter struct {
	line  string
	at    int
	words []string
	word  strings.Builder
	in    bool // a word has begun, though it may be empty
}

// end ends a word, if one has begun.
func (s *splitter) end() {
	if s.in {
		s.words = append(s.words, s.word.String())
	}
	s.word.Reset()
	s.in = false
}

// add adds to the word, which begins if none has.
func (s *splitter) add(text string) {
	s.word.WriteString(text)
	s.in = true
}

// next reads a character and, if it is a quote, what is quoted.
func (s *splitter) next() error {
	begin, c := s.at, s.line[s.at]
	s.at++
	switch c {
	case ' ', '\t', '\n', '\r':
		s.end()
	case '\'':
		text, _, closed := strings.Cut(s.line[s.at:], "'")
		if !closed {
			return s.errorf(begin, "the quote ' that begins here is not closed")
		}
		s.at += len(text) + 1
		s.add(text)
	case '"':
		return s.double(begin)
	case '\\':
		if s.at == len(s.line) {
			return s.errorf(begin, "there is nothing after the backslash")
		}
		if s.line[s.at] != '\n' { // a line that goes on
			_, size := utf8.DecodeRuneInString(s.line[s.at:])
			s.add(s.line[s.at : s.at+size])
			s.at += size - 1
		}
		s.at++
	case '|', '&', ';', '<', '>', '(', ')', '$', '`':
		return s.errorf(begin, "%q is for a shell, and there is none; quote it, or run sh -c '…'", c)
	default:
		s.add(s.line[begin:s.at])
	}
	return nil
}

// double reads up to the closing double quote. A backslash there is one unless it precedes one of
// the characters that it makes plain.
func (s *splitter) double(begin int) error {
	s.in = true
	for s.at < len(s.line) {
		c := s.line[s.at]
		s.at++
		switch {
		case c == '"':
			return nil
		case c == '$' || c == '`':
			return s.errorf(s.at-1, `%q is for a shell, and there is none; write \%[1]c, or use single quotes`, c)
		case c == '\\' && s.at < len(s.line) && strings.IndexByte("\"\\$`\n", s.line[s.at]) >= 0:
			if c = s.line[s.at]; c != '\n' {
				s.word.WriteByte(c)
			}
			s.at++
		default:
			s.word.WriteByte(c)
		}
	}
	return s.errorf(begin, `the quote " that begins here is not closed`)
}

func (s *splitter) errorf(at int, format string, args ...any) error {
	return fmt.Errorf("column %d: %s", utf8.RuneCountInString(s.line[:at])+1, fmt.Sprintf(format, args...))
}
