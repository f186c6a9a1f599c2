package server

import (
	"fmt"
	"strings"
	"testing"
)

// TestAnswers checks the answer to each kind of message, with its HTTP status and error code, and
// that the connection stays open.
func TestAnswers(t *testing.T) {
	edit := func(q request, old, new string) string {
		head, body, _ := strings.Cut(q.String(), "\r\n\r\n")
		length := fmt.Sprintf("Content-Length: %d", len(body))
		body = strings.Replace(body, old, new, 1)
		return strings.Replace(strings.Replace(head, length, fmt.Sprintf("Content-Length: %d", len(body)), 1), old, new, 1) + "\r\n\r\n" + body
	}
	list := request{method: "tools/list"}
	deep := strings.Repeat("[", 200) + strings.Repeat("]", 200)
	for _, c := range []struct {
		name         string
		in           string
		status, code int
		has          string
	}{
		{"an inline tool", addCall(20, 22).String(), 200, 0, `"structuredContent":{"sum":42}`},
		{"a worker tool", callTool("echo", `{"text":"aye"}`).String(), 200, 0, `"text":"aye"`},
		{"an encoded list", list.String(), 200, 0, `"tools":[`},
		{"discover", request{method: "server/discover"}.String(), 200, 0, `"supportedVersions":["2026-07-28",`},
		{"a resource", request{method: "resources/read", name: "rig://a", params: `"uri":"rig://a"`}.String(), 200, 0, "still water"},
		{"a prompt", request{method: "prompts/get", name: "hail", params: `"name":"hail"`}.String(), 200, 0, "ahoy"},
		{"an error from a tool", callTool("fails", `{}`).String(), 200, 0, `"isError":true`},
		{"arguments that do not fit", callTool("add", `{"a":"x"}`).String(), 200, 0, `"isError":true`},
		{"a handler that panics", callTool("panics", `{}`).String(), 200, -32603, ""},
		{"a string id, verbatim", edit(list, `"id":1`, `"id":"a\u00e9\n"`), 200, 0, `"id":"a\u00e9\n"`},
		{"a negative id", edit(list, `"id":1`, `"id":-9007199254740993`), 200, 0, `"id":-9007199254740993`},

		{"no content", request{method: "tools/list", body: " "}.String(), 400, -32700, ""},
		{"not JSON", request{method: "tools/list", body: `{"jsonrpc":`}.String(), 400, -32700, ""},
		{"two values", request{method: "tools/list", body: `{} {}`}.String(), 400, -32700, ""},
		{"bytes that are not UTF-8",
			request{method: "tools/list", body: "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\xff\"}"}.String(), 400, -32700, ""},
		{"too deep", request{method: "x", body: `{"jsonrpc":"2.0","id":1,"method":"x","params":{"a":` + deep + `}}`}.String(), 400, 0, `"error"`},
		{"not JSON-RPC", request{method: "tools/list", body: `{"id":1,"method":"tools/list"}`}.String(), 400, -32600, ""},
		{"another JSON-RPC version",
			request{method: "tools/list", body: `{"jsonrpc":"1.0","id":1,"method":"tools/list"}`}.String(), 400, -32600, ""},
		{"an id of null", edit(list, `"id":1`, `"id":null`), 400, -32600, ""},
		{"an id with a fraction", edit(list, `"id":1`, `"id":1.5`), 400, -32600, ""},
		{"an id that is an object", edit(list, `"id":1`, `"id":{}`), 400, -32600, ""},
		{"a scalar", request{body: `7`}.String(), 400, -32600, ""},
		{"a batch", request{body: `[{"jsonrpc":"2.0","id":1,"method":"tools/list"}]`}.String(), 400, -32600, ""},
		{"a response", request{body: `{"jsonrpc":"2.0","id":1,"result":{}}`}.String(), 400, -32600, ""},
		{"a duplicate member", edit(list, `"id":1`, `"id":1,"id":2`), 400, 0, `"error"`},

		{"an unknown method", request{method: "tools/fly"}.String(), 404, -32601, `"id":1`},
		{"ping of an earlier revision", request{method: "ping"}.String(), 404, -32601, ""},
		{"initialize with a modern envelope", request{method: "initialize"}.String(), 404, -32601, ""},
		{"initialize of an earlier revision",
			request{method: "initialize", body: `{"jsonrpc":"2.0","id":1,"method":"initialize","params":` +
				`{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"x","version":"1"}}}`}.String(),
			200, 0, `"protocolVersion":"2025-11-25"`},
		{"an unknown tool", callTool("fly", `{}`).String(), 400, -32602, ""},
		{"an unknown resource", request{method: "resources/read", name: "rig://z", params: `"uri":"rig://z"`}.String(), 400, -32602, `rig://z`},
		{"no _meta", request{method: "tools/list", body: `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`}.String(), 400, -32602, ""},
		{"a revision that is not served", strings.ReplaceAll(list.String(), "2026-07-28", "2099-01-01"), 400, -32022, `"requested":"2099-01-01"`},
		{"a capability that the tool needs", callTool("asks", `{}`).String(), 400, -32021, `"sampling":{}`},

		{"no version field", edit(list, "MCP-Protocol-Version: 2026-07-28\r\n", ""), 400, -32020, ""},
		{"a version field that differs", edit(list, "Version: 2026-07-28", "Version: 2025-11-25"), 400, -32020, ""},
		{"no method field", edit(list, "Mcp-Method: tools/list\r\n", ""), 400, -32020, ""},
		{"a method field in other letter case", edit(list, "Mcp-Method: tools/list", "Mcp-Method: TOOLS/LIST"), 400, -32020, ""},
		{"a duplicate method field", edit(list, "Mcp-Method: tools/list", "Mcp-Method: tools/list\r\nMcp-Method: tools/list"), 400, -32020, ""},
		{"no name field", edit(addCall(1, 2), "Mcp-Name: add\r\n", ""), 400, -32020, ""},
		{"a name field that differs", edit(addCall(1, 2), "Mcp-Name: add", "Mcp-Name: sub"), 400, -32020, ""},
		{"a name field with white space", edit(addCall(1, 2), "Mcp-Name: add", "mcp-name: \t add  "), 200, 0, ""},
		{"a name field in base64", edit(addCall(1, 2), "Mcp-Name: add", "Mcp-Name: =?base64?YWRk?="), 200, 0, ""},
		{"a name field in bad base64", edit(addCall(1, 2), "Mcp-Name: add", "Mcp-Name: =?base64?YWR?="), 400, -32020, ""},

		{"a subscription of a client without streams",
			request{method: "subscriptions/listen", accept: "application/json", params: `"notifications":{}`}.String(), 406, -32600, ""},
		{"a long message", addCall(1, 2).big().String(), 200, 0, `"sum":3`},
		{"a long message for a worker tool",
			callTool("echo", `{"text":"`+strings.Repeat("x", 2*bigContent)+`"}`).String(), 200, 0, strings.Repeat("x", 2*bigContent)},
		{"a long message that is not JSON",
			request{method: "tools/list", body: `{"jsonrpc":"2.0"` + strings.Repeat(" ", bigContent)}.String(), 400, -32700, ""},
		{"a long message with a wrong field",
			strings.Replace(addCall(1, 2).big().String(), "Mcp-Name: add", "Mcp-Name: sub", 1), 400, -32020, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, nil)
			p := r.connect()
			p.send(c.in)
			r.await("an answer", func() bool { return len(p.got) > 0 && r.s.calls.Load() == 0 })
			var res *response
			if c.has == `"error"` {
				res = p.wantResponse(c.name, c.status)
			} else {
				res = p.wantCode(c.name, c.status, c.code)
			}
			if !strings.Contains(res.body, c.has) {
				t.Errorf("answer %.300s, want %.300s in it", res.body, c.has)
			}
			res.wantField("a whole request keeps the connection", "Connection", "")
			p.wantNothing("after the answer")
			p.wantOpen("after the answer")
			p.send(addCall(1, 1).String())
			p.wantCode("the next request", 200, 0)
		})
	}
}

