package mcp

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
)

// pass is middleware that does nothing.
func pass(next MethodHandler) MethodHandler { return next }

// With middleware that does nothing, every response is the same as without.
func TestMiddlewareIsTransparent(t *testing.T) {
	handler := func(_ context.Context, req *CompleteRequest) (*CompleteResult, error) {
		return &CompleteResult{Completion: CompletionResultDetails{Values: []string{req.Params.Argument.Value}}}, nil
	}
	var plain, wrapped *client
	for _, c := range []**client{&plain, &wrapped} {
		s := newTestServer(t, &ServerOptions{PageSize: 2, CompletionHandler: handler, Instructions: "i"})
		fillServer(s, 5)
		addAsker(s)
		AddTool(s, &Tool{Name: "fails"}, func(context.Context, *CallToolRequest, struct{}) (*CallToolResult, any, error) {
			return nil, nil, errors.New("no")
		})
		AddTool(s, &Tool{Name: "list"}, func(context.Context, *CallToolRequest, struct{}) (*CallToolResult, []int, error) {
			return &CallToolResult{Meta: Meta{"a": 1}, Content: []Content{&TextContent{Text: "x"}}}, []int{1}, nil
		})
		*c = newClient(t, s)
		(*c).caps = formCaps
	}
	wrapped.s.AddReceivingMiddleware(pass)
	for _, tt := range []struct{ method, members string }{
		{"server/discover", ""},
		{"tools/list", ""}, {"tools/list", `"cursor":"MXRmMDA"`}, {"tools/list", `"cursor":"x"`},
		{"prompts/list", ""}, {"resources/list", ""}, {"resources/templates/list", ""},
		{"tools/call", `"name":"add","arguments":{"a":1,"b":2}`}, {"tools/call", `"name":"add"`}, {"tools/call", `"name":"none"`},
		{"tools/call", `"name":"fails"`}, {"tools/call", `"name":"list"`},
		{"tools/call", `"name":"ask",` + answered}, {"prompts/get", `"name":"ask",` + answered}, {"resources/read", `"uri":"test://ask",` + answered},
		{"resources/read", `"uri":"test://f00/1"`}, {"resources/read", `"uri":"test://none"`},
		{"prompts/get", `"name":"f00"`},
		{"completion/complete", `"ref":{"type":"ref/prompt","name":"f00"},"argument":{"name":"a","value":"v"}`},
	} {
		a, b := plain.call(tt.method, tt.members), wrapped.call(tt.method, tt.members)
		if a.body != b.body || b.inline {
			t.Errorf("%s %s:\n%s\nwith middleware\n%s", tt.method, tt.members, a.body, b.body)
		}
	}
	// A question has a state, which is never the same twice.
	for _, tt := range askers {
		state := stateOf(wrapped.call(tt.method, tt.members))
		wrapped.call(tt.method, tt.members+state+","+answered).wantResult(tt.method, "Hello, Ada! (step 1)")
	}
}

func TestMiddlewareOrder(t *testing.T) {
	s := newTestServer(t, nil)
	var got []string
	named := func(name string) Middleware {
		return func(next MethodHandler) MethodHandler {
			return func(ctx context.Context, method string, req Request) (Result, error) {
				got = append(got, name)
				if req.GetSession() == nil || req.GetParams() == nil || req.GetExtra().Principal != "alice" {
					t.Errorf("%s: %+v", name, req)
				}
				return next(ctx, method, req)
			}
		}
	}
	s.AddReceivingMiddleware(named("a"), named("b"))
	s.AddReceivingMiddleware(named("c"))
	c := newClient(t, s)
	c.principal = "alice"
	c.call("tools/call", `"name":"echo","arguments":{"text":"x"}`).wantResult("echo")
	if !slices.Equal(got, []string{"c", "a", "b"}) {
		t.Errorf("called %q", got)
	}
}

// Middleware may redirect a request. A feature that does not exist is refused as usual.
func TestMiddlewareRedirects(t *testing.T) {
	target := ""
	s := newTestServer(t, nil)
	fillServer(s, 2)
	s.AddReceivingMiddleware(func(next MethodHandler) MethodHandler {
		return func(ctx context.Context, method string, req Request) (Result, error) {
			switch r := req.(type) {
			case *CallToolRequest:
				r.Params.Name = target
			case *GetPromptRequest:
				r.Params.Name = target
			case *ReadResourceRequest:
				r.Params.URI = "test://" + target
			case *ListToolsRequest:
				r.Params.Cursor = target
			}
			return next(ctx, method, req)
		}
	})
	c := newClient(t, s)
	requests := []struct{ method, members string }{
		{"tools/call", `"name":"f00","arguments":{"text":"x"}`}, {"prompts/get", `"name":"f00"`}, {"resources/read", `"uri":"test://f00"`},
	}
	for _, r := range requests {
		target = "f01"
		c.call(r.method, r.members).wantResult(r.method)
		target = "nowhere"
		c.call(r.method, r.members).wantError(r.method, -32602, 400)
	}
	c.call("tools/list", "").wantError("a page of nowhere", -32602, 400)
	target = ""
	c.call("tools/list", "").wantResult("the first page", `"name":"f01"`)

	s.AddReceivingMiddleware(func(MethodHandler) MethodHandler {
		return func(context.Context, string, Request) (Result, error) { return nil, nil }
	})
	c.call("tools/call", `"name":"f00","arguments":{}`).wantResult("nothing is an empty result", `"content":[]`)
	c.call("resources/read", `"uri":"test://f00"`).wantError("but not for resources", -32603, 200)
	c.call("server/discover", "").wantError("nor for discover", -32603, 200)
}

// A Call that is reused starts from its zero state.
func TestCallIsReused(t *testing.T) {
	s := newTestServer(t, nil)
	AddInlineTool(s, &Tool{Name: "inline"}, func(req *CallToolRequest, _ struct{}) (any, error) {
		if req.Params.Meta["progressToken"] == nil {
			return nil, errors.New("no token")
		}
		return req.ClientInfo().Name, req.Progress(1, 0, "")
	})
	var call Call
	for i := range 3 {
		w := &recorder{t: t}
		m, meta := hotMessage(t, "tools/call", "inline", fmt.Sprintf(`"name":"inline","_meta":{"progressToken":%d,"io.modelcontextprotocol/clientInfo":{"name":"n%d","version":"v"},"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}`, i, i))
		if e := s.Prepare(&call, m, meta); e != nil {
			t.Fatal(e)
		}
		var none context.Context // a nil context is allowed for inline calls
		call.Run(none, w)
		call.Reset()
		a := answer{t: t, body: w.body}
		if len(w.notified) != 1 || a.text() != fmt.Sprintf(`"n%d"`, i) {
			t.Errorf("call %d: notified %q, %s", i, w.notified, w.body)
		}
	}
}

// Middleware that panics when it is added leaves the server as it was.
func TestMiddlewareThatPanics(t *testing.T) {
	s := newTestServer(t, nil)
	for _, add := range []func(...Middleware){s.AddReceivingMiddleware, s.AddSendingMiddleware} {
		func() {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			add(func(MethodHandler) MethodHandler { panic("no settings") })
		}()
	}
	s.AddReceivingMiddleware(pass)
	fillServer(s, 1)
	if got := newClient(t, s).call("tools/list", ""); got.code != 0 {
		t.Error(got.body)
	}
}
