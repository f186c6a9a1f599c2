package mcp

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
)

const formCaps = `{"elicitation":{}}`

// addAsker adds a tool, a prompt and a resource that each ask for a name.
func addAsker(s *Server) {
	ask := func(responses InputResponseMap, state string) (InputRequestMap, string, string) {
		if r, ok := responses["user_name"].(*ElicitResult); ok && r.Action == ElicitAccept {
			if name, ok := r.Content["name"].(string); ok {
				return nil, "", fmt.Sprintf("Hello, %s! (%s)", name, state)
			}
		}
		return InputRequestMap{"user_name": &ElicitParams{Message: "What is your name?", RequestedSchema: json.RawMessage(`{"type":"object","properties":{"name":{"type":"string"}}}`)}}, "step 1", ""
	}
	AddTool(s, &Tool{Name: "ask"}, func(_ context.Context, req *CallToolRequest, _ map[string]any) (*CallToolResult, any, error) {
		r, state, text := ask(req.Params.InputResponses, req.Params.RequestState)
		if r != nil {
			return &CallToolResult{InputRequests: r, RequestState: state}, nil, nil
		}
		return &CallToolResult{Content: []Content{&TextContent{Text: text}}}, nil, nil
	})
	s.AddPrompt(&Prompt{Name: "ask"}, func(_ context.Context, req *GetPromptRequest) (*GetPromptResult, error) {
		r, state, text := ask(req.Params.InputResponses, req.Params.RequestState)
		if r != nil {
			return &GetPromptResult{InputRequests: r, RequestState: state}, nil
		}
		return &GetPromptResult{Messages: []*PromptMessage{{Role: RoleUser, Content: &TextContent{Text: text}}}}, nil
	})
	s.AddResource(&Resource{Name: "ask", URI: "test://ask"}, func(_ context.Context, req *ReadResourceRequest) (*ReadResourceResult, error) {
		r, state, text := ask(req.Params.InputResponses, req.Params.RequestState)
		if r != nil {
			return &ReadResourceResult{InputRequests: r, RequestState: state}, nil
		}
		return &ReadResourceResult{Contents: []*ResourceContents{{Text: text}}}, nil
	})
}

const answered = `"inputResponses":{"user_name":{"action":"accept","content":{"name":"Ada"}},"more":{"x":1}}`

var askers = []struct{ method, members string }{
	{"tools/call", `"name":"ask","arguments":{"x":[1,{"b":2,"a":1}]}`},
	{"prompts/get", `"name":"ask","arguments":{"x":"y"}`},
	{"resources/read", `"uri":"test://ask"`},
}

func stateOf(a *answer) string {
	a.t.Helper()
	a.wantResult("a question", `"resultType":"input_required"`, `"inputRequests":{"user_name":{"method":"elicitation/create"`, `serverInfo`)
	for _, member := range []string{"ttlMs", "cacheScope", "content", "messages"} {
		if _, ok := a.result()[member]; ok {
			a.t.Errorf("%s in %s", member, a.body)
		}
	}
	state, ok := a.result()["requestState"].(string)
	if !ok || strings.Contains(state, "step") {
		a.t.Fatalf("state %q", state)
	}
	return fmt.Sprintf(`,"requestState":%q`, state)
}

func TestMultiRoundTrip(t *testing.T) {
	s := newTestServer(t, nil)
	addAsker(s)
	for _, tt := range askers {
		c := newClient(t, s)
		c.caps = formCaps
		state := stateOf(c.call(tt.method, tt.members))
		c.call(tt.method, tt.members+state+","+answered).wantResult(tt.method, "Hello, Ada! (step 1)", `"resultType":"complete"`)
		c.call(tt.method, tt.members+","+answered).wantResult("answers without a state", "Hello, Ada! ()")
		for why, responses := range map[string]string{
			"another key":   `"inputResponses":{"wrong":{"action":"accept","content":{"name":"x"}}}`,
			"a number":      `"inputResponses":{"user_name":7}`,
			"null":          `"inputResponses":{"user_name":null}`,
			"declined":      `"inputResponses":{"user_name":{"action":"decline"}}`,
			"another shape": `"inputResponses":{"user_name":{"roots":[]}}`,
			"none":          `"inputResponses":{}`,
		} {
			a := c.call(tt.method, tt.members+state+","+responses)
			a.wantResult(why, `"resultType":"input_required"`)
		}
		c.call(tt.method, tt.members+`,"inputResponses":{"user_name":{"action":"shout"}}`).wantError("an unknown action", -32602, 400)
	}
}

