package dialect

import (
	"bufio"
	"bytes"
	"net/http"
	"testing"
)

func TestResult(t *testing.T) {
	for _, tt := range []struct {
		body    string
		id      int64
		isError bool
		ok      bool
	}{
		{`{"jsonrpc":"2.0","id":7,"result":{}}`, 7, false, true},
		{`{"result":{"isError":false,"content":[]},"id":-7,"jsonrpc":"2.0"}`, -7, false, true},
		{`{"jsonrpc":"2.0","id":7,"result":{"content":[{"text":"\"isError\":true"}]}}`, 7, false, true},
		{`{"jsonrpc":"2.0","id":7,"result":{"structuredContent":{"isError":true}}}`, 7, false, true},
		{`{"jsonrpc":"2.0","id":7,"result":{"content":[], "isError" : true }}`, 7, true, true},
		{`{"jsonrpc":"2.0","id":7,"error":{"code":-32601,"message":"x"}}`, 7, true, true},
		{`{"jsonrpc":"2.0","error":{"code":-32700,"message":"x"}}`, 0, false, false},
		{`{"jsonrpc":"2.0","id":"7","result":{}}`, 0, false, false},
		{`{"jsonrpc":"2.0","id":7,"method":"ping"}`, 0, false, false},
		{`{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}`, 0, false, false},
		{`{"jsonrpc":"2.0","id":7,"result":{}`, 0, false, false},
		{`<html>`, 0, false, false},
		{``, 0, false, false},
	} {
		if id, isError, ok := Result([]byte(tt.body)); id != tt.id || isError != tt.isError || ok != tt.ok {
			t.Errorf("%s: got %d %t %t", tt.body, id, isError, ok)
		}
	}
}

func TestMethod(t *testing.T) {
	for body, want := range map[string]string{
		`{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}`: ToolsListChanged,
		`{"jsonrpc":"2.0","id":1,"method":"sampling\/createMessage"}`:   "sampling/createMessage",
		`{"jsonrpc":"2.0","id":1,"result":{"method":"x"}}`:              "",
		`{"method":"x"}`: "",
		``:               "",
	} {
		if got := string(Method([]byte(body))); got != want {
			t.Errorf("%s: got %q, want %q", body, got, want)
		}
	}
}

func TestSession(t *testing.T) {
	for head, want := range map[string]string{
		"HTTP/1.1 200 OK\r\nContent-Type: x\r\nmcp-session-ID:  a.b-c \r\nX: y\r\n\r\n": "a.b-c",
		"HTTP/1.1 200 OK\r\nMcp-Session-Id: a":                                          "a",
		"HTTP/1.1 200 OK\nMcp-Session-Id: a\n":                                          "a",
		"HTTP/1.1 200 OK\r\nMcp-Session-Id: a b\r\n\r\n":                                "",
		"HTTP/1.1 200 OK\r\nMcp-Session-Id: \r\n\r\n":                                   "",
		"HTTP/1.1 200 OK\r\nX-Mcp-Session-Id: a\r\n\r\n":                                "",
		"Mcp-Session-Id: a\r\n\r\n":                                                     "",
		"HTTP/1.1 200 OK":                                                               "",
		"":                                                                              "",
	} {
		if got := string(Session([]byte(head))); got != want {
			t.Errorf("%q: got %q, want %q", head, got, want)
		}
	}
}

// FuzzSession compares Session with the parser of net/http.
func FuzzSession(f *testing.F) {
	f.Add([]byte("HTTP/1.1 200 OK\r\nA: b\r\nMcp-Session-Id: xyz\r\n\r\n"))
	f.Fuzz(func(t *testing.T, head []byte) {
		got := Session(head)
		if got != nil && !visible(got) {
			t.Fatalf("%q from %q", got, head)
		}
		resp, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(head)), nil)
		if err != nil {
			return
		}
		want := resp.Header["Mcp-Session-Id"]
		if len(want) == 1 && visible(want[0]) && bytes.Count(bytes.ToLower(head), []byte("mcp-session-id")) == 1 && string(got) != want[0] {
			t.Fatalf("got %q, want %q from %q", got, want, head)
		}
	})
}
