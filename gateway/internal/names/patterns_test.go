package names

import (
	"slices"
	"strings"
	"testing"
)

func TestPatterns(t *testing.T) {
	for _, tt := range []struct {
		patterns string
		allowed  string
		denied   string
	}{
		{"", "a read_file", ""},
		{"read_*", "read_ read_file", "read write xread_file"},
		{"read_* !*_secret", "read_file", "read_secret read_my_secret write"},
		{"!*_secret read_*", "read_file", "read_secret write"},
		{"!delete_*", "read delete", "delete_ delete_all"},
		{"!delete", "delete_all", "delete"},
		{"a b", "a b", "c ab"},
		{"*", "a", ""},
		{"!*", "", "a"},
		{"* !*", "", "a"},
		{"a*a", "aa aba", "a ab ba"},
		{"a*b*b*c", "abbc a-b-b-c", "abc abcb"},
		{"*b**b*", "bb abbc bab", "b ab"},
		{"re?d", "re?d", "read"},
		{"[a]", "[a]", "a"},
	} {
		p, err := Compile(strings.Fields(tt.patterns))
		if err != nil {
			t.Errorf("%q: %v", tt.patterns, err)
			continue
		}
		for _, name := range strings.Fields(tt.allowed) {
			if !p.Allow(name) {
				t.Errorf("%q denies %q, want it allowed", tt.patterns, name)
			}
		}
		for _, name := range strings.Fields(tt.denied) {
			if p.Allow(name) {
				t.Errorf("%q allows %q, want it denied", tt.patterns, name)
			}
		}
	}
}

func TestPatternLimits(t *testing.T) {
	long := strings.Repeat("a", MaxPatternLength)
	for _, list := range [][]string{{""}, {"a", "!"}, {"!!a"}, {long + "a"}, slices.Repeat([]string{"a"}, MaxPatterns+1)} {
		if _, err := Compile(list); err == nil {
			t.Errorf("%.40q: no error", list)
		}
	}
	p, err := Compile(slices.Repeat([]string{"!" + long}, MaxPatterns))
	if err != nil || p.Allow(long) || !p.Allow("a") {
		t.Errorf("patterns at the limits: %v", err)
	}
}

func TestScopes(t *testing.T) {
	s, err := CompileScopes([]Scope{{"*", []string{"use"}}, {"delete_*", []string{"admin", "use"}}, {"read", []string{"r"}}})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"x": "use", "read": "use r", "delete_all": "use admin"} {
		if got := strings.Join(s.Of([]string{"before"}, name), " "); got != "before "+want {
			t.Errorf("%s needs %q, want %q", name, got, "before "+want)
		}
	}
	for _, pattern := range []string{"", "!a"} {
		if _, err := CompileScopes([]Scope{{pattern, nil}}); err == nil {
			t.Errorf("pattern %q: no error", pattern)
		}
	}
}

// naiveMatch is the definition of a glob, as a table of which prefix of the pattern matches which
// prefix of the name: * is nothing, or * and one more character.
func naiveMatch(pattern, name string) bool {
	match := make([]bool, len(name)+1) // the pattern so far against each prefix of name
	match[0] = true
	for _, p := range []byte(pattern) {
		next := make([]bool, len(match))
		for i := range next {
			if p == '*' {
				next[i] = match[i] || i > 0 && next[i-1]
			} else {
				next[i] = i > 0 && match[i-1] && name[i-1] == p
			}
		}
		match = next
	}
	return match[len(name)]
}

func naiveAllow(list []string, name string) bool {
	allowed, denying := false, true
	for _, s := range list {
		if s[0] == '!' {
			if naiveMatch(s[1:], name) {
				return false
			}
			continue
		}
		denying = false
		allowed = allowed || naiveMatch(s, name)
	}
	return allowed || denying
}

// FuzzPatterns compares compiled patterns with their definition.
func FuzzPatterns(f *testing.F) {
	for _, seed := range [][2]string{{"read_* !delete_*", "read_file"}, {"a*b*b", "abbab"}, {"*aa*a", "aaa"}, {"!*a a*", "ab"}, {"**", ""}} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, patterns, name string) {
		list := strings.Fields(patterns)
		p, err := Compile(list)
		if err != nil || len(name) > 200 || len(patterns) > 1000 {
			return
		}
		if got, want := p.Allow(name), naiveAllow(list, name); got != want {
			t.Errorf("%q allow %q: got %t, want %t", list, name, got, want)
		}
	})
}
