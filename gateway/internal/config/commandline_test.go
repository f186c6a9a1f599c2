package config

import (
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/mooring-mcp/mooring/gateway/internal/names"
)

func TestSplit(t *testing.T) {
	for line, want := range map[string][]string{
		"":                               nil,
		" \t\n":                          nil,
		"npx -y x":                       {"npx", "-y", "x"},
		" a  b ":                         {"a", "b"},
		`a 'b c' "d e"`:                  {"a", "b c", "d e"},
		`a'b c'"d"e`:                     {"ab cde"},
		`'' "" x`:                        {"", "", "x"},
		`"a \"b\" \\ \n \$ c"`:           {`a "b" \ \n $ c`},
		`'a \ "b" $c | d'`:               {`a \ "b" $c | d`},
		`a\ b \"c \\`:                    {"a b", `"c`, `\`},
		"a\\\nb \"c\\\nd\"":              {"ab", "cd"},
		`größe "ü ö" \ä`:                 {"größe", "ü ö", "ä"},
		`a#b *.txt ~ {} [x] ! = %`:       {"a#b", "*.txt", "~", "{}", "[x]", "!", "=", "%"},
		`docker run -e "K=a b" --rm 'i'`: {"docker", "run", "-e", "K=a b", "--rm", "i"},
	} {
		got, err := Split(line)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: got %q, %v, want %q", line, got, err, want)
		}
	}
	for line, want := range map[string]string{
		"a 'hunter2":     "column 3: the quote '",
		`ü "hunter2`:     `column 3: the quote "`,
		`hunter2 \`:      "column 9: there is nothing after the backslash",
		"cd x && hunter": "column 6: '&' is for a shell",
		"a | b":          "column 3: '|'",
		"a > b":          "column 3: '>'",
		"a; b":           "column 2: ';'",
		"a $HOME":        "column 3: '$'",
		"a \"$(x)\"":     `column 4: '$' is for a shell, and there is none; write \$`,
		"a `x`":          "column 3: '`'",
		"a (b)":          "column 3: '('",
	} {
		got, err := Split(line)
		if err == nil || !strings.Contains(err.Error(), want) || got != nil || strings.Contains(err.Error(), "hunter") {
			t.Errorf("%s: got %q, %v, want %q", line, got, err, want)
		}
	}
}

// TestSplitAsShell has a shell split the same lines.
func TestSplitAsShell(t *testing.T) {
	shell, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("there is no sh to compare with")
	}
	for _, line := range []string{`a 'b c'  "d  e"`, `a'b c'"d"e`, `'' "" x`, `"a \"b\" \\ \n \$ c"`, `'a \ "b" $c | d'`, `a\ b \"c \\`, "a\\\nb \"c\\\nd\"", `größe "ü ö" \ä`} {
		words, err := Split(line)
		if err != nil {
			t.Errorf("%s: %v", line, err)
			continue
		}
		got, want := "", ""
		for _, w := range words {
			got += "<" + w + ">"
		}
		out, err := exec.Command(shell, "-fc", "printf '<%s>' "+line).Output()
		if want = string(out); err != nil || got != want {
			t.Errorf("%s: got %s, the shell has %s, %v", line, got, want, err)
		}
	}
}

// FuzzSplit: words that are quoted are split into themselves, and nothing makes Split panic.
func FuzzSplit(f *testing.F) {
	for _, seed := range []string{`a 'b' "c" \d`, `"`, `\`, "a\x00b", `"\`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, line string) {
		words, err := Split(line)
		if err != nil {
			words = []string{line, ""}
		}
		quoted := make([]string, len(words))
		for i, w := range words {
			quoted[i] = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
		}
		again, err := Split(strings.Join(quoted, " "))
		if err != nil || !slices.Equal(again, words) {
			t.Fatalf("%q became %q, %v", words, again, err)
		}
	})
}

func TestFromCommand(t *testing.T) {
	for line, want := range map[string]string{
		"npx -y @modelcontextprotocol/server-everything": "server-everything",
		"npx -y @playwright/mcp@latest --headless":       "mcp",
		"uvx mcp-server-git@2025.1.1 --repository /x":    "mcp-server-git",
		"uv run server.py":                               "server",
		"node /opt/tools/index.mjs":                      "index",
		"/usr/local/bin/github-mcp-server stdio":         "github-mcp-server",
		"npx -y":                                         "npx",
		"'/opt/my tools/größe!'":                         "gr-e",
		"@":                                              "server",
		"java -jar app.jar":                              "app",
		"pnpm dlx a__b":                                  "a-b",
		"'" + strings.Repeat("a", names.MaxServer+9) + "' x": strings.Repeat("a", names.MaxServer),
	} {
		s, err := FromLine("", line)
		if err != nil || s.Name != want {
			t.Errorf("%s: got %q, %v, want %q", line, s.Name, err, want)
		}
	}
	s, err := FromCommand("files", []string{"npx", "-y", "--token=hunter2"})
	if err != nil {
		t.Fatal(err)
	}
	f, err := Parse("f", []byte(`{"mcpServers": {"files": {"command": "npx", "args": ["-y", "--token=hunter2"]}}}`), env)
	if err != nil || !s.Equal(&f.Servers[0]) || len(Diff([]Server{s}, f.Servers).Same) != 1 {
		t.Errorf("the command line has %v, a file %v, %v", s, f, err)
	}
	checkRedacted(t, &File{Path: "command line", Servers: []Server{s}})
	for _, argv := range [][]string{nil, {""}, {"a", "b\x00"}} {
		if _, err := FromCommand("x", argv); err == nil {
			t.Errorf("%q: no error", argv)
		}
	}
	if _, err := FromCommand("a b", []string{"x"}); err == nil || !strings.Contains(err.Error(), "such as a-b") {
		t.Errorf("a name with a space: %v", err)
	}
	if _, err := FromLine("x", "a | b"); err == nil {
		t.Error("a pipe is accepted")
	}
}

