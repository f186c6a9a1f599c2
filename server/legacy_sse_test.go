package server

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/mcp"
	"github.com/mooring-mcp/mooring/server/internal/session"
)

func TestSSEServesEveryRevisionThatIsNegotiated(t *testing.T) {
	for _, rev := range []string{"2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"} {
		r := newSSERig(t, nil)
		p := r.openSSE()
		p.initialize(rev, "")
		p.post("ping", `{"jsonrpc":"2.0","id":"p","method":"ping"}`)
		p.want("ping", `"id":"p","result":{}`)
		p.post("an inline call", sseCall("1", "add", `{"a":2,"b":3}`))
		p.want("an inline call with progress", `notifications/progress`, `"id":1,"result":`)
		p.post("a worker's call", sseCall("2", "steps", `{"text":"knot"}`))
		p.want("a worker's call with progress", `"progress":1`, `"progress":2`, `"progress":3`, `"progress":4`, `"progress":5`, `"id":2,"result":`)
		p.post("an error", `{"jsonrpc":"2.0","id":3,"method":"resources/read","params":{"uri":"rig://none"}}`)
		p.want("an error", `"id":3,"error":`)
		for i, m := range []string{"tools/list", "resources/list", "resources/templates/list", "prompts/list"} {
			p.post(m, fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":%q}`, 10+i, m))
			p.want(m, fmt.Sprintf(`"id":%d,"result":{`, 10+i))
		}
		p.post("an unknown notification", `{"jsonrpc":"2.0","method":"notifications/none"}`)
		p.wantSilence("nothing answers a notification")
		p.wantOpen(rev)
		p.fin()
		r.wantNoSessions(rev)
	}
}

func (r *rig) wantNoSessions(why string) {
	r.t.Helper()
	r.await(why+": sessions with state", func() bool { return r.s.Stats().SessionsWithState == 0 && r.s.calls.Load() == 0 })
	if st := r.s.Stats(); st.SessionStreams != 0 || st.Streams != 0 {
		r.t.Fatalf("%s: %d streams, %d of sessions", why, st.Streams, st.SessionStreams)
	}
	r.wantInvariants(why)
}

func TestSSETakesLongContent(t *testing.T) {
	r := newSSERig(t, nil)
	p := r.openSSE()
	p.initialize("2024-11-05", "")
	text := strings.Repeat("x", 2*bigContent)
	for i, msg := range []string{sseCall("5", "echo", `{"text":"`+text+`"}`), sseCall("6", "add", `{"a":1,"b":1}`) + strings.Repeat(" ", bigContent)} {
		via := r.connect()
		res := p.from(via, msg)
		if res.status == 0 {
			r.await("accepted", func() bool { return len(via.got) > 0 })
			res = via.next("POST")
		}
		if res.status != 202 {
			t.Fatalf("message %d: %d %q", i, res.status, res.body)
		}
		via.wantOpen("the connection of a POST lives")
		p.want("it is served", [][]string{{`"id":5`}, {`notifications/progress`, `"id":6`}}[i]...)
	}
	via := r.connect()
	via.send(ssePost(p.where, "["+strings.Repeat(" ", bigContent)))
	r.await("refused", func() bool { return len(via.got) > 0 })
	via.wantCode("no JSON", 400, -32700)
	p.wantSilence("what is no message has no answer on the stream")
}

func TestSSERefusals(t *testing.T) {
	r := newSSERig(t, nil)
	p := r.openSSE()
	p.initialize("2025-11-25", "")
	gone := r.openSSE()
	gone.fin()
	streamable := append([]byte(nil), r.s.tickets.Issue(nil, &session.Ticket{Info: mcp.SessionInfo{Revision: "2025-11-25"}, Endpoint: r.s.main.endpoint}, time.Now())...)
	_, id, _ := strings.Cut(p.where, "=")
	ping := `{"jsonrpc":"2.0","id":1,"method":"ping"}`
	for _, tt := range []struct {
		why, request string
		status       int
		allow        string
	}{
		{"no id", ssePost("/sse/message", ping), 400, ""},
		{"an empty id", ssePost("/sse/message?sessionId=", ping), 404, ""},
		{"a forged id", ssePost("/sse/message?sessionId=AAAA", ping), 404, ""},
		{"a changed id", ssePost(strings.Replace(p.where, "=", "=A", 1), ping), 404, ""},
		{"the stream is closed", ssePost(gone.where, ping), 404, ""},
		{"the id of a Streamable HTTP session", ssePost("/sse/message?sessionId="+string(streamable), ping), 404, ""},
		{"no JSON", ssePost(p.where, "{"), 400, ""},
		{"an array before batches", ssePost(p.where, "["+ping+"]"), 400, ""},
		{"nothing", ssePost(p.where, ""), 400, ""},
		{"another content type", strings.Replace(ssePost(p.where, ping), "application/json", "text/plain", 1), 415, ""},
		{"GET of the message endpoint", "GET " + p.where + " HTTP/1.1\r\nHost: localhost\r\n\r\n", 405, "POST"},
		{"POST of the stream", ssePost("/sse", ping), 405, "GET"},
		{"DELETE of the stream", "DELETE /sse HTTP/1.1\r\nHost: localhost\r\n\r\n", 405, "GET"},
		{"JSON only", strings.Replace(getSSE, "text/event-stream", "application/json", 1), 406, ""},
		{"another host", strings.Replace(getSSE, "localhost", "evil.example", 1), 403, ""},
		{"another origin", strings.Replace(getSSE, "Accept:", "Origin: http://evil.example\r\nAccept:", 1), 403, ""},
		{"another origin on a POST", strings.Replace(ssePost(p.where, ping), "Content-T", "Origin: http://evil.example\r\nContent-T", 1), 403, ""},
		{"an id of HTTP+SSE at the MCP endpoint", "GET /mcp HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\nMcp-Session-Id: " + id + "\r\n\r\n", 404, ""},
		{"a path below", ssePost("/sse/message/x", ping), 404, ""},
	} {
		via := r.connect()
		via.send(tt.request)
		if res := via.next("POST"); res.status != tt.status || res.head.Get("Allow") != tt.allow {
			t.Errorf("%s: %d, Allow %q, want %d, %q", tt.why, res.status, res.head.Get("Allow"), tt.status, tt.allow)
		}
		r.wantInvariants(tt.why)
	}
	p.wantSilence("none of it reaches the stream of another")
	if n := r.s.Stats().SessionsWithState; n != 1 {
		t.Errorf("%d sessions with state, want the one", n)
	}
	preflight := r.connect()
	preflight.send("OPTIONS /sse HTTP/1.1\r\nHost: localhost\r\nOrigin: http://localhost:3000\r\nAccess-Control-Request-Method: GET\r\n\r\n")
	preflight.wantResponse("preflight", 204).wantField("preflight", "Access-Control-Allow-Origin", "http://localhost:3000")
}

func TestSSEIsOffByDefaultAndForModernOnly(t *testing.T) {
	for _, o := range []*Options{nil, {SSEPath: "/sse", ModernOnly: true}} {
		r := newRig(t, o)
		p := r.connect()
		p.send(getSSE)
		p.wantResponse("GET", 404)
		p.send(ssePost("/sse/message?sessionId=x", "{}"))
		p.wantResponse("POST", 404)
	}
	for _, o := range []*Options{{SSEPath: "/mcp"}, {SSEPath: "/x", Path: "/x/message"}, {SSEPath: "/healthz"}} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("SSEPath %s with Path %s is accepted", o.SSEPath, o.Path)
				}
			}()
			New(mcp.NewServer(&mcp.Implementation{Name: "x", Version: "1"}, nil), o)
		}()
	}
}

