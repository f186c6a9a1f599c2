package mcp

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/jsonrpc"
)

// everyLegacy runs f for a session of each revision that has sessions.
func everyLegacy(t *testing.T, s *Server, caps string, f func(t *testing.T, rev string, c *client)) {
	t.Helper()
	for _, rev := range legacies {
		t.Run(rev, func(t *testing.T) { f(t, rev, newLegacyClient(t, s, rev, caps)) })
	}
}

// since reports whether rev is first or a later revision. Dates sort as text.
func since(rev, first string) bool { return rev >= first }

// ornate returns a server whose features have every member that some revision lacks.
func ornate(t *testing.T) *Server {
	icons := []Icon{{Source: "https://example.com/i.png", Sizes: []string{"any"}, Theme: IconThemeDark}}
	meta := Meta{"com.example/k": "v"}
	notes := &Annotations{Audience: []Role{RoleUser}, LastModified: "2026-01-02T03:04:05Z", Priority: 0.5}
	caps := &ServerCapabilities{Logging: &LoggingCapabilities{}}
	caps.AddExtension("com.example/x", nil)
	s := NewServer(&Implementation{Name: "ornate", Title: "Ornate", Version: "v1", Description: "d", WebsiteURL: "https://example.com/", Icons: icons}, &ServerOptions{
		Instructions: "Mind the gap.",
		Capabilities: caps,
		CompletionHandler: func(_ context.Context, req *CompleteRequest) (*CompleteResult, error) {
			return &CompleteResult{Completion: CompletionResultDetails{Values: []string{req.Params.Argument.Value}, HasMore: true, Total: 2}}, nil
		},
	})
	t.Cleanup(s.Close)
	s.AddTool(&Tool{
		Meta: meta, Name: "ornate", Title: "The Title", Description: "d", Icons: icons, Annotations: &ToolAnnotations{ReadOnlyHint: true},
		InputSchema:  json.RawMessage(`{"type":"object","properties":{"any":true,"none":false,"text":{"type":"string"}},"required":["text"]}`),
		OutputSchema: json.RawMessage(`{"type":"object","properties":{"x":true}}`),
	}, func(context.Context, *CallToolRequest) (*CallToolResult, error) {
		return &CallToolResult{Meta: meta, StructuredContent: map[string]any{"x": 1}, Content: []Content{
			&TextContent{Text: "t", Meta: meta, Annotations: notes},
			&ImageContent{Data: []byte{1}, MIMEType: "image/png", Meta: meta, Annotations: notes},
			&AudioContent{Data: []byte{1}, MIMEType: "audio/wav", Meta: meta, Annotations: notes},
			&ResourceLink{URI: "test://link", Name: "l", Title: "Link", Description: "where", Icons: icons, Meta: meta, Annotations: notes},
			&EmbeddedResource{Resource: &ResourceContents{URI: "test://e", Text: "e", Meta: meta}, Meta: meta, Annotations: notes},
		}}, nil
	})
	s.AddTool(&Tool{Name: "list", InputSchema: json.RawMessage(`{"type":"object"}`), OutputSchema: json.RawMessage(`{"type":"array"}`)},
		func(context.Context, *CallToolRequest) (*CallToolResult, error) {
			return &CallToolResult{StructuredContent: []int{1, 2}}, nil
		})
	AddInlineTool(s, &Tool{Name: "number"}, func(_ *CallToolRequest, in addIn) (int, error) { return in.A, nil })
	AddInlineTool(s, &Tool{Name: "add"}, add)
	read := func(context.Context, *ReadResourceRequest) (*ReadResourceResult, error) {
		return &ReadResourceResult{Meta: meta, Contents: []*ResourceContents{{Text: "x", Meta: meta}, {Blob: []byte{2}}}}, nil
	}
	s.AddResource(&Resource{Meta: meta, Name: "r", Title: "R", URI: "test://r", Size: 3, Icons: icons, Annotations: notes, MIMEType: "text/plain"}, read)
	s.AddResourceTemplate(&ResourceTemplate{Meta: meta, Name: "t", Title: "T", URITemplate: "test://t/{id}", Icons: icons, Annotations: notes}, read)
	s.AddPrompt(&Prompt{Meta: meta, Name: "p", Title: "P", Icons: icons, Arguments: []*PromptArgument{{Name: "a", Title: "A"}}},
		func(context.Context, *GetPromptRequest) (*GetPromptResult, error) {
			return &GetPromptResult{Meta: meta, Description: "d", Messages: []*PromptMessage{
				{Role: RoleUser, Content: &AudioContent{Data: []byte{1}, MIMEType: "audio/wav", Meta: meta}},
				{Role: RoleUser, Content: &ResourceLink{URI: "test://link", Name: "l"}},
			}}, nil
		})
	return s
}

