package mcp

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/mooring-mcp/mooring/jsonrpc"
)

// A URI that no feature has goes where the host says.
func TestRoute(t *testing.T) {
	var kinds []string
	var target Target
	own := answering(`{"contents":[]}`)
	for _, middleware := range []bool{false, true} {
		kinds = nil
		s := forwarding(t, &fakeBackend{start: func(f *Forward) {
			target = f.Target()
			if f.Method() == MethodComplete {
				f.Result([]byte(`{"completion":{"values":["v"]}}`))
				return
			}
			f.Result([]byte(`{"contents":[{"uri":"x:1","text":"t"}]}`))
		}}, &ServerOptions{Logger: quiet, Route: func(kind RouteKind, uri string) (Target, bool) {
			kinds = append(kinds, fmt.Sprint(kind, uri))
			switch uri {
			case "free://a":
				return Target{Owner: "up"}, true
			case "free://b":
				return Target{Owner: "up", Name: "other://b"}, true
			case "free://own":
				return Target{Owner: "nobody", Backend: own}, true
			case "free://panics":
				panic("overboard")
			}
			return Target{Owner: "nobody"}, uri == "free://nobody"
		}})
		if middleware {
			s.AddReceivingMiddleware(func(next MethodHandler) MethodHandler { return next })
		}
		c := newClient(t, s)
		for uri, name := range map[string]string{"free://a": "free://a", "free://b": "other://b"} {
			c.call("resources/read", fmt.Sprintf(`"uri":%q`, uri)).wantResult(uri, `"text":"t"`)
			if target != (Target{Owner: "up", Name: name}) {
				t.Errorf("%s: target %+v", uri, target)
			}
			c.call("completion/complete", fmt.Sprintf(`"ref":{"type":"ref/resource","uri":%q},"argument":{"name":"a","value":"b"}`, uri)).wantResult(uri, `"v"`)
		}
		c.call("resources/read", `"uri":"free://own"`).wantResult("a backend of its own")
		for _, uri := range []string{"free://nobody", "free://panics", "free://c"} {
			c.call("resources/read", fmt.Sprintf(`"uri":%q`, uri)).wantError(uri, jsonrpc.CodeInvalidParams, 400, uri)
		}
		l := newLegacyClient(t, s, "2025-11-25", `{}`)
		l.call("resources/subscribe", `"uri":"free://a"`).wantResult("subscribe")
		l.call("resources/subscribe", `"uri":"free://c"`).wantError("subscribe to nothing", CodeResourceNotFound, 200)
		a := c.call("subscriptions/listen", `"notifications":{"resourceSubscriptions":["free://a","free://c","up://r"]}`)
		if got := fmt.Sprint(a.listen.URIs); got != "[free://a up://r]" {
			t.Errorf("listens to %s", got)
		}
		if !strings.Contains(fmt.Sprint(kinds), "0free://a") || !strings.Contains(fmt.Sprint(kinds), "1free://c") || !strings.Contains(fmt.Sprint(kinds), "2free://a") {
			t.Errorf("asked about %s", kinds)
		}
		for uri, want := range map[string]string{"free://b": "up other://b true", "up://r": "up up://r true", "up://d/3": "up up://d/3 true", "free://c": "  false"} {
			got, ok := s.ResourceTarget(uri)
			if s := fmt.Sprint(got.Owner, " ", got.Name, " ", ok); s != want {
				t.Errorf("ResourceTarget(%s): %s, want %s", uri, s, want)
			}
		}
	}
}

// Nobody subscribes to what an upstream never reports, and the first and the last subscriber of a
// URI are reported once.
func TestForwardedSubscriptions(t *testing.T) {
	events := make(chan string, 16)
	s := newTestServer(t, &ServerOptions{
		OnSubscribe:   func(uri string) { events <- "first " + uri },
		OnUnsubscribe: func(uri string) { events <- "last " + uri },
	})
	deaf := upstreamOf(answering(`{}`))
	deaf.Capabilities = ServerCapabilities{}
	deaf.Resources = [][]byte{[]byte(`{"uri":"deaf://r","name":"r"}`)}
	deaf.Tools, deaf.Prompts, deaf.ResourceTemplates = nil, nil, nil
	for name, f := range map[string]*Forwarded{"up": upstreamOf(answering(`{}`)), "deaf": deaf} {
		if errs := s.Replace(name, f); errs != nil {
			t.Fatal(errs)
		}
	}
	l := newLegacyClient(t, s, "2025-11-25", `{}`)
	l.call("resources/subscribe", `"uri":"deaf://r"`).wantError("never", jsonrpc.CodeInvalidParams, 200)
	if a := l.call("resources/subscribe", `"uri":"UP://r"`); a.op.URI != "up://r" {
		t.Errorf("subscribes to %+v", a.op)
	}
	a := newClient(t, s).call("subscriptions/listen", `"notifications":{"resourceSubscriptions":["deaf://r","up://d/1"]}`)
	if got := fmt.Sprint(a.listen.URIs); got != "[up://d/1]" {
		t.Errorf("listens to %s", got)
	}
	for range 2 {
		s.Subscribe("up://d/1")
	}
	if got := <-events; got != "first up://d/1" {
		t.Error(got)
	}
	told := toldOf(s, func() {
		if err := s.ResourceUpdated(context.Background(), &ResourceUpdatedNotificationParams{URI: "up://d/1"}); err != nil {
			t.Error(err)
		}
	})
	if fmt.Sprint(told) != fmt.Sprint([]Topic{TopicResource}) {
		t.Errorf("told %v", told)
	}
	for range 2 {
		s.Unsubscribe("up://d/1")
	}
	if got := <-events; got != "last up://d/1" {
		t.Error(got)
	}
}

