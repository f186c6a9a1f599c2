package mcp

import (
	"errors"
	"math"
	"testing"

	json "github.com/goccy/go-json"
)

func ptr[T any](v T) *T { return &v }

// The table has values of hosts and the JSON that the official schemas want for them.
func TestGoldenJSON(t *testing.T) {
	tests := []struct {
		why   string
		value any
		want  string
	}{
		{"empty text stays", &TextContent{}, `{"type":"text","text":""}`},
		{"text", &TextContent{Text: "a<b>&\u2028\"", Annotations: &Annotations{Audience: []Role{RoleUser}, Priority: 0.5}, Meta: Meta{"k": 1}},
			"{\"type\":\"text\",\"text\":\"a<b>&\u2028\\\"\",\"annotations\":{\"audience\":[\"user\"],\"priority\":0.5},\"_meta\":{\"k\":1}}"},
		{"text that is not UTF-8", &TextContent{Text: "a\xffb"}, `{"type":"text","text":"a` + "\uFFFD" + `b"}`},
		{"image without data", &ImageContent{}, `{"type":"image","data":"","mimeType":""}`},
		{"image", &ImageContent{Data: []byte{0xfb, 0xff}, MIMEType: "image/png"}, `{"type":"image","data":"+/8=","mimeType":"image/png"}`},
		{"audio", &AudioContent{Data: []byte("x"), MIMEType: "audio/wav"}, `{"type":"audio","data":"eA==","mimeType":"audio/wav"}`},
		{"link", &ResourceLink{URI: "a:b", Name: "n", Size: ptr(int64(0)), Icons: []Icon{{Source: "https://x/i.png", Theme: IconThemeDark}}},
			`{"type":"resource_link","uri":"a:b","name":"n","size":0,"icons":[{"src":"https://x/i.png","theme":"dark"}]}`},
		{"embedded empty text", &EmbeddedResource{Resource: &ResourceContents{URI: "a:b"}},
			`{"type":"resource","resource":{"uri":"a:b","text":""}}`},
		{"embedded empty blob", &EmbeddedResource{Resource: &ResourceContents{URI: "a:b", Blob: []byte{}, MIMEType: "m/n"}},
			`{"type":"resource","resource":{"uri":"a:b","mimeType":"m/n","blob":""}}`},
		{"tool use without input", &ToolUseContent{ID: "1", Name: "n"}, `{"type":"tool_use","id":"1","name":"n","input":{}}`},
		{"tool result without content", &ToolResultContent{ToolUseID: "1"}, `{"type":"tool_result","toolUseId":"1","content":[]}`},

		{"content is never null", &CallToolResult{}, `{"content":[]}`},
		{"structured null is a value", &CallToolResult{StructuredContent: json.RawMessage("null")}, `{"content":[],"structuredContent":null}`},
		{"structured content is compacted", &CallToolResult{StructuredContent: json.RawMessage(`{ "a" : "<" }`), IsError: true, Meta: Meta{"m": true}},
			`{"_meta":{"m":true},"content":[],"structuredContent":{"a":"<"},"isError":true}`},
		{"contents is never null", &ReadResourceResult{}, `{"contents":[]}`},
		{"messages is never null", &GetPromptResult{Description: "d"}, `{"messages":[],"description":"d"}`},
		{"a prompt's message", &GetPromptResult{Messages: []*PromptMessage{{Content: &TextContent{Text: "t"}, Role: RoleUser}}},
			`{"messages":[{"content":{"type":"text","text":"t"},"role":"user"}]}`},
		{"values is never null", &CompleteResult{}, `{"completion":{"values":[]}}`},
		{"completion", &CompleteResult{Completion: CompletionResultDetails{Values: []string{"a", "b"}, Total: 3, HasMore: true}},
			`{"completion":{"values":["a","b"],"total":3,"hasMore":true}}`},

		{"a bare tool", &Tool{Name: "t", InputSchema: json.RawMessage(`{"type":"object"}`)}, `{"inputSchema":{"type":"object"},"name":"t"}`},
		{"hints", &Tool{Name: "t", InputSchema: struct{}{}, Annotations: &ToolAnnotations{DestructiveHint: ptr(false), ReadOnlyHint: true}},
			`{"annotations":{"destructiveHint":false,"readOnlyHint":true},"inputSchema":{},"name":"t"}`},
		{"a bare resource", &Resource{Name: "r", URI: "a:b"}, `{"name":"r","uri":"a:b"}`},
		{"a bare template", &ResourceTemplate{Name: "r", URITemplate: "a:{b}"}, `{"name":"r","uriTemplate":"a:{b}"}`},
		{"a prompt", &Prompt{Name: "p", Arguments: []*PromptArgument{{Name: "a"}, {Name: "b", Required: true}}},
			`{"arguments":[{"name":"a"},{"name":"b","required":true}],"name":"p"}`},
		{"an implementation", &Implementation{Name: "n", Version: ""}, `{"name":"n","version":""}`},

		{"declared without settings", &ServerCapabilities{Logging: &LoggingCapabilities{}, Completions: &CompletionCapabilities{}, Tools: &ToolCapabilities{}, Resources: &ResourceCapabilities{Subscribe: true}},
			`{"completions":{},"logging":{},"resources":{"subscribe":true},"tools":{}}`},
		{"nothing declared", &ClientCapabilities{}, `{}`},
		{"an empty object is a declaration", &ClientCapabilities{RootsV2: &RootCapabilities{}, Sampling: &SamplingCapabilities{Tools: &SamplingToolsCapabilities{}}, Elicitation: &ElicitationCapabilities{}},
			`{"roots":{},"sampling":{"tools":{}},"elicitation":{}}`},
		{"missing capability", MissingRequiredClientCapabilityData{RequiredCapabilities: &ClientCapabilities{Sampling: &SamplingCapabilities{}}},
			`{"requiredCapabilities":{"sampling":{}}}`},

		{"a form", &ElicitParams{Message: "m", RequestedSchema: json.RawMessage(`{"type":"object","properties":{}}`)},
			`{"mode":"form","message":"m","requestedSchema":{"type":"object","properties":{}}}`},
		{"a form without a schema", &ElicitParams{}, `{"mode":"form","message":"","requestedSchema":{"type":"object","properties":{}}}`},
		{"a URL", &ElicitParams{Message: "m", URL: "https://x/"}, `{"mode":"url","message":"m","url":"https://x/"}`},
		{"sampling without messages", &CreateMessageParams{MaxTokens: 1}, `{"maxTokens":1,"messages":[]}`},
		{"sampling with tools", &CreateMessageWithToolsParams{MaxTokens: 1, ToolChoice: &ToolChoice{}, Messages: []*SamplingMessageV2{
			{Role: RoleUser, Content: []Content{&TextContent{Text: "q"}}},
			{Role: RoleAssistant, Content: []Content{&ToolUseContent{ID: "1", Name: "n"}, &TextContent{Text: "a"}}},
		}}, `{"maxTokens":1,"messages":[{"content":{"type":"text","text":"q"},"role":"user"},` +
			`{"content":[{"type":"tool_use","id":"1","name":"n","input":{}},{"type":"text","text":"a"}],"role":"assistant"}],"toolChoice":{}}`},
		{"requests in the order of their keys", InputRequestMap{"b": &ListRootsParams{}, "a": &CreateMessageParams{MaxTokens: 1}},
			`{"a":{"method":"sampling/createMessage","params":{"maxTokens":1,"messages":[]}},"b":{"method":"roots/list","params":{}}}`},
		{"no requests", InputRequestMap(nil), `{}`},

		{"progress zero", &ProgressNotificationParams{ProgressToken: "t"}, `{"progressToken":"t","progress":0}`},
		{"log null", &LoggingMessageParams{Level: LevelInfo}, `{"data":null,"level":"info"}`},
		{"a filter", &NotificationSubscriptions{ResourceSubscriptions: []string{"a:b"}, ToolsListChanged: true},
			`{"toolsListChanged":true,"resourceSubscriptions":["a:b"]}`},
	}
	for _, tt := range tests {
		got, err := appendValue(nil, tt.value)
		if err != nil || string(got) != tt.want {
			t.Errorf("%s:\n got %s, %v\nwant %s", tt.why, got, err, tt.want)
		}
	}
}

