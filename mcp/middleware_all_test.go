package mcp

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/mooring-mcp/mooring/jsonrpc"
)

// everyMessage has a message of each method and notification. Those of sessions alone come last.
var everyMessage = []struct {
	method, members string
	eras            string // "m" for modern revisions, "l" for those with sessions
	req             Request
}{
	{"server/discover", ``, "m", new(DiscoverRequest)},
	{"tools/list", ``, "ml", new(ListToolsRequest)},
	{"prompts/list", ``, "ml", new(ListPromptsRequest)},
	{"resources/list", ``, "ml", new(ListResourcesRequest)},
	{"resources/templates/list", ``, "ml", new(ListResourceTemplatesRequest)},
	{"tools/call", `"name":"echo","arguments":{"text":"x"}`, "ml", new(CallToolRequest)},
	{"tools/call", `"name":"add","arguments":{"a":1,"b":2}`, "ml", new(CallToolRequest)},
	{"tools/call", `"name":"nobody"`, "ml", new(CallToolRequest)},
	{"prompts/get", `"name":"f00"`, "ml", new(GetPromptRequest)},
	{"prompts/get", `"name":"nobody"`, "ml", new(GetPromptRequest)},
	{"resources/read", `"uri":"test://f00"`, "ml", new(ReadResourceRequest)},
	{"resources/read", `"uri":"test://nobody"`, "ml", new(ReadResourceRequest)},
	{"completion/complete", `"ref":{"type":"ref/prompt","name":"f00"},"argument":{"name":"a","value":"v"}`, "ml", new(CompleteRequest)},
	{"completion/complete", `"ref":{"type":"ref/prompt","name":"nobody"},"argument":{"name":"a","value":"v"}`, "ml", new(CompleteRequest)},
	{"completion/complete", `"ref":{"type":"ref/resource","uri":"test://nobody"},"argument":{"name":"a","value":"v"}`, "ml", new(CompleteRequest)},
	{"subscriptions/listen", `"notifications":{"toolsListChanged":true,"promptsListChanged":null,"resourcesListChanged":true,"resourceSubscriptions":["test://f01","TEST://f00","test://nobody"]}`, "m", new(SubscriptionsListenRequest)},
	{"subscriptions/listen", `"notifications":{}`, "m", new(SubscriptionsListenRequest)},
	{"initialize", `"protocolVersion":"2025-06-18","capabilities":{"sampling":{},"roots":{"listChanged":true}},"clientInfo":{"name":"a client with a long name of its own","version":"1"}`, "l", new(InitializeRequest)},
	{"initialize", `"protocolVersion":"1999-01-01","capabilities":{},"clientInfo":{"name":"c","version":7}`, "l", new(InitializeRequest)},
	{"ping", ``, "l", new(ServerRequest[*PingParams])},
	{"logging/setLevel", `"level":"error"`, "l", new(ServerRequest[*SetLoggingLevelParams])},
	{"resources/subscribe", `"uri":"TEST://f00"`, "l", new(SubscribeRequest)},
	{"resources/subscribe", `"uri":"test://nobody"`, "l", new(SubscribeRequest)},
	{"resources/unsubscribe", `"uri":"TEST://f00"`, "l", new(UnsubscribeRequest)},
	{"notifications/cancelled", `"requestId":7`, "ml", new(ServerRequest[*CancelledParams])},
	{"notifications/initialized", ``, "ml", new(InitializedRequest)},
	{"notifications/progress", `"progressToken":1,"progress":0.5`, "ml", new(ProgressNotificationServerRequest)},
	{"notifications/roots/list_changed", ``, "ml", new(RootsListChangedRequest)},
}

// newFullServer has features of all kinds.
func newFullServer(t testing.TB, opts *ServerOptions) *Server {
	opts.CompletionHandler = func(context.Context, *CompleteRequest) (*CompleteResult, error) {
		return &CompleteResult{Completion: CompletionResultDetails{Values: []string{"v"}}}, nil
	}
	opts.Instructions = "be kind"
	s := newTestServer(t, opts)
	fillServer(s, 2)
	return s
}

