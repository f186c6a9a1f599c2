package dialect

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"math"
	"net/http"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func prepared(t testing.TB, e Era, revision string, header ...string) *Target {
	t.Helper()
	target := &Target{URL: "http://127.0.0.1:8080/mcp?x=1", Era: e, Revision: revision, Header: header}
	if err := target.Prepare(); err != nil {
		t.Fatal(err)
	}
	return target
}

const goldenMeta = `"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"mooring-bench","version":"1.0.0"},"io.modelcontextprotocol/clientCapabilities":{}}`

func TestGolden(t *testing.T) {
	modern := prepared(t, Modern, ModernRevision, "Authorization:Bearer x ")
	legacy := prepared(t, Legacy, LegacyRevision)
	old := prepared(t, Legacy, "2025-03-26")
	plain := prepared(t, Plain, "")
	s := []byte("s-1")
	post := func(fields, content string) string {
		head := "POST /mcp?x=1 HTTP/1.1\nHost: 127.0.0.1:8080\nUser-Agent: mooring-bench\n"
		if strings.Contains(fields, "Mcp-Method") {
			head += "Authorization: Bearer x\n"
		}
		head += "Accept: application/json, text/event-stream\nContent-Type: application/json\n" + fields
		return strings.ReplaceAll(head, "\n", "\r\n") + "\r\n\r\n" + content
	}
	get := "GET /mcp?x=1 HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nUser-Agent: mooring-bench\r\nAccept: text/event-stream\r\n"
	const agreed = "MCP-Protocol-Version: 2025-11-25\n"
	for _, tt := range []struct {
		name      string
		got, want string
	}{
		{"discover", string(modern.AppendDiscover(nil, 1)),
			post("MCP-Protocol-Version: 2026-07-28\nMcp-Method: server/discover\nContent-Length: 255", `{"jsonrpc":"2.0","id":1,"method":"server/discover","params":{`+goldenMeta+`}}`)},
		{"modern ping", string(modern.AppendPing(nil, 1, s)), string(modern.AppendDiscover(nil, 1))},
		{"modern list", string(modern.AppendToolsList(nil, -5, nil)),
			post("MCP-Protocol-Version: 2026-07-28\nMcp-Method: tools/list\nContent-Length: 251", `{"jsonrpc":"2.0","id":-5,"method":"tools/list","params":{`+goldenMeta+`}}`)},
		{"modern call", string(modern.AppendCall(nil, 7, s, "echo", []byte(`{"text":"x"}`))),
			post("MCP-Protocol-Version: 2026-07-28\nMcp-Method: tools/call\nMcp-Name: echo\nContent-Length: 289", `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"echo","arguments":{"text":"x"},`+goldenMeta+`}}`)},
		{"modern call of a tool with a strange name", string(modern.AppendCall(nil, 7, nil, "é\n", nil)),
			post("MCP-Protocol-Version: 2026-07-28\nMcp-Method: tools/call\nMcp-Name: =?base64?w6kK?=\nContent-Length: 279", `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"é\n","arguments":{},`+goldenMeta+`}}`)},
		{"listen", string(modern.AppendListen(nil, 7)),
			post("MCP-Protocol-Version: 2026-07-28\nMcp-Method: subscriptions/listen\nContent-Length: 302", `{"jsonrpc":"2.0","id":7,"method":"subscriptions/listen","params":{"notifications":{"toolsListChanged":true},`+goldenMeta+`}}`)},
		{"modern stream", string(modern.AppendStream(nil, 7, s)), string(modern.AppendListen(nil, 7))},
		{"initialize", string(legacy.AppendInitialize(nil, 7)),
			post("Content-Length: 162", `{"jsonrpc":"2.0","id":7,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"mooring-bench","version":"1.0.0"}}}`)},
		{"initialized", string(legacy.AppendInitialized(nil, s)), post(agreed+"Mcp-Session-Id: s-1\nContent-Length: 54", `{"jsonrpc":"2.0","method":"notifications/initialized"}`)},
		{"ping", string(legacy.AppendPing(nil, 9, s)), post(agreed+"Mcp-Session-Id: s-1\nContent-Length: 52", `{"jsonrpc":"2.0","id":9,"method":"ping","params":{}}`)},
		{"a server without sessions", string(legacy.AppendPing(nil, 9, nil)), post(agreed+"Content-Length: 52", `{"jsonrpc":"2.0","id":9,"method":"ping","params":{}}`)},
		{"a revision without the field", string(old.AppendPing(nil, 9, s)), post("Mcp-Session-Id: s-1\nContent-Length: 52", `{"jsonrpc":"2.0","id":9,"method":"ping","params":{}}`)},
		{"list", string(legacy.appendToolsPage(nil, 9, s, []byte(`"c"`))), post(agreed+"Mcp-Session-Id: s-1\nContent-Length: 70", `{"jsonrpc":"2.0","id":9,"method":"tools/list","params":{"cursor":"c"}}`)},
		{"call", string(legacy.AppendCall(nil, 9, s, "é", nil)),
			post(agreed+"Mcp-Session-Id: s-1\nContent-Length: 84", `{"jsonrpc":"2.0","id":9,"method":"tools/call","params":{"name":"é","arguments":{}}}`)},
		{"get", string(legacy.AppendGet(nil, s)), get + "MCP-Protocol-Version: 2025-11-25\r\nMcp-Session-Id: s-1\r\n\r\n"},
		{"stream", string(legacy.AppendStream(nil, 1, s)), string(legacy.AppendGet(nil, s))},
		{"delete", string(legacy.AppendDelete(nil, s)), "DELETE /mcp?x=1 HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nUser-Agent: mooring-bench\r\nMCP-Protocol-Version: 2025-11-25\r\nMcp-Session-Id: s-1\r\n\r\n"},
		{"plain", string(plain.AppendStream(nil, 1, s)), get + "\r\n"},
	} {
		if tt.got != tt.want {
			t.Errorf("%s:\n got %q\nwant %q", tt.name, tt.got, tt.want)
		}
	}
}

