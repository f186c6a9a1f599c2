package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/mcp"
	"github.com/mooring-mcp/mooring/server/internal/endpoint"
	"github.com/mooring-mcp/mooring/server/internal/session"
	"github.com/mooring-mcp/mooring/sse"
)

// An ssePeer is a client of HTTP+SSE: its stream, and the revision that the messages on it are
// held to.
type ssePeer struct {
	*fakePeer
	where   string // path and query that messages are posted to
	rev     string
	methods map[string]string // of requests, by id
}

const getSSE = "GET /sse HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n"

// newSSERig returns a rig that serves HTTP+SSE, with tools that ask and log.
func newSSERig(t testing.TB, opts *Options) *rig {
	t.Helper()
	var o Options
	if opts != nil {
		o = *opts
	}
	o.SSEPath = "/sse"
	r := newRig(t, &o, func(o *mcp.ServerOptions) {
		o.Capabilities = &mcp.ServerCapabilities{Logging: &mcp.LoggingCapabilities{}}
	})
	mcp.AddTool(r.ms, &mcp.Tool{Name: "sample"}, func(_ context.Context, req *mcp.CallToolRequest, _ noIn) (*mcp.CallToolResult, any, error) {
		if got, ok := req.Params.InputResponses["s"].(*mcp.CreateMessageResult); ok {
			return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: "model " + got.Model}}}, nil, nil
		}
		return &mcp.CallToolResult{InputRequests: mcp.InputRequestMap{"s": &mcp.CreateMessageParams{
			MaxTokens: 9, Messages: []*mcp.SamplingMessage{{Role: "user", Content: &mcp.TextContent{Text: "ahoy?"}}},
		}}}, nil, nil
	})
	mcp.AddInlineTool(r.ms, &mcp.Tool{Name: "logs"}, func(req *mcp.CallToolRequest, in addIn) (addOut, error) {
		for _, level := range []mcp.LoggingLevel{mcp.LevelDebug, mcp.LevelError} {
			_ = req.Log(level, "hull", string(level))
		}
		return addOut{in.A}, nil
	})
	r.await("the loop knows of the tools", func() bool {
		r.s.notices.mu.Lock()
		defer r.s.notices.mu.Unlock()
		return r.s.notices.pending.empty() && r.s.notices.log.seq > 0 && r.l.told == r.s.notices.log.seq
	})
	return r
}

// openSSE opens a stream and looks at its first event.
func (r *rig) openSSE() *ssePeer {
	r.t.Helper()
	p := &ssePeer{fakePeer: r.connect(), rev: "2024-11-05", methods: make(map[string]string)}
	p.send(getSSE)
	res := p.wantResponse("GET", 200)
	events := decodeEvents(r.t, res.body)
	if !res.stream || res.ended || len(events) != 1 || events[0].Type != "endpoint" {
		r.t.Fatalf("stream begins %q, want one endpoint event", res.body)
	}
	p.where = string(events[0].Data)
	if id, ok := strings.CutPrefix(p.where, "/sse/message?sessionId="); !ok || len(id) > session.MaxID || strings.Trim(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") != "" {
		r.t.Fatalf("endpoint %q", p.where)
	}
	return p
}

func decodeEvents(t testing.TB, content string) (events []sse.Event) {
	t.Helper()
	var d sse.Decoder
	for e, err := range d.Decode([]byte(content)) {
		if err != nil {
			t.Fatalf("%v: %q", err, content)
		}
		c := *e
		c.Data = append([]byte(nil), e.Data...)
		events = append(events, c)
	}
	return events
}

// from posts a message on another connection and returns the answer to the POST.
func (p *ssePeer) from(via *fakePeer, msg string) *response {
	p.r.t.Helper()
	for _, msg := range each([]byte(msg)) {
		var m struct {
			ID     json.RawMessage
			Method string
		}
		if json.Unmarshal(msg, &m) == nil && m.ID != nil {
			p.methods[string(m.ID)] = m.Method
		}
	}
	via.send(ssePost(p.where, msg))
	return via.next("POST")
}

// each returns the messages of a batch, or the one message.
func each(msg []byte) (all []json.RawMessage) {
	if json.Unmarshal(msg, &all) == nil {
		return all
	}
	return []json.RawMessage{msg}
}

func ssePost(where, msg string) string {
	return fmt.Sprintf("POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", where, len(msg), msg)
}

// post posts a message that is accepted.
func (p *ssePeer) post(why, msg string) {
	p.r.t.Helper()
	via := p.r.connect()
	if res := p.from(via, msg); res.status != 202 || res.body != "" {
		p.r.t.Fatalf("%s: POST answered %d %q, want 202", why, res.status, res.body)
	}
	via.wantOpen(why)
	via.fin()
}

