package mcp

import (
	stdjson "encoding/json"
	"reflect"
	"testing"

	jsonv2 "github.com/goccy/go-json/v2"
)

// metaHolder is what every type with an embedded Meta has.
type metaHolder interface {
	GetMeta() map[string]any
	SetMeta(map[string]any)
}

// metaTypes has a value of every type with an embedded Meta that another package can decode.
func metaTypes() []metaHolder {
	return []metaHolder{
		&CallToolParams{Name: "n"}, &CallToolParamsRaw{Name: "n"}, &CancelledParams{RequestID: "r"},
		&CompleteParams{Ref: &CompleteReference{Type: RefPrompt, Name: "n"}}, &DiscoverParams{},
		&ElicitationCompleteParams{ElicitationID: "e"}, &GetPromptParams{Name: "n"},
		&InitializeParams{ProtocolVersion: "v"}, &InitializedParams{}, &ListPromptsParams{Cursor: "c"},
		&ListResourceTemplatesParams{Cursor: "c"}, &ListResourcesParams{Cursor: "c"}, &ListRootsParams{},
		&ListToolsParams{Cursor: "c"}, &LoggingMessageParams{Level: LevelInfo}, &ParamsBase{}, &PingParams{},
		&ProgressNotificationParams{Progress: 1}, &PromptListChangedParams{}, &ReadResourceParams{URI: "u"},
		&ResourceListChangedParams{}, &ResourceUpdatedNotificationParams{URI: "u"}, &RootsListChangedParams{},
		&SetLoggingLevelParams{Level: LevelInfo}, &SubscribeParams{URI: "u"}, &SubscriptionsAcknowledgedParams{},
		&SubscriptionsListenParams{}, &ToolListChangedParams{}, &UnsubscribeParams{URI: "u"}, &ElicitParams{Message: "m"},

		&CallToolResult{Content: []Content{}}, &DiscoverResult{}, &ElicitResult{Action: "accept"}, &InitializeResult{},
		&ListPromptsResult{}, &ListResourceTemplatesResult{}, &ListResourcesResult{}, &ListRootsResult{Roots: []*Root{}},
		&ListToolsResult{NextCursor: "c"}, &ResultBase{}, &SubscriptionsListenResult{},

		&Prompt{Name: "n"}, &Resource{Name: "n"}, &ResourceTemplate{Name: "n"}, &Root{URI: "u"}, &Tool{Name: "n"},
	}
}

// An embedded Meta is written and read as the member _meta, by every codec that a host may use, and
// left out if it is empty.
func TestEmbeddedMeta(t *testing.T) {
	codecs := []struct {
		name      string
		marshal   func(any) ([]byte, error)
		unmarshal func([]byte, any) error
	}{
		{"encoding/json", stdjson.Marshal, stdjson.Unmarshal},
		{"go-json", marshal, func(data []byte, v any) error { return jsonv2.Unmarshal(data, v) }},
	}
	for _, v := range metaTypes() {
		kind := reflect.TypeOf(v).Elem()
		for _, codec := range codecs {
			v.SetMeta(nil)
			text, err := codec.marshal(v)
			var members map[string]any
			if err != nil || stdjson.Unmarshal(text, &members) != nil {
				t.Fatalf("%s: %s: %s, %v", kind, codec.name, text, err)
			}
			if _, ok := members["_meta"]; ok && kind.Name() != "SubscriptionsListenResult" || members["Meta"] != nil {
				t.Errorf("%s: %s writes an empty Meta: %s", kind, codec.name, text)
			}
			v.SetMeta(map[string]any{"k": "v"})
			if text, err = codec.marshal(v); err != nil {
				t.Fatalf("%s: %s: %v", kind, codec.name, err)
			}
			back := reflect.New(kind).Interface().(metaHolder)
			if err := codec.unmarshal(text, back); err != nil {
				t.Fatalf("%s: %s cannot read %s: %v", kind, codec.name, text, err)
			}
			if back.GetMeta()["k"] != "v" {
				t.Errorf("%s: %s read %s as %+v", kind, codec.name, text, back)
			}
		}
	}
}

func TestProgressToken(t *testing.T) {
	for _, v := range metaTypes() {
		p, ok := v.(RequestParams)
		if !ok {
			continue
		}
		p.SetMeta(nil)
		if got := p.GetProgressToken(); got != nil {
			t.Errorf("%T without metadata has the token %v", p, got)
		}
		for _, token := range []any{"t", 7, int64(8), int32(9)} {
			p.SetProgressToken(token)
			if got := p.GetProgressToken(); got != token {
				t.Errorf("%T has the token %v, want %v", p, got, token)
			}
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("a token that is not a string or an integer was taken")
		}
	}()
	new(CallToolParams).SetProgressToken(1.5)
}

// A type outside of the package becomes params or a result by embedding a base.
func TestBases(t *testing.T) {
	type search struct {
		ParamsBase
		Query string `json:"query"`
	}
	type hits struct {
		ResultBase
		Hits []string `json:"hits"`
	}
	var p Params = &search{Query: "q"}
	var r Result = &hits{Hits: []string{"a"}}
	p.SetMeta(map[string]any{"k": 1})
	r.SetMeta(map[string]any{"k": 2})
	for v, want := range map[any]string{p: `{"_meta":{"k":1},"query":"q"}`, r: `{"_meta":{"k":2},"hits":["a"]}`} {
		if text, err := marshal(v); err != nil || string(text) != want {
			t.Errorf("%T is %s, %v, want %s", v, text, err, want)
		}
	}
}

// Each of the four lists has a request type of its own, so that middleware can tell them apart.
func TestListRequestsDiffer(t *testing.T) {
	name := func(req Request) string {
		switch req.(type) {
		case *ListToolsRequest:
			return "tools"
		case *ListPromptsRequest:
			return "prompts"
		case *ListResourcesRequest:
			return "resources"
		case *ListResourceTemplatesRequest:
			return "templates"
		}
		return "other"
	}
	for want, req := range map[string]Request{
		"tools": new(ListToolsRequest), "prompts": new(ListPromptsRequest), "resources": new(ListResourcesRequest),
		"templates": new(ListResourceTemplatesRequest), "other": new(CallToolRequest),
	} {
		if got := name(req); got != want {
			t.Errorf("the request for %s is that for %s", want, got)
		}
	}
}
