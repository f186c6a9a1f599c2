package mcp

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mooring-mcp/mooring/internal/wirecheck"
	"github.com/mooring-mcp/mooring/jsonrpc"
)

// nullSamples are params with every member that a client may send, for each method.
// The arguments of a tool are the tool's own.
var nullSamples = map[string]string{
	"server/discover":          `{}`,
	"tools/list":               `{"cursor":"MXRhZGQ"}`,
	"resources/list":           `{"cursor":"MXJh"}`,
	"resources/templates/list": `{"cursor":"MW1h"}`,
	"prompts/list":             `{"cursor":"MXBh"}`,
	"tools/call":               `{"name":"say","arguments":{},"requestState":"STATE","inputResponses":{"a":{"action":"decline","content":{}}},"task":{"ttl":1}}`,
	"prompts/get":              `{"name":"say","arguments":{"who":"x","what":"y"},"requestState":"STATE","inputResponses":{"a":{"action":"decline","content":{}}}}`,
	"resources/read":           `{"uri":"test://say","requestState":"STATE","inputResponses":{"a":{"action":"decline","content":{}}}}`,
	"completion/complete":      `{"ref":{"type":"ref/prompt","name":"say","title":"t"},"argument":{"name":"who","value":"x"},"context":{"arguments":{"what":"y"}}}`,
	"subscriptions/listen":     `{"notifications":{"toolsListChanged":true,"promptsListChanged":true,"resourcesListChanged":true,"resourceSubscriptions":["test://say"]}}`,
	"initialize": `{"protocolVersion":"REVISION","capabilities":{"experimental":{},"extensions":{},"roots":{"listChanged":true},"sampling":{"tools":{},"context":{}},
		"elicitation":{"form":{},"url":{}},"tasks":{"list":{},"cancel":{},"requests":{"elicitation":{"create":{}},"sampling":{"createMessage":{}}}}},
		"clientInfo":{"name":"c","version":"1","title":"t","description":"d","websiteUrl":"https://c.example","icons":[{"src":"https://c.example/i","mimeType":"image/png","sizes":["any"],"theme":"dark"}]}}`,
	"ping":                             `{}`,
	"logging/setLevel":                 `{"level":"error"}`,
	"resources/subscribe":              `{"uri":"test://say"}`,
	"resources/unsubscribe":            `{"uri":"test://say"}`,
	"notifications/cancelled":          `{"requestId":7,"reason":"r"}`,
	"notifications/initialized":        `{}`,
	"notifications/progress":           `{"progressToken":7,"progress":1,"total":2,"message":"m"}`,
	"notifications/roots/list_changed": `{}`,
}

// nullMeta is the _meta of these params. nullModern is what 2026-07-28 adds to it.
const (
	nullMeta   = `{"progressToken":7,"traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01","tracestate":"a=b","baggage":"c=d"}`
	nullModern = `{"` + MetaKeyProtocolVersion + `":"2026-07-28","` + MetaKeyLogLevel + `":"debug",
		"` + MetaKeyClientInfo + `":{"name":"c","version":"1","title":"t","description":"d","websiteUrl":"https://c.example","icons":[{"src":"https://c.example/i","mimeType":"image/png","sizes":["any"],"theme":"dark"}]},
		"` + MetaKeyClientCapabilities + `":{"experimental":{},"extensions":{},"roots":{"listChanged":true},"sampling":{"tools":{},"context":{}},"elicitation":{"form":{},"url":{}}}}`
)

// nullServer has handlers that return all that they see of the request.
func nullServer(t *testing.T) (s *Server) {
	s = NewServer(&Implementation{Name: "n", Version: "v"}, &ServerOptions{
		CompletionHandler: func(_ context.Context, req *CompleteRequest) (*CompleteResult, error) {
			return &CompleteResult{Completion: CompletionResultDetails{Values: []string{seen(req, req.Params)}}}, nil
		},
	})
	t.Cleanup(s.Close)
	s.AddTool(&Tool{Name: "say", InputSchema: map[string]any{"type": "object"}}, func(_ context.Context, req *CallToolRequest) (*CallToolResult, error) {
		return &CallToolResult{Content: []Content{&TextContent{Text: seen(req, req.Params)}}}, nil
	})
	s.AddPrompt(&Prompt{Name: "say", Arguments: []*PromptArgument{{Name: "who", Required: true}, {Name: "what"}}}, func(_ context.Context, req *GetPromptRequest) (*GetPromptResult, error) {
		return &GetPromptResult{Messages: []*PromptMessage{{Role: RoleUser, Content: &TextContent{Text: seen(req, req.Params)}}}}, nil
	})
	s.AddResource(&Resource{Name: "say", URI: "test://say"}, func(_ context.Context, req *ReadResourceRequest) (*ReadResourceResult, error) {
		return &ReadResourceResult{Contents: []*ResourceContents{{Text: seen(req, req.Params)}}}, nil
	})
	s.AddResourceTemplate(&ResourceTemplate{Name: "say", URITemplate: "test://say/{id}"}, noRead)
	return s
}