// Every method works in every revision, and responses have only what that revision has: the harness
// checks each message against the schema of its revision.
func TestLegacyMethods(t *testing.T) {
	s := ornate(t)
	everyLegacy(t, s, `{}`, func(t *testing.T, rev string, c *client) {
		has := func(why string, a *answer, first string, words ...string) {
			t.Helper()
			a.wantResult(why)
			for _, w := range words {
				if got, want := strings.Contains(a.body, w), since(rev, first); got != want {
					t.Errorf("%s: %s there: %v, want %v: %s", why, w, got, want, a.body)
				}
			}
		}
		const never = "9999"
		init := c.initialize(rev, `{}`)
		has("initialize", init, "2024-11-05", `"name":"ornate"`, `"instructions":"Mind the gap."`, `"logging":{}`, `"subscribe":true`)
		has("initialize", init, "2025-03-26", `"completions":{}`)
		has("initialize", init, "2025-06-18", `"title":"Ornate"`)
		has("initialize", init, "2025-11-25", `"icons"`, `"websiteUrl"`, `"description":"d"`)
		has("initialize", init, never, `"extensions"`, `"resultType"`, `"ttlMs"`, `serverInfo"}`)
		has("ping", c.call("ping", ""), "2024-11-05", `"result":{}`)

		tools := c.call("tools/list", "")
		has("tools", tools, "2024-11-05", `"any":{}`, `"none":{"not":{}}`, `"text":{"type":"string"}`, `"required":["text"]`)
		has("tools", tools, "2025-03-26", `"readOnlyHint":true`)
		has("tools", tools, "2025-06-18", `"title":"The Title"`, `"outputSchema":{"type":"object","properties":{"x":{}}}`, `"_meta"`)
		has("tools", tools, "2025-11-25", `"icons"`)
		has("tools", tools, never, `"type":"array"`, `"type":"integer"}},"outputSchema"`, `"ttlMs"`, `"resultType"`)

		call := c.call("tools/call", `"name":"ornate","arguments":{"text":"x"}`)
		has("call", call, "2024-11-05", `"_meta":{"com.example/k":"v"},"content":[`, `"type":"image"`, `"type":"resource"`, `"audience":["user"]`)
		has("call", call, "2025-03-26", `"type":"audio"`)
		has("call", call, "2025-06-18", `"type":"resource_link"`, `"lastModified"`, `"structuredContent":{"x":1}`)
		has("call", call, "2025-11-25", `"icons"`)
		if !since(rev, "2025-06-18") {
			has("call", call, "2024-11-05", `Link: test://link\nwhere`)
		}
		if rev == "2024-11-05" {
			has("call", call, rev, `[audio: audio/wav]`)
		}
		list := c.call("tools/call", `"name":"list"`)
		has("a list", list, "2024-11-05", `"text":"[1,2]"`)
		has("a list", list, never, `"structuredContent"`)
		number := c.call("tools/call", `"name":"number","arguments":{"a":7,"b":0}`)
		has("a number", number, "2024-11-05", `"text":"7"`)
		has("a number", number, never, `"structuredContent"`)
		sum := c.call("tools/call", `"name":"add","arguments":{"a":1,"b":2}`)
		has("a sum", sum, "2024-11-05", `"text":"{\"sum\":3}"`)
		has("a sum", sum, "2025-06-18", `"structuredContent":{"sum":3}`)
		if !sum.inline {
			t.Error("an inline tool is not inline")
		}

		has("resources", c.call("resources/list", ""), "2025-06-18", `"title":"R"`, `"lastModified"`, `"_meta"`)
		has("templates", c.call("resources/templates/list", ""), "2025-11-25", `"icons"`)
		has("read", c.call("resources/read", `"uri":"test://r"`), "2025-06-18", `"text":"x","_meta"`)
		has("read a match", c.call("resources/read", `"uri":"test://t/1"`), "2024-11-05", `"uri":"test://t/1"`, `"blob":"Ag=="`)
		has("prompts", c.call("prompts/list", ""), "2025-06-18", `"title":"P"`, `"title":"A"`)
		get := c.call("prompts/get", `"name":"p"`)
		has("get", get, "2025-03-26", `"type":"audio"`)
		has("get", get, "2025-06-18", `"type":"resource_link"`)
		has("complete", c.call("completion/complete", `"ref":{"type":"ref/prompt","name":"p"},"argument":{"name":"a","value":"v"},"context":{"arguments":{"b":"c"}}`),
			"2024-11-05", `"values":["v"],"total":2,"hasMore":true`)
	})
}