func TestOfMoreThan100CompletionsTheFirst100AreSent(t *testing.T) {
	r := CompleteResult{Completion: CompletionResultDetails{Values: make([]string, 101), Total: 101}}
	b, err := r.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	var got CompleteResult
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	if len(got.Completion.Values) != 100 || !got.Completion.HasMore || got.Completion.Total != 101 {
		t.Errorf("sent %d values, hasMore %v, total %d", len(got.Completion.Values), got.Completion.HasMore, got.Completion.Total)
	}
}

// A mistake of a handler becomes an error, never a broken message or a panic.
func TestWhatCannotBeEncodedIsAnError(t *testing.T) {
	for why, v := range map[string]any{
		"nil block":           &CallToolResult{Content: []Content{nil}},
		"nil resource":        &CallToolResult{Content: []Content{&EmbeddedResource{}}},
		"NaN":                 &CallToolResult{StructuredContent: math.NaN()},
		"a broken RawMessage": &CallToolResult{StructuredContent: json.RawMessage(`{"a":`)},
		"nil message":         &GetPromptResult{Messages: []*PromptMessage{nil}},
		"message of nothing":  &GetPromptResult{Messages: []*PromptMessage{{Role: RoleUser}}},
		"nil contents":        &ReadResourceResult{Contents: []*ResourceContents{nil}},
		"nil request":         InputRequestMap{"k": nil},
		"a channel in _meta":  &TextContent{Meta: Meta{"k": make(chan int)}},
	} {
		if b, err := appendValue(nil, v); err == nil {
			t.Errorf("%s: encoded as %s", why, b)
		}
	}
}