// messages returns what has come on the stream, each held to the schema of the revision; "END"
// stands for the end.
func (p *ssePeer) messages() (msgs []string) {
	t := p.r.t
	t.Helper()
	content, n, ended := p.dechunk(p.got)
	p.got = append(p.got[:0], p.got[n:]...)
	for _, e := range decodeEvents(t, content) {
		if e.Type != "message" || e.HasID || e.HasRetry {
			t.Errorf("event %+v, want a message without id", e)
		}
		for _, msg := range each(e.Data) {
			var m struct{ ID json.RawMessage }
			_ = json.Unmarshal(msg, &m)
			p.r.schema.Message(t, p.rev, p.methods[string(m.ID)], msg)
		}
		msgs = append(msgs, string(e.Data))
	}
	if ended {
		msgs = append(msgs, "END")
	}
	return msgs
}

// want waits for messages on the stream, each of which contains its text.
func (p *ssePeer) want(why string, texts ...string) []string {
	p.r.t.Helper()
	var msgs []string
	p.r.await(why, func() bool {
		msgs = append(msgs, p.messages()...)
		return len(msgs) >= len(texts)
	})
	for i, m := range msgs {
		if i >= len(texts) || !strings.Contains(m, texts[i]) {
			p.r.t.Fatalf("%s: stream carries\n%.2000s\nwant %q", why, strings.Join(msgs, "\n"), texts)
		}
	}
	return msgs
}

func (p *ssePeer) wantSilence(why string) {
	p.r.t.Helper()
	if msgs := p.messages(); len(msgs) > 0 {
		p.r.t.Fatalf("%s: stream carries %q", why, msgs)
	}
}

// initialize opens the session in the revision.
func (p *ssePeer) initialize(rev, capabilities string) {
	p.r.t.Helper()
	p.rev = rev
	p.post("initialize", fmt.Sprintf(`{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":%q,"capabilities":{%s},"clientInfo":{"name":"dinghy","version":"1"}}}`, rev, capabilities))
	p.want("initialize", fmt.Sprintf(`"protocolVersion":%q`, rev))
	p.post("initialized", `{"jsonrpc":"2.0","method":"notifications/initialized"}`)
}

func sseCall(id, tool, arguments string) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"method":"tools/call","params":{"name":%q,"arguments":%s,"_meta":{"progressToken":%s}}}`, id, tool, arguments, id)
}

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
	streamable := append([]byte(nil), r.s.tickets.Issue(nil, &session.Ticket{Info: mcp.SessionInfo{Revision: "2025-11-25"}}, time.Now())...)
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
					t.Errorf("SSEPath %s beside Path %s is taken", o.SSEPath, o.Path)
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
	r.await("the worker is free while the client thinks", func() bool { return len(r.l.workers.idle) == 1 })
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
	r.wantNoSessions("a question to who is gone")
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
	p.post("another beside it", fmt.Sprintf(wait, 4))
	r.hold <- struct{}{}
	r.hold <- struct{}{}
	msgs := strings.Join(p.want("two batches at once", "", ""), "")
	if !strings.Contains(msgs, `"id":3,"result"`) || !strings.Contains(msgs, `"id":4,"result"`) {
		t.Errorf("two batches at once: %s", msgs)
	}
	p.fin()
	r.wantNoSessions("batches")
}

func TestSSEStreamThatClosesEndsItsCalls(t *testing.T) {
	for _, end := range []string{"FIN", "RST"} {
		r := newSSERig(t, nil)
		p := r.openSSE()
		p.initialize("2024-11-05", "")
		p.post("a call", sseCall("1", "wait", `{}`))
		if end == "FIN" {
			p.fin()
		} else {
			p.rst()
		}
		select {
		case cause := <-r.causes:
			if !errors.Is(cause, errClientGone) {
				t.Errorf("%s: cause %v", end, cause)
			}
		case <-time.After(20 * time.Second):
			t.Fatalf("%s: the call goes on", end)
		}
		via := r.connect()
		if res := p.from(via, sseCall("2", "add", `{"a":1,"b":1}`)); res.status != 404 {
			t.Errorf("%s: POST after the end: %d, want 404", end, res.status)
		}
		r.wantNoSessions(end)
		if n := r.l.m.requests[mcp.MethodCallTool][outcomeCancelled].Load(); n != 1 {
			t.Errorf("%s: %d calls counted as cancelled", end, n)
		}
	}
}

func TestSSEDisconnectOfAPOSTIsNoCancellation(t *testing.T) {
	r := newSSERig(t, nil)
	p := r.openSSE()
	p.initialize("2024-11-05", "")
	p.post("a call, whose connection closes", sseCall("1", "wait", `{}`))
	r.hold <- struct{}{}
	p.want("the answer", `"id":1,"result"`)
	if n := r.l.m.requests[mcp.MethodCallTool][outcomeOK].Load(); n != 1 {
		t.Errorf("%d calls counted as ok, want 1", n)
	}
}

func TestSSECancellation(t *testing.T) {
	r := newSSERig(t, nil)
	p := r.openSSE()
	p.initialize("2024-11-05", `"sampling":{}`)
	p.post("a call", sseCall("1", "wait", `{}`))
	p.post("a call that asks", sseCall("2", "sample", `{}`))
	p.want("the question", `sampling/createMessage`)
	for _, id := range []string{"1", "2", "3"} {
		p.post("cancel", `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":`+id+`}}`)
	}
	if cause := <-r.causes; !errors.Is(cause, errCancelled) {
		t.Errorf("cause %v", cause)
	}
	r.await("both have ended", func() bool { return r.s.calls.Load() == 0 })
	p.wantSilence("nothing answers what was cancelled")
	p.post("the session goes on", sseCall("1", "echo", `{"text":"x"}`))
	p.want("the session goes on", `"id":1,"result"`)
}

