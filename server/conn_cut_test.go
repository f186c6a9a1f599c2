package server

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
)

// chunkedPost is a request whose content is chunked, with an extension and a trailer section.
func chunkedPost(q request) string {
	head, body, _ := strings.Cut(q.String(), "\r\n\r\n")
	head = strings.Replace(head, fmt.Sprintf("Content-Length: %d", len(body)), "Transfer-Encoding: chunked", 1)
	var b strings.Builder
	b.WriteString(head + "\r\n\r\n")
	for i := 0; i < len(body); i += 40 {
		part := body[i:min(i+40, len(body))]
		fmt.Fprintf(&b, "%x;x=y\r\n%s\r\n", len(part), part)
	}
	b.WriteString("0\r\nX-Trailer: 1\r\n\r\n")
	return b.String()
}

func (q request) with(head string) request {
	q.head += head
	return q
}

func (q request) http10() request {
	q.old = true
	return q
}

// conversations are what clients send. The answer must be the same however the bytes are cut.
var conversations = []struct{ name, in string }{
	{"inline", addCall(1, 2).String()},
	{"inline, three pipelined", addCall(1, 2).String() + addCall(3, 4).String() + addCall(5, 6).String()},
	{"inline, with a notification first",
		request{method: "tools/call", name: "add", params: `"name":"add","arguments":{"a":1,"b":2}`, meta: `,"progressToken":1`}.String()},
	{"chunked", chunkedPost(addCall(1, 2))},
	{"chunked, two pipelined", chunkedPost(addCall(1, 2)) + chunkedPost(addCall(3, 4))},
	{"worker", callTool("echo", `{"text":"x"}`).String()},
	{"worker, pipelined with inline and health",
		callTool("echo", `{"text":"x"}`).String() + addCall(1, 2).String() +
			"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n" + callTool("echo", `{"text":"y"}`).String()},
	{"worker that notifies, pipelined",
		request{method: "tools/call", name: "steps", params: `"name":"steps","arguments":{"text":"x"}`, meta: `,"progressToken":"p"`}.String() +
			addCall(1, 2).String()},
	{"list", request{method: "tools/list"}.String()},
	{"HTTP/1.0", addCall(1, 2).http10().String()},
	{"HTTP/1.0 as a stream", request{method: "tools/list", accept: "text/event-stream"}.http10().String()},
	{"Connection: close", addCall(1, 2).with("Connection: close\r\n").String()},
	{"health", "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"},
	{"HEAD", "HEAD /healthz HTTP/1.1\r\nHost: x\r\n\r\n"},
	{"405", "GET /mcp HTTP/1.1\r\nHost: localhost\r\n\r\n"},
	{"OPTIONS *", "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n"},
	{"preflight", "OPTIONS /mcp HTTP/1.1\r\nHost: localhost\r\nOrigin: http://localhost\r\n\r\n"},
	{"notification", request{method: "notifications/cancelled", id: "-"}.String() + addCall(1, 2).String()},
	{"not JSON, then a call", request{method: "x", body: "{"}.String() + addCall(1, 2).String()},
	{"404 of a method", request{method: "tools/fly"}.String() + addCall(1, 2).String()},
	{"framing: LF alone", "POST /mcp HTTP/1.1\nHost: localhost\r\n\r\n"},
	{"bad framing after a good request",
		addCall(1, 2).String() + "POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\nx"},
	{"framing: a bad chunk", strings.Replace(chunkedPost(addCall(1, 2)), "28;x=y", "2g;x=y", 1)},
	{"TLS", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"},
	{"leading CRLF", "\r\n" + addCall(1, 2).String() + "\r\n" + addCall(3, 4).String()},
	{"subscription", listenTo(`"ä"`, everything).String()},
	{"subscription after a call", callTool("echo", `{"text":"x"}`).String() + listenTo("7", `"toolsListChanged":true`).String()},
	{"HTTP/1.0 subscription", listenTo("7", everything).http10().String()},
	{"absolute-form", strings.Replace(addCall(1, 2).String(), "POST /mcp", "POST http://localhost/mcp", 1)},
}

var dateField = regexp.MustCompile(`Date: [^\r]+`)

// converse sends the pieces on a new connection and returns all bytes that the client gets,
// followed by the final state of the connection.
func converse(t *testing.T, r *rig, pieces ...string) string {
	t.Helper()
	p := r.connect()
	for _, piece := range pieces {
		p.send(piece)
	}
	r.await("all calls are over", func() bool { return r.s.calls.Load() == 0 && (p.c.x == nil || p.c.x.job == nil) })
	r.wantInvariants("after the conversation")
	end := fmt.Sprintf(" | %v, FIN %v, closed %v", p.c.state, p.shut, p.closed)
	out := dateField.ReplaceAllString(p.take(), "Date: now") + end
	if !p.closed {
		p.fin()
	}
	return out
}

// TestCutAnywhere checks that every conversation, cut at any offset or sent byte by byte, gets
// the same bytes as in one piece.
func TestCutAnywhere(t *testing.T) {
	r := newRig(t, nil)
	for _, c := range conversations {
		t.Run(c.name, func(t *testing.T) {
			want := converse(t, r, c.in)
			if strings.HasPrefix(want, " |") {
				t.Fatalf("no answer:%s", want)
			}
			t.Logf("%.2000q", want)
			got := converse(t, r, strings.Split(c.in, "")...)
			if got != want {
				t.Fatalf("sent byte by byte, got\n%q\nwant\n%q", got, want)
			}
			for i := 1; i < len(c.in); i++ {
				if got := converse(t, r, c.in[:i], c.in[i:]); got != want {
					t.Fatalf("cut at %d, after %.60q, got\n%q\nwant\n%q", i, c.in[max(0, i-60):i], got, want)
				}
			}
		})
	}
	if n := r.l.m.connections.Load(); n != 0 || r.l.wheel.Armed() != 0 {
		t.Errorf("%d connections, %d deadlines left", n, r.l.wheel.Armed())
	}
}