func TestSetError(t *testing.T) {
	boom := errors.New("boom")
	var r CallToolResult
	r.SetError(boom)
	if got, _ := r.MarshalJSON(); string(got) != `{"content":[{"type":"text","text":"boom"}],"isError":true}` || r.GetError() != boom {
		t.Errorf("SetError: %s, GetError %v", got, r.GetError())
	}
	r = CallToolResult{Content: []Content{&TextContent{Text: "mine"}}}
	r.SetError(boom)
	if got, _ := r.MarshalJSON(); string(got) != `{"content":[{"type":"text","text":"mine"}],"isError":true}` {
		t.Errorf("SetError with content: %s", got)
	}
}

func TestExtensionsWithoutSettingsAreObjects(t *testing.T) {
	var s ServerCapabilities
	var c ClientCapabilities
	s.AddExtension("a/b", nil)
	c.AddExtension("a/b", map[string]any{"x": 1})
	if got, _ := appendValue(nil, &s); string(got) != `{"extensions":{"a/b":{}}}` {
		t.Errorf("server: %s", got)
	}
	if got, _ := appendValue(nil, &c); string(got) != `{"extensions":{"a/b":{"x":1}}}` {
		t.Errorf("client: %s", got)
	}
}

func TestLevelsAreOrdered(t *testing.T) {
	levels := []LoggingLevel{"", LevelDebug, LevelInfo, LevelNotice, LevelWarning, LevelError, LevelCritical, LevelAlert, LevelEmergency}
	for want, l := range levels {
		if l.rank() != want {
			t.Errorf("rank of %q is %d, want %d", l, l.rank(), want)
		}
	}
	if LoggingLevel("INFO").rank() != 0 {
		t.Error("INFO is taken as a level")
	}
}

func TestTextContentAppendsWithoutAllocation(t *testing.T) {
	buf := make([]byte, 0, 256)
	cs := []Content{&TextContent{Text: "hello, world"}}
	if n := testing.AllocsPerRun(100, func() { buf, _ = appendContents(buf[:0], cs) }); n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
}
