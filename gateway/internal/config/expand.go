package config

import (
	"errors"
	"fmt"
	"strings"
)

// maxExpanded is how long a value may be with its variables replaced.
const maxExpanded = 64 << 10

// editorVariables are those of editors, which mean nothing here.
var editorVariables = map[string]bool{
	"workspaceFolder": true, "workspaceFolderBasename": true, "userHome": true, "file": true, "fileDirname": true,
	"cwd": true, "pathSeparator": true, "/": true, "selectedText": true, "execPath": true,
}

// An expansion is a value with its variables replaced.
type expansion struct {
	text string
	// variables are the values that came in for variables, defaults excluded. They may be secrets.
	variables []string
	// whole is true if the value was one variable and nothing else.
	whole bool
}

// expand replaces the variables of a value:
//
//	${VAR}, ${env:VAR}            the environment variable; it is an error if it is not set
//	${VAR:-text}, ${env:VAR:-text} the same, with a default if it is not set; text ends at the next }
//	$${                           the characters ${
//
// A value that came in is not looked at again. Errors name the variable and have nothing else of s,
// which may be a password that happens to have ${ in it.
func expand(s string, lookup func(string) (string, bool)) (e expansion, err error) {
	var b strings.Builder
	rest := s
	for {
		before, after, found := strings.Cut(rest, "${")
		if !found {
			b.WriteString(rest)
			break
		}
		if literal, ok := strings.CutSuffix(before, "$"); ok {
			b.WriteString(literal + "${")
			rest = after
			continue
		}
		b.WriteString(before)
		ref, after, closed := strings.Cut(after, "}")
		if !closed {
			return expansion{}, errors.New("a ${ has no }; write $${ for the characters themselves")
		}
		value, isDefault, err := resolve(ref, lookup)
		if err != nil {
			return expansion{}, err
		}
		if !isDefault && value != "" {
			e.variables = append(e.variables, value)
		}
		b.WriteString(value)
		e.whole = before == "" && after == "" && rest == s
		rest = after
		if b.Len() > maxExpanded {
			break
		}
	}
	if b.Len() > maxExpanded {
		return expansion{}, fmt.Errorf("the value is longer than %d bytes", maxExpanded)
	}
	e.text = b.String()
	return e, nil
}

// resolve returns what stands for the reference between ${ and }.
func resolve(ref string, lookup func(string) (string, bool)) (value string, isDefault bool, err error) {
	name, fallback, hasDefault := strings.Cut(ref, ":-")
	switch scheme, rest, ok := strings.Cut(name, ":"); {
	case !ok:
	case scheme == "env":
		name = rest
	case scheme == "input":
		return "", false, fmt.Errorf("${input:%s} asks a person, which the gateway cannot: use ${VAR} and an environment variable", bare(rest))
	case scheme == "command" || scheme == "config":
		return "", false, fmt.Errorf("${%s:…} is a variable of editors; only environment variables are known here", scheme)
	}
	if editorVariables[name] {
		if _, ok := lookup(name); !ok && !hasDefault {
			return "", false, fmt.Errorf("${%s} is a variable of editors; only environment variables are known here", name)
		}
	}
	if !isVariable(name) {
		return "", false, errors.New("what is between ${ and } is not the name of an environment variable; write $${ for the characters ${ themselves")
	}
	if value, ok := lookup(name); ok {
		return value, false, nil
	}
	if hasDefault {
		return fallback, true, nil
	}
	return "", false, fmt.Errorf("the environment variable %s is not set, and ${%[1]s:-…} gives no default", bare(name))
}

// bare returns a name for a message, not longer than 64 characters, without quotes.
func bare(name string) string {
	q := quote(name)
	return q[1 : len(q)-1]
}

// isVariable reports whether s is a name as shells accept it for an environment variable.
func isVariable(s string) bool {
	for i := range len(s) {
		if c := s[i]; c != '_' && (!isAlnum(c) || i == 0 && c <= '9') {
			return false
		}
	}
	return s != ""
}