func TestFromURL(t *testing.T) {
	for url, want := range map[string]string{
		"http://127.0.0.1:8081/mcp":            "127-0-0-1-8081",
		"https://mcp.example.com":              "mcp.example.com",
		"https://ann:hunter2@mcp.example.com?": "mcp.example.com",
		"http://[::1]:80/":                     "1-80",
	} {
		s, err := FromURL("", url, nil, env)
		if err != nil || s.Name != want || s.URL != url {
			t.Errorf("%s: got %q, %v, want %q", url, s.Name, err, want)
		}
		checkRedacted(t, &File{Path: url, Servers: []Server{s}})
	}
	s, err := FromURL("x", "http://a/mcp", []string{"x-b:1:2 ", "Authorization: Bearer ${TOKEN}"}, env)
	if err != nil || fmt.Sprint(len(s.Headers), s.Headers[0].Name, string(s.Headers[0].Value), s.Headers[1].Name, string(s.Headers[1].Value)) != "2AuthorizationBearer hunter2X-B1:2" {
		t.Errorf("headers: %v, %v", s, err)
	}
	checkRedacted(t, &File{Path: "headers", Servers: []Server{s}})
	f, err := Parse("f", []byte(`{"mcpServers": {"x": {"url": "http://a/mcp", "headers": {"authorization": "Bearer ${TOKEN}", "X-B": "1:2"}}}}`), env)
	if err != nil || !s.Equal(&f.Servers[0]) {
		t.Errorf("the command line has %v, a file %v, %v", s, f, err)
	}
	for _, tt := range []struct{ url, header, want string }{
		{"hunter2", "", "want an absolute URL"},
		{"http://a", "hunter2", `want a header field as "Name: value"`},
		{"http://a", "A B: hunter2", `the header field "A B": this cannot be`},
		{"http://a", "A: hunter2\r\nB: c", "the header field A: the value has a control character"},
		{"http://a", "A: ${UNSET}", "the environment variable UNSET is not set"},
		{"http://a", "Host: hunter2", "the gateway writes this field itself"},
		{"http://a", ": hunter2", "is empty"},
	} {
		_, err := FromURL("x", tt.url, []string{tt.header}, env)
		if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%v: got %v", tt, err)
		}
	}
	if _, err := FromURL("x", "http://a", []string{"a: 1", "A: 2"}, env); err == nil {
		t.Error("a header field twice is accepted")
	}
}

func TestRedactArgs(t *testing.T) {
	for line, want := range map[string]string{
		"npx -y x /home/ann":                           "npx -y x /home/ann",
		"x --api-key hunter2 y":                        "x --api-key [redacted] y",
		"x --api-key --verbose y":                      "x --api-key --verbose y",
		"x --token=hunter2 API_KEY=hunter2 A=b":        "x --token=[redacted] API_KEY=[redacted] A=b",
		"docker run -e PASSWORD=hunter2 i":             "docker run -e PASSWORD=[redacted] i",
		"x --header 'Authorization: hunter2'":          "x --header [redacted]",
		"x 'Authorization: Bearer hunter2'":            "x Authorization:[redacted]",
		"x postgres://ann:hunter2@db/a@b":              "x postgres://[redacted]@db/a@b",
		"x --db=postgres://hunter2@db":                 "x --db=postgres://[redacted]@db",
		"x 'https://a/b?key=hunter2&flag#hunter2'":     "x https://a/b?key=[redacted]&flag",
		"x 'https://a/b#hunter2?hunter2'":              "x https://a/b",
		"x 'a://b,http://ann:hunter2@c/d'":             "x a://b,http://[redacted]@c/d",
		"x 'a://b/http://ann:hunter2@c?d=hunter2'":     "x a://b/http://[redacted]@c?d=[redacted]",
		"x '{\"token\":\"hunter2\"}' https://a:80 a:b": "x {\"token\":[redacted] https://a:80 a:b",
	} {
		argv, err := Split(line)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(redactArgs(argv), " "); got != want {
			t.Errorf("%s: got %s, want %s", line, got, want)
		}
	}
}

func TestNamed(t *testing.T) {
	args := []string{"--port", "1", "--named-server", "a", "npx -y 'x y'", "--named-server=b=cat", "--named-server", "c=d e", "--named-server", "e", "--", "--named-server", "f", "g"}
	want := []string{"--port", "1", "--named-server=a=npx -y 'x y'", "--named-server=b=cat", "--named-server", "c=d e", "--named-server", "e", "--", "--named-server", "f", "g"}
	if got := JoinNamed(args); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := JoinNamed([]string{"--named-server", "a"}); len(got) != 2 {
		t.Errorf("without a command: %q", got)
	}
	s, err := FromNamed("a=npx -y 'x y' K=v")
	if got := fmt.Sprint(s.Name, s.Command, s.Args); err != nil || got != "anpx[-y x y K=v]" {
		t.Errorf("got %s, %v", got, err)
	}
	for value, want := range map[string]string{"a": "want a name and a command line", "=x": "want a name", "a b=x": `"a b": "a b": a name`, "a=x |": "a: column 3: '|'", "a=": "a: the command is empty"} {
		if _, err := FromNamed(value); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", value, err, want)
		}
	}
}
