package config

import (
	"fmt"
	"strconv"
	"strings"
)

// A Position is a place in a file, from 1. A column counts characters. The zero Position is none.
type Position struct{ Line, Column int }

// A Problem is one thing that is wrong in a file, or that the gateway ignores in it. Its text has
// no value of a header, of the environment or of a credential.
type Problem struct {
	File string // as it was given
	Pos  Position
	At   string // the members that lead there, such as mcpServers.files.command, or "" for the file
	Text string
}

func (p *Problem) String() string {
	var b strings.Builder
	b.WriteString(p.File)
	if p.Pos.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", p.Pos.Line, p.Pos.Column)
	}
	b.WriteString(": ")
	if p.At != "" {
		b.WriteString(p.At + ": ")
	}
	b.WriteString(p.Text)
	return b.String()
}

// Errors are all that is wrong with a file, at most maxErrors of it.
type Errors []*Problem

// maxErrors and maxWarnings are how many problems of a file are reported.
const (
	maxErrors   = 20
	maxWarnings = 100
)

// Error returns the errors, a line each.
func (e Errors) Error() string {
	lines := make([]string, len(e))
	for i, p := range e {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// show returns a name from a file as part of a message: quoted unless it is plain, and not longer
// than 64 characters.
func show(name string) string {
	const limit = 64
	for i, r := range name {
		if i >= limit {
			return strconv.Quote(name[:i] + "…")
		}
		if !(r == '_' || r == '-' || r < 0x80 && isAlnum(byte(r))) {
			return quote(name)
		}
	}
	if name == "" {
		return `""`
	}
	return name
}

// quote quotes a name from a file, not longer than 64 characters.
func quote(name string) string {
	const limit = 64
	for i := range name {
		if i >= limit {
			return strconv.Quote(name[:i] + "…")
		}
	}
	return strconv.Quote(name)
}

func isAlnum(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}
