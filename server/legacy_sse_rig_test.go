package server

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/mooring-mcp/mooring/mcp"
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
	mcp.AddTool(r.upstream, &mcp.Tool{Name: "sample"}, func(_ context.Context, req *mcp.CallToolRequest, _ noIn) (*mcp.CallToolResult, any, error) {
		if got, ok := req.Params.InputResponses["s"].(*mcp.CreateMessageWithToolsResult); ok {
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
	r.showUpstream()
	r.awaitNotices()
	return r
}

// awaitNotices waits until the loop knows of all tools that were added.
func (r *rig) awaitNotices() {
	r.t.Helper()
	r.await("the loop knows of the tools", func() bool {
		r.s.main.notices.mu.Lock()
		defer r.s.main.notices.mu.Unlock()
		return r.s.main.notices.pending.empty() && r.s.main.notices.log.seq > 0 && r.l.main.told == r.s.main.notices.log.seq
	})
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
