package mcp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/jsonrpc"
)

var discardLogger = slog.New(slog.DiscardHandler)

// Middleware for some methods sees those alone, in its place among the others, and the rest stays
// inline.
func TestMiddlewareFor(t *testing.T) {
	s := newFullServer(t, &ServerOptions{})
	var seen, made []string
	named := func(name string) Middleware {
		return func(next MethodHandler) MethodHandler {
			made = append(made, name)
			return func(ctx context.Context, method string, req Request) (Result, error) {
				seen = append(seen, name)
				return next(ctx, method, req)
			}
		}
	}
	c := newClient(t, s)
	wantSeen := func(method, members, want string, inline bool) {
		t.Helper()
		seen = nil
		a := c.call(method, members)
		a.wantResult(method)
		if got := strings.Join(seen, " "); got != want || a.inline != inline {
			t.Errorf("%s: saw %q, want %q; inline %v", method, got, want, a.inline)
		}
	}
	const add = `"name":"add","arguments":{"a":1,"b":2}`
	s.AddReceivingMiddleware()
	s.AddReceivingMiddlewareFor(nil, named("nothing"))
	wantSeen("tools/list", "", "", true)
	s.AddReceivingMiddlewareFor([]string{"tools/list", "acme/search"}, named("a"), named("b"))
	wantSeen("tools/call", add, "", true)
	wantSeen("prompts/list", "", "", true)
	wantSeen("tools/list", "", "a b", false)
	s.AddReceivingMiddlewareFor([]string{"tools/call"}, named("c"))
	wantSeen("tools/call", add, "c", false)
	wantSeen("tools/list", "", "a b", false)
	wantSeen("prompts/list", "", "", true)
	s.AddReceivingMiddleware(named("d"))
	s.AddReceivingMiddlewareFor([]string{"tools/list"}, named("e"))
	wantSeen("tools/list", "", "e d a b", false)
	wantSeen("tools/call", add, "d c", false)
	wantSeen("prompts/list", "", "d", false)
	slices.Sort(made)
	if want := "a b c d e nothing"; strings.Join(made, " ") != want {
		t.Errorf("made %q, want each once", made)
	}
}

// change returns middleware that changes requests.
func change(f func(Request)) Middleware {
	return func(next MethodHandler) MethodHandler {
		return func(ctx context.Context, method string, req Request) (Result, error) {
			f(req)
			return next(ctx, method, req)
		}
	}
}

// Middleware may change what is asked of the transport. It is checked as if the client had asked.
func TestMiddlewareChangesParams(t *testing.T) {
	s := newFullServer(t, &ServerOptions{MaxListenURIs: 2})
	uri, level, version := "test://f01", LevelAlert, "2024-11-05"
	s.AddReceivingMiddleware(change(func(req Request) {
		switch p := req.GetParams().(type) {
		case *SubscribeParams:
			p.URI = uri
		case *UnsubscribeParams:
			p.URI = uri
		case *SetLoggingLevelParams:
			p.Level = level
		case *InitializeParams:
			p.ProtocolVersion = version
			p.Capabilities = &ClientCapabilities{Sampling: &SamplingCapabilities{}}
			p.ClientInfo = &Implementation{Name: "proxy"}
		case *SubscriptionsListenParams:
			p.Notifications.ToolsListChanged = false
			p.Notifications.ResourceSubscriptions = append(p.Notifications.ResourceSubscriptions, uri)
		}
	}))
	c := newClient(t, s)
	c.session = &SessionInfo{Revision: "2025-11-25"}
	for method, kind := range map[string]SessionOpKind{"resources/subscribe": OpSubscribe, "resources/unsubscribe": OpUnsubscribe} {
		if a := c.call(method, `"uri":"test://f00"`); a.op != (SessionOp{Kind: kind, URI: "test://f01"}) {
			t.Errorf("%s: %s", method, a.outcome())
		}
	}
	if a := c.call("logging/setLevel", `"level":"info"`); a.op.Level != LevelAlert {
		t.Errorf("level: %s", a.outcome())
	}
	a := c.initialize("2025-11-25", `{"roots":{}}`)
	a.wantResult("initialize", `"protocolVersion":"2024-11-05"`)
	if want := (SessionInfo{Revision: "2024-11-05", Capabilities: CapabilitySampling, ClientName: "proxy"}); a.opened == nil || *a.opened != want {
		t.Errorf("opened %+v, want %+v", a.opened, want)
	}
	version = "tomorrow"
	c.initialize("2025-03-26", `{}`).wantResult("initialize", `"protocolVersion":"2025-11-25"`)
	modern := newClient(t, s)
	l := modern.call("subscriptions/listen", `"notifications":{"toolsListChanged":true,"promptsListChanged":true,"resourceSubscriptions":["test://f00"]}`).listen
	if l == nil || l.Topics != TopicPrompts|TopicResource || !slices.Equal(l.URIs, []string{"test://f00", "test://f01"}) || l.ID != fmt.Sprint(modern.next) {
		t.Errorf("listens to %+v", l)
	}
	modern.call("subscriptions/listen", `"notifications":{"resourceSubscriptions":["test://f00","test://f01"]}`).wantError("too many", -32602, 400, "too many")
	uri, level = "test://nobody", "loud"
	c.call("resources/subscribe", `"uri":"test://f00"`).wantError("unknown", -32002, 200)
	c.call("logging/setLevel", `"level":"info"`).wantError("no level", -32602, 200, "logging level")
}

