package mcp

import (
	"strings"
	"testing"

	"github.com/mooring-mcp/mooring/jsonrpc"
)

// The envelope of a message decides its era, whatever else came with it.
func TestEras(t *testing.T) {
	s := newTestServer(t, nil)
	const (
		meta  = `"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}`
		bad   = `"_meta":{"io.modelcontextprotocol/protocolVersion":"2099-01-01","io.modelcontextprotocol/clientCapabilities":{}}`
		old   = `"_meta":{"io.modelcontextprotocol/protocolVersion":"2025-11-25","io.modelcontextprotocol/clientCapabilities":{}}`
		hello = `"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"n","version":"v"}`
	)
	session := &SessionInfo{Revision: "2025-06-18"}
	request := func(method, params string) string {
		return `{"jsonrpc":"2.0","id":1,"method":"` + method + `","params":{` + params + `}}`
	}
	http := func(version, method string, i *SessionInfo) *RequestMeta {
		m := &RequestMeta{HTTP: true, Session: i}
		if version != "" {
			m.ProtocolVersion = []byte(version)
		}
		if method != "" {
			m.Method = []byte(method)
		}
		return m
	}
	for _, tt := range []struct {
		why, body string
		meta      *RequestMeta
		kind      CallKind
		legacy    bool
		modern    bool // it claims to be modern
		code      jsonrpc.Code
		status    int
	}{
		{"a request of a session", request("tools/list", ""), http("2025-06-18", "", session), CallRequest, true, false, 0, 200},
		{"without the version header", request("tools/list", ""), http("", "", session), CallRequest, true, false, 0, 200},
		{"with that of another revision", request("tools/list", ""), http("2025-03-26", "", session), CallRequest, true, false, 0, 200},
		{"with Mcp-Method, which selects no era", request("tools/list", ""), http("2025-06-18", "tools/list", session), CallRequest, true, false, 0, 200},
		{"with a wrong Mcp-Method, which nobody reads", request("tools/list", ""), http("2025-06-18", "initialize", session), CallRequest, true, false, 0, 200},
		{"an unknown version header", request("tools/list", ""), http("1.0", "", session), CallNone, false, false, -32022, 400},
		{"a modern header, no _meta", request("tools/list", ""), http(modern, "tools/list", session), CallNone, false, false, -32602, 400},
		{"a modern request that names a session", request("tools/list", meta), http(modern, "tools/list", session), CallRequest, false, true, 0, 200},
		{"a modern ping that names a session", request("ping", meta), http(modern, "ping", session), CallNone, false, true, -32601, 404},
		{"a modern initialize", request("initialize", meta+`,`+hello), http(modern, "initialize", nil), CallNone, false, true, -32601, 404},
		{"a claim to an unknown revision", request("tools/list", bad), http("2099-01-01", "tools/list", session), CallNone, false, true, -32022, 400},
		{"a modern claim to an earlier revision", request("tools/list", old), http("2025-11-25", "tools/list", session), CallNone, false, true, -32022, 400},
		{"initialize", request("initialize", hello), http("", "", nil), CallInitialize, true, false, 0, 200},
		{"initialize with Mcp-Method", request("initialize", hello), http("2025-11-25", "initialize", nil), CallInitialize, true, false, 0, 200},
		{"initialize with a modern header only", request("initialize", hello), http(modern, "initialize", nil), CallInitialize, true, false, 0, 200},
		{"initialize with an invalid claim", request("initialize", bad+`,`+hello), http("", "", nil), CallInitialize, true, true, 0, 200},
		{"initialize in a session", request("initialize", hello), http("", "", session), CallInitialize, true, false, 0, 200},
		{"neither session nor claim", request("ping", ""), http("", "", nil), CallNone, false, false, -32602, 400},
		{"a session that is missing", request("ping", ""), http("2025-11-25", "", nil), CallNone, false, false, -32600, 400},
		{"a session of no revision", request("ping", ""), http("", "", &SessionInfo{}), CallRequest, true, false, 0, 200},
		{"a session of an unknown revision", request("ping", ""), http("", "", &SessionInfo{Revision: "1.0"}), CallNone, false, false, -32022, 400},
		{"a session of a modern revision", request("ping", ""), http("", "", &SessionInfo{Revision: modern}), CallNone, false, false, -32022, 400},
		{"HTTP+SSE before initialize", request("ping", ""), &RequestMeta{SSE2024: true}, CallRequest, true, false, 0, 200},
		{"in process, without headers", request("ping", ""), &RequestMeta{Session: session, ProtocolVersion: []byte("1.0")}, CallRequest, true, false, 0, 200},

		{"an answer", `{"jsonrpc":"2.0","id":"a","result":{}}`, http("2025-06-18", "", session), CallAnswer, true, false, 0, 200},
		{"an error as answer", `{"jsonrpc":"2.0","id":"a","error":{"code":-1,"message":"no"}}`, http("", "", session), CallAnswer, true, false, 0, 200},
		{"an answer over HTTP+SSE", `{"jsonrpc":"2.0","id":"a","result":{}}`, &RequestMeta{SSE2024: true}, CallAnswer, true, false, 0, 200},
		{"an answer without a session", `{"jsonrpc":"2.0","id":"a","result":{}}`, http("", "", nil), CallNone, false, false, -32600, 400},
		{"an error without an id", `{"jsonrpc":"2.0","error":{"code":-1,"message":"no"}}`, http("", "", session), CallNone, false, false, -32600, 400},
		{"an answer with an unknown version header", `{"jsonrpc":"2.0","id":"a","result":{}}`, http("1.0", "", session), CallNone, false, false, -32022, 400},
		{"an answer with a modern header", `{"jsonrpc":"2.0","id":"a","result":{}}`, http(modern, "", session), CallNone, false, false, -32602, 400},

		{"initialized", `{"jsonrpc":"2.0","method":"notifications/initialized"}`, http("2025-06-18", "", session), CallNotification, true, false, 0, 200},
		{"an unknown notification", `{"jsonrpc":"2.0","method":"x"}`, http("", "", session), CallNotification, true, false, 0, 200},
		{"a notification with an unknown version header", `{"jsonrpc":"2.0","method":"x"}`, http("1.0", "", session), CallNone, false, false, -32022, 400},
		{"a modern client's farewell", `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}`, http(modern, "", nil), CallNotification, false, false, 0, 200},
		{"a modern notification that names a session", `{"jsonrpc":"2.0","method":"x","params":{` + meta + `}}`, http(modern, "", session), CallNotification, false, true, 0, 200},
	} {
		var m jsonrpc.Envelope
		if err := m.Decode([]byte(tt.body)); err != nil {
			t.Fatal(err)
		}
		var c Call
		e := s.Prepare(&c, &m, tt.meta)
		var code jsonrpc.Code
		if e != nil {
			code = e.Code
		}
		if c.Kind() != tt.kind || c.Legacy() != tt.legacy || code != tt.code || c.Status(code) != tt.status || c.ClaimsModern() != tt.modern {
			t.Errorf("%s: kind %d, legacy %v, claims %v, code %d, status %d, want %d, %v, %v, %d, %d",
				tt.why, c.Kind(), c.Legacy(), c.ClaimsModern(), code, c.Status(code), tt.kind, tt.legacy, tt.modern, tt.code, tt.status)
		}
		if tt.kind == CallAnswer && string(c.ID()) != `"a"` {
			t.Errorf("%s: id %s", tt.why, c.ID())
		}
		if (c.NewSession() != nil) != (tt.kind == CallInitialize) {
			t.Errorf("%s: new session %v", tt.why, c.NewSession())
		}
	}
}

