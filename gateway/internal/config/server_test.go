package config

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func read(t *testing.T, src string) *File {
	t.Helper()
	f, err := Parse("f", []byte(src), env)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestDiff(t *testing.T) {
	old := read(t, `{"mcpServers": {
		"gone": {"command": "x"},
		"same": {"command": "x", "args": ["a"], "env": {"A": "1", "B": "${HOME}"}},
		"default": {"url": "http://a"},
		"changed": {"command": "x", "args": ["a"]},
		"off": {"command": "x"}
	}}`)
	now := read(t, `// moved, written in another way, and with defaults that are spelled out
		{"servers": {"new": {"command": "x"},
		"changed": {"command": "x", "args": ["b"]},
		"default": {"type": "http", "serverUrl": "http://a", "x-mooring": {"session": "principal", "queue": 1024, "path": "/servers/default/mcp"}},
		"same": {"env": {"B": "/home/ann", "A": "1"}, "args": ["${A}"], "command": "x"},
		"off": {"command": "x", "disabled": true}
	}}`)
	now.Servers[3].Args[0] = "a" // ${A} of its own environment is 1
	if got, want := fmt.Sprint(Diff(old.Servers, now.Servers)), "{[new] [gone off] [changed] [default same]}"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := fmt.Sprint(Diff(nil, nil)); got != "{[] [] [] []}" {
		t.Errorf("of nothing: %s", got)
	}
}

// TestEachMemberCounts: a server is another one if any of its members is.
func TestEachMemberCounts(t *testing.T) {
	const command, url = `"command": "x"`, `"url": "http://a"`
	const credentials = `"x-mooring": {"credentials": {"grant": "token_exchange", "tokenEndpoint": "https://a", "clientId": "c", "clientSecret": "${TOKEN}"`
	for _, tt := range []struct{ was, is string }{
		{command, url},
		{command, `"command": "y"`},
		{command, command + `, "args": ["a"]`},
		{command, command + `, "env": {"A": "b"}`},
		{command + `, "env": {"A": "b"}`, command + `, "env": {"A": "c"}`},
		{command, command + `, "cwd": "/"`},
		{url, `"url": "http://b"`},
		{url, url + `, "type": "sse"`},
		{url, url + `, "headers": {"A": "b"}`},
		{url, url + `, "x-mooring": {"session": "client"}`},
		{url, url + `, "x-mooring": {"lists": "principal"}`},
		{url, url + `, "x-mooring": {"era": "modern"}`},
		{url, url + `, "x-mooring": {"path": "/a"}`},
		{url, url + `, "x-mooring": {"concurrency": 1}`},
		{url, url + `, "x-mooring": {"queue": 0}`},
		{url, url + `, "x-mooring": {"queueTimeout": "1s"}`},
		{url, url + `, "x-mooring": {"sessions": 1}`},
		{url, url + `, "x-mooring": {"idle": "1s"}`},
		{command, command + `, "x-mooring": {"startTimeout": "1s"}`},
		{url, url + `, "x-mooring": {"whenDown": "hide"}`},
		{url, url + `, "x-mooring": {"tools": ["a"]}`},
		{url, url + `, "x-mooring": {"scopes": ["a"]}`},
		{url, url + `, "x-mooring": {"toolScopes": {"a": ["b"]}}`},
		{url, url + `, "x-mooring": {"forwardHeaders": ["a"]}`},
		{url, url + `, ` + credentials + `}}`},
		{url + `, ` + credentials + `}}`, url + `, ` + credentials + `, "scope": "a"}}`},
		{url + `, ` + credentials + `}}`, url + `, ` + strings.Replace(credentials, "TOKEN", "HOME", 1) + `}}`},
	} {
		was, is := read(t, in(tt.was)).Servers, read(t, in(tt.is)).Servers
		if got := Diff(was, is); len(got.Changed) != 1 {
			t.Errorf("%s and %s: %v", tt.was, tt.is, got)
		}
		if got := Diff(is, is); len(got.Same) != 1 {
			t.Errorf("%s and itself: %v", tt.is, got)
		}
	}
}

func TestOnly(t *testing.T) {
	f := read(t, `{"servers": {"a": {"command": "x"}, "b": {"command": "x", "disabled": true}, "c": {"command": "x"}, "d": {"command": "x"}}}`)
	list, err := f.Only([]string{"c", "a", "c"})
	if err != nil || len(list) != 2 || list[0].Name != "a" || list[1].Name != "c" {
		t.Errorf("got %v, %v", list, err)
	}
	for name, want := range map[string]string{"b": "f: the server b is disabled", "x": "f: there is no server x"} {
		if _, err := f.Only([]string{"a", name}); err == nil || err.Error() != want {
			t.Errorf("%s: got %v, want %s", name, err, want)
		}
	}
}

func TestCheck(t *testing.T) {
	one, err := FromCommand("a", []string{"x"})
	if err != nil {
		t.Fatal(err)
	}
	many := make([]Server, MaxServers+1)
	for i := range many {
		if many[i], err = FromCommand(fmt.Sprint("s", i), []string{"x"}); err != nil {
			t.Fatal(err)
		}
	}
	if err := Check(many[1:]); err != nil {
		t.Error(err)
	}
	for want, list := range map[string][]Server{"two servers have the name a": {one, one}, "more than 1000 servers": many} {
		if err := Check(list); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func TestDefaultTimes(t *testing.T) {
	f := read(t, `{"servers": {"a": {"command": "x"}, "b": {"url": "http://a"}}}`)
	child, remote := f.Servers[0], f.Servers[1]
	if child.Idle != 10*time.Minute || child.StartTimeout != time.Minute || remote.Idle != 5*time.Minute || remote.StartTimeout != 0 {
		t.Errorf("got %v and %v", child.Settings, remote.Settings)
	}
}
