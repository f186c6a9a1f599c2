package config

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/gateway/internal/names"
)

// page returns docs/gateway.md.
func page(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.FromSlash("../../../docs/gateway.md"))
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(string(text), "\r\n", "\n")
}

// rows returns the cells of the first table after a heading, by the name in the first cell.
func rows(t *testing.T, page, heading string) map[string][]string {
	t.Helper()
	_, text, found := strings.Cut(page, "\n"+heading+"\n")
	text, _, _ = strings.Cut(text, "\n#") // up to the next heading
	table := map[string][]string{}
	for _, m := range regexp.MustCompile("(?m)^\\| `([^`]+)`[^|]* \\| (.*) \\|$").FindAllStringSubmatch(text, -1) {
		table[m[1]] = strings.Split(m[2], " | ")
	}
	if !found || len(table) < 4 {
		t.Fatalf("docs/gateway.md has %d rows under %q", len(table), heading)
	}
	return table
}

// TestSettingsAreDocumented checks that docs/gateway.md has each member of x-mooring, with its
// default, and no other.
func TestSettingsAreDocumented(t *testing.T) {
	f := read(t, `{"servers": {"<name>": {"command": "x", "x-mooring": {"name": "n"}}, "u": {"url": "http://a"}}}`)
	d, remote := f.Servers[0], f.Servers[1]
	short := func(d time.Duration) string {
		return strings.TrimSuffix(d.String(), "0s") // 10m0s, but not 5s
	}
	defaults := map[string]string{
		"name": "the name in the file", "path": code(strings.Replace(d.Path, "/n/", "/<name>/", 1)), "session": code(d.Session), "lists": code(d.Lists),
		"era": code(d.Era), "concurrency": code(d.Concurrency), "queue": code(d.Queue), "queueTimeout": code(short(d.QueueTimeout)), "sessions": code(d.Sessions),
		"idle":         code(short(d.Idle)) + " for a command, " + code(short(remote.Idle)) + " for a URL",
		"startTimeout": code(short(d.StartTimeout)), "whenDown": code(d.WhenDown),
		"tools": "all", "scopes": "none", "toolScopes": "none", "forwardHeaders": "none", "credentials": "none",
	}
	table := rows(t, page(t), "## x-mooring")
	for name := range settings {
		if row := table[name]; len(row) != 2 || row[0] != defaults[name] {
			t.Errorf("%s: docs/gateway.md has %q, the default is %q", name, row, defaults[name])
		}
	}
	if len(table) != len(settings) {
		t.Errorf("docs/gateway.md has %d members of x-mooring, want %d", len(table), len(settings))
	}
	for name, most := range map[string]int{"concurrency": maxConcurrency, "queue": maxQueue, "sessions": maxSessions} {
		if !strings.Contains(table[name][1], fmt.Sprintf(" to %d", most)) {
			t.Errorf("docs/gateway.md does not say that %s goes to %d", name, most)
		}
	}
	table = rows(t, page(t), "### Credentials")
	for name := range credentials {
		if len(table[name]) != 2 {
			t.Errorf("docs/gateway.md has no row for the member %s of credentials", name)
		}
	}
	if len(table) != len(credentials) {
		t.Errorf("docs/gateway.md has %d members of credentials, want %d", len(table), len(credentials))
	}
}

func code(value any) string { return fmt.Sprintf("`%v`", value) }

