package mcp

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/mooring-mcp/mooring/jsonrpc"
)

// heldServer has a tool that asks and returns what it sees of the answers.
func heldServer(t *testing.T, asks InputRequestMap, state string, runs *int) *Server {
	s := newTestServer(t, nil)
	AddTool(s, &Tool{Name: "ask"}, func(_ context.Context, req *CallToolRequest, _ map[string]any) (*CallToolResult, any, error) {
		*runs++
		if len(req.Params.InputResponses) < len(asks) {
			return &CallToolResult{InputRequests: asks, RequestState: state}, nil, nil
		}
		text, err := json.Marshal(req.Params.InputResponses)
		if err != nil {
			return nil, nil, err
		}
		return &CallToolResult{Content: []Content{&TextContent{Text: "saw " + string(text)}}}, nil, nil
	})
	return s
}

// heldForm has a field of each kind.
var heldForm = &ElicitParams{Message: "m", RequestedSchema: json.RawMessage(`{"type":"object","properties":{
	"name":{"type":"string","minLength":2,"maxLength":5},"age":{"type":"integer","minimum":1},"share":{"type":"number","maximum":1},
	"sure":{"type":"boolean"},"berth":{"type":"string","enum":["north","south"]}},"required":["name"]}`)}

// heldAnswers are answers to the question k, and what the handler sees of them, or "" if it must
// not see the answer.
var heldAnswers = []struct {
	why    string
	ask    InputRequest
	answer string
	saw    string
}{
	{"all fields", heldForm, `{"action":"accept","content":{"name":"Ada","age":36,"share":0.5,"sure":true,"berth":"north"}}`, `"name":"Ada"`},
	{"the required field", heldForm, `{"action":"accept","content":{"name":"Ada"}}`, `"content":{"name":"Ada"}`},
	{"null fields", heldForm, `{"action":"accept","_meta":null,"content":{"name":"Ada","age":null,"berth":null}}`, `"content":{"name":"Ada"}`},
	{"extra members of another result", heldForm, `{"action":"accept","role":"assistant","roots":[],"model":7,"content":{"name":"Ada"}}`, `"content":{"name":"Ada"}`},
	{"declined", heldForm, `{"action":"decline"}`, `"action":"decline"`},
	{"declined with content", heldForm, `{"action":"decline","content":{"name":7}}`, `{"action":"decline"}`},
	{"cancelled with an array", heldForm, `{"action":"cancel","content":[1]}`, `{"action":"cancel"}`},
	{"a number for a string", heldForm, `{"action":"accept","content":{"name":7}}`, ""},
	{"a string for a number", heldForm, `{"action":"accept","content":{"name":"Ada","age":"36"}}`, ""},
	{"a fraction for an integer", heldForm, `{"action":"accept","content":{"name":"Ada","age":1.5}}`, ""},
	{"out of range", heldForm, `{"action":"accept","content":{"name":"Ada","share":2}}`, ""},
	{"too short", heldForm, `{"action":"accept","content":{"name":"A"}}`, ""},
	{"not one of the choices", heldForm, `{"action":"accept","content":{"name":"Ada","berth":"east"}}`, ""},
	{"a string for a boolean", heldForm, `{"action":"accept","content":{"name":"Ada","sure":"yes"}}`, ""},
	{"nothing of what is required", heldForm, `{"action":"accept","content":{}}`, ""},
	{"null for what is required", heldForm, `{"action":"accept","content":{"name":null}}`, ""},
	{"no content", heldForm, `{"action":"accept"}`, ""},
	{"content that is no object", heldForm, `{"action":"accept","content":["Ada"]}`, ""},
	{"an unknown action", heldForm, `{"action":"shout","content":{"name":"Ada"}}`, ""},
	{"a yes", &ElicitParams{Message: "m"}, `{"action":"accept"}`, `"action":"accept"`},
	{"a result of roots/list", &ListRootsParams{}, `{"roots":[{"uri":"file:///x"}]}`, `file:///x`},
	{"roots with an action", &ListRootsParams{}, `{"action":"shout","role":7,"roots":[{"uri":"file:///x","name":null}],"_meta":null}`, `file:///x`},
	{"roots without a uri", &ListRootsParams{}, `{"roots":[{}]}`, ""},
	{"a message", &CreateMessageParams{MaxTokens: 1}, `{"role":"assistant","model":"m","content":{"type":"text","text":"hi"},"stopReason":null}`, `hi`},
	{"a message with roots and an action", &CreateMessageParams{MaxTokens: 1}, `{"roots":7,"action":"accept","role":"assistant","model":"m","content":{"type":"text","text":"hi","annotations":null}}`, `hi`},
	{"a message without content", &CreateMessageParams{MaxTokens: 1}, `{"role":"assistant","model":"m"}`, ""},
	{"a message of an unknown role", &CreateMessageParams{MaxTokens: 1}, `{"role":"tool","model":"m","content":{"type":"text","text":"hi"}}`, ""},
}