// seen returns what a handler sees of a request as text. It leaves out nested nulls in _meta,
// because _meta passes through as the client wrote it.
func seen[P Params](req *ServerRequest[P], params P) string {
	meta := params.GetMeta()
	params.SetMeta(nil)
	for _, value := range meta {
		withoutNulls(value)
	}
	text, err := json.Marshal(map[string]any{
		"params": params, "meta": meta, "caps": req.ClientCapabilities(), "client": req.ClientInfo(), "trace": req.Extra.Trace,
		"progress": req.Progress(1, 2, "m"), "log": req.Log("debug", "", "x"),
	})
	if err != nil {
		return err.Error()
	}
	return string(text)
}

func withoutNulls(v any) {
	switch v := v.(type) {
	case map[string]any:
		for name, value := range v {
			if value == nil {
				delete(v, name)
			}
			withoutNulls(value)
		}
	case []any:
		for _, value := range v {
			withoutNulls(value)
		}
	}
}

// A nullTester sends messages to a server of its own and returns their effects as text.
type nullTester struct {
	t        *testing.T
	s        *Server
	revision string
}

// effect returns all effects of the message with the method and params.
func (n *nullTester) effect(method string, params any) (text string, code jsonrpc.Code) {
	n.t.Helper()
	msg := map[string]any{"jsonrpc": "2.0", "method": method}
	if params != noParams {
		msg["params"] = params
	}
	if !strings.HasPrefix(method, "notifications/") {
		msg["id"] = 1
	}
	body, err := json.Marshal(msg)
	if err != nil {
		n.t.Fatal(err)
	}
	c := newClient(n.t, n.s)
	if n.revision != modern && method != "initialize" {
		c.session = &SessionInfo{Revision: n.revision}
	}
	var m jsonrpc.Envelope
	if err := m.Decode(body); err != nil {
		return err.Error(), err.(*jsonrpc.Error).Code
	}
	var call Call
	if e := n.s.Prepare(&call, &m, &RequestMeta{Session: c.session}); e != nil {
		return e.Error(), e.Code
	}
	w := &recorder{t: n.t}
	call.Run(n.t.Context(), w)
	return fmt.Sprintf("%d %s %+v %+v %s %s", call.Kind(), w.body, call.Listen(), call.Op(), call.Cancelled(), strings.Join(w.notified, "\n")) +
		fmt.Sprintf("%+v", call.NewSession()), w.code
}

// noParams stands for a message without params.
var noParams any = new(int)

// sample returns the params of a method with all their members.
func (n *nullTester) sample(method string) map[string]any {
	n.t.Helper()
	text := strings.ReplaceAll(nullSamples[method], "REVISION", n.revision)
	if strings.Contains(text, "STATE") {
		state := `""`
		if n.revision == modern {
			// A state as the server itself would seal it for this request.
			c := &Call{}
			c.s, c.method = n.s, methodOf([]byte(method))
			c.p.scan([]byte(text))
			if c.name, _ = stringOf(c.p.name); c.name == nil {
				c.name, _ = stringOf(c.p.uri)
			}
			state = string(c.sealState(nil, "kept", []askedInput{{key: "a", method: askElicitation, form: []byte(`{}`)}}))
		}
		text = strings.ReplaceAll(text, `"STATE"`, state)
	}
	params := object(n.t, text)
	meta := object(n.t, nullMeta)
	if n.revision == modern {
		maps.Copy(meta, object(n.t, nullModern))
	}
	params["_meta"] = meta
	return params
}

func object(t *testing.T, text string) (m map[string]any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return m
}

// methods returns the methods that a client of the revision may send.
func (n *nullTester) methods() (out []string) {
	served := &modernMethods
	if n.revision != modern {
		served = &legacyMethods
	}
	for method := range nullSamples {
		if served[methodOf([]byte(method))] || strings.HasPrefix(method, "notifications/") {
			out = append(out, method)
		}
	}
	return slices.Sorted(slices.Values(out))
}

// with returns a copy of obj in which the member at the path is value, or is removed if value is
// noParams. It returns false if there is no object to hold the member.
func with(t *testing.T, obj map[string]any, path []string, value any) (out map[string]any, ok bool) {
	t.Helper()
	text, err := json.Marshal(obj)
	if err != nil {
		t.Fatal(err)
	}
	out = object(t, string(text))
	at := out
	for _, name := range path[:len(path)-1] {
		switch next := at[name].(type) {
		case map[string]any:
			at = next
		case []any:
			if at, ok = next[0].(map[string]any); !ok {
				return nil, false
			}
		default:
			return nil, false
		}
	}
	if last := path[len(path)-1]; value == noParams {
		delete(at, last)
	} else {
		at[last] = value
	}
	return out, true
}