func TestModernOnlyRefusesInitialize(t *testing.T) {
	r := newRig(t, &Options{ModernOnly: true})
	p := r.connect()
	for version, told := range map[string]string{`"2025-11-25"`: `"2025-11-25"`, `"` + strings.Repeat("9", 99) + `"`: `""`} {
		p.send(request{method: "initialize", body: `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":` + version + `,"capabilities":{},"clientInfo":{"name":"c","version":"1"}}}`}.String())
		res := p.wantResponse("initialize", 400).wantField("initialize", "Mcp-Session-Id", "")
		if !strings.Contains(res.body, `"code":-32022,`) || !strings.Contains(res.body, `"data":{"supported":["2026-07-28"],"requested":`+told+`}`) {
			t.Errorf("answered %s", res.body)
		}
	}
	p.send(addCall(1, 2).String())
	p.wantResponse("a modern call", 200)
	p.wantOpen("a modern call")
}

func TestSSERefusesWhatIsNotServedThere(t *testing.T) {
	r := newSSERig(t, nil)
	p := r.openSSE()
	p.initialize("2025-11-25", "")
	p.rev = "2026-07-28"
	_, modern, _ := strings.Cut(addCall(1, 2).String(), "\r\n\r\n")
	p.post("a modern call", modern)
	msgs := p.want("a modern call", `"error":{"code":-32022`)
	for rev := range strings.SplitSeq("2025-11-25 2025-06-18 2025-03-26 2024-11-05", " ") {
		if !mcp.LegacyRevision([]byte(rev)) || !strings.Contains(msgs[0], rev) {
			t.Errorf("%s is not offered in %s", rev, msgs[0])
		}
	}
	_, listen, _ := strings.Cut(listenTo("2", everything).String(), "\r\n\r\n")
	p.post("a subscription", listen)
	p.want("a subscription", `"id":2,"error":{"code":-32022`)
	p.rev = "2025-11-25"
	p.post("an unknown method", `{"jsonrpc":"2.0","id":3,"method":"sails/hoist"}`)
	p.want("an unknown method", `"id":3,"error":{"code":-32601`)
}