// What a caller does not see does not exist for it, whoever serves it.
func TestForwardedVisible(t *testing.T) {
	s := forwarding(t, answering(`{"content":[]}`), &ServerOptions{
		VisibleInline: true,
		Route:         func(RouteKind, string) (Target, bool) { return Target{Owner: "up"}, true },
		Visible: func(_ context.Context, caller *Caller, _ FeatureKind, name string) bool {
			return caller.Principal == "ann" || !strings.HasPrefix(name, "up") && !strings.HasPrefix(name, "free")
		},
	})
	for _, who := range []string{"ann", "ben"} {
		c := newClient(t, s)
		c.schema = nil
		c.principal = who
		for _, tt := range append(forwardedCalls, struct{ method, members, name, result string }{"resources/read", `"uri":"free://a"`, "", ""}) {
			if a := c.call(tt.method, tt.members); (a.code == 0) != (who == "ann") {
				t.Errorf("%s for %s: %s", tt.method, who, a.body)
			}
		}
		if a := c.call("tools/list", ""); strings.Contains(a.body, "up__t") != (who == "ann") {
			t.Errorf("listed for %s: %s", who, a.body)
		}
	}
	a := newClient(t, s)
	a.principal, a.schema = "ann", nil
	if got := a.call("resources/read", `"uri":"up://r"`); !strings.Contains(got.body, `"cacheScope":"private"`) {
		t.Error(got.body)
	}
}

// Middleware sees forwarded calls as any others, and may change both sides.
func TestForwardBehindMiddleware(t *testing.T) {
	var log []string
	s := forwarding(t, &fakeBackend{start: func(f *Forward) {
		log = append(log, string(f.AppendParams(nil, nil, nil)))
		f.Progress([]byte(`{"progress":1,"message":"m"}`))
		f.Message([]byte(`{"level":"error","data":"d"}`))
		switch f.Method() {
		case MethodCallTool:
			if f.InputResponses() == nil {
				f.Ask([]Ask{{"k", askElicitation, []byte(askForm)}}, []byte("park"))
				return
			}
			state, _ := f.State()
			log = append(log, state+string(f.InputResponses()))
			f.Result([]byte(`{"content":[{"type":"text","text":"t"}],"structuredContent":{"a":1}}`))
		case MethodReadResource:
			f.Error(&jsonrpc.Error{Code: CodeResourceNotFound, Message: "none", Data: []byte(`{"uri":"up://r"}`)})
		case MethodComplete:
			f.Result([]byte(`{"completion":{"values":["v"]}}`))
		default:
			f.Result([]byte(`{"messages":[]}`))
		}
	}}, nil)
	seen := 0
	s.AddReceivingMiddleware(func(next MethodHandler) MethodHandler {
		return func(ctx context.Context, method string, req Request) (Result, error) {
			seen++
			if p, ok := req.GetParams().(*CallToolParamsRaw); ok {
				p.Arguments = []byte(`{"changed":true}`)
			}
			return next(ctx, method, req)
		}
	})
	for _, rev := range []string{modern, "2025-11-25"} {
		log, seen = nil, 0
		c := newClient(t, s)
		if c.caps = everyCap; rev != modern {
			c = newLegacyClient(t, s, rev, everyCap)
		}
		c.meta = `,"progressToken":"t"`
		code, status := jsonrpc.Code(jsonrpc.CodeInvalidParams), 400
		if rev != modern {
			code, status = CodeResourceNotFound, 200
		}
		c.call("resources/read", `"uri":"up://r"`).wantError(rev, code, status, "up://r")
		a := c.call("prompts/get", `"name":"up__p"`)
		a.wantResult(rev, `"messages":[]`)
		if len(a.notified) == 0 || !strings.Contains(a.notified[0], `"progressToken":"t","progress":1`) {
			t.Errorf("%s: notified %s", rev, a.notified)
		}
		c.call("completion/complete", `"ref":{"type":"ref/prompt","name":"up__p"},"argument":{"name":"a","value":"b"}`).wantResult(rev, `"v"`)
		c.call("tools/list", "").wantResult(rev, `"name":"up__t"`)
		if seen == 0 || !strings.Contains(strings.Join(log, " "), `{"name":"p"`) || !strings.Contains(strings.Join(log, " "), `"uri":"up://r"`) {
			t.Errorf("%s: seen %d, %s", rev, seen, log)
		}
		if rev != modern {
			continue
		}
		first := c.call("tools/call", `"name":"up__t"`)
		first.wantResult(rev, `"resultType":"input_required"`, `"name?"`)
		state, _ := first.result()["requestState"].(string)
		log = nil
		c.call("tools/call", fmt.Sprintf(`"name":"up__t","requestState":%q,"inputResponses":{"k":{"action":"decline"}}`, state)).wantResult("answered", `"text":"t"`, `"structuredContent":{"a":1}`)
		if len(log) != 2 || !strings.Contains(log[0], `"arguments":{"changed":true}`) || log[1] != `park{"k":{"action":"decline"}}` {
			t.Errorf("%s", log)
		}
	}
}