const heldCaps = `{"elicitation":{"form":{},"url":{}},"sampling":{},"roots":{}}`

// On 2026-07-28 a bad answer is refused, and content that its form does not allow is asked for
// again, both with the state that says what was asked and without it. An answer that nobody asked
// for is ignored, however bad it is.
func TestAnswersAreHeldAtOnce(t *testing.T) {
	for _, tt := range heldAnswers {
		for _, own := range []string{"", "mine"} {
			runs := 0
			s := heldServer(t, InputRequestMap{"k": tt.ask}, own, &runs)
			c := newClient(t, s)
			c.caps = heldCaps
			a := c.call("tools/call", `"name":"ask"`)
			a.wantResult(tt.why, "input_required")
			state := ""
			if text, ok := a.result()["requestState"].(string); ok {
				state = fmt.Sprintf(`,"requestState":%q`, text)
			}
			for _, state := range []string{state, "", `,"requestState":null`} {
				for _, extra := range []string{"", `,"x":{"action":"shout"},"y":7,"z":null,"w":{"roots":[{}]},"v":{"role":"nobody"}`} {
					a := c.call("tools/call", `"name":"ask","inputResponses":{"k":`+tt.answer+extra+`}`+state)
					why := fmt.Sprintf("%s, state %q, extra %q", tt.why, state, extra)
					if form := tt.ask == InputRequest(heldForm) && strings.Contains(tt.answer, "accept"); form && tt.saw == "" {
						a.wantResult(why, `"input_required"`)
					} else if tt.saw == "" {
						a.wantError(why, -32602, 400, "inputResponses", `\"k\"`)
					} else {
						a.wantResult(why, `"complete"`)
						if !strings.Contains(a.text(), tt.saw) || strings.Contains(a.text(), `"x"`) {
							t.Errorf("%s: %s", why, a.text())
						}
					}
				}
			}
		}
	}
}

// On earlier revisions a bad answer ends the call with an error, and the handler does not run
// again.
func TestAnswersAreHeldByMethod(t *testing.T) {
	more := heldAnswers
	for _, ask := range []InputRequest{heldForm, &ListRootsParams{}, &CreateMessageParams{MaxTokens: 1}} {
		more = append(more[:len(more):len(more)], struct {
			why    string
			ask    InputRequest
			answer string
			saw    string
		}{"an empty object", ask, `{}`, ""})
	}
	for _, revision := range legacies {
		for _, tt := range more {
			if _, ok := tt.ask.(*ElicitParams); ok && revision < "2025-06-18" {
				continue // the revision cannot ask this
			}
			runs := 0
			s := heldServer(t, InputRequestMap{"k": tt.ask}, "", &runs)
			c := prepareAsk(t, s, revision, heldCaps)
			w := &asker{recorder: recorder{t: t}, can: true}
			c.Run(t.Context(), w)
			if w.asked != 1 {
				t.Fatalf("%s at %s: asked %d: %s", tt.why, revision, w.asked, w.body)
			}
			c.Resume(t.Context(), w, []byte(`{"k":`+tt.answer+`,"x":{"action":"shout"}}`))
			if tt.saw == "" {
				if w.code != jsonrpc.CodeInternalError || runs != 1 || !strings.Contains(w.body, `\"k\"`) {
					t.Errorf("%s at %s: %d runs, %s", tt.why, revision, runs, w.body)
				}
			} else if !strings.Contains(w.body, "saw") || !strings.Contains(strings.ReplaceAll(w.body, `\"`, `"`), tt.saw) {
				t.Errorf("%s at %s: %s", tt.why, revision, w.body)
			}
		}
	}
}

// The answer to an elicitation by URL has no content, because none was asked for.
func TestVisitWithoutContent(t *testing.T) {
	runs := 0
	s := heldServer(t, InputRequestMap{"k": &ElicitParams{Message: "m", URL: "https://example.com/"}}, "", &runs)
	c := newClient(t, s)
	c.caps = heldCaps
	a := c.call("tools/call", `"name":"ask","inputResponses":{"k":{"action":"accept","content":{"name":7}}}`)
	a.wantResult("a visit")
	if a.text() != `saw {"k":{"action":"accept"}}` {
		t.Errorf("%s", a.text())
	}
}

