package server

import (
	"strings"
	"testing"
)

// Content with a coding is refused because of the coding, not because it is not JSON. This holds
// at both endpoints.
func TestContentCodings(t *testing.T) {
	tests := []struct {
		coding string
		status int // at the MCP endpoint
	}{
		{"gzip", 415}, {"GZIP", 415}, {"br", 415}, {"deflate", 415}, {"zstd", 415}, {"gzip, gzip", 415},
		{"identity", 200}, {"Identity", 200}, {"", 200},
	}
	for _, tt := range tests {
		r := newRig(t, &Options{SSEPath: "/sse"})
		field := "Content-Encoding: " + tt.coding + "\r\n"
		p := r.connect()
		p.send(addCall(1, 2).with(field).String())
		res := p.wantResponse(tt.coding, tt.status)
		if tt.status == 415 && !strings.Contains(res.body, "content coding") {
			t.Errorf("%q: got %q, want a mention of the content coding", tt.coding, res.body)
		}
		p = r.connect()
		p.send("POST /sse/message?sessionId=x HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n" +
			field + "Content-Length: 2\r\n\r\n{}")
		want := tt.status
		if want == 200 {
			want = 404
		}
		p.wantResponse(tt.coding+", HTTP+SSE", want)
	}
}

// A request that has a single-valued field twice is refused, whether it carries a single message,
// a batch or none.
func TestFieldsSentTwice(t *testing.T) {
	r := newPort(t, nil)
	s := r.initialize("2025-03-26")
	other := r.initialize("2025-03-26")
	twice := []string{
		"Mcp-Session-Id: " + other.id, "MCP-Protocol-Version: 2025-03-26\r\nMCP-Protocol-Version: 2025-03-26",
		"Origin: http://localhost\r\nOrigin: http://localhost", "Content-Type: application/json",
		"Authorization: a\r\nAuthorization: b", "Last-Event-ID: 1-1\r\nLast-Event-ID: 1-2",
	}
	ping := `{"jsonrpc":"2.0","id":1,"method":"ping"}`
	for _, field := range twice {
		for _, body := range []string{ping, "[" + ping + "]"} {
			p := r.dial(0)
			p.send(strings.Replace(post(s.id, "", body), "\r\n", "\r\n"+field+"\r\n", 1))
			p.wantResponse(body+" with "+field, 400)
		}
		if field == "Content-Type: application/json" {
			continue // here the field is sent only once
		}
		for _, method := range []string{"GET", "DELETE"} {
			p := r.dial(0)
			p.send(method + " /mcp HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n" +
				"Mcp-Session-Id: " + s.id + "\r\n" + field + "\r\n\r\n")
			p.wantResponse(method+" with "+field, 400)
		}
	}
	s.call("ping", "")
}
