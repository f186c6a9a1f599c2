package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/mooring-mcp/mooring/gateway/internal/names"
)

var update = flag.Bool("update", false, "write the expected results of testdata/files anew")

// dump returns all that a file says, secrets included, and then what Print shows of it.
func dump(f *File) string {
	var b strings.Builder
	for i := range f.Servers {
		s := f.Servers[i]
		fmt.Fprintf(&b, "server %s at %d:%d\n", s.Name, s.Pos.Line, s.Pos.Column)
		type field struct {
			name  string
			value any
		}
		list := []field{{"transport", s.Transport}, {"command", s.Command}, {"args", s.Args}, {"dir", s.Dir}, {"url", s.URL}}
		for _, v := range s.Env {
			list = append(list, field{"env " + v.Name, string(v.Value)})
		}
		for _, h := range s.Headers {
			list = append(list, field{"header " + h.Name, string(h.Value)})
		}
		value := reflect.ValueOf(s.Settings)
		for i := range value.NumField() {
			if field, ok := value.Field(i).Interface().(Credentials); ok {
				value := reflect.ValueOf(field)
				for i := range value.NumField() {
					list = append(list, struct {
						name  string
						value any
					}{value.Type().Field(i).Name, value.Field(i).String()})
				}
				continue
			}
			list = append(list, field{value.Type().Field(i).Name, value.Field(i).Interface()})
		}
		for _, f := range list {
			if text := fmt.Sprintf("%v", f.value); text != "" && text != "[]" {
				fmt.Fprintf(&b, "  %s: %s\n", f.name, text)
			}
		}
	}
	for _, name := range f.Disabled {
		fmt.Fprintf(&b, "disabled %s\n", name)
	}
	for _, w := range f.Warnings {
		fmt.Fprintf(&b, "warning %v\n", w)
	}
	return b.String() + string(Print(f.Servers))
}

