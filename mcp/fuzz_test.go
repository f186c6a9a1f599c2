package mcp

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"testing"

	"github.com/mooring-mcp/mooring/jsonrpc"
)

func fuzzServer(t testing.TB) *Server {
	s := newTestServer(t, &ServerOptions{
		Logger:            slog.New(slog.NewTextHandler(io.Discard, nil)),
		CompletionHandler: func(context.Context, *CompleteRequest) (*CompleteResult, error) { return nil, nil },
	})
	fillServer(s, 2)
	addAsker(s)
	addReporter(s, "looks", func(_ context.Context, req *CallToolRequest) error {
		_, _, _ = req.ClientCapabilities(), req.ClientInfo(), req.Params.Meta
		_ = req.Progress(1, 2, "x")
		return req.Log(LevelEmergency, "", "x")
	})
	AddTool(s, &Tool{Name: "header", InputSchema: json.RawMessage(`{"type":"object","properties":{"a":{"type":"integer","x-mcp-header":"A"},"b":{"type":"object","properties":{"c":{"type":"string","x-mcp-header":"C"}}}}}`)},
		func(context.Context, *CallToolRequest, any) (*CallToolResult, any, error) { return nil, nil, nil })
	return s
}

func fuzzSeeds(f *testing.F) {
	c := &client{t: f, caps: `{}`}
	for _, seed := range []struct{ method, members string }{
		{"tools/call", `"name":"add","arguments":{"a":1,"b":2}`},
		{"tools/call", `"name":"header","arguments":{"a":1,"b":{"c":"x"}}`},
		{"tools/call", `"name":"ask",` + answered},
		{"tools/call", `"name":"looks"`},
		{"tools/list", `"cursor":"MXRlY2hv"`},
		{"resources/read", `"uri":"test://f00/1"`},
		{"prompts/get", `"name":"f00","arguments":{"a":"b"}`},
		{"completion/complete", `"ref":{"type":"ref/prompt","name":"f00"},"argument":{"name":"a","value":"b"},"context":{"arguments":{"x":"y"}}`},
		{"subscriptions/listen", `"notifications":{"toolsListChanged":true,"resourceSubscriptions":["test://f00"]}`},
		{"server/discover", ``},
		{"initialize", `"protocolVersion":"2025-11-25"`},
	} {
		c.meta = `,"io.modelcontextprotocol/clientInfo":{"name":"n","version":"v"},"progressToken":"t","io.modelcontextprotocol/logLevel":"debug","traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"`
		body := `{"jsonrpc":"2.0","id":1,"method":"` + seed.method + `","params":` + c.params(seed.members) + `}`
		f.Add([]byte(body), []byte(modern), []byte(seed.method), []byte("add"), []byte("A"), []byte("1"))
	}
	f.Add([]byte(`{"jsonrpc":"2.0","method":"notifications/cancelled"}`), []byte(nil), []byte(nil), []byte(nil), []byte(nil), []byte(nil))
	f.Add([]byte(`{"jsonrpc":"2.0","id":1,"result":{}}`), []byte(nil), []byte(nil), []byte(nil), []byte(nil), []byte(nil))
}

// Whatever message comes, with whatever fields: it is refused with a code and a 4xx
// status, or accepted; if it is a request there is exactly one answer, valid JSON that
// echoes the id and is valid in the schema; and preparing it again does the same.
func FuzzPrepare(f *testing.F) {
	fuzzSeeds(f)
	s := fuzzServer(f)
	c := newClient(f, s)
	f.Fuzz(func(t *testing.T, body, version, method, name, field, value []byte) {
		var m jsonrpc.Message
		if m.Decode(body) != nil {
			return
		}
		before := bytes.Clone(body)
		meta := &RequestMeta{HTTP: len(version) > 0, ProtocolVersion: version, Method: method, Name: name, Params: fields(string(field), string(value))}
		var call Call
		e := s.Prepare(&call, &m, meta)
		if e != nil {
			if status := call.Status(e.Code); e.Code == 0 || status != 400 && status != 404 {
				t.Fatalf("refused with code %d, status %d", e.Code, status)
			}
			c.schema.Message(t, modern, "", jsonrpc.AppendError(nil, call.ID(), e))
		} else {
			answerFuzzed(t, c, &call, &m)
		}
		kind := call.Kind()
		call.Reset()
		again := s.Prepare(&call, &m, meta)
		if (again == nil) != (e == nil) || again != nil && again.Code != e.Code || call.Kind() != kind {
			t.Fatalf("refused with %v, then %v", e, again)
		}
		if !bytes.Equal(before, body) {
			t.Fatal("the message was changed")
		}
	})
}

func answerFuzzed(t *testing.T, c *client, call *Call, m *jsonrpc.Message) {
	switch call.Kind() {
	case CallNotification:
		if m.Kind != jsonrpc.KindNotification {
			t.Fatalf("a %s is a notification", m.Kind)
		}
	case CallListen:
		c.schema.Message(t, modern, "", c.s.AppendAcknowledged(nil, call.Listen()))
	case CallRequest:
		w := &recorder{t: t}
		call.Run(t.Context(), w)
		if w.responses != 1 || !bytes.Contains([]byte(w.body), append([]byte(`{"jsonrpc":"2.0","id":`), m.ID...)) {
			t.Fatalf("%d responses: %s", w.responses, w.body)
		}
		method := call.Method().String()
		if w.code != 0 {
			method = ""
		}
		c.schema.Message(t, modern, method, []byte(w.body))
		for _, n := range w.notified {
			c.schema.Message(t, modern, "", []byte(n))
		}
	default:
		t.Fatalf("accepted as kind %d", call.Kind())
	}
}

// A message that no decoder has seen (a transport's mistake) may be answered with
// nonsense, but nothing panics outside of the handlers' protection.
func FuzzPrepareUndecoded(f *testing.F) {
	f.Add([]byte(`tools/call`), []byte(`{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}},"name":"header","arguments":{"a`), []byte(`1`))
	f.Add([]byte(`tools/list`), []byte(`{"_meta":"`), []byte(`"`))
	f.Add([]byte(`completion/complete`), []byte(`{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}},"ref":{"type":"},"argument":{`), []byte(nil))
	s := fuzzServer(f)
	f.Fuzz(func(t *testing.T, method, params, id []byte) {
		m := jsonrpc.Message{Kind: jsonrpc.KindRequest, ID: id, Method: method, Params: params}
		var call Call
		if s.Prepare(&call, &m, &RequestMeta{HTTP: true, ProtocolVersion: []byte(modern), Method: method, Params: fields("A", "1")}) == nil {
			call.Run(t.Context(), &recorder{t: t})
		}
	})
}