// TestMembersAreDocumented checks that the members of a server in docs/gateway.md are those that
// are read without a warning.
func TestMembersAreDocumented(t *testing.T) {
	const command, url = `"command": "x", `, `"url": "http://a", `
	members := map[string]string{ // a server with each
		"command": `"command": "x"`, "args": command + `"args": []`, "env": command + `"env": {}`, "cwd": command + `"cwd": "/"`,
		"url": `"url": "http://a"`, "serverUrl": `"serverUrl": "http://a"`, "httpUrl": `"httpUrl": "http://a"`, "headers": url + `"headers": {}`,
		"type": url + `"type": "sse"`, "transport": url + `"transport": "http"`, "transportType": command + `"transportType": "stdio"`,
		"disabled": command + `"disabled": false`, "enabled": command + `"enabled": true`, "x-mooring": command + `"x-mooring": {}`,
	}
	for name, src := range members {
		f := read(t, in(src))
		if len(f.Warnings) > 0 || len(f.Servers) != 1 {
			t.Errorf("%s: %v", name, f.Warnings)
		}
	}
	if f := read(t, in(command+`"other": 1`)); len(f.Warnings) != 1 {
		t.Errorf("a member of another program: %v", f.Warnings)
	}
	text := page(t)
	for name := range rows(t, text, "### Members of a server") {
		if members[name] == "" {
			t.Errorf("docs/gateway.md has the member %s, which is not tested here", name)
		}
	}
	for name := range members {
		if !strings.Contains(text, "`"+name+"`") && !strings.Contains(text, "`\""+name+"\": ") {
			t.Errorf("docs/gateway.md does not have the member %s", name)
		}
	}
}

// TestExamplesAreRead checks that each example of docs/gateway.md is read without a warning.
func TestExamplesAreRead(t *testing.T) {
	examples := regexp.MustCompile("(?s)\n```json\n(.*?)\n```\n").FindAllStringSubmatch(page(t), -1)
	if len(examples) < 2 {
		t.Fatalf("docs/gateway.md has %d examples, want 2 or more", len(examples))
	}
	for _, m := range examples {
		f, err := Parse("docs/gateway.md", []byte(m[1]), func(string) (string, bool) { return "x", true })
		if err != nil || len(f.Servers) == 0 || len(f.Warnings) > 0 {
			t.Errorf("%s\n%v, %v", m[1], f, err)
		}
	}
}

// TestPatternsAreDocumented checks what docs/gateway.md says of the patterns in its table.
func TestPatternsAreDocumented(t *testing.T) {
	table := rows(t, page(t), "### Patterns of tools")
	for patterns, offered := range map[string]string{
		`["read_*"]`:              "read_file read_secret",
		`["!delete_*"]`:           "read_file read_secret write_file",
		`["read_*", "!*_secret"]`: "read_file",
		`["!*"]`:                  "",
	} {
		f := read(t, in(`"command": "x", "x-mooring": {"tools": `+patterns+`}`))
		p, err := names.Compile(f.Servers[0].Tools)
		if err != nil || table[patterns] == nil {
			t.Errorf("%s: %v, and docs/gateway.md has %q", patterns, err, table[patterns])
			continue
		}
		var got []string
		for _, tool := range []string{"delete_file", "read_file", "read_secret", "write_file"} {
			if p.Allow(tool) {
				got = append(got, tool)
			}
		}
		if strings.Join(got, " ") != offered {
			t.Errorf("%s offers %q, want %q", patterns, got, offered)
		}
	}
}

// TestLimitsAreDocumented checks the limits in docs/gateway.md.
func TestLimitsAreDocumented(t *testing.T) {
	text := page(t)
	for _, row := range []string{
		fmt.Sprintf("| size of a file | %d MiB |", MaxFile>>20),
		fmt.Sprintf("| servers | %d |", MaxServers),
		fmt.Sprintf("| nesting of values | %d levels |", maxDepth),
		fmt.Sprintf("| length of a value with its variables | %d KiB |", maxExpanded>>10),
		fmt.Sprintf("| header fields, and elements of a list in `x-mooring` | %d |", maxList),
		fmt.Sprintf("| patterns of a server | %d, each of at most %d bytes |", names.MaxPatterns, names.MaxPatternLength),
		fmt.Sprintf("| errors and warnings that are reported of a file | %d and %d |", maxErrors, maxWarnings),
		fmt.Sprintf("at most %d letters and digits", names.MaxServer),
		fmt.Sprintf("(more than %d characters)", names.MaxAdvertised),
	} {
		if !strings.Contains(text, row) {
			t.Errorf("docs/gateway.md does not have %q", row)
		}
	}
}
