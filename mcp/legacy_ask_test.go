package mcp

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/mooring-mcp/mooring/internal/wirecheck"
	"github.com/mooring-mcp/mooring/jsonrpc"
)

const everyCap = `{"roots":{"listChanged":true},"sampling":{"tools":{},"context":{}},"elicitation":{"form":{},"url":{}}}`

// asking returns a server with a tool that asks the questions in want and returns the keys and
// types of the answers.
func asking(t *testing.T, want *InputRequestMap) *Server {
	s := newTestServer(t, nil)
	AddTool(s, &Tool{Name: "ask"}, func(_ context.Context, req *CallToolRequest, _ struct{}) (*CallToolResult, any, error) {
		if len(req.Params.InputResponses) == 0 {
			return &CallToolResult{InputRequests: *want, RequestState: "s"}, nil, nil
		}
		text := req.Params.RequestState
		for _, key := range []string{"a", "b"} {
			if r, ok := req.Params.InputResponses[key]; ok {
				text += fmt.Sprintf(" %s=%T", key, r)
			}
		}
		return &CallToolResult{Content: []Content{&TextContent{Text: text}}}, nil, nil
	})
	return s
}

// prepareAsk readies a call of the asking tool in a session with the revision.
func prepareAsk(t *testing.T, s *Server, rev, caps string) *Call {
	t.Helper()
	session := newLegacyClient(t, s, rev, caps).session
	var m jsonrpc.Envelope
	if err := m.Decode([]byte(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"ask"}}`)); err != nil {
		t.Fatal(err)
	}
	c := new(Call)
	if e := s.Prepare(c, &m, &RequestMeta{Session: session}); e != nil {
		t.Fatal(e)
	}
	return c
}

func form(schema string) *ElicitParams {
	return &ElicitParams{Message: "m", RequestedSchema: json.RawMessage(schema)}
}

// What a handler asks becomes requests that are valid in the session's revision, or is
// refused: never a message that the client cannot read.
func TestAskPerRevision(t *testing.T) {
	const none = "9999"
	link := &ResourceLink{URI: "test://l", Name: "l"}
	for _, tt := range []struct {
		why   string
		ask   InputRequest
		first string       // the first revision that has the question
		code  jsonrpc.Code // in revisions before that
		has   map[string]string
	}{
		{"roots", &ListRootsParams{}, "2024-11-05", 0, nil},
		{"a form", form(`{"type":"object","properties":{"s":{"type":"string","default":"d"},"n":{"type":"integer","default":3},"e":{"type":"string","enum":["a"],"enumNames":["A"]}}}`),
			"2025-06-18", CodeMissingRequiredClientCapabilities, map[string]string{`"mode":"form"`: "2025-11-25", `"default":"d"`: "2025-06-18"}},
		{"an empty form", &ElicitParams{Message: "yes?"}, "2025-06-18", CodeMissingRequiredClientCapabilities, map[string]string{`"properties":{}`: "2025-06-18"}},
		{"a form with a list", form(`{"type":"object","properties":{"l":{"type":"array","items":{"type":"string","enum":["a"]}}}}`),
			"2025-11-25", 0, nil},
		{"a URL", &ElicitParams{Message: "m", URL: "https://example.com/", RequestedSchema: 7}, "2025-11-25", CodeMissingRequiredClientCapabilities,
			map[string]string{`"elicitationId":"`: "2025-11-25", `"requestedSchema"`: none}},
		{"sampling", &CreateMessageParams{MaxTokens: 3, IncludeContext: "thisServer", Messages: []*SamplingMessage{
			{Role: RoleUser, Content: &TextContent{Text: "q", Meta: Meta{"k": 1}, Annotations: &Annotations{LastModified: "2026-01-01T00:00:00Z"}}},
			{Role: RoleUser, Content: &AudioContent{Data: []byte{1}, MIMEType: "audio/wav"}},
		}}, "2024-11-05", 0, map[string]string{`"type":"audio"`: "2025-03-26", `"_meta"`: "2025-06-18", `"lastModified"`: "2025-06-18"}},
		{"messages of several blocks", &CreateMessageWithToolsParams{MaxTokens: 3, Messages: []*SamplingMessageV2{
			{Role: RoleUser, Content: []Content{&TextContent{Text: "one"}, &TextContent{Text: "two"}}},
		}}, "2024-11-05", 0, map[string]string{`"content":[{`: "2025-11-25"}},
		{"tools in sampling", &CreateMessageWithToolsParams{MaxTokens: 3, Tools: []*Tool{{Name: "t", InputSchema: json.RawMessage(`{"type":"object"}`)}}, Messages: []*SamplingMessageV2{
			{Role: RoleAssistant, Content: []Content{&ToolUseContent{ID: "1", Name: "t"}}},
			{Role: RoleUser, Content: []Content{&ToolResultContent{ToolUseID: "1", Content: []Content{link}, StructuredContent: []int{1}}}},
		}}, "2025-11-25", CodeMissingRequiredClientCapabilities, map[string]string{`"structuredContent"`: none}},
		{"the use of a tool", &CreateMessageWithToolsParams{MaxTokens: 3, Messages: []*SamplingMessageV2{
			{Role: RoleAssistant, Content: []Content{&ToolUseContent{ID: "1", Name: "t"}}},
		}}, "2025-11-25", 0, nil},
		{"a message without content", &CreateMessageParams{MaxTokens: 3, Messages: []*SamplingMessage{{Role: RoleUser}}}, none, 0, nil},
		{"no message", &CreateMessageParams{MaxTokens: 3, Messages: []*SamplingMessage{nil}}, none, 0, nil},
		{"a block that is none", &CreateMessageWithToolsParams{Messages: []*SamplingMessageV2{{Content: []Content{nil}}}}, none, 0, nil},
		{"no message with blocks", &CreateMessageWithToolsParams{Messages: []*SamplingMessageV2{nil}}, none, 0, nil},
	} {
		var asks InputRequestMap
		s := asking(t, &asks)
		asks = InputRequestMap{"a": tt.ask}
		schema := wirecheck.Open(t)
		for _, rev := range legacies {
			c := prepareAsk(t, s, rev, everyCap)
			w := &asker{recorder: recorder{t: t}, can: true}
			c.Run(context.Background(), w)
			if !since(rev, tt.first) {
				code := tt.code
				if code == 0 {
					code = jsonrpc.CodeInternalError
				}
				if _, ok := tt.ask.(*ElicitParams); ok && !since(rev, "2025-06-18") {
					code = CodeMissingRequiredClientCapabilities // no client of the revision can declare it
				}
				if w.asked != 0 || w.code != code || c.Asking() {
					t.Errorf("%s at %s: asked %d, code %d, want %d: %s", tt.why, rev, w.asked, w.code, code, w.body)
				}
				continue
			}
			if w.asked != 1 || w.responses != 0 || !c.Asking() || len(w.asks) != 1 {
				t.Errorf("%s at %s: asked %d, %d responses: %s", tt.why, rev, w.asked, w.responses, w.body)
				continue
			}
			msg := AppendAsk(nil, []byte(`"ask-1"`), &w.asks[0])
			schema.Message(t, rev, "", msg)
			for word, first := range tt.has {
				if got := strings.Contains(string(msg), word); got != since(rev, first) {
					t.Errorf("%s at %s: %s there: %v: %s", tt.why, rev, word, got, msg)
				}
			}
		}
	}
}

