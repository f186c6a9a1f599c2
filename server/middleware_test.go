package server

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/mooring-mcp/mooring/jsonrpc"
	"github.com/mooring-mcp/mooring/mcp"
)

// A limiter is middleware that sees every message and refuses those of some methods.
type limiter struct {
	mu      sync.Mutex
	seen    []string
	refuses string        // the method that is refused
	hold    chan struct{} // if not nil, each message takes a value from it first
}

func (m *limiter) middleware(next mcp.MethodHandler) mcp.MethodHandler {
	return func(ctx context.Context, method string, req mcp.Request) (mcp.Result, error) {
		m.mu.Lock()
		m.seen = append(m.seen, method)
		refused, hold := method == m.refuses, m.hold
		m.mu.Unlock()
		if hold != nil {
			<-hold
		}
		if method == "initialize" { // nothing may precede the response
			_ = req.GetSession().(*mcp.ServerSession).Log(ctx, &mcp.LoggingMessageParams{Level: mcp.LevelAlert, Data: "initialize"})
		}
		if refused {
			return nil, &jsonrpc.Error{Code: 429, Message: "too many requests"}
		}
		return next(ctx, method, req)
	}
}

// refuse makes m refuse the method, and returns what it has seen since the last call.
func (m *limiter) refuse(method string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	seen := m.seen
	m.seen, m.refuses = nil, method
	return strings.Join(seen, " ")
}

// newLimitedRig returns a rig whose middleware is a limiter.
func newLimitedRig(t *testing.T, change ...func(*mcp.ServerOptions)) (*rig, *limiter) {
	t.Helper()
	r := newRig(t, &Options{SSEPath: "/sse"}, change...)
	m := new(limiter)
	r.ms.AddReceivingMiddleware(m.middleware)
	return r, m
}

// exchange sends a message on p and awaits the response.
func (p *fakePeer) exchange(why, msg string) *response {
	p.r.t.Helper()
	p.method = ""
	p.send(msg)
	return p.awaited(why)
}

// Middleware sees what sessions ask of the transport, and what it refuses has no effect.
func TestMiddlewareOfSessions(t *testing.T) {
	const rev = "2025-11-25"
	r, m := newLimitedRig(t)
	p := r.connect()
	m.refuse("initialize")
	res := p.exchange("a refused initialize", post("", "", initializeBody(rev)))
	if res.status != 200 || !strings.Contains(res.body, `"code":429`) || res.head.Get("Mcp-Session-Id") != "" || res.stream {
		t.Fatalf("a refused initialize: %d %v %s", res.status, res.head, res.body)
	}
	m.refuse("")
	res = p.exchange("initialize", post("", "", initializeBody(rev)))
	id := res.head.Get("Mcp-Session-Id")
	if id == "" || res.stream || !strings.Contains(res.body, `"protocolVersion":"`+rev+`"`) {
		t.Fatalf("initialize: %d %v %s", res.status, res.head, res.body)
	}
	if seen := m.refuse(""); seen != "initialize" {
		t.Errorf("saw %s", seen)
	}
	request := func(method, params string) string {
		return post(id, rev, fmt.Sprintf(`{"jsonrpc":"2.0","id":7,"method":%q,"params":{%s}}`, method, params))
	}
	subscribed := func(uri string) bool {
		found := false
		stop := r.ms.OnChange(func(ch mcp.Change) { found = found || ch.URI == uri })
		defer stop()
		updated(r.ms, uri)
		return found
	}
	for _, refused := range []bool{true, false} {
		for _, tt := range []struct{ method, params string }{
			{"ping", ""}, {"logging/setLevel", `"level":"error"`}, {"resources/subscribe", `"uri":"rig://a"`}, {"tools/list", ""},
		} {
			m.refuse("")
			if refused {
				m.refuse(tt.method)
			}
			res := p.exchange(tt.method, request(tt.method, tt.params))
			if res.status != 200 || strings.Contains(res.body, `"code":429`) != refused {
				t.Errorf("%s: %d %s", tt.method, res.status, res.body)
			}
			if seen := m.refuse(""); seen != tt.method {
				t.Errorf("%s: saw %q", tt.method, seen)
			}
		}
		if subscribed("rig://a") == refused {
			t.Errorf("refused %v, but subscribed %v", refused, !refused)
		}
	}
	for _, method := range []string{"notifications/initialized", "notifications/roots/list_changed", "notifications/progress", "notifications/cancelled"} {
		for _, refuse := range []string{"", method} {
			m.refuse(refuse)
			params := `"requestId":99,"progressToken":1,"progress":1`
			res := p.exchange(method, post(id, rev, fmt.Sprintf(`{"jsonrpc":"2.0","method":%q,"params":{%s}}`, method, params)))
			if res.status != 202 || res.body != "" {
				t.Errorf("%s: %d %s", method, res.status, res.body)
			}
			if seen := m.refuse(""); seen != method {
				t.Errorf("%s: saw %q", method, seen)
			}
		}
	}
	if res := p.exchange("unsubscribe", request("resources/unsubscribe", `"uri":"rig://a"`)); !strings.Contains(res.body, `"result":{}`) || subscribed("rig://a") {
		t.Errorf("unsubscribe: %s", res.body)
	}
	r.wantInvariants("in the end")
	if n := r.s.calls.Load(); n != 0 {
		t.Errorf("%d calls are counted", n)
	}
}