// message sends a message of everyMessage.
func (c *client) message(method, members string) *answer {
	c.t.Helper()
	c.next++
	id := fmt.Sprintf(`"id":%d,`, c.next)
	if strings.HasPrefix(method, "notifications/") {
		id = ""
	}
	return c.send(fmt.Sprintf(`{"jsonrpc":"2.0",%s"method":%q,"params":%s}`, id, method, c.params(members)), nil)
}

// outcome is what the client and the transport see of a message.
func (a *answer) outcome() string {
	out := fmt.Sprintf("%d %s op %+v", a.status, a.body, a.op)
	if a.opened != nil {
		out += fmt.Sprintf(" opened %+v", *a.opened)
	}
	if a.listen != nil {
		out += fmt.Sprintf(" listen %+v", *a.listen)
	}
	return out
}

// eachClient runs f for a client of each revision. The clients of sessions did not initialize.
func eachClient(t *testing.T, s *Server, f func(era string, c *client)) {
	t.Helper()
	f("m", newClient(t, s))
	for _, revision := range legacies {
		c := newClient(t, s)
		c.session = &SessionInfo{Revision: revision, ClientName: "tester"}
		f("l", c)
	}
}

// Middleware sees every message, as the request of its method, and changes nothing by that.
func TestMiddlewareSeesEverything(t *testing.T) {
	plain := newFullServer(t, &ServerOptions{})
	wrapped := newFullServer(t, &ServerOptions{})
	var method string
	var req Request
	seen := 0
	wrapped.AddReceivingMiddleware(func(next MethodHandler) MethodHandler {
		return func(ctx context.Context, m string, r Request) (Result, error) {
			method, req = m, r
			seen++
			if r.GetSession().ID() != "" || r.GetExtra().Principal != "ada" || r.GetParams().GetMeta()["key"] != "value" {
				t.Errorf("%s: session %q, extra %+v, params %+v", m, r.GetSession().ID(), r.GetExtra(), r.GetParams())
			}
			return next(ctx, m, r)
		}
	})
	eachClient(t, wrapped, func(era string, c *client) {
		p := *c
		p.s = plain
		for _, q := range []*client{c, &p} {
			q.principal, q.meta = "ada", `,"key":"value"`
		}
		for _, tt := range everyMessage {
			if !strings.Contains(tt.eras, era) {
				continue
			}
			method, seen = "", 0
			a, b := c.message(tt.method, tt.members), p.message(tt.method, tt.members)
			if method != tt.method || seen != 1 || reflect.TypeOf(req) != reflect.TypeOf(tt.req) || a.inline {
				t.Errorf("%s: saw %d of %s, a %T, inline %v", tt.method, seen, method, req, a.inline)
			}
			if a.outcome() != b.outcome() || b.code == 0 && a.kind != b.kind {
				t.Errorf("%s %s\n%s\nwithout middleware\n%s", tt.method, tt.members, a.outcome(), b.outcome())
			}
			if accepts := a.kind == CallNotification || a.kind == CallListen; a.accepted != accepts {
				t.Errorf("%s: accepted %v", tt.method, a.accepted)
			}
		}
	})
}

// What middleware refuses has no effect.
func TestMiddlewareRefuses(t *testing.T) {
	s := newFullServer(t, &ServerOptions{})
	s.AddReceivingMiddleware(func(MethodHandler) MethodHandler {
		return func(context.Context, string, Request) (Result, error) {
			return nil, fmt.Errorf("limited: %w", &jsonrpc.Error{Code: 4290, Message: "too many requests"})
		}
	})
	eachClient(t, s, func(era string, c *client) {
		for _, tt := range everyMessage {
			if !strings.Contains(tt.eras, era) {
				continue
			}
			a := c.message(tt.method, tt.members)
			if a.opened != nil || a.listen != nil || a.op != (SessionOp{}) {
				t.Errorf("%s: %s", tt.method, a.outcome())
			}
			if notified := strings.HasPrefix(tt.method, "notifications/"); a.accepted != notified || !notified && a.code != 4290 {
				t.Errorf("%s: accepted %v, %s", tt.method, a.accepted, a.body)
			}
		}
	})
}

