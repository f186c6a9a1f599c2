package mcp

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Messages to and from a model are read with one block or with several, where their type has room.
func TestSamplingMessages(t *testing.T) {
	const block = `{"type":"text","text":"a"}`
	text := &TextContent{Text: "a"}
	one := `{"role":"assistant","model":"m","stopReason":"endTurn","_meta":{"k":"v"},"content":` + block + `}`
	list := strings.Replace(one, block, `[`+block+`]`, 1)
	two := strings.Replace(one, block, `[`+block+`,`+block+`]`, 1)
	none := strings.Replace(one, block, `[]`, 1)
	single := &CreateMessageResult{Meta: Meta{"k": "v"}, Content: text, Model: "m", Role: RoleAssistant, StopReason: "endTurn"}
	several := func(blocks ...Content) *CreateMessageWithToolsResult {
		return &CreateMessageWithToolsResult{Meta: Meta{"k": "v"}, Content: blocks, Model: "m", Role: RoleAssistant, StopReason: "endTurn"}
	}
	for _, tt := range []struct {
		in        string
		got, want any // want is nil if in is refused
	}{
		{one, new(CreateMessageResult), single},
		{list, new(CreateMessageResult), single},
		{two, new(CreateMessageResult), nil},
		{none, new(CreateMessageResult), nil},
		{one, new(CreateMessageWithToolsResult), several(text)},
		{two, new(CreateMessageWithToolsResult), several(text, text)},
		{strings.Replace(one, "assistant", "system", 1), new(CreateMessageWithToolsResult), nil},
		{one, new(SamplingMessage), &SamplingMessage{Content: text, Role: RoleAssistant}},
		{two, new(SamplingMessage), nil},
		{two, new(SamplingMessageV2), &SamplingMessageV2{Content: []Content{text, text}, Role: RoleAssistant}},
		{strings.Replace(one, block, "7", 1), new(SamplingMessageV2), nil},
	} {
		err := json.Unmarshal([]byte(tt.in), tt.got)
		if (err == nil) != (tt.want != nil) {
			t.Errorf("%T from %s: %v", tt.got, tt.in, err)
		} else if err == nil && !cmp.Equal(tt.got, tt.want) {
			t.Errorf("%T from %s: %s", tt.got, tt.in, cmp.Diff(tt.want, tt.got))
		}
	}
	for want, r := range map[string]any{
		`"content":{"type":"text","text":"a"}`:                                 several(text),
		`"content":[{"type":"text","text":"a"},{"type":"text","text":"a"}],"m`: several(text, text),
		`"content":[],"model":"m","role":"assistant"`:                          several(),
		`"content":{"type":"text","text":"a"},"model":"m"`:                     single,
	} {
		if got, err := json.Marshal(r); err != nil || !strings.Contains(string(got), want) {
			t.Errorf("%T is %s, %v, want %s", r, got, err, want)
		}
	}
}

// Roots is a copy of RootsV2 in which nobody can tell an empty declaration from none.
func TestRootsCapability(t *testing.T) {
	for in, want := range map[string]struct{ declared, changes bool }{
		`{}`: {}, `{"roots":{}}`: {true, false}, `{"roots":{"listChanged":true}}`: {true, true},
	} {
		var c ClientCapabilities
		if err := json.Unmarshal([]byte(in), &c); err != nil {
			t.Fatal(err)
		}
		if (c.RootsV2 != nil) != want.declared || c.Roots.ListChanged != want.changes ||
			c.RootsV2 != nil && c.RootsV2.ListChanged != want.changes {
			t.Errorf("%s was read as %+v", in, c)
		}
		if out, err := json.Marshal(&c); err != nil || string(out) != in {
			t.Errorf("%s was written as %s, %v", in, out, err)
		}
	}
	c := new(ClientCapabilities)
	c.Roots.ListChanged = true
	if out, err := json.Marshal(c); err != nil || string(out) != `{"roots":{"listChanged":true}}` {
		t.Errorf("written as %s, %v", out, err)
	}
}

// A result with questions is read as it was written.
func TestInputRequests(t *testing.T) {
	in := InputRequestMap{
		"form": &ElicitParams{Mode: ElicitModeForm, Message: "m", RequestedSchema: map[string]any{"type": "object", "properties": map[string]any{}}},
		"text": &CreateMessageWithToolsParams{MaxTokens: 9, Messages: []*SamplingMessageV2{{Role: RoleUser, Content: []Content{&TextContent{Text: "t"}}}}},
		"dirs": &ListRootsParams{},
	}
	text, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	var res CallToolResult
	if err := json.Unmarshal([]byte(`{"inputRequests":`+string(text)+`,"requestState":"s"}`), &res); err != nil {
		t.Fatal(err)
	}
	if !cmp.Equal(res.InputRequests, in) {
		t.Error(cmp.Diff(in, res.InputRequests))
	}
	if !res.NeedsInput() || new(CallToolResult).NeedsInput() || !(&GetPromptResult{RequestState: "s"}).NeedsInput() ||
		!(&ReadResourceResult{InputRequests: in}).NeedsInput() {
		t.Error("NeedsInput is wrong")
	}
	for _, bad := range []string{`{"a":{"method":"tools/list"}}`, `{"a":{"method":"elicitation/create","params":7}}`, `[]`} {
		if err := json.Unmarshal([]byte(bad), new(InputRequestMap)); err == nil {
			t.Errorf("%s was taken", bad)
		}
	}
}