// TestAccepted checks that a notification gets 202 without content, wherever it is decoded.
func TestAccepted(t *testing.T) {
	r := newRig(t, nil)
	p := r.connect()
	for _, q := range []request{
		{method: "notifications/cancelled", id: "-", params: `"requestId":1`},
		{method: "notifications/cancelled", body: `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"x"}}`},
		{method: "notifications/unheard/of", id: "-"},
		request{method: "notifications/cancelled", id: "-"}.big(),
	} {
		p.send(q.String())
		r.await("an answer", func() bool { return len(p.got) > 0 && r.s.calls.Load() == 0 })
		res := p.wantResponse("a notification", 202)
		res.wantField("a notification", "Content-Length", "0").wantField("a notification", "Content-Type", "")
		p.wantOpen("after a notification")
	}
}

// TestPlaces checks the targets other than the endpoint.
func TestPlaces(t *testing.T) {
	r := newRig(t, nil)
	p := r.connect()
	get := func(line, head string) *response {
		t.Helper()
		p.send(line + " HTTP/1.1\r\nHost: localhost\r\n" + head + "\r\n")
		method, _, _ := strings.Cut(line, " ")
		res := p.next(method)
		p.wantNothing("after " + line)
		return res
	}
	for _, c := range []struct {
		line, head string
		status     int
		body       string
		fields     map[string]string
	}{
		{"GET /healthz", "", 200, "ok\n", map[string]string{"Content-Type": "text/plain; charset=utf-8", "Content-Length": "3"}},
		{"HEAD /healthz", "", 200, "", map[string]string{"Content-Length": "3"}},
		{"GET /readyz", "", 200, "ready\n", nil},
		{"OPTIONS *", "", 204, "", map[string]string{"Content-Length": "", "Content-Type": ""}},
		{"OPTIONS /mcp", "Origin: http://localhost:1\r\nAccess-Control-Request-Method: POST\r\n", 204, "", map[string]string{
			"Access-Control-Allow-Origin":  "http://localhost:1",
			"Access-Control-Allow-Methods": "GET, POST, DELETE",
			"Access-Control-Allow-Headers": "*, Authorization",
			"Vary":                         "Origin",
			"Content-Length":               "",
		}},
		{"GET /mcp", "", 400, `"code":-32600`, map[string]string{"Access-Control-Allow-Origin": ""}},
		{"PUT /mcp", "", 405, `"code":-32600`, map[string]string{"Allow": "GET, POST, DELETE", "Access-Control-Allow-Origin": ""}},
		{"HEAD /mcp", "", 405, "", map[string]string{"Allow": "GET, POST, DELETE"}},
		{"DELETE /mcp", "Mcp-Session-Id: x\r\n", 404, "session not found", nil},
		{"POST /healthz", "", 405, "", map[string]string{"Allow": "GET, HEAD"}},
		{"GET /favicon.ico", "", 404, "no such resource", nil},
		{"POST /mcp", "Host2: x\r\nContent-Type: text/plain\r\n", 415, "", nil},
		{"POST /mcp", "Content-Type: application/json\r\nAccept: text/html\r\n", 406, "", nil},
		{"POST /mcp", "Content-Type: application/json\r\nContent-Type: application/json\r\n", 400, "more than once", nil},
		{"POST /mcp", "Origin: https://evil.example\r\n", 403, "origin not allowed", map[string]string{"Access-Control-Allow-Origin": ""}},
		{"GET /healthz", "Content-Length: 4\r\n\r\nabcd", 200, "ok\n", nil},
	} {
		res := get(c.line, c.head)
		if res.status != c.status || !strings.Contains(res.body, c.body) {
			t.Errorf("%s: %d %q, want %d %q", c.line, res.status, res.body, c.status, c.body)
		}
		for name, want := range c.fields {
			res.wantField(c.line, name, want)
		}
		if strings.HasSuffix(c.head, "abcd") {
			p.wantOpen("content that has arrived is consumed")
		}
		res.wantField(c.line, "Connection", "")
		p.wantOpen(c.line)
	}
	// The rig adds the empty line that ends a head. After content it is one that parsers skip.
	r.s.draining.Store(true)
	res := get("GET /readyz", "")
	if res.status != 503 || res.body != "draining\n" {
		t.Errorf("/readyz while draining: %d %q, want 503", res.status, res.body)
	}
	res.wantField("draining", "Retry-After", "1")
}