// One Call may serve both eras in turn and remembers nothing of the other.
func TestErasOnOneCall(t *testing.T) {
	s := newTestServer(t, nil)
	var c Call
	session := &SessionInfo{Revision: "2025-06-18", Capabilities: CapabilityRoots, ClientName: "x", LogLevel: LevelDebug}
	legacy, current := &RequestMeta{Session: session, SessionID: "id"}, new(RequestMeta)
	client := newClient(t, s)
	for i := range 4 {
		meta, params, want := legacy, `{"name":"add","arguments":{"a":1,"b":2}}`, `{"jsonrpc":"2.0","id":1,"result":{"content":[`
		if i%2 == 1 {
			meta, params, want = current, client.params(`"name":"add","arguments":{"a":1,"b":2}`), `{"jsonrpc":"2.0","id":1,"result":{"resultType":`
		}
		var m jsonrpc.Envelope
		if err := m.Decode([]byte(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":` + params + `}`)); err != nil {
			t.Fatal(err)
		}
		if e := s.Prepare(&c, &m, meta); e != nil {
			t.Fatal(e)
		}
		w := &recorder{t: t}
		c.Run(t.Context(), w)
		if !strings.HasPrefix(w.body, want) {
			t.Errorf("round %d: %s", i, w.body)
		}
		c.Reset()
		if c.caps != 0 || c.sessionID != "" || c.client != (clientOf{}) || c.Legacy() {
			t.Error("Reset left something of a session")
		}
	}
}

func TestCancelled(t *testing.T) {
	s := newTestServer(t, nil)
	for params, want := range map[string]string{
		`{"requestId":12}`: `12`, `{"requestId":"a\"b","reason":"r"}`: `"a\"b"`,
		`{"requestId":null}`: ``, `{"requestId":{}}`: ``, `{"requestId":1.5}`: ``, `{}`: ``,
	} {
		var m jsonrpc.Envelope
		if err := m.Decode([]byte(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":` + params + `}`)); err != nil {
			t.Fatal(err)
		}
		var c Call
		if e := s.Prepare(&c, &m, &RequestMeta{Session: &SessionInfo{}}); e != nil || string(c.Cancelled()) != want || c.Kind() != CallNotification {
			t.Errorf("%s: %v, cancelled %q, want %q", params, e, c.Cancelled(), want)
		}
	}
}

// The test checks what the transport must do for a session, and the responses.
func TestSessionOps(t *testing.T) {
	everyLegacy(t, ornate(t), `{}`, func(t *testing.T, rev string, c *client) {
		for _, tt := range []struct {
			method, members string
			want            SessionOp
		}{
			{"logging/setLevel", `"level":"warning"`, SessionOp{Kind: OpSetLevel, Level: LevelWarning}},
			{"resources/subscribe", `"uri":"test://r"`, SessionOp{Kind: OpSubscribe, URI: "test://r"}},
			{"resources/subscribe", `"uri":"test://t/7"`, SessionOp{Kind: OpSubscribe, URI: "test://t/7"}},
			{"resources/unsubscribe", `"uri":"test://r"`, SessionOp{Kind: OpUnsubscribe, URI: "test://r"}},
			{"resources/unsubscribe", `"uri":"test://gone"`, SessionOp{Kind: OpUnsubscribe, URI: "test://gone"}},
		} {
			a := c.call(tt.method, tt.members)
			a.wantResult(tt.method, `"result":{}`)
			if a.kind != CallSession || a.op != tt.want || !a.inline {
				t.Errorf("%s: kind %d, op %+v, want %+v", tt.method, a.kind, a.op, tt.want)
			}
		}
		if a := c.call("ping", ""); a.op != (SessionOp{}) || a.kind != CallRequest {
			t.Errorf("ping: %+v", a.op)
		}
	})
	// A method whose capability is not declared does not exist.
	s := newTestServer(t, &ServerOptions{Capabilities: &ServerCapabilities{Resources: &ResourceCapabilities{}}})
	c := newLegacyClient(t, s, "2025-11-25", `{}`)
	c.call("logging/setLevel", `"level":"info"`).wantError("logging not declared", -32601, 200)
	c.call("resources/subscribe", `"uri":"test://r"`).wantError("subscribe not declared", -32601, 200)
	c.call("resources/unsubscribe", `"uri":"test://r"`).wantError("subscribe not declared", -32601, 200)
}

func TestSessionChangeMessage(t *testing.T) {
	s := ornate(t)
	c := newClient(t, s)
	for ch, want := range map[Change]string{
		{Topic: TopicTools}:                       `{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}`,
		{Topic: TopicPrompts}:                     `{"jsonrpc":"2.0","method":"notifications/prompts/list_changed"}`,
		{Topic: TopicResources}:                   `{"jsonrpc":"2.0","method":"notifications/resources/list_changed"}`,
		{Topic: TopicResource, URI: "test://\"r"}: `{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"test://\"r"}}`,
	} {
		got := s.SessionChangeMessage(ch)
		if string(got) != want {
			t.Errorf("%+v: %s, want %s", ch, got, want)
		}
	}
	for _, rev := range legacies {
		for _, ch := range []Change{{Topic: TopicTools}, {Topic: TopicPrompts}, {Topic: TopicResources}, {Topic: TopicResource, URI: "test://r"}} {
			c.schema.Message(t, rev, "", s.SessionChangeMessage(ch))
		}
	}
	quiet := NewServer(&Implementation{Name: "n", Version: "v"}, &ServerOptions{Capabilities: &ServerCapabilities{Tools: &ToolCapabilities{}}})
	if got := quiet.SessionChangeMessage(Change{Topic: TopicTools}); got != nil {
		t.Errorf("undeclared: %s", got)
	}
	if quiet.Topics() != 0 || s.Topics() != TopicTools|TopicPrompts|TopicResources|TopicResource {
		t.Errorf("topics %b and %b", quiet.Topics(), s.Topics())
	}
}

func TestSessionsOfRevisions(t *testing.T) {
	for _, rev := range append([]string{modern, "", "x"}, legacies...) {
		if AllowsBatches(rev) != (rev == "2025-03-26") || ResumableFromStart(rev) != (rev == "2025-11-25") || LegacyRevision([]byte(rev)) != (len(rev) == 10 && rev != modern) {
			t.Errorf("%s: batches %v, resumable from the start %v, legacy %v", rev, AllowsBatches(rev), ResumableFromStart(rev), LegacyRevision([]byte(rev)))
		}
	}
}

func TestSessionInfoBinary(t *testing.T) {
	for _, tt := range []struct{ name, want string }{
		{"", ""}, {"short", "short"}, {strings.Repeat("x", 24), strings.Repeat("x", 24)}, {strings.Repeat("x", 25), strings.Repeat("x", 24)},
		{strings.Repeat("ä", 20), strings.Repeat("ä", 12)}, {"x" + strings.Repeat("ä", 20), "x" + strings.Repeat("ä", 11)}, {strings.Repeat("𝄞", 7), strings.Repeat("𝄞", 6)}, {"\xff", ""}, {"a\x00b", ""},
	} {
		for _, rev := range append([]string{""}, legacies...) {
			in := SessionInfo{Revision: rev, Capabilities: 0xA5C3, ClientName: tt.name, LogLevel: LevelError}
			b := in.AppendBinary([]byte("p"))
			if len(b) > 1+MaxSessionInfo || MaxSessionInfo > 32 {
				t.Errorf("%q: %d octets", tt.name, len(b))
			}
			out := SessionInfo{LogLevel: LevelError}
			if err := out.UnmarshalBinary(b[1:]); err != nil || out != (SessionInfo{Revision: rev, Capabilities: 0xA5C3, ClientName: tt.want}) {
				t.Errorf("%+v became %+v (%v)", in, out, err)
			}
			if got := testing.AllocsPerRun(10, func() { _ = out.UnmarshalBinary(b[1:]); b = in.AppendBinary(b[:1]) }); got > 0 {
				t.Errorf("%v allocations", got)
			}
		}
	}
	// The binary forms in existing session IDs must keep their meaning.
	for text, want := range map[string]SessionInfo{
		"\x04\x00\x00":         {Revision: "2025-11-25"},
		"\x03\x00\x01n":        {Revision: "2025-06-18", Capabilities: CapabilityRoots, ClientName: "n"},
		"\x02\x00\x80":         {Revision: "2025-03-26", Capabilities: CapabilityElicitationURL},
		"\x01\x00\x24":         {Revision: "2024-11-05", Capabilities: CapabilitySampling | CapabilityElicitation},
		"\x00\x00\x00":         {},
		"\x04\x00\x00n\x001.0": {Revision: "2025-11-25", ClientName: "n", ClientVersion: "1.0"},
		"\x04\x00\x00\x001.0":  {Revision: "2025-11-25", ClientVersion: "1.0"},
		"\x04\x00\x5Aharbour ": {Revision: "2025-11-25", ClientName: "harbour ", Capabilities: CapabilityRootsListChanged | CapabilitySamplingTools | CapabilitySamplingContext | CapabilityElicitationForm},
	} {
		var got SessionInfo
		if err := got.UnmarshalBinary([]byte(text)); err != nil || got != want {
			t.Errorf("%q is %+v (%v), want %+v", text, got, err, want)
		}
	}
	for _, bad := range []string{"", "\x04", "\x04\x00", "\x05\x00\x00", "\xff\x00\x00", "\x04\x00\x00\xff", "\x04\x00\x00" + strings.Repeat("x", 25),
		"\x04\x00\x00n\x00", "\x04\x00\x00n\x001\x00", "\x04\x00\x00" + strings.Repeat("x", 24) + "\x0012345"} {
		keep := SessionInfo{Revision: "2025-06-18"}
		if err := keep.UnmarshalBinary([]byte(bad)); err == nil || keep.Revision != "2025-06-18" {
			t.Errorf("%q was taken: %+v", bad, keep)
		}
	}
	for _, tt := range []struct{ name, version, want string }{
		{"claude-code", "2.1.280", "2.1.280"}, {strings.Repeat("x", 24), "1.10", "1.10"}, {strings.Repeat("x", 30), "1.10.1", ""},
		{"", strings.Repeat("v", 28), strings.Repeat("v", 28)}, {"", strings.Repeat("v", 29), ""}, {"n", "1\x00", ""}, {"n", "\xff", ""}, {"\xff", "1", "1"},
	} {
		var in, out SessionInfo
		in.setClient(tt.name, tt.version)
		b := (&SessionInfo{ClientName: tt.name, ClientVersion: tt.version}).AppendBinary(nil)
		if err := out.UnmarshalBinary(b); err != nil || out != in || out.ClientVersion != tt.want || len(b) > MaxSessionInfo {
			t.Errorf("%q %q became %+v (%v), in %d octets", tt.name, tt.version, out, err, len(b))
		}
	}
	odd := SessionInfo{Revision: "2026-07-28"}
	if b := odd.AppendBinary(nil); b[0] != 0 {
		t.Errorf("a revision without sessions is written as %d", b[0])
	}
}
