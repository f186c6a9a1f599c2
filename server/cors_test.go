package server

import (
	"strconv"
	"strings"
	"testing"
)

// A browser client from an allowed origin can read every response to its requests, including the
// refusals of every layer. A client from another origin can read none.
func TestEveryResponseIsShared(t *testing.T) {
	const good = "Host: localhost\r\nContent-Type: application/json\r\nAccept: application/json, text/event-stream\r\n"
	post := func(fields, body string) string { return "POST /mcp HTTP/1.1\r\n" + good + fields + "\r\n" + body }
	tests := []struct {
		why    string
		in     string // without Origin
		status int
	}{
		{"a call", addCall(1, 2).String(), 200},
		{"a worker's call", callTool("echo", `{"text":"x"}`).String(), 200},
		{"a stream", listenTo("7", everything).String(), 200},
		{"no such path", "GET /nowhere HTTP/1.1\r\nHost: localhost\r\n\r\n", 404},
		{"no such path, posted", "POST /nowhere HTTP/1.1\r\n" + good + "Content-Length: 2\r\n\r\n{}", 404},
		{"no such method", "PUT /mcp HTTP/1.1\r\nHost: localhost\r\n\r\n", 405},
		{"no such method for a health check", "POST /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n", 405},
		{"no such method for HTTP+SSE", "DELETE /sse HTTP/1.1\r\nHost: localhost\r\n\r\n", 405},
		{"not acceptable", "GET /mcp HTTP/1.1\r\nHost: localhost\r\nAccept: text/html\r\n\r\n", 406},
		{"not acceptable, posted",
			"POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nAccept: text/html\r\nContent-Length: 2\r\n\r\n{}", 406},
		{"not acceptable, HTTP+SSE", "GET /sse HTTP/1.1\r\nHost: localhost\r\nAccept: text/html\r\n\r\n", 406},
		{"not a JSON type", "POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\n{}", 415},
		{"not a JSON type, HTTP+SSE",
			"POST /sse/message HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\n{}", 415},
		{"a stream without a session", "GET /mcp HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n", 400},
		{"a stream of an unknown session", "GET /mcp HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\nMcp-Session-Id: x\r\n\r\n", 404},
		{"DELETE of an unknown session", "DELETE /mcp HTTP/1.1\r\nHost: localhost\r\nMcp-Session-Id: x\r\n\r\n", 404},
		{"a message of an unknown session",
			"POST /sse/message?sessionId=x HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}", 404},
		{"not JSON", post("Content-Length: 1\r\n", "{"), 400},
		{"an unknown method", request{method: "tools/fly"}.String(), 404},
		{"too large", post("Content-Length: 99999999999\r\n", ""), 413},
		{"too large, in chunks", post("Transfer-Encoding: chunked\r\n", "ffffff\r\n"), 413},
		{"a bad chunk", post("Transfer-Encoding: chunked\r\n", "x\r\n"), 400},
		{"a duplicate field", post("Content-Type: application/json\r\nContent-Length: 2\r\n", "{}"), 400},
		{"too many fields", post(strings.Repeat("X-A: b\r\n", 120), ""), 431},
		{"a bad field", post("X A: b\r\n", ""), 400},
		{"two framings", post("Content-Length: 1\r\nTransfer-Encoding: chunked\r\n", ""), 400},
		{"a long head", post("X-A: "+strings.Repeat("b", 17<<10)+"\r\n", ""), 431},
		{"an unknown HTTP method", "BREW /mcp HTTP/1.1\r\nHost: localhost\r\n\r\n", 501},
		{"an expectation", post("Expect: tea\r\n", ""), 417},
		{"a preflight", "OPTIONS /mcp HTTP/1.1\r\nHost: localhost\r\nAccess-Control-Request-Method: POST\r\n\r\n", 204},
		{"health", "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", 200},
	}
	for _, tt := range tests {
		for _, origin := range []string{"http://localhost:5173", "https://elsewhere.example"} {
			allowed := strings.Contains(origin, "localhost")
			r := newRig(t, &Options{SSEPath: "/sse", MaxBody: 1 << 20})
			p := r.connect()
			line, rest, _ := strings.Cut(tt.in, "\r\n")
			p.send(line + "\r\nOrigin: " + origin + "\r\n" + rest)
			r.await("the call is over", func() bool { return r.s.calls.Load() == 0 })
			got := p.take()
			status, _, _ := strings.Cut(strings.TrimPrefix(got, "HTTP/1.1 "), " ")
			head, _, _ := strings.Cut(got, "\r\n\r\n")
			if allowed && !strings.HasPrefix(got, "HTTP/1.1 "+strconv.Itoa(tt.status)) {
				t.Errorf("%s: %.60q, want %d", tt.why, got, tt.status)
			}
			shared := strings.Contains(head, "\r\nAccess-Control-Allow-Origin: "+origin+"\r\n") && strings.Contains(head, "\r\nVary: Origin")
			if shared != allowed || !allowed && strings.Contains(head, "Access-Control-Allow-Origin") {
				t.Errorf("%s from %s (%s): readable %v, want %v:\n%s", tt.why, origin, status, shared, allowed, head)
			}
		}
	}
}