// TestFiles reads files as they are found in the documentation of clients and servers. What is
// expected of each is beside it; -update writes that anew.
func TestFiles(t *testing.T) {
	files, err := filepath.Glob(filepath.FromSlash("testdata/files/*.json"))
	if err != nil || len(files) < 8 {
		t.Fatalf("files: %q, %v", files, err)
	}
	for _, name := range files {
		src, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		f, err := Parse(filepath.Base(name), src, env)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got, golden := dump(f), strings.TrimSuffix(name, ".json")+".want"
		if *update {
			if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil || got != strings.ReplaceAll(string(want), "\r\n", "\n") {
			t.Errorf("%s, %v: got\n%s\nwant\n%s", name, err, got, want)
		}
		checkRedacted(t, f)
	}
}

// checkRedacted checks that nothing that prints servers prints a secret.
func checkRedacted(t *testing.T, f *File) {
	t.Helper()
	text := string(Print(f.Servers))
	if !json.Valid([]byte(text)) {
		t.Errorf("%s: Print returns no JSON:\n%s", f.Path, text)
	}
	for _, s := range f.Servers {
		encoded, err := json.Marshal(&s)
		if err != nil {
			t.Error(err)
		}
		text += fmt.Sprintf("%v %+v %#v %s %q %x %v %+v %#v", s, s, s, s, s, s, &s, s.Env, s.Headers) + fmt.Sprintf("%+v %#v %v", s.Settings, s.Credentials, s.LogValue()) + string(encoded)
	}
	for _, w := range f.Warnings {
		text += w.String()
	}
	if strings.Contains(text, "hunter2") || strings.Contains(text, "68756e74657232") {
		t.Errorf("%s: a secret is printed:\n%s", f.Path, text)
	}
}

// TestPrintedIsRead checks that what Print returns means the same, but for the secrets.
func TestPrintedIsRead(t *testing.T) {
	src, err := os.ReadFile(filepath.FromSlash("testdata/files/mooring.json"))
	if err != nil {
		t.Fatal(err)
	}
	f, err := Parse("a", src, env)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.ReplaceAll(string(Print(f.Servers)), `"clientSecret": "[redacted]"`, `"clientSecret": "${TOKEN}"`)
	again, err := Parse("b", []byte(text), env)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	for i := range f.Servers {
		for j := range f.Servers[i].Headers {
			f.Servers[i].Headers[j].Value = redacted
		}
	}
	if got := Diff(f.Servers, again.Servers); len(got.Same) != len(f.Servers) {
		t.Errorf("%v of\n%s", got, text)
	}
}

// in returns a file with one server of these members.
func in(members string) string {
	return "{\"mcpServers\": {\"s\": {\n" + members + "\n}}}"
}

func TestRefused(t *testing.T) {
	const url = `"url": "http://a/mcp", `
	const mooring = url + `"x-mooring": `
	secret := `"grant": "token_exchange", "tokenEndpoint": "https://a/t", "clientId": "c", "clientSecretFile": "f"`
	for _, tt := range []struct{ src, want string }{
		{`{"a": hunter2}`, "f:1:7: invalid character 'h'"},
		{`[]`, "f:1:1: got an array, want an object"},
		{`{}`, `f:1:1: there is no "mcpServers" and no "servers"`},
		{`{"command": "x"}`, `a server belongs in one: {"mcpServers"`},
		{`{"git": {"command": "x"}}`, `servers belong in one: {"mcpServers": {"git": {…}}}`},
		{`{"mcpServers": []}`, "f:1:16: mcpServers: got an array, want an object"},
		{`{"mcpServers": {"a b": {"command": "x"}}}`, `f:1:24: mcpServers."a b": a name has letters and digits of ASCII, and . _ - between them; rename the server, or give it another name in x-mooring.name, such as a-b`},
		{`{"mcpServers": {"": {"command": "x"}}}`, `mcpServers."": the name is empty; rename the server, or give it another name in x-mooring.name`},
		{`{"servers": {"@21st-dev/magic": {"command": "x"}}}`, `such as 21st-dev-magic`},
		{`{"servers": {"a__b": {"command": "x"}}}`, `cannot contain __`},
		{`{"servers": {"a": {"command": "x"}, "a": {"command": "x"}}}`, `f:1:42: servers.a: it is there twice, first in line 1`},
		{"{\"servers\": {\"a\": {\"command\": \"x\"}},\n \"mcpServers\": {\"a\": {\"command\": \"x\"}}}", `two servers have the name a, in line 1 and in line 2`},
		{`{"servers": {"a": {"url": "http://a"}, "b": {"url": "http://a", "x-mooring": {"path": "/servers/a/mcp"}}}}`, `the servers a and b have the same path`},
		{`{"servers": {}, "x-mooring": {}}`, `f:1:30: x-mooring: x-mooring is a member of a server`},
		{in(``), `f:1:22: mcpServers.s: there is neither a command nor a url`},
		{in(`"command": "x", "url": "http://a"`), `there are a command and a URL; want one`},
		{in(`"command": "x", "type": "sse"`), `f:2:25: mcpServers.s.type: a command speaks stdio; for sse, want a url`},
		{in(url + `"type": "stdio"`), `stdio needs a command`},
		{in(url + `"type": "ws"`), `"ws" is none of stdio, http`},
		{in(url + `"serverUrl": "http://b"`), `there is another URL, as url`},
		{in(url + `"type": "http", "transport": "sse"`), `there twice, before as type`},
		{in(`"command": ""`), `the command is empty`},
		{in(`"command": ["npx"]`), `f:2:12: mcpServers.s.command: got an array, want a string`},
		{in(`"command": "x", "args": "-y"`), `got a string, want an array`},
		{in(`"command": "x", "args": ["-y", 1]`), `f:2:32: mcpServers.s.args[1]: got a number, want a string`},
		{in(`"command": "x", "args": ["${UNSET}"]`), `f:2:26: mcpServers.s.args[0]: the environment variable UNSET is not set`},
		{in(`"command": "x", "args": ["a\u0000"]`), `contains a NUL`},
		{in(`"command": "x", "env": {"K": "${input:key}"}`), `f:2:30: mcpServers.s.env.K: ${input:key} asks a person`},
		{in(`"command": "x", "env": {"K=": "v"}`), `mcpServers.s.env."K=": this cannot be the name of a variable`},
		{in(`"command": "x", "env": {"K": []}`), `got an array, want a string`},
		{in(`"command": "x", "disabled": 1`), `got a number, want true or false`},
		{in(`"url": "hunter2"`), `f:2:8: mcpServers.s.url: want an absolute URL`},
		{in(`"url": "unix:///x.sock"`), `want an absolute URL`},
		{in(`"url": "http://hunter2:hunter2@%zz"`), `want an absolute URL`},
		{in(`"url": "https://a/#hunter2"`), `fragment`},
		{in(url + `"headers": {"A B": "hunter2"}`), `this cannot be the name of a header field`},
		{in(url + `"headers": {"A": "hunter2\nB: c"}`), `control character`},
		{in(url + `"headers": {"A": "x", "a": "hunter2"}`), `the field A is there twice`},
		{in(url + `"headers": {"A": 1}`), `got a number, want a string`},
		{in(url + `"X-Mooring": {}`), `did you mean x-mooring?`},
		{in(mooring + `[]`), `got an array, want an object`},
		{in(mooring + `{"sessions ": 1}`), `mcpServers.s.x-mooring."sessions ": unknown; want one of concurrency, credentials, era`},
		{in(mooring + `{"session": "all"}`), `"all" is none of shared, principal, client`},
		{in(mooring + `{"era": 2026}`), `got a number, want a string`},
		{in(mooring + `{"concurrency": 0}`), `want a whole number between 1 and 4096`},
		{in(mooring + `{"concurrency": 1.5}`), `want a whole number`},
		{in(mooring + `{"queue": -1}`), `between 0 and 1000000`},
		{in(mooring + `{"idle": 60}`), `got a number, want a string`},
		{in(mooring + `{"idle": "0s"}`), `want a duration between 1ms and 24h`},
		{in(mooring + `{"startTimeout": "1m"}`), `startTimeout is for servers with a command`},
		{in(`"type": "sse", ` + mooring + `{"era": "modern"}`), `f:2:23: mcpServers.s.url: the transport sse is of revisions before`},
		{in(mooring + `{"tools": []}`), `the list is empty; leave it out`},
		{in(mooring + `{"tools": ["a", "!"]}`), `x-mooring.tools[1]: the pattern is empty`},
		{in(mooring + `{"tools": ["a", "a"]}`), `"a" is there twice`},
		{in(mooring + `{"scopes": ["a b"]}`), `x-mooring.scopes[0]: a scope has printable characters`},
		{in(mooring + `{"toolScopes": {"!a": ["x"]}}`), `cannot have a ! in front`},
		{in(mooring + `{"toolScopes": {"a": []}}`), `the list is empty`},
		{in(mooring + `{"forwardHeaders": ["authorization"]}`), `Authorization is between a client and the gateway`},
		{in(mooring + `{"forwardHeaders": ["MCP-Session-Id"]}`), `Mcp-Session-Id: the gateway writes this field itself`},
		{in(mooring + `{"forwardHeaders": ["X-A", "x-a"]}`), `X-A is there twice`},
		{in(`"headers": {"X-A": "hunter2"}, ` + mooring + `{"forwardHeaders": ["x-a"]}`), `X-A is in headers too`},
		{in(`"command": "x", "x-mooring": {"forwardHeaders": ["x-a"]}`), `it is for servers with a url`},
		{in(mooring + `{"path": "x"}`), `begins with /`},
		{in(mooring + `{"path": "/a/../b"}`), `only dots`},
		{in(mooring + `{"path": "/a/"}`), `a segment of the path is empty`},
		{in(mooring + `{"path": "/a?b"}`), `a path has letters`},
		{in(mooring + `{"name": "a/b"}`), `such as a-b`},
		{in(mooring + `{"credentials": {}}`), `grant is missing`},
		{in(mooring + `{"credentials": {"secret": "hunter2"}}`), `unknown; want one of audience, clientAuth`},
		{in(mooring + `{"credentials": {"clientSecret": "hunter2"}}`), `want ${VAR} with the name`},
		{in(mooring + `{"credentials": {"clientSecret": "${UNSET:-hunter2}"}}`), `want ${VAR} with the name`},
		{in(mooring + `{"credentials": {"clientSecret": "${EMPTY}"}}`), `that is not empty`},
		{in(mooring + `{"credentials": {` + secret + `, "clientSecret": "${TOKEN}"}}`), `want one`},
		{in(mooring + `{"credentials": {` + secret + `, "clientAuth": "none"}}`), `there is a secret`},
		{in(mooring + `{"credentials": {"grant": "token_exchange", "tokenEndpoint": "https://a/t", "clientId": "c"}}`), `clientSecret or clientSecretFile is missing`},
		{in(mooring + `{"credentials": {"grant": "client_credentials", "clientAuth": "none"}}`), `client_credentials needs a secret`},
		{in(mooring + `{"credentials": {"tokenEndpoint": "http://a.example/t"}}`), `want https://`},
		{in(mooring + `{"credentials": {"scope": "a  b"}}`), `a scope is empty`},
		{in(mooring + `{"credentials": {"resource": "a"}}`), `want an absolute URI`},
		{in(mooring + `{"credentials": {"clientId": ""}}`), `it is empty`},
		{in(mooring + `{"session": "shared", "credentials": {` + secret + `}}`), `shared by all`},
		{in(`"headers": {"authorization": "hunter2"}, ` + mooring + `{"credentials": {` + secret + `}}`), `there is an Authorization field`},
		{in(`"command": "x", "x-mooring": {"credentials": {` + secret + `}}`), `this one is a command`},
	} {
		f, err := Parse("f", []byte(tt.src), env)
		var errs Errors
		if !errors.As(err, &errs) || f != nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s\ngot %v\nwant %s", tt.src, err, tt.want)
		} else if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: the error has a secret: %v", tt.src, err)
		}
	}
}