func TestSSEAsksItsClient(t *testing.T) {
	r := newSSERig(t, nil)
	p := r.openSSE()
	p.initialize("2024-11-05", `"sampling":{}`)
	p.post("a call that asks", sseCall("7", "sample", `{}`))
	asked := p.want("the question", `"method":"sampling/createMessage"`)
	r.await("the worker is free while the client thinks", func() bool { return playForwarded || len(r.l.workers.idle) == 1 })
	var q struct{ ID string }
	if err := json.Unmarshal([]byte(asked[0]), &q); err != nil || q.ID == "" {
		t.Fatalf("%v: %s", err, asked[0])
	}
	answer := `{"jsonrpc":"2.0","id":%q,"result":{"role":"assistant","content":{"type":"text","text":"aye"},"model":"parrot"}}`
	other := r.openSSE()
	other.initialize("2024-11-05", "")
	other.post("a stranger answers", fmt.Sprintf(answer, q.ID))
	p.wantSilence("another session's answer")
	p.post("the answer", fmt.Sprintf(answer, q.ID))
	p.want("the result", `model parrot`)
	p.post("the answer again", fmt.Sprintf(answer, q.ID))
	p.wantSilence("a second answer")

	p.post("another call that asks", sseCall("8", "sample", `{}`))
	p.want("another question", `"method":"sampling/createMessage"`)
	p.fin()
	other.fin()
	r.wantNoSessions("a question to a client that has disconnected")
}

func TestSSEChangesAndLevels(t *testing.T) {
	r := newSSERig(t, nil)
	p := r.openSSE()
	r.change(changeOf("tools"))
	p.wantSilence("a change before initialize")
	p.initialize("2024-11-05", "")
	r.change(changeOf("tools"))
	p.want("a change", `notifications/tools/list_changed`)
	r.change(changeOf("rig://a"))
	p.wantSilence("a resource without subscription")
	p.post("subscribe", `{"jsonrpc":"2.0","id":1,"method":"resources/subscribe","params":{"uri":"rig://a"}}`)
	p.want("subscribe", `"id":1,"result":{}`)
	r.change(changeOf("rig://a"), changeOf("rig://b"))
	p.want("an update", `"uri":"rig://a"`)
	p.post("unsubscribe", `{"jsonrpc":"2.0","id":2,"method":"resources/unsubscribe","params":{"uri":"rig://a"}}`)
	p.want("unsubscribe", `"id":2,"result":{}`)
	r.change(changeOf("rig://a"))
	p.wantSilence("no subscription any more")
	p.post("unknown", `{"jsonrpc":"2.0","id":3,"method":"resources/subscribe","params":{"uri":"rig://none"}}`)
	p.want("unknown", `"id":3,"error":`)

	p.post("a call that logs", sseCall("4", "logs", `{"a":1,"b":1}`))
	p.want("errors at the default level", `"level":"error"`, `"id":4`)
	p.post("setLevel", `{"jsonrpc":"2.0","id":5,"method":"logging/setLevel","params":{"level":"debug"}}`)
	p.want("setLevel", `"id":5,"result":{}`)
	p.post("a call that logs", sseCall("6", "logs", `{"a":1,"b":1}`))
	p.want("all at level debug", `"level":"debug"`, `"level":"error"`, `"id":6`)
	p.post("subscribe again", `{"jsonrpc":"2.0","id":8,"method":"resources/subscribe","params":{"uri":"rig://b"}}`)
	p.want("subscribe again", `"id":8,"result":{}`)
	p.fin()
	r.wantNoSessions("level and subscriptions go with the stream")
}

func TestSSEBatchesWhereTheRevisionHasThem(t *testing.T) {
	r := newSSERig(t, nil)
	p := r.openSSE()
	p.initialize("2025-03-26", "")
	p.post("a batch", `[{"jsonrpc":"2.0","id":1,"method":"ping"},{"jsonrpc":"2.0","method":"notifications/initialized"},{"jsonrpc":"2.0","id":2,"method":"ping"}]`)
	p.want("a batch", `[{"jsonrpc":"2.0","id":1,"result":{}},{"jsonrpc":"2.0","id":2,"result":{}}]`)
	p.post("notifications only", `[{"jsonrpc":"2.0","method":"notifications/initialized"}]`)
	wait := `[{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":"wait","arguments":{}}}]`
	p.post("a batch that waits", fmt.Sprintf(wait, 3))
	p.post("another at the same time", fmt.Sprintf(wait, 4))
	r.hold <- struct{}{}
	r.hold <- struct{}{}
	msgs := strings.Join(p.want("two batches at once", "", ""), "")
	if !strings.Contains(msgs, `"id":3,"result"`) || !strings.Contains(msgs, `"id":4,"result"`) {
		t.Errorf("two batches at once: %s", msgs)
	}
	p.fin()
	r.wantNoSessions("batches")
}
