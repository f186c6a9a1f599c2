package mcp

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	jsonv2 "github.com/goccy/go-json/v2"
)

func TestInputResponses(t *testing.T) {
	text := &CreateMessageWithToolsResult{Content: []Content{&TextContent{Text: "a"}}, Model: "m", Role: RoleAssistant}
	tests := []struct {
		why  string
		in   string
		want InputResponseMap
		bad  string // a part of the error
	}{
		{"each kind", `{"name":{"action":"accept","content":{"a":"x","n":1.5,"b":true,"l":["y"]}},"roots":{"roots":[{"uri":"file:///a","name":"A"}]},` +
			`"text":{"role":"assistant","model":"m","content":{"type":"text","text":"a"}}}`,
			InputResponseMap{
				"name":  &ElicitResult{Action: "accept", Content: map[string]any{"a": "x", "n": 1.5, "b": true, "l": []any{"y"}}},
				"roots": &ListRootsResult{Roots: []*Root{{URI: "file:///a", Name: "A"}}},
				"text":  text,
			}, ""},
		{"an empty object", `{}`, nil, ""},
		{"null", `null`, nil, ""},
		{"several blocks", `{"text":{"role":"assistant","model":"m","content":[{"type":"text","text":"a"}]}}`, InputResponseMap{"text": text}, ""},
		{"no roots", `{"roots":{"roots":[]}}`, InputResponseMap{"roots": &ListRootsResult{Roots: []*Root{}}}, ""},
		{"declined", `{"name":{"action":"decline"}}`, InputResponseMap{"name": &ElicitResult{Action: "decline"}}, ""},
		{"no shape: as if missing", `{"a":1,"b":null,"c":{},"d":[],"e":"x","g":{"ACTION":"accept"},"f":{"action":"cancel"}}`,
			InputResponseMap{"f": &ElicitResult{Action: "cancel"}}, ""},

		{"not an object", `[]`, nil, "inputResponses"},
		{"a key twice", `{"name":{"action":"accept"},"name":{"action":"cancel"}}`, nil, "inputResponses"},
		{"an action that is no string", `{"name":{"action":7}}`, nil, "name"},
		{"an unknown action", `{"name":{"action":"maybe"}}`, nil, "action"},
		{"deep content", `{"name":{"action":"accept","content":{"a":{}}}}`, nil, `"a"`},
		{"null content", `{"name":{"action":"accept","content":{"a":null}}}`, nil, `"a"`},
		{"numbers in a list", `{"name":{"action":"accept","content":{"a":[1]}}}`, nil, `"a"`},
		{"roots null", `{"x":{"roots":null}}`, nil, "roots"},
		{"a root without a URI", `{"x":{"roots":[{}]}}`, nil, "uri"},
		{"a null root", `{"x":{"roots":[null]}}`, nil, "uri"},
		{"a foreign role", `{"text":{"role":"system","content":{"type":"text","text":""}}}`, nil, "role"},
		{"no content", `{"text":{"role":"user"}}`, nil, "content"},
		{"a resource in sampling", `{"text":{"role":"user","content":{"type":"resource","resource":{"uri":"a:b"}}}}`, nil, "content"},
		{"bad base64", `{"text":{"role":"user","content":{"type":"image","mimeType":"a/b","data":"*"}}}`, nil, "text"},
	}
	for _, tt := range tests {
		var got InputResponseMap
		err := got.UnmarshalJSON([]byte(tt.in))
		if tt.bad != "" {
			if err == nil || !strings.Contains(err.Error(), tt.bad) || !strings.HasPrefix(err.Error(), "mcp: ") || got != nil {
				t.Errorf("%s: %v, %v, want an error about %s", tt.why, got, err, tt.bad)
			}
			continue
		}
		if diff := cmp.Diff(tt.want, got); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", tt.why, err, diff)
		}
	}
}

func TestInputResponsesInsideParams(t *testing.T) {
	var p GetPromptParams
	if err := jsonv2.Unmarshal([]byte(`{"name":"p","inputResponses":{"k":{"action":"cancel"}},"requestState":"s"}`), &p); err != nil {
		t.Fatal(err)
	}
	want := GetPromptParams{Name: "p", RequestState: "s", InputResponses: InputResponseMap{"k": &ElicitResult{Action: "cancel"}}}
	if diff := cmp.Diff(want, p); diff != "" {
		t.Error(diff)
	}
}

func TestAskMethod(t *testing.T) {
	for want, asks := range map[string][]InputRequest{
		"elicitation/create":     {&ElicitParams{}},
		"sampling/createMessage": {&CreateMessageParams{}, &CreateMessageWithToolsParams{}},
		"roots/list":             {&ListRootsParams{}},
	} {
		for _, r := range asks {
			if got := r.askMethod(); got != want {
				t.Errorf("%T is asked by %q, want %q", r, got, want)
			}
		}
	}
}