func TestWarnings(t *testing.T) {
	for _, tt := range []struct{ src, want string }{
		{in(`"command": "npx -y x"`), "f:2:12: mcpServers.s.command: all of it is the name of a program; arguments belong in args"},
		{in(`"command": "x", "headers": {"A": "b"}`), "f:2:28: mcpServers.s.headers: ignored: the server is a command"},
		{in(`"command": "x", "disabledTools": ["a"]`), `f:2:34: mcpServers.s.disabledTools: ignored; to deny tools, use x-mooring.tools as in ["!name"]`},
		{in(`"url": "http://a", "headers": {"host": "hunter2"}`), "f:2:40: mcpServers.s.headers.host: ignored: the gateway writes this field itself"},
		{`{"servers": {}, "a\u001bb": 1}`, `f:1:29: "a\x1bb": ignored`},
	} {
		f, err := Parse("f", []byte(tt.src), env)
		if err != nil || len(f.Warnings) != 1 || f.Warnings[0].String() != tt.want {
			t.Errorf("%s\ngot %v, %v\nwant %s", tt.src, f, err, tt.want)
		}
	}
}

// TestOwnEnvironment: a command finds the variables that its server has in env, as mcp-remote's
// documentation wants it, whether they are before or after it.
func TestOwnEnvironment(t *testing.T) {
	const env1, env2 = `"env": {"TOKEN": "own", "A": "${TOKEN}"}`, `"command": "${TOKEN}", "args": ["${A}", "${HOME}"], "cwd": "/${TOKEN}"`
	for _, src := range []string{in(env1 + "," + env2), in(env2 + "," + env1)} {
		f, err := Parse("f", []byte(src), env)
		if err != nil {
			t.Fatal(err)
		}
		s := f.Servers[0]
		if got := fmt.Sprint(s.Command, s.Args, s.Dir); got != "own[hunter2 /home/ann]/own" {
			t.Errorf("%s: got %s", src, got)
		}
		checkRedacted(t, f)
	}
}