func TestSSECallsTakeNoLongerThanTheyMay(t *testing.T) {
	r := newSSERig(t, &Options{CallTimeout: 3 * time.Second, Heartbeat: time.Hour})
	p := r.openSSE()
	p.initialize("2024-11-05", `"sampling":{}`)
	p.post("a call", sseCall("1", "wait", `{}`))
	p.post("a call that asks", sseCall("2", "sample", `{}`))
	p.want("the question", `sampling/createMessage`)
	r.await("the question is parked", func() bool { return len(r.l.workers.idle) == 1 })
	r.pass(2 * time.Second)
	p.wantSilence("there is time")
	r.pass(2 * time.Second)
	msgs := strings.Join(p.want("both time out", "longer than", "longer than"), "")
	if !strings.Contains(msgs, `"id":1,`) || !strings.Contains(msgs, `"id":2,`) {
		t.Errorf("answered %s", msgs)
	}
	if cause := <-r.causes; !errors.Is(cause, errCallTimeout) {
		t.Errorf("cause %v", cause)
	}
	r.await("both have ended", func() bool { return r.s.calls.Load() == 0 })
	p.wantSilence("one answer a call")
	if n := r.l.m.requests[mcp.MethodCallTool][outcomeTimeout].Load(); n != 2 {
		t.Errorf("%d calls counted as timed out", n)
	}
}

func TestSSEBounds(t *testing.T) {
	r := newSSERig(t, &Options{MaxStreams: 1, MaxCalls: 1})
	p := r.openSSE()
	p.initialize("2024-11-05", "")
	second := r.connect()
	second.send(getSSE)
	second.wantResponse("one stream too many", 503).wantField("one stream too many", "Retry-After", "1")
	second.wantOpen("one stream too many")
	p.post("a call", sseCall("1", "wait", `{}`))
	if res := p.from(second, sseCall("2", "wait", `{}`)); res.status != 503 || !strings.Contains(res.body, "-32603") {
		t.Errorf("one call too many: %d %q", res.status, res.body)
	}
	r.hold <- struct{}{}
	p.want("the first goes on", `"id":1,"result"`)

	r = newSSERig(t, &Options{MaxSessions: 1})
	p = r.openSSE()
	second = r.connect()
	second.send(getSSE)
	second.wantResponse("one session too many", 503)
	second.wantOpen("one session too many")
	p.fin()
	r.wantNoSessions("bounds")
	second.send(getSSE)
	if res := second.wantResponse("there is room again", 200); !res.stream {
		t.Error("no stream")
	}
}

