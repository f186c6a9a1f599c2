package config

import (
	"slices"
	"strings"
	"testing"
)

// env is an environment of tests.
func env(name string) (string, bool) {
	value, ok := map[string]string{"HOME": "/home/ann", "TOKEN": "hunter2", "EMPTY": "", "REF": "${TOKEN}", "_x9": "nine", "BIG": strings.Repeat("b", 40<<10)}[name]
	return value, ok
}

func TestExpand(t *testing.T) {
	for _, tt := range []struct{ in, want, variables string }{
		{"", "", ""},
		{"plain $HOME $ {x}", "plain $HOME $ {x}", ""},
		{"${HOME}/x", "/home/ann/x", "/home/ann"},
		{"${env:HOME}${TOKEN}", "/home/annhunter2", "/home/ann hunter2"},
		{"${UNSET:-a b}", "a b", ""},
		{"${UNSET:-}|", "|", ""},
		{"${env:UNSET:-x:-y}", "x:-y", ""},
		{"${TOKEN:-x}", "hunter2", "hunter2"},
		{"${EMPTY:-x}", "", ""},
		{"${REF}", "${TOKEN}", "${TOKEN}"},
		{"$${HOME} $$ $x", "${HOME} $$ $x", ""},
		{"${_x9}", "nine", "nine"},
		{"${workspaceFolder:-/w}", "/w", ""},
	} {
		got, err := expand(tt.in, env)
		if err != nil || got.text != tt.want || strings.Join(got.variables, " ") != tt.variables {
			t.Errorf("%q: got %q of %q, %v, want %q of %q", tt.in, got.text, got.variables, err, tt.want, tt.variables)
		}
	}
	for in, want := range map[string]bool{"${TOKEN}": true, "${TOKEN:-x}": true, "${TOKEN}x": false, "x${TOKEN}": false, "${TOKEN}${TOKEN}": false, "x": false} {
		if got, _ := expand(in, env); got.whole != want {
			t.Errorf("%q is one variable: got %t, want %t", in, got.whole, want)
		}
	}
}

func TestExpandRefuses(t *testing.T) {
	for in, want := range map[string]string{
		"${UNSET}":            "variable UNSET is not set",
		"x ${env:UNSET} ":     "variable UNSET is not set",
		"${input:api-key}":    "${input:api-key} asks a person",
		"${command:x}":        "${command:…} is a variable of editors",
		"${hunter2:x}":        "is not the name",
		"${workspaceFolder}":  "${workspaceFolder} is a variable of editors",
		"${":                  "has no }",
		"a ${TOKEN":           "has no }",
		"${}":                 "is not the name",
		"${hunter2 b}":        "is not the name",
		"${9}":                "is not the name",
		"${hunter2-x}":        "is not the name",
		"${BIG}${BIG}":        "longer than 65536 bytes",
		"BIG":                 "longer than 65536 bytes",
		"${a\nb}":             "is not the name",
		"${input:" + "\x1b}":  `${input:\x1b}`,
		"${TOKEN}${UNSET}${}": "variable UNSET is not set",
	} {
		if in == "BIG" {
			in = strings.Repeat("x", maxExpanded+1)
		}
		got, err := expand(in, env)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", in, err, want)
		} else if strings.Contains(err.Error(), "hunter2") || got.text != "" {
			t.Errorf("%q: %q, %v", in, got.text, err)
		}
	}
}

// FuzzExpand: a value without ${ is as it was, and one with values of variables in it is as long as
// its parts.
func FuzzExpand(f *testing.F) {
	for _, seed := range []string{"a${b}c", "$${", "${a:-b}", "${env:x", "${input:x}", "$$${a}}"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		const mark = "\x00"
		got, err := expand(s, func(string) (string, bool) { return mark, true })
		if !strings.Contains(s, "${") && (err != nil || got.text != s || got.variables != nil) {
			t.Fatalf("%q became %q, %v", s, got.text, err)
		}
		if err == nil && (strings.Count(got.text, mark) < len(got.variables) || len(got.text) > len(s)+maxExpanded) {
			t.Fatalf("%q became %q with %d variables", s, got.text, len(got.variables))
		}
		if got.whole && !slices.Equal(got.variables, []string{got.text}) {
			t.Fatalf("%q is not one variable", s)
		}
	})
}