// FuzzParse: a file that is read can be printed, and is the same as itself; whatever else it is, it
// is refused with a place in it.
func FuzzParse(f *testing.F) {
	files, _ := filepath.Glob(filepath.FromSlash("testdata/files/*.json"))
	for _, name := range files {
		src, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(src)
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		const secret = "s3cret/value"
		var shown string
		file, err := Parse("f", src, func(string) (string, bool) { return secret, true })
		if err != nil {
			shown = err.Error()
		} else {
			shown = fmt.Sprint(string(Print(file.Servers)), file.Servers, file.Warnings)
		}
		if strings.Contains(shown, secret) && !bytes.Contains(src, []byte("3")) {
			t.Fatalf("%q: the value of a variable is shown: %s", src, shown)
		}
		if file, err = Parse("f", src, env); err != nil {
			var errs Errors
			if !errors.As(err, &errs) || len(errs) == 0 || errs[0].Pos.Line == 0 && len(src) <= MaxFile {
				t.Fatalf("%q: %v", src, err)
			}
			return
		}
		for _, s := range file.Servers {
			if err := names.CheckServer(s.Name); err != nil || (s.Transport == Stdio) != (s.URL == "") || s.Concurrency < 1 {
				t.Fatalf("%q: %v, %+v", src, err, s)
			}
		}
		if !json.Valid(Print(file.Servers)) {
			t.Fatalf("%q is printed as %q", src, Print(file.Servers))
		}
		again, err := Parse("g", append([]byte(" "), src...), env)
		if err == nil {
			if c := Diff(file.Servers, again.Servers); len(c.Same) != len(file.Servers) {
				t.Fatalf("%q and itself: %v", src, c)
			}
		}
	})
}

