package mcp

import (
	"bytes"
	"testing"

	json "github.com/goccy/go-json"

	"github.com/mooring-mcp/mooring/internal/wirecheck"
)

const (
	schemaModern = "2026-07-28"
	schemaLegacy = "2025-11-25"
)

func everyContent() []Content {
	return []Content{
		&TextContent{},
		&ImageContent{MIMEType: "image/png"},
		&AudioContent{MIMEType: "audio/wav"},
		&ResourceLink{URI: "test://x", Name: "n", Size: ptr(int64(0))},
		&EmbeddedResource{Resource: &ResourceContents{URI: "test://x"}},
		&EmbeddedResource{Resource: &ResourceContents{URI: "test://x", Blob: []byte{}}, Annotations: &Annotations{Priority: 1}},
	}
}

// The zero value and the full value of every result are valid in the revisions that have it.
func TestTypesAreValidAgainstTheSchemas(t *testing.T) {
	c := wirecheck.Open(t)
	cache := Cacheable{CacheScope: CachePrivate}
	icons := []Icon{{Source: "https://example.com/i.png", MIMEType: "image/png", Sizes: []string{"48x48"}, Theme: IconThemeLight}}
	schema := json.RawMessage(`{"type":"object"}`)
	results := []struct {
		method string
		result any
		modern bool // it does not exist in earlier revisions
	}{
		{"tools/call", &CallToolResult{}, false},
		{"tools/call", &CallToolResult{Content: everyContent(), StructuredContent: map[string]any{}, IsError: true}, false},
		{"resources/read", &ReadResourceResult{}, false},
		{"resources/read", &ReadResourceResult{Contents: []*ResourceContents{{URI: "test://x"}, {URI: "test://x", Blob: []byte{1}, MIMEType: "a/b"}}}, false},
		{"prompts/get", &GetPromptResult{}, false},
		{"prompts/get", &GetPromptResult{Description: "d", Messages: []*PromptMessage{{Content: &TextContent{}, Role: RoleAssistant}}}, false},
		{"completion/complete", &CompleteResult{}, false},
		{"completion/complete", &CompleteResult{Completion: CompletionResultDetails{Values: make([]string, 200), Total: 200}}, false},
		{"tools/list", &ListToolsResult{Cacheable: cache, NextCursor: "c", Tools: []*Tool{
			{Name: "t", InputSchema: schema, OutputSchema: schema, Title: "T", Description: "d", Icons: icons, Annotations: &ToolAnnotations{OpenWorldHint: ptr(false)}},
		}}, false},
		{"resources/list", &ListResourcesResult{Cacheable: cache, Resources: []*Resource{{Name: "r", URI: "test://x", Size: 3, Icons: icons}}}, false},
		{"resources/templates/list", &ListResourceTemplatesResult{Cacheable: cache, ResourceTemplates: []*ResourceTemplate{{Name: "r", URITemplate: "test://{x}"}}}, false},
		{"prompts/list", &ListPromptsResult{Cacheable: cache, Prompts: []*Prompt{{Name: "p", Arguments: []*PromptArgument{{Name: "a", Required: true}}}}}, false},
		{"server/discover", &DiscoverResult{Cacheable: cache, SupportedVersions: []string{schemaModern}, Capabilities: &ServerCapabilities{}}, true},
	}
	for _, tt := range results {
		body, err := appendValue(nil, tt.result)
		if err != nil {
			t.Errorf("%s: %v", tt.method, err)
			continue
		}
		c.Message(t, schemaModern, tt.method, modernResult(t, tt.method, body))
		if !tt.modern && !bytes.Contains(body, []byte(`"ttlMs"`)) {
			c.Message(t, schemaLegacy, tt.method, []byte(`{"jsonrpc":"2.0","id":1,"result":`+string(body)+`}`))
		}
	}
	c.Message(t, schemaLegacy, "initialize", envelope(t, `{"jsonrpc":"2.0","id":1,"result":`, &InitializeResult{
		ProtocolVersion: schemaLegacy, Capabilities: &ServerCapabilities{Logging: &LoggingCapabilities{}},
		ServerInfo: &Implementation{Name: "n", Version: "v", Icons: icons, WebsiteURL: "https://example.com/"},
	}))
}