// TestCORS checks that a browser client from an allowed origin may read every answer, including
// streams.
func TestCORS(t *testing.T) {
	r := newRig(t, nil)
	p := r.connect()
	const origin = "http://localhost:9999"
	for _, q := range []request{addCall(1, 2), callTool("echo", `{"text":"x"}`), {method: "tools/fly"}, listenTo("1", everything)} {
		q.head = "Origin: " + origin + "\r\n"
		p.send(q.String())
		r.await("an answer", func() bool { return len(p.got) > 0 })
		p.next("POST").wantField(q.method, "Access-Control-Allow-Origin", origin).wantField(q.method, "Vary", "Origin")
	}
	q := r.connect()
	q.send(addCall(1, 2).String())
	q.next("POST").wantField("a client that is not a browser", "Access-Control-Allow-Origin", "")
}

// TestFormOfAnswer checks when an answer is JSON and when it is a stream, depending on what the
// client accepts and the call sends.
func TestFormOfAnswer(t *testing.T) {
	const token = `,"progressToken":"p"`
	steps := callTool("steps", `{"text":"step"}`)
	steps.meta = token
	inline := addCall(1, 2)
	inline.meta = token
	for _, c := range []struct {
		name   string
		q      request
		accept string
		events int // in addition to the result; -1: the answer is JSON
	}{
		{"JSON while nothing precedes the result", addCall(1, 2), "", -1},
		{"the same from a worker", callTool("echo", `{"text":"x"}`), "", -1},
		{"a stream when something does", steps, "", 5},
		{"the same from an inline tool", inline, "", 1},
		{"JSON where the client takes only that, notifications dropped", steps, "application/json", -1},
		{"the same from an inline tool", inline, "application/json", -1},
		{"a stream where the client takes only that", addCall(1, 2), "text/event-stream", 0},
		{"the same from a worker", callTool("echo", `{"text":"x"}`), "text/event-stream", 0},
		{"the same for an encoded list", request{method: "tools/list"}, "text/event-stream", 0},
		{"no Accept: a stream is fine", steps, "-", 5},
		{"a long message, decoded by a worker", steps.big(), "", 5},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, nil)
			p := r.connect()
			c.q.accept = c.accept
			for range 2 { // a stream that has ended leaves the connection unchanged
				p.send(c.q.String())
				r.await("the call is over", func() bool { return len(p.got) > 0 && r.s.calls.Load() == 0 })
				if c.events < 0 {
					p.wantCode(c.name, 200, 0)
				} else {
					res := p.wantResponse(c.name, 200)
					for name, want := range map[string]string{
						"Content-Type":      "text/event-stream",
						"Cache-Control":     "no-cache, no-transform",
						"X-Accel-Buffering": "no",
						"Content-Length":    "",
						"Connection":        "",
					} {
						res.wantField(c.name, name, want)
					}
					events := p.events(res.body)
					if len(events) != c.events+1 || !res.ended {
						t.Fatalf("%d events, ended %v, want %d and the end: %q", len(events), res.ended, c.events+1, events)
					}
					for i, e := range events[:c.events] {
						if !strings.Contains(e, fmt.Sprintf(`"progressToken":"p","progress":%d,`, i+1)) {
							t.Errorf("event %d is %s, want a progress notification", i, e)
						}
					}
					p.wantCodeIn(c.name, events[c.events], 0)
				}
				p.wantNothing("after the answer")
				p.wantOpen("after the answer")
			}
		})
	}
	t.Run("refusals are JSON for every client", func(t *testing.T) {
		r := newRig(t, nil)
		p := r.connect()
		p.send(request{method: "tools/fly", accept: "text/event-stream"}.String())
		p.wantCode("an unknown method", 404, -32601)
	})
}