// A panic of middleware is answered, and has no effect either.
func TestMiddlewarePanics(t *testing.T) {
	s := newFullServer(t, &ServerOptions{Logger: discardLogger})
	s.AddReceivingMiddleware(func(MethodHandler) MethodHandler {
		return func(context.Context, string, Request) (Result, error) { panic("overboard") }
	})
	eachClient(t, s, func(era string, c *client) {
		for _, tt := range everyMessage {
			if !strings.Contains(tt.eras, era) {
				continue
			}
			a := c.message(tt.method, tt.members)
			if notified := strings.HasPrefix(tt.method, "notifications/"); a.accepted != notified || !notified && a.code != jsonrpc.CodeInternalError {
				t.Errorf("%s: accepted %v, %s", tt.method, a.accepted, a.body)
			}
		}
	})
}

// What the transport refuses is refused. Middleware sees it where the transport acts before the
// middleware has let the request pass.
func TestTransportRefuses(t *testing.T) {
	s := newFullServer(t, &ServerOptions{})
	var got error
	s.AddReceivingMiddleware(func(next MethodHandler) MethodHandler {
		return func(ctx context.Context, method string, req Request) (Result, error) {
			res, err := next(ctx, method, req)
			got = err
			return res, err
		}
	})
	c := newClient(t, s)
	c.session = &SessionInfo{Revision: "2025-11-25"}
	c.refusal = &jsonrpc.Error{Code: 5030, Message: "no room"}
	for _, tt := range everyMessage {
		switch tt.method {
		case "initialize", "logging/setLevel", "resources/unsubscribe":
			got = nil
			c.message(tt.method, tt.members).wantError(tt.method, 5030, 200, "no room")
			if errors.Is(got, error(c.refusal)) != (tt.method == "initialize") {
				t.Errorf("%s: middleware saw %v", tt.method, got)
			}
		}
	}
}

// A transport that cannot do what is asked answers so. What needs no transport works.
func TestWithoutOperator(t *testing.T) {
	s := newFullServer(t, &ServerOptions{})
	s.AddReceivingMiddleware(pass)
	for _, era := range []string{"m", "l"} {
		for _, tt := range everyMessage {
			if !strings.Contains(tt.eras, era) || strings.Contains(tt.members, "nobody") {
				continue
			}
			c := newClient(t, s)
			if era == "l" {
				c.session = &SessionInfo{Revision: "2025-11-25"}
			}
			var m jsonrpc.Envelope
			body := fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":%q,"params":%s}`, tt.method, c.params(tt.members))
			if strings.HasPrefix(tt.method, "notifications/") {
				body = strings.Replace(body, `"id":1,`, "", 1)
			}
			if err := m.Decode([]byte(body)); err != nil {
				t.Fatal(err)
			}
			var call Call
			if e := s.Prepare(&call, &m, &RequestMeta{Session: c.session}); e != nil {
				t.Fatal(tt.method, e)
			}
			w := &plainSink{}
			call.Run(t.Context(), w)
			needs := slices.Contains([]string{"subscriptions/listen", "initialize", "logging/setLevel", "resources/subscribe", "resources/unsubscribe"}, tt.method)
			if notified := call.Kind() == CallNotification; w.answered == notified || needs != (w.code == jsonrpc.CodeInternalError) {
				t.Errorf("%s: answered %v with code %d", tt.method, w.answered, w.code)
			}
		}
	}
}

// A plainSink is a Sink and nothing more.
type plainSink struct {
	answered bool
	code     jsonrpc.Code
}

func (*plainSink) Notify([]byte) bool                 { return false }
func (w *plainSink) Respond(_ []byte, c jsonrpc.Code) { w.answered, w.code = true, c }