// A client reads the same values that the server has written.
func TestContentRoundTrip(t *testing.T) {
	want := &CallToolResult{
		Meta: Meta{"m": "x"},
		Content: []Content{
			&TextContent{Text: "", Annotations: &Annotations{LastModified: "2026-07-28T00:00:00Z"}},
			&ImageContent{Data: []byte{1, 2}, MIMEType: "image/png", Meta: Meta{"k": "v"}},
			&AudioContent{Data: []byte{3}, MIMEType: "audio/wav"},
			&ResourceLink{URI: "a:b", Name: "n", Title: "t", Description: "d", MIMEType: "m/n", Size: ptr(int64(7)), Icons: []Icon{{Source: "https://x/", Sizes: []string{"any"}}}},
			&EmbeddedResource{Resource: &ResourceContents{URI: "a:b", Text: "x"}},
			&EmbeddedResource{Resource: &ResourceContents{URI: "a:b", Blob: []byte{}}},
		},
		StructuredContent: map[string]any{"sum": 3.0},
		IsError:           true,
	}
	b, err := want.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	var got CallToolResult
	if err := jsonv2.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, &got, cmp.AllowUnexported(CallToolResult{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestSamplingContentRoundTrip(t *testing.T) {
	want := []Content{
		&ToolUseContent{ID: "1", Name: "n", Input: map[string]any{"a": "b"}},
		&ToolResultContent{ToolUseID: "1", Content: []Content{&TextContent{Text: "x"}}, StructuredContent: "s", IsError: true},
	}
	b, err := appendContents(nil, want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := decodeBlocks(b, samplingContent)
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if _, err := decodeBlocks(b, plainContent); err == nil {
		t.Error("tool_use was taken outside of sampling")
	}
}

func TestContentLackingWhatItsKindRequires(t *testing.T) {
	for _, s := range []string{
		`{}`, `null`, `7`, `{"type":"text"}`, `{"type":"text","text":null}`, `{"type":"text","text":7}`, `{"type":"TEXT","text":""}`, `{"Type":"text","text":""}`,
		`{"type":"image","data":""}`, `{"type":"audio","mimeType":"a/b"}`, `{"type":"resource"}`, `{"type":"resource","resource":{}}`,
		`{"type":"resource_link","uri":"a:b"}`, `{"type":"video","data":""}`, `{"type":"text","text":"","text":""}`,
	} {
		if c, err := decodeContent([]byte(s), plainContent); err == nil {
			t.Errorf("%s was taken as %#v", s, c)
		}
	}
}

func TestCompleteReference(t *testing.T) {
	for in, want := range map[string]*CompleteReference{
		`{"type":"ref/prompt","name":"p"}`:             {Type: RefPrompt, Name: "p"},
		`{"type":"ref/prompt","name":"p","title":"t"}`: {Type: RefPrompt, Name: "p"},
		`{"type":"ref/resource","uri":"test://{id}"}`:  {Type: RefResource, URI: "test://{id}"},
		`{"type":"ref/prompt"}`:                        nil,
		`{"type":"ref/resource","name":"p"}`:           nil,
		`{"type":"ref/tool","name":"p"}`:               nil,
		`{"name":"p"}`:                                 nil,
		`{"type":"ref/prompt","name":7}`:               nil,
		`{"type":"ref/prompt","type":"x","name":"p"}`:  nil,
	} {
		got := new(CompleteReference)
		err := jsonv2.Unmarshal([]byte(in), got)
		if want == nil {
			if err == nil {
				t.Errorf("%s was taken as %v", in, got)
			}
			continue
		}
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%s: %v\n%s", in, err, diff)
		}
	}
}

func TestElicitMode(t *testing.T) {
	for want, ps := range map[string][]*ElicitParams{
		ElicitModeForm: {{}, {Mode: "form", URL: "https://x/"}},
		ElicitModeURL:  {{URL: "https://x/"}, {ElicitationID: "1"}, {Mode: "url"}},
		"other":        {{Mode: "other"}},
	} {
		for _, p := range ps {
			if got := p.mode(); got != want {
				t.Errorf("mode of %+v is %q, want %q", p, got, want)
			}
		}
	}
}

func FuzzInputResponses(f *testing.F) {
	f.Add([]byte(`{"a":{"action":"accept","content":{"x":1}},"b":{"roots":[{"uri":"file:///"}]}}`))
	f.Add([]byte(`{"c":{"role":"user","content":[{"type":"tool_result","toolUseId":"1","content":[]}]}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var got InputResponseMap
		if err := got.UnmarshalJSON(data); err != nil && got != nil {
			t.Fatalf("both %v and %v", got, err)
		}
		for key, r := range got {
			if m, ok := r.(*CreateMessageWithToolsResult); ok {
				if _, err := appendContents(nil, m.Content); err != nil {
					t.Fatalf("%q: decoded content does not encode: %v", key, err)
				}
			}
		}
	})
}
