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

// Any message with any fields is either refused with a code and a 4xx status, or accepted. A
// request gets exactly one response, which is valid JSON, echoes the id and conforms to the
// schema. Preparing the message again has the same result.
func FuzzPrepare(f *testing.F) {
	fuzzSeeds(f)
	s := fuzzServer(f)
	c := newClient(f, s)
	f.Fuzz(func(t *testing.T, body, version, method, name, field, value []byte) {
		var m jsonrpc.Envelope
		if m.Decode(body) != nil {
			return
		}
		before := bytes.Clone(body)
		meta := &RequestMeta{HTTP: len(version) > 0, ProtocolVersion: version, Method: method, Name: name, Params: fields(string(field), string(value))}
		var call Call
		e := s.Prepare(&call, &m, meta)
		if e != nil {
			wantRefusal(t, c, &call, &m, e)
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

// FuzzPrepareInSession does the same for messages that come with a session of any revision, and for
// the answers to calls that ask.
func FuzzPrepareInSession(f *testing.F) {
	for i, seed := range []string{
		`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"add","arguments":{"a":1,"b":2}}}`,
		`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"looks","_meta":{"progressToken":7}}}`,
		`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"ask"}}`,
		`{"jsonrpc":"2.0","id":1,"method":"prompts/get","params":{"name":"ask","requestState":"x","inputResponses":{}}}`,
		`{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"cursor":"MXRlY2hv"}}`,
		`{"jsonrpc":"2.0","id":"x","method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{"sampling":{}},"clientInfo":{"name":"n","version":"v"}}}`,
		`{"jsonrpc":"2.0","id":1,"method":"ping"}`,
		`{"jsonrpc":"2.0","id":1,"method":"logging/setLevel","params":{"level":"debug"}}`,
		`{"jsonrpc":"2.0","id":1,"method":"resources/subscribe","params":{"uri":"test://f00"}}`,
		`{"jsonrpc":"2.0","id":1,"method":"resources/unsubscribe","params":{"uri":"test://f00"}}`,
		`{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}}`,
		`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}`,
		`{"jsonrpc":"2.0","id":"ask-1","result":{"action":"accept"}}`,
		`{"jsonrpc":"2.0","id":"ask-1","error":{"code":-1,"message":"no"}}`,
	} {
		f.Add([]byte(seed), []byte{byte(i % 5), 0xff, 0xff, 'n'}, []byte("2025-11-25"), "info", []byte(`{"jsonrpc":"2.0","id":1,"result":{"action":"accept","content":{"name":"Ada"}}}`))
	}
	s := fuzzServer(f)
	c := newClient(f, s)
	f.Fuzz(func(t *testing.T, body, ticket, version []byte, level string, reply []byte) {
		var m jsonrpc.Envelope
		info := &SessionInfo{}
		if m.Decode(body) != nil || info.UnmarshalBinary(ticket) != nil {
			return
		}
		if again := info.AppendBinary(nil); !bytes.Equal(again, ticket) {
			t.Fatalf("%x is %x", ticket, again)
		}
		info.LogLevel = LoggingLevel(level)
		meta := &RequestMeta{HTTP: len(version) > 0, ProtocolVersion: version, Session: info}
		var call Call
		if e := s.Prepare(&call, &m, meta); e != nil {
			wantRefusal(t, c, &call, &m, e)
			return
		}
		if !call.Legacy() {
			return // see FuzzPrepare
		}
		if call.Kind() == CallRequest && call.Method() == MethodCallTool {
			askFuzzed(t, c, &call, &m, reply)
			return
		}
		answerFuzzed(t, c, &call, &m)
	})
}

// askFuzzed answers every question of the call with reply.
func askFuzzed(t *testing.T, c *client, call *Call, m *jsonrpc.Envelope, reply []byte) {
	w := &asker{recorder: recorder{t: t}, can: true}
	call.Run(t.Context(), w)
	for call.Asking() {
		responses := []byte{'{'}
		for i := range w.asks {
			c.schema.Message(t, call.rev.name, "", AppendAsk(nil, []byte("1"), &w.asks[i]))
			var r jsonrpc.Envelope
			if r.Decode(reply) == nil {
				responses = AppendAskAnswer(responses, w.asks[i].Key, &r)
			}
		}
		if responses = append(responses, '}'); !json.Valid(responses) {
			t.Fatalf("invalid: %s", responses)
		}
		call.Resume(t.Context(), w, responses)
	}
	wantAnswer(t, c, call, m, &w.recorder)
}

// wantRefusal checks the response to a message that was refused.
func wantRefusal(t *testing.T, c *client, call *Call, m *jsonrpc.Envelope, e *jsonrpc.Error) {
	revision, status := modern, call.Status(e.Code)
	if call.rev != nil {
		revision = call.rev.name
	}
	if e.Code == 0 || status != 400 && status != 404 && (status != 200 || !call.Legacy() || m.Kind != jsonrpc.KindRequest) {
		t.Fatalf("refused with code %d, status %d", e.Code, status)
	}
	if m.Kind == jsonrpc.KindRequest {
		c.schema.Message(t, revision, "", jsonrpc.AppendError(nil, call.ID(), e))
	}
}

func answerFuzzed(t *testing.T, c *client, call *Call, m *jsonrpc.Envelope) {
	switch call.Kind() {
	case CallAnswer:
		if m.Kind != jsonrpc.KindResult && m.Kind != jsonrpc.KindErrorResponse || call.ID() == nil {
			t.Fatalf("a %s is an answer", m.Kind)
		}
	case CallNotification:
		if m.Kind != jsonrpc.KindNotification {
			t.Fatalf("a %s is a notification", m.Kind)
		}
	case CallListen:
		c.schema.Message(t, modern, "", c.s.AppendAcknowledged(nil, call.Listen()))
	case CallRequest, CallInitialize, CallSession:
		if (call.Kind() == CallInitialize) != (call.NewSession() != nil) || (call.Kind() == CallSession) != (call.Op().Kind != OpNone) {
			t.Fatalf("kind %d, session %v, op %v", call.Kind(), call.NewSession(), call.Op())
		}
		w := &recorder{t: t}
		call.Run(t.Context(), w)
		wantAnswer(t, c, call, m, w)
	default:
		t.Fatalf("accepted as kind %d", call.Kind())
	}
}

// wantAnswer checks the response to a request.
func wantAnswer(t *testing.T, c *client, call *Call, m *jsonrpc.Envelope, w *recorder) {
	if w.responses != 1 || !bytes.Contains([]byte(w.body), append([]byte(`{"jsonrpc":"2.0","id":`), m.ID...)) {
		t.Fatalf("%d responses: %s", w.responses, w.body)
	}
	method := call.Method().String()
	if w.code != 0 {
		method = ""
	}
	c.schema.Message(t, call.rev.name, method, []byte(w.body))
	for _, n := range w.notified {
		c.schema.Message(t, call.rev.name, "", []byte(n))
	}
}

// A message that was never decoded (a mistake of the transport) may get a meaningless response, but
// nothing panics outside of the handlers' protection.
func FuzzPrepareUndecoded(f *testing.F) {
	f.Add([]byte(`tools/call`), []byte(`{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}},"name":"header","arguments":{"a`), []byte(`1`))
	f.Add([]byte(`tools/list`), []byte(`{"_meta":"`), []byte(`"`))
	f.Add([]byte(`completion/complete`), []byte(`{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}},"ref":{"type":"},"argument":{`), []byte(nil))
	s := fuzzServer(f)
	f.Fuzz(func(t *testing.T, method, params, id []byte) {
		m := jsonrpc.Envelope{Kind: jsonrpc.KindRequest, ID: id, Method: method, Params: params}
		var call Call
		if s.Prepare(&call, &m, &RequestMeta{HTTP: true, ProtocolVersion: []byte(modern), Method: method, Params: fields("A", "1")}) == nil {
			call.Run(t.Context(), &recorder{t: t})
		}
	})
}