// A state opens only for the request that it was made for.
func TestStateIsBound(t *testing.T) {
	key := []byte("0123456789abcdef0123456789abcdef")
	s := newTestServer(t, &ServerOptions{StateKey: key})
	addAsker(s)
	c := newClient(t, s)
	c.caps, c.principal = formCaps, "alice"
	state := stateOf(c.call("tools/call", askers[0].members))
	const again = `"name":"ask","arguments":`

	c.call("tools/call", again+`{"x":[1,{"a":1,"b":2}]}`+state).wantResult("members in another order")
	c.call("tools/call", again+` { "x" : [ 1 , {"b":2,"a":1}]}`+state).wantResult("white space")
	c.call("tools/call", again+`{"\u0078":[1,{"b":2,"a":1}]}`+state).wantResult("escapes")
	for why, members := range map[string]string{
		"other arguments":  again + `{"x":[1,{"b":2,"a":2}]}` + state,
		"another order":    again + `{"x":[{"b":2,"a":1},1]}` + state,
		"no arguments":     `"name":"ask"` + state,
		"another tool":     `"name":"echo","arguments":{"x":[1,{"b":2,"a":1}]}` + state,
		"an inline tool":   `"name":"add","arguments":{"x":[1,{"b":2,"a":1}]}` + state,
		"nothing":          askers[0].members + `,"requestState":""`,
		"something longer": askers[0].members + strings.TrimSuffix(state, `"`) + `A"`,
	} {
		c.call("tools/call", members).wantError(why, -32602, 400, "requestState")
	}
	// the prompt has this name and these arguments too
	same := stateOf(c.call("tools/call", askers[1].members))
	c.call("tools/call", askers[1].members+same).wantResult("the same method")
	c.call("prompts/get", askers[1].members+same).wantError("another method", -32602, 400, "requestState")
	for i := len(`,"requestState":"`); i < len(state)-1; i++ {
		changed := []byte(state)
		changed[i] ^= 1
		c.call("tools/call", askers[0].members+strings.ReplaceAll(string(changed), `\`, `x`)).wantError(fmt.Sprintf("octet %d changed", i), -32602, 400)
	}

	other := newTestServer(t, &ServerOptions{StateKey: []byte("another key, also long enough"), OldStateKeys: [][]byte{key}})
	addAsker(other)
	d := newClient(t, other)
	d.caps, d.principal = formCaps, "alice"
	d.call("tools/call", askers[0].members+state).wantResult("a server with the key on its ring")
	d.principal = "bob"
	d.call("tools/call", askers[0].members+state).wantError("another principal", -32602, 400)
	third := newTestServer(t, nil)
	addAsker(third)
	e := newClient(t, third)
	e.caps, e.principal = formCaps, "alice"
	e.call("tools/call", askers[0].members+state).wantError("another server", -32602, 400)
}

func TestStateExpires(t *testing.T) {
	s := newTestServer(t, &ServerOptions{StateTTL: time.Minute})
	now := time.Now()
	s.now = func() time.Time { return now }
	addAsker(s)
	c := newClient(t, s)
	c.caps = formCaps
	state := stateOf(c.call("tools/call", askers[0].members))
	now = now.Add(time.Minute - time.Millisecond)
	c.call("tools/call", askers[0].members+state).wantResult("in time")
	now = now.Add(time.Millisecond)
	c.call("tools/call", askers[0].members+state).wantError("too late", -32602, 400)
}

// "Servers MUST NOT send an inputRequests that the client has not declared support for."
func TestUndeclaredRequests(t *testing.T) {
	var asks InputRequestMap
	s := newTestServer(t, nil)
	AddTool(s, &Tool{Name: "ask"}, func(context.Context, *CallToolRequest, struct{}) (*CallToolResult, any, error) {
		return &CallToolResult{InputRequests: asks}, nil, nil
	})
	form, url := &ElicitParams{Message: "m"}, &ElicitParams{Message: "m", URL: "https://example.com/"}
	text := &CreateMessageParams{MaxTokens: 1}
	context := &CreateMessageParams{MaxTokens: 1, IncludeContext: "thisServer"}
	tools := &CreateMessageWithToolsParams{MaxTokens: 1, ToolChoice: &ToolChoice{Mode: "none"}}
	noTools := &CreateMessageWithToolsParams{MaxTokens: 1}
	for _, tt := range []struct {
		caps string
		ask  InputRequest
		need string // "" if it may be asked
	}{
		{`{}`, form, `{"elicitation":{"form":{}}}`},
		{`{"elicitation":{}}`, form, ""},
		{`{"elicitation":{"form":{}}}`, form, ""},
		{`{"elicitation":{"url":{}}}`, form, `{"elicitation":{"form":{}}}`},
		{`{"elicitation":{"form":{},"url":{}}}`, url, ""},
		{`{"elicitation":{}}`, url, `{"elicitation":{"url":{}}}`},
		{`{}`, text, `{"sampling":{}}`},
		{`{"sampling":{}}`, text, ""},
		{`{"sampling":{}}`, context, `{"sampling":{"context":{}}}`},
		{`{"sampling":{"context":{}}}`, context, ""},
		{`{"sampling":{}}`, tools, `{"sampling":{"tools":{}}}`},
		{`{"sampling":{"tools":{}}}`, tools, ""},
		{`{"sampling":{}}`, noTools, ""},
		{`{}`, &ListRootsParams{}, `{"roots":{}}`},
		{`{"roots":{}}`, &ListRootsParams{}, ""},
	} {
		asks = InputRequestMap{"k": tt.ask}
		c := newClient(t, s)
		c.caps = tt.caps
		a := c.call("tools/call", `"name":"ask"`)
		why := fmt.Sprintf("%s %T", tt.caps, tt.ask)
		if tt.need == "" {
			a.wantResult(why, `"resultType":"input_required"`)
			continue
		}
		a.wantError(why, -32021, 400, `"data":{"requiredCapabilities":`+tt.need+`}`)
	}
	asks = InputRequestMap{"a": form, "b": url, "c": tools, "d": &ListRootsParams{}}
	a := newClient(t, s).call("tools/call", `"name":"ask"`)
	a.wantError("all", -32021, 400, `"elicitation":{"form":{},"url":{}}`, `"sampling":{"tools":{}}`, `"roots":{}`)
	asks = InputRequestMap{"a": nil}
	newClient(t, s).call("tools/call", `"name":"ask"`).wantError("nil", -32603, 200)
}

func TestMissingCapabilityError(t *testing.T) {
	s := newTestServer(t, nil)
	addReporter(s, "needs", func(_ context.Context, req *CallToolRequest) error {
		if req.ClientCapabilities().Sampling == nil {
			return MissingCapabilityError(&ClientCapabilities{Sampling: &SamplingCapabilities{}})
		}
		return nil
	})
	newClient(t, s).call("tools/call", `"name":"needs"`).wantError("missing", -32021, 400, `"data":{"requiredCapabilities":{"sampling":{}}}`)
}

// A state without questions is a question too: the client may come back at once.
func TestStateWithoutRequests(t *testing.T) {
	s := newTestServer(t, nil)
	AddTool(s, &Tool{Name: "later"}, func(_ context.Context, req *CallToolRequest, _ struct{}) (*CallToolResult, any, error) {
		return &CallToolResult{RequestState: req.Params.RequestState + "x"}, nil, nil
	})
	c := newClient(t, s)
	members := `"name":"later"`
	seen := map[string]bool{}
	for range 3 {
		a := c.call("tools/call", members)
		a.wantResult("later", `"resultType":"input_required"`)
		state := a.result()["requestState"].(string)
		if seen[state] {
			t.Error("the state does not change")
		}
		seen[state] = true
		members = fmt.Sprintf(`"name":"later","requestState":%q`, state)
	}
}

func TestCanonical(t *testing.T) {
	for in, want := range map[string]string{
		"":                         "",
		`{"b":1,"a":[ 1.0 ,"x" ]}`: `{"a":[1.0,"x",],"b":1,}`,
		`{"\u0061":"\u00e9"}`:      `{"a":"é",}`,
		`{}`:                       `{}`,
		`[[],{}]`:                  `[[],{},]`,
	} {
		if got := string(appendCanonical(nil, []byte(in))); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
	// Input that is not a decoded message may be deeper than any message. It must still end.
	appendCanonical(nil, []byte(strings.Repeat("[", 1<<20)))
}

// A state is valid at the endpoint that issued it, also for another server with the same key.
func TestStateIsOfItsEndpoint(t *testing.T) {
	key := []byte("the same key for both servers...")
	var clients []*client
	for range 2 {
		s := newTestServer(t, &ServerOptions{StateKey: key})
		addAsker(s)
		c := newClient(t, s)
		c.caps = formCaps
		clients = append(clients, c)
	}
	for _, tt := range askers {
		state := stateOf(clients[0].callHTTP(tt.method, tt.members, &RequestMeta{Endpoint: "/a"}))
		for i, c := range clients {
			for _, endpoint := range []string{"", "/", "/b", "/a/"} {
				c.callHTTP(tt.method, tt.members+state+","+answered, &RequestMeta{Endpoint: endpoint}).wantError("at "+endpoint, -32602, 400)
			}
			// A replica serves the same path.
			c.callHTTP(tt.method, tt.members+state+","+answered, &RequestMeta{Endpoint: "/a"}).wantResult(fmt.Sprint("server ", i), "Hello, Ada! (step 1)")
		}
	}
}