// Middleware decides about a subscription before its stream begins.
func TestMiddlewareOfListen(t *testing.T) {
	r, m := newLimitedRig(t)
	p := r.connect()
	m.refuse("subscriptions/listen")
	if res := p.exchange("a refused listen", listenTo(`"l"`, everything).String()); res.stream || !strings.Contains(res.body, `"code":429`) {
		t.Fatalf("a refused listen: %d %s", res.status, res.body)
	}
	m.refuse("")
	p.send(listenTo(`"l"`, everything).String())
	r.await("the stream begins", func() bool { return len(p.got) > 0 })
	res := p.wantResponse("listen", 200)
	if events := p.events(res.body); !res.stream || res.ended || len(events) != 1 || !strings.Contains(events[0], "acknowledged") {
		t.Fatalf("listen: %q", res.body)
	}
	r.change(changeOf("tools"), changeOf("rig://b"))
	if got := p.more(); len(got) != 2 || !strings.Contains(got[1], "rig://b") {
		t.Errorf("notified %q", got)
	}
	r.wantInvariants("a stream")
	plain := r.connect()
	q := listenTo(`"l"`, everything)
	q.accept = "application/json"
	if res := plain.exchange("a client without streams", q.String()); res.status != 406 {
		t.Errorf("a client without streams: %d %s", res.status, res.body)
	}
	m.mu.Lock()
	m.hold = make(chan struct{}, 1)
	m.mu.Unlock()
	gone := r.connect()
	gone.send(listenTo(`"g"`, everything).String())
	gone.fin()
	m.hold <- struct{}{}
	r.await("the worker returns", func() bool { return r.s.calls.Load() == 0 })
	r.wantInvariants("the client has left")
	if n := r.l.m.streams.Load(); n != 1 {
		t.Errorf("%d streams", n)
	}
}

// Modern clients may send notifications too.
func TestMiddlewareOfModernNotifications(t *testing.T) {
	r, m := newLimitedRig(t)
	p := r.connect()
	if res := p.exchange("cancelled", request{method: "notifications/cancelled", id: "-", params: `"requestId":1`}.String()); res.status != 202 {
		t.Errorf("%d %s", res.status, res.body)
	}
	if seen := m.refuse(""); seen != "notifications/cancelled" {
		t.Errorf("saw %q", seen)
	}
}