// Middleware may answer in place of the handler, and change its result.
func TestMiddlewareAnswers(t *testing.T) {
	s := newFullServer(t, &ServerOptions{})
	var skip bool
	s.AddReceivingMiddleware(func(next MethodHandler) MethodHandler {
		return func(ctx context.Context, method string, req Request) (Result, error) {
			if skip {
				switch req.(type) {
				case *InitializeRequest:
					return &InitializeResult{Capabilities: &ServerCapabilities{}, ServerInfo: &Implementation{Name: "other", Version: "2"}, ProtocolVersion: "1999"}, nil
				case *SubscriptionsListenRequest:
					return &SubscriptionsListenResult{Meta: Meta{MetaKeySubscriptionID: 1}}, nil
				case *ServerRequest[*PingParams]:
					return nil, nil
				}
			}
			res, err := next(ctx, method, req)
			switch r := res.(type) {
			case *InitializeResult:
				if id := req.GetSession().ID(); id != "opened" {
					t.Errorf("the session has the ID %q", id)
				}
				r.Instructions = "mind the step"
				r.SetMeta(map[string]any{"a": 1})
			case nil:
			default:
				if method == "ping" || method == "resources/unsubscribe" {
					r.SetMeta(map[string]any{"b": 2})
				}
			}
			return res, err
		}
	})
	c := newLegacyClient(t, s, "2025-06-18", `{}`)
	c.initialize("2025-06-18", `{}`).wantResult("changed", `"instructions":"mind the step"`, `"_meta":{"a":1}`)
	c.call("ping", "").wantResult("ping", `"result":{"_meta":{"b":2}}}`)
	c.call("resources/unsubscribe", `"uri":"test://f00"`).wantResult("unsubscribe", `"result":{"_meta":{"b":2}}}`)
	skip = true
	a := c.initialize("2025-06-18", `{}`)
	a.wantResult("skipped", `"name":"other"`, `"protocolVersion":"2025-06-18"`)
	if a.opened == nil || a.opened.Revision != "2025-06-18" {
		t.Errorf("opened %+v", a.opened)
	}
	c.call("ping", "").wantResult("nothing", `"result":{}}`)
	m := newClient(t, s)
	if a := m.call("subscriptions/listen", `"notifications":{"toolsListChanged":true}`); a.listen != nil || a.accepted {
		t.Errorf("listens: %s", a.outcome())
	}
}

// Middleware that gives up before its handler has come to the end gets no late effect.
func TestMiddlewareGivesUp(t *testing.T) {
	s := newFullServer(t, &ServerOptions{})
	late := make(chan error, 1)
	answered := make(chan struct{})
	s.AddReceivingMiddleware(func(next MethodHandler) MethodHandler {
		return func(ctx context.Context, method string, req Request) (Result, error) {
			go func() {
				<-answered
				_, err := next(ctx, method, req)
				late <- err
			}()
			return nil, errors.New("too slow")
		}
	})
	for _, tt := range everyMessage {
		switch tt.method {
		case "initialize", "logging/setLevel", "resources/subscribe", "resources/unsubscribe":
		default:
			continue
		}
		if strings.Contains(tt.members, "nobody") {
			continue
		}
		c := newClient(t, s)
		c.session = &SessionInfo{Revision: "2025-11-25"}
		a := c.message(tt.method, tt.members)
		a.wantError(tt.method, jsonrpc.CodeInternalError, 200, "too slow")
		answered <- struct{}{}
		select {
		case err := <-late:
			if !errors.Is(err, error(errLate)) {
				t.Errorf("%s: %v", tt.method, err)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("%s: does not return", tt.method)
		}
	}
}

// SubscribeHandler and UnsubscribeHandler can refuse.
func TestSubscribeHandler(t *testing.T) {
	var asked []string
	var refusal error
	s := newFullServer(t, &ServerOptions{
		SubscribeHandler: func(_ context.Context, req *SubscribeRequest) error {
			if req.Session == nil || req.Extra.Principal != "ada" {
				t.Errorf("request %+v", req)
			}
			asked = append(asked, "+"+req.Params.URI)
			return refusal
		},
		UnsubscribeHandler: func(_ context.Context, req *UnsubscribeRequest) error {
			asked = append(asked, "-"+req.Params.URI)
			return refusal
		},
	})
	old, now := newLegacyClient(t, s, "2025-11-25", `{}`), newClient(t, s)
	old.principal, now.principal = "ada", "ada"
	const listen = `"notifications":{"toolsListChanged":true,"resourceSubscriptions":["TEST://f01","test://nobody"]}`
	for _, refusal = range []error{nil, errors.New("no")} {
		ok := refusal == nil
		asked = nil
		if a := old.call("resources/subscribe", `"uri":"TEST://f00"`); (a.code == 0) != ok || (a.op == SessionOp{Kind: OpSubscribe, URI: "test://f00"}) != ok || a.inline {
			t.Errorf("subscribe: %s", a.outcome())
		}
		if a := old.call("resources/unsubscribe", `"uri":"test://f00"`); (a.code == 0) != ok || (a.op.Kind == OpUnsubscribe) != ok || a.inline {
			t.Errorf("unsubscribe: %s", a.outcome())
		}
		if a := now.call("subscriptions/listen", listen); a.accepted != ok || (a.listen != nil) != ok || a.inline {
			t.Errorf("listen: %s", a.outcome())
		}
		old.call("resources/subscribe", `"uri":"test://nobody"`).wantError("unknown", -32002, 200)
		if want := []string{"+TEST://f00", "-test://f00", "+TEST://f01"}; !slices.Equal(asked, want) {
			t.Errorf("asked %q, want %q", asked, want)
		}
		old.call("logging/setLevel", `"level":"info"`).wantResult("others stay inline")
	}
}