// A refusal has status 200 if the message could be read.
func TestLegacyRefusals(t *testing.T) {
	s := ornate(t)
	everyLegacy(t, s, `{}`, func(t *testing.T, rev string, c *client) {
		for _, tt := range []struct {
			method, members string
			code            jsonrpc.Code
			word            string
		}{
			{"tools/fly", "", -32601, ""},
			{"server/discover", "", -32601, ""},
			{"subscriptions/listen", `"notifications":{}`, -32601, ""},
			{"tools/call", `"name":"fly"`, -32602, "unknown tool"},
			{"tools/call", `"arguments":{}`, -32602, "name"},
			{"tools/call", `"name":"add","arguments":[]`, -32602, "arguments"},
			{"tools/list", `"cursor":"nonsense"`, -32602, "cursor"},
			{"tools/list", `"_meta":7`, -32602, "_meta"},
			{"tools/list", `"_meta":{"progressToken":{}}`, -32602, "progressToken"},
			{"resources/read", `"uri":"test://missing"`, -32002, `"data":{"uri":"test://missing"}`},
			{"resources/subscribe", `"uri":"test://missing"`, -32002, `"data":{"uri":"test://missing"}`},
			{"resources/subscribe", `"uri":7`, -32602, "uri"},
			{"resources/unsubscribe", "", -32602, "uri"},
			{"logging/setLevel", `"level":"loud"`, -32602, "level"},
			{"logging/setLevel", "", -32602, "level"},
			{"prompts/get", `"name":"missing"`, -32602, "unknown prompt"},
			{"completion/complete", `"ref":{"type":"ref/prompt","name":"missing"},"argument":{"name":"a","value":""}`, -32602, "unknown prompt"},
		} {
			c.call(tt.method, tt.members).wantError(tt.method+" "+tt.members, tt.code, 200, tt.word)
		}
		bad := c.call("tools/call", `"name":"add","arguments":{"a":"x"}`)
		if since(rev, "2025-11-25") {
			bad.wantResult("bad arguments", `"isError":true`, "invalid arguments")
		} else {
			bad.wantError("bad arguments", -32602, 200, "Invalid params")
		}
		// Members of 2026-07-28 have no meaning here.
		c.call("tools/call", `"name":"ornate","arguments":{"text":"x"},"requestState":"forged","inputResponses":{"a":7}`).wantResult("foreign members")
	})
}