func TestLimits(t *testing.T) {
	var b strings.Builder
	b.WriteString(`{"servers": {`)
	for i := range MaxServers {
		fmt.Fprintf(&b, `"s%d": {"command": "x", "a": 1, "b": 2},`, i)
	}
	full := b.String()
	f, err := Parse("f", []byte(full+"}}"), env)
	if err != nil || len(f.Servers) != MaxServers || len(f.Warnings) != maxWarnings+1 {
		t.Fatalf("%d servers: %v", MaxServers, err)
	}
	if _, err := Parse("f", []byte(full+`"x": {"command": "x"}}}`), env); err == nil || !strings.Contains(err.Error(), "more than 1000 servers") {
		t.Errorf("one server more: %v", err)
	}
	var errs Errors
	if _, err := Parse("f", []byte(strings.ReplaceAll(full, `"x"`, `1`)+"}}"), env); !errors.As(err, &errs) || len(errs) != maxErrors {
		t.Errorf("%d errors are reported, want %d", len(errs), maxErrors)
	}
	many := func(element string) string {
		for i := range maxList + 1 {
			b.WriteString(fmt.Sprintf(element, i))
		}
		defer b.Reset()
		return b.String()
	}
	b.Reset()
	for src, want := range map[string]string{
		`"url": "http://a", "headers": {` + many(`"a%d": "",`) + `}`:                      "more than 1000 fields",
		`"url": "http://a", "x-mooring": {"scopes": [` + many(`"a%d",`) + `]}`:            "scopes: the list has more than 1000 elements",
		`"url": "http://a", "x-mooring": {"tools": [` + many(`"a%d",`) + `]}`:             "tools: the list has more than 1000 elements",
		`"url": "http://a", "x-mooring": {"toolScopes": {` + many(`"a%d": ["a"],`) + `}}`: "toolScopes: 1001 patterns: at most 1000 are possible",
	} {
		if _, err := Parse("f", []byte(in(src)), env); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %.200v, want %s", err, want)
		}
	}
	file := filepath.Join(t.TempDir(), "f")
	for size, want := range map[int]bool{MaxFile: true, MaxFile + 1: false} {
		text := `{"servers": {}}` + strings.Repeat(" ", size-15)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Load(file, env); (err == nil) != want {
			t.Errorf("%d bytes: %v", size, err)
		}
		if _, err := Parse("f", []byte(text), env); (err == nil) != want {
			t.Errorf("%d bytes: %v", size, err)
		}
	}
	if _, err := Load(file+"x", env); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}