func TestSSEStreamOfWhoDoesNotReadIsClosed(t *testing.T) {
	r := newSSERig(t, &Options{MaxUnsent: 4 << 10, MaxResponse: 8 << 10})
	p := r.openSSE()
	p.initialize("2024-11-05", "")
	p.slow(0)
	echo := func(id int) string {
		return sseCall(fmt.Sprint(id), "echo", `{"text":"`+strings.Repeat("x", 5<<10)+`"}`)
	}
	p.post("one response waits", echo(1))
	r.await("one response waits", func() bool { return len(p.pending) > 5<<10 })
	p.post("another has room", echo(2))
	r.await("another has room", func() bool { return len(p.pending) > 10<<10 || p.closed })
	p.wantOpen("two responses wait")
	p.post("a third has none", echo(3))
	r.await("a third has none", func() bool { return p.closed })
	p.wantClosed("a third has none", closeUnsent)
	if !p.reset {
		t.Error("what waits is not dropped")
	}
	r.wantNoSessions("a slow reader")

	p = r.openSSE()
	p.initialize("2024-11-05", "")
	p.slow(0)
	p.post("a response", echo(1))
	r.await("a response waits", func() bool { return len(p.pending) > 5<<10 })
	r.change(changeOf("tools"))
	r.change(changeOf("tools"))
	p.catchUp()
	p.want("the response arrives", `"id":1`)
	r.pass(time.Second)
	p.want("many changes are one notice", "list_changed")
}

func TestSSETooLongResponseIsAnError(t *testing.T) {
	r := newSSERig(t, &Options{MaxResponse: 1 << 10})
	p := r.openSSE()
	p.rev = "2024-11-05"
	p.post("a worker's", sseCall("1", "echo", `{"text":"`+strings.Repeat("x", 2<<10)+`"}`))
	p.want("a worker's", `"id":1,"error":{"code":-32603`)
	p.post("an inline one", `{"jsonrpc":"2.0","id":2,"method":"tools/list"}`)
	p.want("an inline one", `"id":2,"error":{"code":-32603`)
}

func TestSSEHeartbeat(t *testing.T) {
	r := newSSERig(t, &Options{Heartbeat: 2 * time.Second})
	p := r.openSSE()
	r.pass(5 * time.Second)
	if n := strings.Count(p.take(), endpoint.HeartbeatChunk); n < 1 || n > 3 {
		t.Errorf("%d heartbeats in 5 s, every 2 s", n)
	}
	p.wantOpen("an idle stream")
}

func TestSSEDrainLetsCallsFinish(t *testing.T) {
	r := newSSERig(t, nil)
	idle, busy := r.openSSE(), r.openSSE()
	busy.initialize("2024-11-05", "")
	busy.post("a call", sseCall("1", "wait", `{}`))
	r.l.postDrain(&drainOrder{spread: 2})
	r.run()
	r.pass(time.Second)
	if msgs := idle.messages(); len(msgs) != 1 || msgs[0] != "END" {
		t.Errorf("an idle stream ends with %q", msgs)
	}
	idle.wantClosed("an idle stream", closeDrain)
	busy.wantOpen("a stream with a call")
	r.hold <- struct{}{}
	busy.want("the call finishes", `"id":1,"result"`)
	r.pass(time.Second)
	busy.wantClosed("then the stream ends", closeDrain)
	r.wantNoSessions("drain")
}

func TestSSEOverHTTP10(t *testing.T) {
	r := newSSERig(t, nil)
	p := r.connect()
	p.send(strings.Replace(getSSE, "HTTP/1.1", "HTTP/1.0", 1))
	head, body, _ := strings.Cut(p.take(), "\r\n\r\n")
	events := decodeEvents(t, body)
	if strings.Contains(head, "chunked") || len(events) != 1 || events[0].Type != "endpoint" {
		t.Fatalf("%s\n\n%s", head, body)
	}
	via := r.connect()
	via.send(ssePost(string(events[0].Data), `{"jsonrpc":"2.0","id":1,"method":"ping"}`))
	via.wantResponse("POST", 202)
	p.wantBytes("the answer", "event: message\ndata: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\n\n")
}

// What one stream carries must not be found again in what the loop writes next: the buffer of the
// one is not the scratch of the other.
func TestSSEEventsStayWhereTheyBelong(t *testing.T) {
	r := newSSERig(t, nil)
	p := r.openSSE()
	p.initialize("2024-11-05", "")
	modern := r.connect()
	for i := range 20 {
		p.post("a call", sseCall(fmt.Sprint(i), "steps", `{"text":"of the session"}`))
		p.want("a call", "progress", "progress", "progress", "progress", "progress", "result")
		q := callTool("steps", `{"text":"of the other"}`)
		q.meta = `,"progressToken":7`
		modern.send(q.String())
		r.await("a modern call", func() bool { return strings.Contains(string(modern.got), `"result":`) })
		events := modern.events(modern.wantResponse("a modern call", 200).body)
		for n, e := range events {
			if n < 5 && !strings.HasPrefix(e, `{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":7,`) || len(events) != 6 {
				t.Fatalf("round %d: event %d of %d: %s", i, n, len(events), e)
			}
		}
	}
}