// Codes that a handler chose are replaced by those of the revision.
func TestLegacyHandlerCodes(t *testing.T) {
	s := newTestServer(t, nil)
	for name, err := range map[string]error{
		"url": &jsonrpc.Error{Code: -32042, Message: "url"}, "none": &jsonrpc.Error{Message: "none"}, "gone": ResourceNotFoundError("test://x"),
	} {
		AddTool(s, &Tool{Name: name}, func(context.Context, *CallToolRequest, struct{}) (*CallToolResult, any, error) { return nil, nil, err })
	}
	everyLegacy(t, s, `{}`, func(t *testing.T, rev string, c *client) {
		var url jsonrpc.Code = jsonrpc.CodeInternalError
		if since(rev, "2025-11-25") {
			url = -32042
		}
		for name, code := range map[string]jsonrpc.Code{"url": url, "none": -32603, "gone": -32002} {
			c.call("tools/call", fmt.Sprintf(`"name":%q`, name)).wantError(name, code, 200)
		}
	})
}

// The test checks what handlers see of a session.
func TestLegacyRequest(t *testing.T) {
	s := newTestServer(t, nil)
	AddTool(s, &Tool{Name: "who"}, func(_ context.Context, req *CallToolRequest, _ struct{}) (*CallToolResult, any, error) {
		caps, err := json.Marshal(req.ClientCapabilities())
		if err != nil {
			return nil, nil, err
		}
		text := fmt.Sprintf("%s %s %s %s", req.ProtocolVersion(), req.ClientInfo().Name, req.Session.ID(), caps)
		return &CallToolResult{Content: []Content{&TextContent{Text: text}}}, nil, nil
	})
	everyLegacy(t, s, `{"roots":{"listChanged":true},"sampling":{}}`, func(t *testing.T, rev string, c *client) {
		a := c.callHTTP("tools/call", `"name":"who"`, &RequestMeta{SessionID: "s-1"})
		if got, want := a.text(), rev+` tester s-1 {"roots":{"listChanged":true},"sampling":{}}`; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		c.session.ClientName = ""
	})
}

// The level of the session decides about log messages, and the token of the request about progress.
func TestLegacyNotifications(t *testing.T) {
	s := newTestServer(t, nil)
	AddTool(s, &Tool{Name: "talk"}, func(ctx context.Context, req *CallToolRequest, _ struct{}) (*CallToolResult, any, error) {
		for _, level := range []LoggingLevel{LevelDebug, LevelInfo, LevelError} {
			if err := req.Log(level, "l", map[string]string{"at": string(level)}); err != nil {
				return nil, nil, err
			}
		}
		return nil, nil, req.Session.NotifyProgress(ctx, &ProgressNotificationParams{Progress: 1, Total: 2, Message: "half"})
	})
	everyLegacy(t, s, `{}`, func(t *testing.T, rev string, c *client) {
		for level, want := range map[LoggingLevel]int{"": 2, LevelDebug: 3, LevelInfo: 2, LevelError: 1, LevelEmergency: 0} {
			c.session.LogLevel = level
			if a := c.call("tools/call", `"name":"talk"`); len(a.notified) != want {
				t.Errorf("at level %q: %d messages, want %d: %s", level, len(a.notified), want, a.notified)
			}
		}
		c.session.LogLevel, c.meta = LevelEmergency, `,"progressToken":"tok"`
		a := c.call("tools/call", `"name":"talk"`)
		want := `{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"tok","progress":1,"total":2,"message":"half"}}`
		if rev == "2024-11-05" {
			want = strings.Replace(want, `,"message":"half"`, "", 1)
		}
		if len(a.notified) != 1 || a.notified[0] != want {
			t.Errorf("notified %s, want %s", a.notified, want)
		}
		// A level in _meta belongs to the other era.
		c.session.LogLevel, c.meta = "", `,"io.modelcontextprotocol/logLevel":"loud"`
		if a := c.call("tools/call", `"name":"talk"`); len(a.notified) != 2 {
			t.Errorf("notified %s", a.notified)
		}
	})
}

// closer is the Sink of a transport whose streams can be resumed.
type closer struct {
	recorder
	closed []time.Duration
}

func (c *closer) CloseStream(retry time.Duration) bool {
	if c.responses > 0 {
		c.t.Error("closed behind the response")
	}
	c.closed = append(c.closed, retry)
	return true
}