// TestBounds checks the limits that are reported in an answer.
func TestBounds(t *testing.T) {
	t.Run("calls", func(t *testing.T) {
		r := newRig(t, &Options{MaxCalls: 2})
		a, b, c := r.connect(), r.connect(), r.connect()
		a.send(callTool("wait", `{}`).String())
		b.send(callTool("wait", `{}`).String())
		c.send(callTool("echo", `{"text":"x"}`).String())
		c.wantCode("a third call", 503, -32603).
			wantField("a third call", "Retry-After", "1").
			wantField("it keeps the connection", "Connection", "")
		c.send(addCall(1, 2).String())
		c.wantCode("an inline call has no limit", 200, 0)
		r.hold <- struct{}{}
		r.await("one call is over", func() bool { return r.s.calls.Load() == 1 })
		c.send(callTool("echo", `{"text":"x"}`).String())
		r.await("an answer", func() bool { return len(c.got) > 0 })
		c.wantCode("there is room again", 200, 0)
	})
	t.Run("streams", func(t *testing.T) {
		r := newRig(t, &Options{MaxStreams: 1})
		a, b := r.connect(), r.connect()
		a.listen("1")
		b.send(listenTo("2", everything).String())
		b.wantCode("a second stream", 503, -32603).wantField("a second stream", "Retry-After", "1")
		b.wantOpen("refused because of a limit")
		a.fin()
		b.listen("3")
	})
	t.Run("length of a result", func(t *testing.T) {
		r := newRig(t, &Options{MaxResponse: 300})
		p := r.connect()
		for _, q := range []request{callTool("echo", `{"text":"`+strings.Repeat("x", 300)+`"}`), {method: "tools/list"}} {
			p.send(q.String())
			r.await("an answer", func() bool { return len(p.got) > 0 })
			if res := p.wantCode("a long result", 200, -32603); !strings.Contains(res.body, "exceeds") || !strings.Contains(res.body, `"id":1`) {
				t.Errorf("got %s, want an error with the id that names the limit", res.body)
			}
			p.wantOpen("after a long result")
		}
	})
}