// A state that only says what was asked does no harm if it does not open. A state that was changed
// into another kind does not open.
func TestStateOfQuestions(t *testing.T) {
	for _, own := range []string{"", "mine"} {
		runs := 0
		s := heldServer(t, InputRequestMap{"k": heldForm}, own, &runs)
		c := newClient(t, s)
		c.caps = heldCaps
		state := c.call("tools/call", `"name":"ask"`).result()["requestState"].(string)
		answer := `"name":"ask","inputResponses":{"k":{"action":"accept","content":{"name":"Ada"}}},"requestState":`
		runs = 0
		c.call("tools/call", answer+fmt.Sprintf("%q", state)).wantResult("as it was", "saw")
		if runs != 1 {
			t.Errorf("%d runs with the state", runs)
		}
		a := c.call("tools/call", answer+fmt.Sprintf("%q", state+"AAAA"))
		if own == "" {
			a.wantResult("spoilt, and nothing in it", "saw")
		} else {
			a.wantError("spoilt", -32602, 400)
			c.call("tools/call", answer+fmt.Sprintf("%q", "."+state[1:])).wantResult("made another: as if there were none", "saw")
			c.call("tools/call", answer+fmt.Sprintf("%q", state[1:])).wantError("made another", -32602, 400)
		}
	}
}

// A form that is not a schema cannot be asked, because no answer could be checked against it.
func TestFormThatIsNoSchema(t *testing.T) {
	runs := 0
	s := heldServer(t, InputRequestMap{"k": &ElicitParams{Message: "m", RequestedSchema: json.RawMessage(`{"type":"wrong"}`)}}, "", &runs)
	c := newClient(t, s)
	c.caps = heldCaps
	c.call("tools/call", `"name":"ask"`).wantError("modern", -32603, 200)
	w := &asker{recorder: recorder{t: t}, can: true}
	prepareAsk(t, s, "2025-11-25", heldCaps).Run(t.Context(), w)
	if w.code != -32603 || w.asked != 0 {
		t.Errorf("asked %d: %s", w.asked, w.body)
	}
}

// Clients of 2026-07-28 bring back a state without questions at once. For clients of earlier
// revisions the handler runs again at once, whether or not the transport can ask, but not forever.
func TestStateAloneRunsAgain(t *testing.T) {
	for _, revision := range legacies {
		for _, sink := range []string{"asks", "cannot ask"} {
			for rounds := range maxAskRounds + 2 {
				runs := 0
				step := func(state string) (string, string) {
					runs++
					if len(state) == rounds {
						return "", "done " + state
					}
					return state + "x", ""
				}
				s := newTestServer(t, nil)
				AddTool(s, &Tool{Name: "ask"}, func(_ context.Context, req *CallToolRequest, _ map[string]any) (*CallToolResult, any, error) {
					_ = req.Progress(float64(runs), 0, "")
					next, text := step(req.Params.RequestState)
					if next != "" {
						return &CallToolResult{RequestState: next, InputRequests: InputRequestMap{}}, nil, nil
					}
					return &CallToolResult{Content: []Content{&TextContent{Text: text}}}, nil, nil
				})
				s.AddPrompt(&Prompt{Name: "ask"}, func(_ context.Context, req *GetPromptRequest) (*GetPromptResult, error) {
					next, text := step(req.Params.RequestState)
					return &GetPromptResult{RequestState: next, Messages: []*PromptMessage{{Role: RoleUser, Content: &TextContent{Text: text}}}}, nil
				})
				s.AddResource(&Resource{Name: "ask", URI: "test://ask"}, func(_ context.Context, req *ReadResourceRequest) (*ReadResourceResult, error) {
					next, text := step(req.Params.RequestState)
					return &ReadResourceResult{RequestState: next, Contents: []*ResourceContents{{Text: text}}}, nil
				})
				for _, request := range []string{`"method":"tools/call","params":{"name":"ask"}`, `"method":"prompts/get","params":{"name":"ask"}`, `"method":"resources/read","params":{"uri":"test://ask"}`} {
					runs = 0
					var m jsonrpc.Envelope
					if err := m.Decode([]byte(`{"jsonrpc":"2.0","id":1,` + request + `}`)); err != nil {
						t.Fatal(err)
					}
					var c Call
					if e := s.Prepare(&c, &m, &RequestMeta{Session: &SessionInfo{Revision: revision}}); e != nil {
						t.Fatal(e)
					}
					a := &asker{recorder: recorder{t: t}, can: true}
					var w Sink = a
					if sink == "cannot ask" {
						w = &a.recorder
					}
					c.Run(t.Context(), w)
					if a.responses != 1 || a.asked != 0 {
						t.Fatalf("%d responses, asked %d", a.responses, a.asked)
					}
					if rounds <= maxAskRounds && (a.code != 0 || !strings.Contains(a.body, "done "+strings.Repeat("x", rounds)) || runs != rounds+1) {
						t.Errorf("%s, %d rounds: %d runs, %s", revision, rounds, runs, a.body)
					}
					if rounds > maxAskRounds && (a.code != -32603 || runs != maxAskRounds+1) {
						t.Errorf("%s, %d rounds: %d runs, %s", revision, rounds, runs, a.body)
					}
				}
			}
		}
	}
}
