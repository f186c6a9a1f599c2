package port

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// A difference is one between the answers of a program on the SDK and on Mooring.
type difference struct {
	program, era, step, path string
	sdk, ours                any // JSON; absent{} for nothing
}

type absent struct{}

func (d difference) String() string {
	return fmt.Sprintf("%s | %s | %s | %s\n\tSDK:     %s\n\tMooring: %s", d.program, d.era, d.step, d.path, short(d.sdk), short(d.ours))
}

func short(v any) string {
	if _, ok := v.(absent); ok {
		return "(absent)"
	}
	text, _ := json.Marshal(v)
	if len(text) > 300 {
		text = append(text[:300:300], "…"...)
	}
	return string(text)
}

// compare calls report for each place where a and b differ.
func compare(a, b any, path string, report func(path string, a, b any)) {
	switch x := a.(type) {
	case map[string]any:
		y, ok := b.(map[string]any)
		if !ok {
			break
		}
		names := map[string]bool{}
		for name := range x {
			names[name] = true
		}
		for name := range y {
			names[name] = true
		}
		for name := range names {
			compare(get(x, name), get(y, name), path+"."+name, report)
		}
		return
	case []any:
		y, ok := b.([]any)
		if !ok || len(x) != len(y) {
			break
		}
		for i := range x {
			compare(x[i], y[i], fmt.Sprintf("%s[%d]", path, i), report)
		}
		return
	}
	if !reflect.DeepEqual(a, b) {
		report(path, a, b)
	}
}

func get(m map[string]any, name string) any {
	if v, ok := m[name]; ok {
		return v
	}
	return absent{}
}

// An allowance is a line of differences.txt.
type allowance struct {
	line    int
	pattern [4]*regexp.Regexp // program, era, step, path
	section string            // of docs/moving.md
	used    bool
}

type allowances []*allowance

// readAllowances reads differences.txt. A line has the program, the era, the step, the path and the
// section, between bars. A * stands for any text.
func readAllowances(t *testing.T) allowances {
	t.Helper()
	f, err := os.Open("differences.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	anchors := sections(t)
	var all allowances
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		fields := strings.Split(line, "|")
		if len(fields) != 5 {
			t.Fatalf("differences.txt:%d has %d fields", n, len(fields))
		}
		a := &allowance{line: n, section: strings.TrimSpace(fields[4])}
		for i := range a.pattern {
			text := strings.ReplaceAll(regexp.QuoteMeta(strings.TrimSpace(fields[i])), `\*`, `.*`)
			a.pattern[i] = regexp.MustCompile("^" + text + "$")
		}
		if !slices.Contains(anchors, a.section) {
			t.Errorf("differences.txt:%d: docs/moving.md has no section %q", n, a.section)
		}
		all = append(all, a)
	}
	return all
}

// allow reports whether d is listed.
func (all allowances) allow(d difference) bool {
	listed := false
	for _, a := range all {
		if a.pattern[0].MatchString(d.program) && a.pattern[1].MatchString(d.era) && a.pattern[2].MatchString(d.step) && a.pattern[3].MatchString(d.path) {
			a.used, listed = true, true
		}
	}
	return listed
}

// sections returns the anchors of docs/moving.md: the names in <a id="…">.
func sections(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile(moving)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, m := range regexp.MustCompile(`<a id="([^"]+)">`).FindAllStringSubmatch(string(text), -1) {
		all = append(all, m[1])
	}
	return all
}

var moving = filepath.Join("..", "..", "docs", "moving.md")