// Another parser must read a call as intended, whatever its parts are, and wherever dst already
// ends.
func TestCallIsReadAsItWasMeant(t *testing.T) {
	modern, legacy := prepared(t, Modern, ModernRevision), prepared(t, Legacy, LegacyRevision)
	rapid.Check(t, func(t *rapid.T) {
		tool := rapid.StringN(1, 40, 200).Draw(t, "tool")
		if tool != strings.ToValidUTF8(tool, "") {
			t.Skip("not a JSON string")
		}
		text := rapid.StringN(0, -1, 200_000).Draw(t, "text")
		text = strings.Repeat(strings.ToValidUTF8(text, "."), rapid.SampledFrom([]int{1, 1, 1, 100, 3000}).Draw(t, "times"))
		arguments, err := json.Marshal(map[string]string{"text": text})
		if err != nil {
			t.Fatal(err)
		}
		id := rapid.Int64().Draw(t, "id")
		target, session := modern, ""
		if rapid.Bool().Draw(t, "legacy") {
			target, session = legacy, "s"
		}
		before := rapid.SliceOf(rapid.Byte()).Draw(t, "before")
		out := target.AppendCall(bytes.Clone(before), id, []byte("s"), tool, arguments)
		if !bytes.HasPrefix(out, before) {
			t.Fatal("the previous content of dst is gone")
		}
		br := bufio.NewReader(bytes.NewReader(out[len(before):]))
		req, err := http.ReadRequest(br)
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(req.Body)
		if err != nil || br.Buffered() != 0 {
			t.Fatalf("content: %v, %d bytes too many", err, br.Buffered())
		}
		var m struct {
			ID     int64
			Method string
			Params struct {
				Name      string
				Arguments map[string]string
			}
		}
		if err := json.Unmarshal(content, &m); err != nil {
			t.Fatalf("%v in %s", err, content)
		}
		if m.ID != id || m.Method != "tools/call" || m.Params.Name != tool || m.Params.Arguments["text"] != text {
			t.Fatalf("read as %+v", m)
		}
		if got := req.Header.Get("Mcp-Session-Id"); got != session {
			t.Fatalf("session %q", got)
		}
	})
}

func TestLengthOfAnyNumberOfDigits(t *testing.T) {
	for _, n := range []int{0, 1, 9, 10, 99, 100, 999, 1000, 12345, 1234567} {
		dst, at := openLength([]byte("POST / HTTP/1.1\r\nHost: x\r\n"))
		dst = closeLength(append(dst, bytes.Repeat([]byte("x"), n)...), at)
		req, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(dst)))
		if err != nil {
			t.Fatal(err)
		}
		if content, err := io.ReadAll(req.Body); err != nil || len(content) != n || req.ContentLength != int64(n) || len(dst) != len(strings.TrimRight(string(dst), "x"))+n {
			t.Errorf("%d bytes: read %d of %d, %v", n, len(content), req.ContentLength, err)
		}
	}
}