// paths calls visit with the path of each member in v, including those in the first elements of
// arrays, but not in a tool's arguments.
func paths(v any, at []string, visit func([]string)) {
	switch v := v.(type) {
	case map[string]any:
		for name, value := range v {
			path := append(slices.Clip(at), name)
			visit(path)
			paths(value, path, visit)
		}
	case []any:
		if len(v) > 0 {
			paths(v[0], at, visit)
		}
	}
}

// forNulls calls f for each method of each revision.
func forNulls(t *testing.T, f func(t *testing.T, n *nullTester, method string)) {
	s := nullServer(t)
	for _, revision := range append([]string{modern}, legacies...) {
		n := &nullTester{t, s, revision}
		for _, method := range n.methods() {
			t.Run(revision+"/"+method, func(t *testing.T) { f(t, &nullTester{t, s, revision}, method) })
		}
	}
}

// A member that is null counts as absent, wherever it is. If it is optional, the response is the
// same as without it. If it is required, it is missing.
func TestNullIsAbsent(t *testing.T) {
	forNulls(t, func(t *testing.T, n *nullTester, method string) {
		sample := n.sample(method)
		if text, code := n.effect(method, sample); code != 0 {
			t.Fatalf("with all members: %s", text)
		}
		nullText, _ := n.effect(method, nil)
		absentText, _ := n.effect(method, noParams)
		if nullText != absentText {
			t.Errorf("params: null gives\n%s\nabsent\n%s", nullText, absentText)
		}
		paths(sample, nil, func(path []string) {
			null, _ := with(t, sample, path, nil)
			absent, _ := with(t, sample, path, noParams)
			nullText, _ := n.effect(method, null)
			absentText, _ := n.effect(method, absent)
			if nullText != absentText {
				t.Errorf("%s: null gives\n%s\nabsent\n%s", strings.Join(path, "."), nullText, absentText)
			}
		})
	})
}

// Every member that the official schemas call optional may be null. The test also tries members
// that the samples do not have, if there is an object to hold them.
func TestNullOptionalsOfTheSchemas(t *testing.T) {
	dir := os.Getenv(wirecheck.SchemaDir)
	if dir == "" {
		t.Skipf("%s is not set", wirecheck.SchemaDir)
	}
	forNulls(t, func(t *testing.T, n *nullTester, method string) {
		schema := openOptionals(t, filepath.Join(dir, n.revision+".json"))
		def := schema.definitionOf(method)
		if def == nil {
			t.Skip("the revision does not have the message")
		}
		sample := n.sample(method)
		tried := 0
		visit := func(path []string) {
			path = path[1:] // params
			if len(path) == 0 {
				if text, code := n.effect(method, nil); code != 0 {
					t.Errorf("params: %s", text)
				}
				return
			}
			null, ok := with(t, sample, path, nil)
			if !ok {
				t.Errorf("%s: the sample has nothing that could hold it", strings.Join(path, "."))
				return
			}
			tried++
			absent, _ := with(t, sample, path, noParams)
			text, code := n.effect(method, null)
			if want, wantCode := n.effect(method, absent); text != want || code != 0 && wantCode == 0 {
				t.Errorf("%s: null gives\n%s\nabsent\n%s", strings.Join(path, "."), text, want)
			}
		}
		params, _ := def["properties"].(map[string]any)["params"].(map[string]any)
		if !schema.requires(def, "params") {
			visit([]string{"params"})
		}
		schema.optionals(params, []string{"params"}, visit)
		t.Logf("%d optional members", tried)
	})
}

// A required member that is null is missing.
func TestNullRequired(t *testing.T) {
	required := map[string][]string{
		"tools/call": {"name"}, "prompts/get": {"name", "arguments.who"}, "resources/read": {"uri"},
		"completion/complete":  {"ref", "ref.type", "ref.name", "argument", "argument.name", "argument.value"},
		"subscriptions/listen": {"notifications"}, "logging/setLevel": {"level"},
		"resources/subscribe": {"uri"}, "resources/unsubscribe": {"uri"},
		"initialize": {"protocolVersion", "capabilities", "clientInfo", "clientInfo.name"},
	}
	forNulls(t, func(t *testing.T, n *nullTester, method string) {
		names := required[method]
		if n.revision == modern && !strings.HasPrefix(method, "notifications/") {
			names = append(slices.Clip(names), "_meta", "_meta/"+MetaKeyProtocolVersion, "_meta/"+MetaKeyClientCapabilities)
		}
		for _, name := range names {
			path := strings.Split(name, ".")
			if meta, key, ok := strings.Cut(name, "/"); ok {
				path = []string{meta, key}
			}
			null, ok := with(t, n.sample(method), path, nil)
			if !ok {
				t.Fatalf("no %s", name)
			}
			if text, code := n.effect(method, null); code != jsonrpc.CodeInvalidParams {
				t.Errorf("%s: code %d: %s", name, code, text)
			}
		}
	})
}