// The client is only asked what it declared support for.
func TestAskUndeclared(t *testing.T) {
	for _, tt := range []struct {
		caps string
		ask  InputRequest
		need string
	}{
		{`{}`, form(`{"type":"object","properties":{}}`), `{"elicitation":{"form":{}}}`},
		{`{"elicitation":{"url":{}}}`, form(`{"type":"object","properties":{}}`), `{"elicitation":{"form":{}}}`},
		{`{"elicitation":{}}`, &ElicitParams{URL: "https://example.com/"}, `{"elicitation":{"url":{}}}`},
		{`{"sampling":{}}`, &CreateMessageWithToolsParams{Tools: []*Tool{{}}}, `{"sampling":{"tools":{}}}`},
		{`{"sampling":{}}`, &CreateMessageParams{IncludeContext: "allServers"}, `{"sampling":{"context":{}}}`},
		{`{"sampling":{}}`, &ListRootsParams{}, `{"roots":{}}`},
	} {
		var asks InputRequestMap
		s := asking(t, &asks)
		asks = InputRequestMap{"a": tt.ask}
		w := &asker{recorder: recorder{t: t}, can: true}
		c := prepareAsk(t, s, "2025-11-25", tt.caps)
		c.Run(context.Background(), w)
		if w.asked != 0 || w.code != CodeMissingRequiredClientCapabilities || !strings.Contains(w.body, `"requiredCapabilities":`+tt.need) || c.Status(w.code) != 200 {
			t.Errorf("%s: asked %d, status %d: %s", tt.caps, w.asked, c.Status(w.code), w.body)
		}
	}
}