// Over HTTP+SSE it is the same.
func TestMiddlewareOfSSE(t *testing.T) {
	r, m := newLimitedRig(t)
	p := r.openSSE()
	m.refuse("initialize")
	p.post("initialize", initializeBody("2024-11-05"))
	p.want("a refused initialize", `"code":429`)
	m.refuse("")
	p.initialize("2024-11-05", "")
	for _, refused := range []bool{true, false} {
		for i, tt := range []struct{ method, params string }{
			{"ping", ""}, {"logging/setLevel", `"level":"error"`}, {"resources/subscribe", `"uri":"rig://a"`},
		} {
			m.refuse("")
			if refused {
				m.refuse(tt.method)
			}
			want := `"result":{}`
			if refused {
				want = `"code":429`
			}
			p.post(tt.method, fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":%q,"params":{%s}}`, 10+i, tt.method, tt.params))
			p.want(tt.method, want)
		}
	}
	p.post("a notification", `{"jsonrpc":"2.0","method":"notifications/roots/list_changed"}`)
	r.await("the notification is seen", func() bool {
		m.mu.Lock()
		defer m.mu.Unlock()
		return slices.Contains(m.seen, "notifications/roots/list_changed") && r.s.calls.Load() == 0
	})
	updated(r.ms, "rig://a")
	p.want("the subscription", `"uri":"rig://a"`)
	r.wantInvariants("in the end")
}

// Each message of a batch passes through middleware.
func TestMiddlewareOfBatch(t *testing.T) {
	const rev = "2025-03-26"
	r, m := newLimitedRig(t)
	p := r.connect()
	id := p.exchange("initialize", post("", "", initializeBody(rev))).head.Get("Mcp-Session-Id")
	m.refuse("logging/setLevel")
	res := p.exchange("a batch", post(id, rev, `[{"jsonrpc":"2.0","id":1,"method":"ping"},{"jsonrpc":"2.0","method":"notifications/initialized"},`+
		`{"jsonrpc":"2.0","id":2,"method":"logging/setLevel","params":{"level":"info"}},{"jsonrpc":"2.0","id":3,"method":"resources/subscribe","params":{"uri":"rig://b"}}]`))
	if want := `[{"jsonrpc":"2.0","id":1,"result":{}},{"jsonrpc":"2.0","id":2,"error":{"code":429,"message":"too many requests"}},{"jsonrpc":"2.0","id":3,"result":{}}]`; res.body != want {
		t.Errorf("answered %s\nwant %s", res.body, want)
	}
	if seen := m.refuse(""); seen != "ping notifications/initialized logging/setLevel resources/subscribe" {
		t.Errorf("saw %s", seen)
	}
}

// The handlers of notifications are called over HTTP too.
func TestNotificationHandlers(t *testing.T) {
	got := make(chan string, 8)
	r := newRig(t, nil, func(o *mcp.ServerOptions) {
		o.InitializedHandler = func(_ context.Context, req *mcp.InitializedRequest) {
			got <- "initialized " + req.Session.ID()[:4] + " " + req.ClientInfo().Name
		}
		o.RootsListChangedHandler = func(context.Context, *mcp.RootsListChangedRequest) { got <- "roots" }
		o.ProgressNotificationHandler = func(_ context.Context, req *mcp.ProgressNotificationServerRequest) {
			got <- fmt.Sprint("progress ", req.Params.Progress)
		}
	})
	const rev = "2025-06-18"
	p := r.connect()
	id := p.exchange("initialize", post("", "", initializeBody(rev))).head.Get("Mcp-Session-Id")
	for msg, want := range map[string]string{
		`"method":"notifications/initialized"`:                                             "initialized " + id[:4] + " gull",
		`"method":"notifications/roots/list_changed"`:                                      "roots",
		`"method":"notifications/progress","params":{"progressToken":"t","progress":0.25}`: "progress 0.25",
		`"method":"notifications/progress","params":{"progressToken":"t","progress":"x"}`:  "",
	} {
		if res := p.exchange(msg, post(id, rev, `{"jsonrpc":"2.0",`+msg+`}`)); res.status != 202 {
			t.Errorf("%s: %d %s", msg, res.status, res.body)
		}
		called := ""
		select {
		case called = <-got:
		default:
		}
		if called != want {
			t.Errorf("%s: called %q, want %q", msg, called, want)
		}
	}
}
