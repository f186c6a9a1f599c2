package main

import (
	"fmt"
	"strings"
	"testing"
)

func post(headers, body string) string {
	return fmt.Sprintf("POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\n%sContent-Length: %d\r\n\r\n%s", headers, len(body), body)
}

func TestParse(t *testing.T) {
	now := "MCP-Protocol-Version: 2026-07-28\r\n"
	for _, tt := range []struct {
		in     string
		method string
		path   string
		id     string
		modern bool
	}{
		{post(now, `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"arguments":{"id":8}}}`), "POST", "/mcp", "7", true},
		{post("mcp-protocol-version:2026-07-28 \r\n", `{"id": 70 ,"method":"ping"}`), "POST", "/mcp", "70", true},
		{post("MCP-Protocol-Version: 2025-11-25\r\n", `{"jsonrpc":"2.0","method":"ping","id":"a-1"}`), "POST", "/mcp", `"a-1"`, false},
		{post("", `{"jsonrpc":"2.0","method":"notifications/initialized"}`), "POST", "/mcp", "", false},
		{"GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n", "GET", "/healthz", "", false},
		{"DELETE /mcp HTTP/1.1\r\ncontent-length: 0\r\n\r\n", "DELETE", "/mcp", "", false},
	} {
		// Every truncation waits for more; what follows is left alone.
		for cut := range tt.in {
			if _, n := parse([]byte(tt.in[:cut])); n != 0 {
				t.Fatalf("%q cut at %d: got %d, want 0", tt.in, cut, n)
			}
		}
		req, n := parse([]byte(tt.in + "GET /next"))
		if n != len(tt.in) || req.method != tt.method || string(req.path) != tt.path || string(req.id) != tt.id || req.modern != tt.modern {
			t.Errorf("%q: got %d bytes, %s %s id %s modern %t", tt.in, n, req.method, req.path, req.id, req.modern)
		}
	}
	for _, in := range []string{
		"PUT /mcp HTTP/1.1\r\n\r\n",
		"POST /mcp HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
		"POST /mcp HTTP/1.1\r\nContent-Length: x\r\n\r\n",
		"POST /mcp HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n",
		strings.Repeat("x", maxHead+1),
	} {
		if _, n := parse([]byte(in)); n != -1 {
			t.Errorf("%.60q: got %d, want -1", in, n)
		}
	}
}

// FuzzParse checks that no input makes parse take more bytes than there are, or panic.
func FuzzParse(f *testing.F) {
	f.Add([]byte(post("", `{"id":1}`)))
	f.Add([]byte("GET /mcp HTTP/1.1\r\n\r\n"))
	f.Fuzz(func(t *testing.T, in []byte) {
		req, n := parse(in)
		if n < -1 || n > len(in) || n > 0 && len(req.body) > n {
			t.Errorf("%q: took %d bytes with content of %d", in, n, len(req.body))
		}
	})
}