// The questions of a round are sorted by key, and the handler gets all the answers together.
func TestAskRounds(t *testing.T) {
	asks := InputRequestMap{"b": &ListRootsParams{}, "a": form(`{"type":"object","properties":{}}`)}
	s := asking(t, &asks)
	const yes, roots = `{"action":"accept","content":{}}`, `{"roots":[{"uri":"file:///x"}]}`
	refusal := `{"jsonrpc":"2.0","id":1,"error":{"code":-1,"message":"User said \"no\""}}`
	result := func(text string) string { return `{"jsonrpc":"2.0","id":1,"result":` + text + `}` }
	for _, tt := range []struct {
		why     string
		answers map[string]string // the messages of the client
		text    string            // of the result; "" for an error
	}{
		{"both answered", map[string]string{"a": result(yes), "b": result(roots)}, "s a=*mcp.ElicitResult b=*mcp.ListRootsResult"},
		{"one refused", map[string]string{"a": refusal, "b": result(roots)}, `the client did not answer: User said "no"`},
		{"one missing", map[string]string{"b": result(roots)}, "the client did not answer: there is no answer to a"},
		{"none", nil, "the client did not answer: there is no answer to a"},
		{"no object", map[string]string{"a": result(`"accept"`), "b": result(`[]`)}, "the client did not answer: the answer is not an object"},
		{"an invalid answer", map[string]string{"a": result(`{"action":"shout"}`), "b": result(roots)}, ""},
	} {
		c := prepareAsk(t, s, "2025-06-18", everyCap)
		w := &asker{recorder: recorder{t: t}, can: true}
		c.Run(context.Background(), w)
		if len(w.asks) != 2 || w.asks[0].Key != "a" || w.asks[1].Key != "b" {
			t.Fatalf("asked %+v", w.asks)
		}
		responses := []byte{'{'}
		for _, a := range w.asks {
			text, ok := tt.answers[a.Key]
			if !ok {
				continue
			}
			var m jsonrpc.Envelope
			if err := m.Decode([]byte(text)); err != nil {
				t.Fatal(err)
			}
			responses = AppendAskAnswer(responses, a.Key, &m)
		}
		responses = append(responses, '}')
		if !json.Valid(responses) {
			t.Fatalf("%s: %s", tt.why, responses)
		}
		c.Resume(context.Background(), w, responses)
		if w.responses != 1 || w.asked != 1 || c.Asking() {
			t.Fatalf("%s: %d responses, asked %d times", tt.why, w.responses, w.asked)
		}
		a := &answer{t: t, body: w.body, code: w.code}
		switch {
		case tt.text == "" && w.code != jsonrpc.CodeInternalError:
			t.Errorf("%s: %s", tt.why, w.body)
		case tt.text != "" && a.text() != tt.text:
			t.Errorf("%s: %q, want %q", tt.why, a.text(), tt.text)
		}
		wirecheck.Open(t).Message(t, "2025-06-18", map[bool]string{true: "tools/call"}[w.code == 0], []byte(w.body))
	}
}

