package config

import (
	"bytes"
	"encoding/json"
	"strings"
	"unicode/utf8"
)

// A node is a value of the file. Offsets in the standardized text are those in the file.
type node struct {
	offset  int
	kind    kind
	text    string // of a string, what it stands for; of a number or literal, its text
	elems   []*node
	members []member
}

type member struct {
	offset int // of the name
	name   string
	value  *node
}

type kind uint8

const (
	isObject kind = iota
	isArray
	isString
	isNumber
	isBool
	isNull
)

func (k kind) String() string {
	return [...]string{"an object", "an array", "a string", "a number", "true or false", "null"}[k]
}

// A builder makes nodes of valid JSON, whose depth is bounded.
type builder struct {
	text []byte
	at   int
}

func parse(text []byte) *node { return (&builder{text: text}).value() }

// next skips white space and the characters between values, and returns the one after them.
func (b *builder) next() byte {
	for strings.IndexByte(" \t\r\n,:", b.text[b.at]) >= 0 {
		b.at++
	}
	return b.text[b.at]
}

func (b *builder) value() *node {
	c := b.next()
	n := &node{offset: b.at}
	switch {
	case c == '{':
		n.kind = isObject
		b.at++
		for b.next() != '}' {
			m := member{offset: b.at}
			m.name = b.str()
			m.value = b.value()
			n.members = append(n.members, m)
		}
		b.at++
	case c == '[':
		n.kind = isArray
		b.at++
		for b.next() != ']' {
			n.elems = append(n.elems, b.value())
		}
		b.at++
	case c == '"':
		n.kind, n.text = isString, b.str()
	default:
		n.text = b.literal()
		switch c {
		case 't', 'f':
			n.kind = isBool
		case 'n':
			n.kind = isNull
		default:
			n.kind = isNumber
		}
	}
	return n
}

func (b *builder) str() (s string) {
	begin := b.at
	b.at = stringEnd(b.text, begin)
	_ = json.Unmarshal(b.text[begin:b.at], &s) // the text is valid
	return s
}

func (b *builder) literal() string {
	begin := b.at
	for b.at < len(b.text) && strings.IndexByte(" \t\r\n,]}", b.text[b.at]) < 0 {
		b.at++
	}
	return string(b.text[begin:b.at])
}

// position returns the place of an offset in the text of a file.
func position(src []byte, offset int) Position {
	offset = min(offset, len(src))
	begin := bytes.LastIndexByte(src[:offset], '\n') + 1
	line := src[begin:offset]
	if begin == 0 && hasBOM(src) && offset >= 3 {
		line = line[3:]
	}
	return Position{Line: bytes.Count(src[:begin], []byte{'\n'}) + 1, Column: utf8.RuneCount(line) + 1}
}