func TestRequestsToTheClientAreValidAgainstTheSchemas(t *testing.T) {
	c := wirecheck.Open(t)
	form := json.RawMessage(`{"type":"object","properties":{"name":{"type":"string"}},"required":["name"]}`)
	asks := InputRequestMap{
		"form":  &ElicitParams{Message: "m", RequestedSchema: form},
		"empty": &ElicitParams{},
		"roots": &ListRootsParams{},
		"text": &CreateMessageParams{MaxTokens: 100, SystemPrompt: "s", ModelPreferences: &ModelPreferences{Hints: []*ModelHint{{Name: "x"}}, CostPriority: 1},
			Messages: []*SamplingMessage{{Role: RoleUser, Content: &TextContent{Text: "q"}}}},
		"tools": &CreateMessageWithToolsParams{MaxTokens: 1, Tools: []*Tool{{Name: "t", InputSchema: json.RawMessage(`{"type":"object"}`)}}, ToolChoice: &ToolChoice{Mode: "auto"},
			Messages: []*SamplingMessageV2{
				{Role: RoleAssistant, Content: []Content{&ToolUseContent{ID: "1", Name: "t"}}},
				{Role: RoleUser, Content: []Content{&ToolResultContent{ToolUseID: "1", Content: everyContent()}}},
			}},
		"url": &ElicitParams{Message: "m", URL: "https://example.com/", ElicitationID: "1"},
	}
	body := envelope(t, `{"inputRequests":`, asks)
	for _, method := range []string{"tools/call", "prompts/get", "resources/read"} {
		c.Message(t, schemaModern, method, modernAsk(t, body))
	}
	for _, r := range asks {
		params, err := legacyNamed([]byte(schemaLegacy)).wire.askParams(r)
		if err != nil {
			t.Error(err)
		}
		c.Message(t, schemaLegacy, "", AppendAsk(nil, []byte("1"), &Ask{"k", r.askMethod(), params}))
	}
}

func TestNotificationsAreValidAgainstTheSchemas(t *testing.T) {
	c := wirecheck.Open(t)
	for method, params := range map[string]any{
		"notifications/progress":                   &ProgressNotificationParams{ProgressToken: 7},
		"notifications/message":                    &LoggingMessageParams{Level: LevelEmergency},
		"notifications/resources/updated":          &ResourceUpdatedNotificationParams{URI: "test://x"},
		"notifications/cancelled":                  &CancelledParams{RequestID: "a"},
		"notifications/subscriptions/acknowledged": &SubscriptionsAcknowledgedParams{},
		"notifications/elicitation/complete":       &ElicitationCompleteParams{ElicitationID: "1"},
	} {
		msg := envelope(t, `{"jsonrpc":"2.0","method":"`+method+`","params":`, params)
		if method != "notifications/elicitation/complete" {
			c.Message(t, schemaModern, "", msg)
		}
		if method != "notifications/subscriptions/acknowledged" {
			c.Message(t, schemaLegacy, "", msg)
		}
	}
}

// envelope returns head, the JSON of v and a closing brace.
func envelope(t *testing.T, head string, v any) []byte {
	t.Helper()
	b, err := appendValue([]byte(head), v)
	if err != nil {
		t.Fatal(err)
	}
	return append(b, '}')
}

// modernResult returns the response around the members of a result. It adds what every result of
// 2026-07-28 has and, for resources/read, the caching fields.
func modernResult(t *testing.T, method string, body []byte) []byte {
	t.Helper()
	m := map[string]any{}
	if method == "resources/read" {
		m = map[string]any{"ttlMs": 0, "cacheScope": CachePrivate}
	}
	if err := json.Unmarshal(body, &m); err != nil {
		t.Fatal(err)
	}
	m["resultType"] = "complete"
	return modernResponse(t, m)
}

func modernAsk(t *testing.T, body []byte) []byte {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal(body, &m); err != nil {
		t.Fatal(err)
	}
	m["resultType"] = "input_required"
	return modernResponse(t, m)
}

func modernResponse(t *testing.T, result map[string]any) []byte {
	t.Helper()
	result["_meta"] = Meta{MetaKeyServerInfo: &Implementation{Name: "n", Version: "v"}}
	return envelope(t, `{"jsonrpc":"2.0","id":1,"result":`, result)
}