// The transport can abandon a call whose client never answers.
func TestAbandon(t *testing.T) {
	s := newTestServer(t, nil)
	addAsker(s)
	for _, tt := range askers {
		var m jsonrpc.Envelope
		if err := m.Decode([]byte(`{"jsonrpc":"2.0","id":1,"method":"` + tt.method + `","params":{` + tt.members + `}}`)); err != nil {
			t.Fatal(err)
		}
		var c Call
		if e := s.Prepare(&c, &m, &RequestMeta{Session: &SessionInfo{Revision: "2025-11-25", Capabilities: CapabilityElicitation | CapabilityElicitationForm}}); e != nil {
			t.Fatal(e)
		}
		w := &asker{recorder: recorder{t: t}, can: true}
		c.Abandon(w, "too early")
		c.Run(context.Background(), w)
		if !c.Asking() || w.responses != 0 {
			t.Fatalf("%s: asking %v, %d responses", tt.method, c.Asking(), w.responses)
		}
		c.Abandon(w, "it took too long")
		c.Abandon(w, "again")
		c.Resume(context.Background(), w, []byte(`{}`))
		if w.responses != 1 || !strings.Contains(w.body, "the client did not answer: it took too long") || (w.code == 0) != (tt.method == "tools/call") {
			t.Errorf("%s: %d responses: %s", tt.method, w.responses, w.body)
		}
	}
}

// The same handler asks with results in the revision that has those.
func TestAskIsOneCallForEveryRevision(t *testing.T) {
	asks := InputRequestMap{"a": form(`{"type":"object","properties":{}}`)}
	s := asking(t, &asks)
	c := newClient(t, s)
	c.caps = everyCap
	c.call("tools/call", `"name":"ask"`).wantResult("modern", `"resultType":"input_required"`)
	for _, rev := range legacies {
		if !since(rev, "2025-06-18") {
			continue
		}
		call := prepareAsk(t, s, rev, everyCap)
		w := &asker{recorder: recorder{t: t}, can: true}
		call.Run(context.Background(), w)
		call.Resume(context.Background(), w, []byte(`{"a":{"action":"accept"}}`))
		if w.responses != 1 || !strings.Contains(w.body, "s a=*mcp.ElicitResult") || strings.Contains(w.body, "resultType") {
			t.Errorf("%s: %s", rev, w.body)
		}
	}
	if p := asks["a"].(*ElicitParams); p.Mode != "" || p.ElicitationID != "" {
		t.Error("the handler's map was changed")
	}
}

// Progress only grows over all rounds of a request.
func TestProgressOverRounds(t *testing.T) {
	s := newTestServer(t, nil)
	AddTool(s, &Tool{Name: "steps"}, func(_ context.Context, req *CallToolRequest, _ struct{}) (*CallToolResult, any, error) {
		for _, at := range []float64{1, 2} {
			if err := req.Progress(at, 3, ""); err != nil {
				return nil, nil, err
			}
		}
		if req.Params.InputResponses == nil {
			return &CallToolResult{InputRequests: InputRequestMap{"r": &ListRootsParams{}}}, nil, nil
		}
		return nil, nil, req.Progress(3, 3, "")
	})
	call := prepareLegacy(t, s, everyCap, `"name":"steps","_meta":{"progressToken":1}`)
	w := &asker{recorder: recorder{t: t}, can: true}
	call.Run(context.Background(), w)
	call.Resume(context.Background(), w, []byte(`{"r":{"roots":[]}}`))
	if len(w.notified) != 3 || w.responses != 1 || !strings.Contains(w.notified[2], `"progress":3`) {
		t.Errorf("notified %s, %d responses", w.notified, w.responses)
	}
}
