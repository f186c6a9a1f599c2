package badserver

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/bench/dialect"
)

// Whatever its faults, a server speaks MCP correctly.
func TestProtocol(t *testing.T) {
	for _, list := range append([][]Fault{nil, Faults()}, each(Faults())...) {
		t.Run(fmt.Sprint(list), func(t *testing.T) {
			t.Parallel()
			s := start(t, list...)
			for _, e := range []dialect.Era{dialect.Modern, dialect.Legacy} {
				target := ask(t, s.URL, e)
				if !slices.Equal(target.Tools, []string{"echo", "toggle", "sleep", "large"}) || target.Name != "badserver" || !target.ListChanged || target.Sessions != (e == dialect.Legacy) {
					t.Errorf("%+v", target)
				}
				speak(t, s.URL, target)
			}
		})
	}
}

func each(list []Fault) (lists [][]Fault) {
	for _, f := range list {
		lists = append(lists, []Fault{f})
	}
	return lists
}

func speak(t *testing.T, url string, target *dialect.Target) {
	t.Helper()
	c, listener := dial(t, url), dial(t, url)
	var session []byte
	if target.Era == dialect.Legacy {
		session = c.session(target)
		if got := c.do("ping", 200, target.AppendPing(nil, 2, session)); got != `{"jsonrpc":"2.0","id":2,"result":{}}` {
			t.Errorf("ping: %s", got)
		}
	}
	call := func(tool, arguments, want string, isError bool) {
		t.Helper()
		got := c.do(tool, 200, target.AppendCall(nil, 3, session, tool, []byte(arguments)))
		if id, failed, ok := dialect.Result([]byte(got)); !ok || id != 3 || failed != isError || !strings.Contains(got, want) {
			t.Errorf("%s %s: %.200s, want %s", tool, arguments, got, want)
		}
	}
	call("echo", `{"text":"a\"b"}`, `"text":"a\"b"`, false)
	call("echo", `{"text":7}`, `"isError":true`, true)
	call("sleep", `{"milliseconds":1}`, "slept", false)
	call("sleep", `{"milliseconds":-1}`, `"isError":true`, true)
	call("large", `{"bytes":100000}`, strings.Repeat("x", 100_000), false)
	call("large", `{"bytes":1e3}`, `"isError":true`, true)
	call("large", `{"bytes":16777217}`, `"isError":true`, true)
	call("nothing", `{}`, "-32602", true)
	call("echo", "", `"isError":true`, true)

	listener.stream(target, session)
	for _, there := range []bool{true, false} {
		call("toggle", "", "toggled", false)
		if !listener.event(dialect.ToolsListChanged, 10*time.Second) {
			t.Error("no notification of a change")
		}
		if list := c.do("tools/list", 200, target.AppendToolsList(nil, 4, session)); strings.Contains(list, `"extra"`) != there {
			t.Errorf("tools: %s", list)
		}
	}
	if got := string(httpGet(c, "/healthz")); got != "ok\n" {
		t.Errorf("health: %q", got)
	}
	if target.Era == dialect.Legacy {
		c.do("DELETE", 204, target.AppendDelete(nil, session))
		c.do("after DELETE", 404, target.AppendPing(nil, 5, session))
		c.do("another's session", 404, target.AppendPing(nil, 5, []byte(strings.Repeat("0", 64))))
		c.do("no session", 400, target.AppendPing(nil, 5, nil))
	}
}

func httpGet(c *client, path string) string {
	c.t.Helper()
	return c.do(path, 200, []byte("GET "+path+" HTTP/1.1\r\nHost: x\r\n\r\n"))
}

func TestRefusals(t *testing.T) {
	s := start(t)
	modern := ask(t, s.URL, dialect.Modern)
	post := string(modern.AppendToolsList(nil, 1, nil))
	for name, tt := range map[string]struct {
		request string
		status  int
	}{
		"another method in the head":   {strings.Replace(post, "Mcp-Method: tools/list", "Mcp-Method: tools/call", 1), 400},
		"another revision in the body": {strings.Replace(post, `protocolVersion":"2026-07-28`, `protocolVersion":"2026-07-27`, 1), 400},
		"an unknown method":            {strings.ReplaceAll(post, "tools/list", "tools/lost"), 404},
		"not JSON":                     {strings.Replace(post, `{"jsonrpc"`, `["jsonrpc"`, 1), 400},
		"too long":                     {strings.Replace(post, "Content-Length: ", "Content-Length: 99999", 1) + strings.Repeat("x", 2<<20), 413},
		"another path":                 {"GET /other HTTP/1.1\r\nHost: x\r\n\r\n", 404},
		"another HTTP method":          {"PUT /mcp HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", 405},
	} {
		c := dial(t, s.URL)
		go c.c.Write([]byte(tt.request))
		if resp, content := c.answer(); resp.StatusCode != tt.status {
			t.Errorf("%s: %d %s, want %d", name, resp.StatusCode, content, tt.status)
		}
	}
	if _, err := Start("leak"); err == nil || !strings.Contains(err.Error(), `no fault "leak"`) {
		t.Errorf("an unknown fault: %v", err)
	}
	if list, err := parseFaults("leak-sessions,huge-heads"); err != nil || !slices.Equal(list, []Fault{LeakSessions, HugeHeads}) {
		t.Errorf("%v, %v", list, err)
	}
	if _, err := parseFaults("leak-sessions,"); err == nil {
		t.Error("an empty name was accepted")
	}
}