func TestWhatAnEraLacksPanics(t *testing.T) {
	modern, legacy, plain := prepared(t, Modern, ModernRevision), prepared(t, Legacy, LegacyRevision), prepared(t, Plain, "")
	for name, f := range map[string]func(){
		"modern initialize":     func() { modern.AppendInitialize(nil, 1) },
		"modern initialized":    func() { modern.AppendInitialized(nil, nil) },
		"modern GET":            func() { modern.AppendGet(nil, nil) },
		"modern DELETE":         func() { modern.AppendDelete(nil, nil) },
		"legacy discover":       func() { legacy.AppendDiscover(nil, 1) },
		"legacy listen":         func() { legacy.AppendListen(nil, 1) },
		"plain ping":            func() { plain.AppendPing(nil, 1, nil) },
		"plain call":            func() { plain.AppendCall(nil, 1, nil, "x", nil) },
		"plain list":            func() { plain.AppendToolsList(nil, 1, nil) },
		"unprepared discover":   func() { (&Target{Era: Modern}).AppendDiscover(nil, 1) },
		"unprepared initialize": func() { (&Target{Era: Legacy}).AppendInitialize(nil, 1) },
		"unprepared GET":        func() { (&Target{Era: Plain}).AppendGet(nil, nil) },
	} {
		func() {
			defer func() {
				if r := recover(); r == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			f()
		}()
	}
}

func TestPrepareRefuses(t *testing.T) {
	for _, tt := range []struct{ url, header, want string }{
		{"https://127.0.0.1/mcp", "", "https is not supported"},
		{"ftp://127.0.0.1/mcp", "", "not an http URL"},
		{"http:opaque", "", "not an http URL"},
		{"http:///mcp", "", "has no host"},
		{"http://u:p@127.0.0.1/mcp", "", "credentials"},
		{"http://127.0.0.1/mcp?a b", "", "characters"},
		{"http://127.0.0.1/\r\n", "", "control character"},
		{"http://[fe80::1%25eth0]/", "", "characters"},
		{"http://127.0.0.1/", "no colon", "Name: value"},
		{"http://127.0.0.1/", ": value", "Name: value"},
		{"http://127.0.0.1/", "A b: value", "Name: value"},
		{"http://127.0.0.1/", "A: b\r\nC: d", "control character"},
		{"http://127.0.0.1/", "content-Length: 3", "set by the requests"},
	} {
		target := Target{URL: tt.url, Era: Legacy, Revision: LegacyRevision}
		if tt.header != "" {
			target.Header = []string{tt.header}
		}
		err := target.Prepare()
		if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.HasPrefix(err.Error(), "dialect: ") || strings.Contains(err.Error(), "u:p@") {
			t.Errorf("%q %q: %v, want %q", tt.url, tt.header, err, tt.want)
		}
	}
	for _, revision := range []string{"", "latest", "2025-11-25\r\n", "2025/11/25", "2025-11-2x"} {
		if err := (&Target{URL: "http://x/", Era: Legacy, Revision: revision}).Prepare(); err == nil {
			t.Errorf("revision %q was accepted", revision)
		}
	}
	if err := (&Target{URL: "http://x/"}).Prepare(); err == nil {
		t.Error("the zero era was accepted")
	}
}

// A target that was sent to another process appends what it did before.
func TestTargetAsJSON(t *testing.T) {
	for _, e := range []Era{Modern, Legacy, Plain} {
		a := prepared(t, e, LegacyRevision, "A: b")
		text, err := json.Marshal(a)
		if err != nil {
			t.Fatal(err)
		}
		var b Target
		if err := json.Unmarshal(text, &b); err != nil {
			t.Fatal(err)
		}
		if err := b.Prepare(); err != nil {
			t.Fatal(err)
		}
		if got, want := b.AppendStream(nil, 3, []byte("s")), a.AppendStream(nil, 3, []byte("s")); !bytes.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", e, got, want)
		}
	}
}

func TestAllocs(t *testing.T) {
	modern, legacy := prepared(t, Modern, ModernRevision, "Authorization: Bearer x"), prepared(t, Legacy, LegacyRevision)
	dst := make([]byte, 0, 8<<10)
	session, arguments, tool := []byte("0123456789abcdef"), []byte(`{"text":"x"}`), strings.Repeat("é", 20)
	call := []byte(`{"jsonrpc":"2.0","id":7,"result":{"content":[{"type":"text","text":"x"}],"isError":true}}`)
	changed := []byte(`{"jsonrpc":"2.0","method":"notifications/tools/list_changed","params":{}}`)
	head := []byte("HTTP/1.1 200 OK\r\nMcp-Session-Id: x\r\n\r\n")
	for name, f := range map[string]func(){
		"AppendDiscover":    func() { dst = modern.AppendDiscover(dst[:0], math.MaxInt64) },
		"AppendListen":      func() { dst = modern.AppendListen(dst[:0], math.MinInt64) },
		"AppendCall":        func() { dst = modern.AppendCall(dst[:0], 1, nil, tool, arguments) },
		"AppendInitialize":  func() { dst = legacy.AppendInitialize(dst[:0], 1) },
		"AppendInitialized": func() { dst = legacy.AppendInitialized(dst[:0], session) },
		"AppendPing":        func() { dst = legacy.AppendPing(dst[:0], 1, session) },
		"AppendToolsList":   func() { dst = legacy.AppendToolsList(dst[:0], 1, session) },
		"AppendCall legacy": func() { dst = legacy.AppendCall(dst[:0], 1, session, "echo", arguments) },
		"AppendGet":         func() { dst = legacy.AppendGet(dst[:0], session) },
		"AppendDelete":      func() { dst = legacy.AppendDelete(dst[:0], session) },
		"Result":            func() { Result(call) },
		"Method":            func() { Method(changed) },
		"Session":           func() { Session(head) },
	} {
		if n := testing.AllocsPerRun(200, f); n != 0 {
			t.Errorf("%s: %v allocations, want 0", name, n)
		}
	}
}