func TestCloseSSEStream(t *testing.T) {
	s := newTestServer(t, nil)
	var kept *CallToolRequest
	AddTool(s, &Tool{Name: "leave"}, func(_ context.Context, req *CallToolRequest, _ struct{}) (*CallToolResult, any, error) {
		req.CloseSSEStream(CloseSSEStreamArgs{RetryAfter: time.Second})
		req.Extra.CloseSSEStream(CloseSSEStreamArgs{RetryAfter: -1})
		req.Session.CloseSSEStream(CloseSSEStreamArgs{})
		kept = req
		return nil, nil, nil
	})
	w := &closer{recorder: recorder{t: t}}
	prepareLegacy(t, s, `{}`, `"name":"leave"`).Run(context.Background(), w)
	kept.CloseSSEStream(CloseSSEStreamArgs{}) // too late: there is nothing to close
	if fmt.Sprint(w.closed) != "[1s 0s 0s]" || w.responses != 1 {
		t.Errorf("closed %v, %d responses", w.closed, w.responses)
	}
	AddTool(s, &Tool{Name: "stay"}, func(_ context.Context, req *CallToolRequest, _ struct{}) (*CallToolResult, any, error) {
		req.CloseSSEStream(CloseSSEStreamArgs{})
		if req.Extra.CloseSSEStream != nil {
			t.Error("a stream that cannot be resumed can be closed")
		}
		return nil, nil, nil
	})
	newClient(t, s).call("tools/call", `"name":"stay"`).wantResult("a transport that cannot")
	m, meta := hotMessage(t, "tools/call", "stay", hotMeta+`,"name":"stay"`)
	var c Call
	if e := s.Prepare(&c, m, meta); e != nil {
		t.Fatal(e)
	}
	c.Run(context.Background(), &closer{recorder: recorder{t: t}})
}

// Results that pass through middleware have the form of the revision too.
func TestLegacyMiddleware(t *testing.T) {
	s := ornate(t)
	lists := []string{"tools/list", "prompts/list", "resources/list", "resources/templates/list"}
	result := func(a *answer) string {
		a.wantResult("a list")
		return a.body[strings.Index(a.body, `"result"`):]
	}
	plain := make(map[string]string)
	everyLegacy(t, s, `{}`, func(_ *testing.T, rev string, c *client) {
		for _, method := range lists {
			plain[rev+method] = result(c.call(method, ""))
		}
	})
	var seen []string
	s.AddReceivingMiddleware(func(next MethodHandler) MethodHandler {
		return func(ctx context.Context, method string, req Request) (Result, error) {
			seen = append(seen, method)
			return next(ctx, method, req)
		}
	})
	everyLegacy(t, s, `{}`, func(t *testing.T, rev string, c *client) {
		defer func() { seen = nil }()
		for _, method := range lists {
			if got, want := result(c.call(method, "")), plain[rev+method]; got != want {
				t.Errorf("%s: %s, without middleware %s", method, got, want)
			}
		}
		c.call("tools/call", `"name":"ornate","arguments":{"text":"x"}`).wantResult("a tool", `"type":"text"`)
		c.call("resources/read", `"uri":"test://r"`).wantResult("a resource")
		c.call("ping", "").wantResult("ping")
		c.call("resources/subscribe", `"uri":"test://r"`).wantResult("subscribe")
		c.call("logging/setLevel", `"level":"error"`).wantResult("level")
		bad := c.call("tools/call", `"name":"add","arguments":{"a":"x"}`)
		if !since(rev, "2025-11-25") {
			bad.wantError("bad arguments", -32602, 200)
		}
		if want := append(append([]string{"initialize"}, lists...), "tools/call", "resources/read", "ping", "resources/subscribe", "logging/setLevel", "tools/call"); fmt.Sprint(seen) != fmt.Sprint(want) {
			t.Errorf("middleware saw %s, want %s", seen, want)
		}
	})
}
