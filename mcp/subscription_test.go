package mcp

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

func listenServer(t *testing.T, opts *ServerOptions) *Server {
	s := newTestServer(t, opts)
	fillServer(s, 3)
	return s
}

func TestListen(t *testing.T) {
	s := listenServer(t, &ServerOptions{MaxListenURIs: 4})
	c := newClient(t, s)
	for _, tt := range []struct {
		filter string
		topics Topic
		uris   []string
		ack    string
	}{
		{`{}`, 0, nil, `{}`},
		{`{"toolsListChanged":true}`, TopicTools, nil, `{"toolsListChanged":true}`},
		{`{"toolsListChanged":true,"promptsListChanged":null,"resourceSubscriptions":null}`, TopicTools, nil, `{"toolsListChanged":true}`},
		{`{"toolsListChanged":false,"promptsListChanged":true,"future":[1]}`, TopicPrompts, nil, `{"promptsListChanged":true}`},
		{`{"toolsListChanged":true,"promptsListChanged":true,"resourcesListChanged":true,"resourceSubscriptions":["test://f01","test://f00","test://f01","test://f02/7"]}`,
			TopicTools | TopicPrompts | TopicResources | TopicResource, []string{"test://f00", "test://f01", "test://f02/7"},
			`{"toolsListChanged":true,"promptsListChanged":true,"resourcesListChanged":true,"resourceSubscriptions":["test://f00","test://f01","test://f02/7"]}`},
		{`{"resourceSubscriptions":["test://unknown","nonsense",""]}`, 0, nil, `{}`},
		{`{"resourceSubscriptions":["test://f0\u0030"]}`, TopicResource, []string{"test://f00"}, `{"resourceSubscriptions":["test://f00"]}`},
	} {
		a := c.call("subscriptions/listen", `"notifications":`+tt.filter)
		if a.code != 0 || a.kind != CallListen || !a.inline {
			t.Errorf("%s: %+v", tt.filter, a)
			continue
		}
		id := fmt.Sprint(c.next)
		if a.listen.ID != id || a.listen.Topics != tt.topics || !slices.Equal(a.listen.URIs, tt.uris) {
			t.Errorf("%s: agreed %+v", tt.filter, a.listen)
		}
		want := `{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":` + id + `},"notifications":` + tt.ack + `}}`
		ack := s.AppendAcknowledged(nil, a.listen)
		if string(ack) != want {
			t.Errorf("got  %s\nwant %s", ack, want)
		}
		c.schema.Message(t, modern, "", ack)
	}
	for _, filter := range []string{`null`, `[]`, `{"toolsListChanged":1}`, `{"resourceSubscriptions":[null]}`, `{"resourceSubscriptions":{}}`, `{"resourceSubscriptions":[1]}`, `{"resourceSubscriptions":["a","b","c","d","e"]}`} {
		c.call("subscriptions/listen", `"notifications":`+filter).wantError(filter, -32602, 400)
	}
	c.call("subscriptions/listen", "").wantError("no filter", -32602, 400)

	bare := newClient(t, NewServer(&Implementation{Name: "n", Version: "v"}, &ServerOptions{Capabilities: &ServerCapabilities{Tools: &ToolCapabilities{}}}))
	a := bare.call("subscriptions/listen", `"notifications":{"toolsListChanged":true,"promptsListChanged":true,"resourcesListChanged":true,"resourceSubscriptions":["test://f00"]}`)
	if a.listen == nil || a.listen.Topics != 0 || a.listen.URIs != nil {
		t.Errorf("nothing is offered, but agreed: %+v", a.listen)
	}
}

// TestListenBytes checks that what a client can make the server remember is limited in bytes too,
// because a template serves any URI that matches it.
func TestListenBytes(t *testing.T) {
	c := newClient(t, listenServer(t, &ServerOptions{MaxListenBytes: 100}))
	long := func(n int) string { return `"test://f02/` + strings.Repeat("7", n) + `"` }
	if a := c.call("subscriptions/listen", `"notifications":{"resourceSubscriptions":[`+long(30)+`,`+long(31)+`]}`); a.code != 0 || len(a.listen.URIs) != 2 {
		t.Errorf("within the bound: %+v", a)
	}
	c.call("subscriptions/listen", `"notifications":{"resourceSubscriptions":[`+long(40)+`,`+long(41)+`]}`).wantError("beyond it", -32602, 400)
}

func TestListenMessages(t *testing.T) {
	s := listenServer(t, nil)
	c := newClient(t, s)
	for _, id := range []string{`1`, `"a\"b"`} {
		end := s.AppendListenResult(nil, id)
		c.schema.Message(t, modern, "subscriptions/listen", end)
		var m struct {
			Result struct {
				ResultType string
				Meta       map[string]any `json:"_meta"`
			}
		}
		if err := json.Unmarshal(end, &m); err != nil || m.Result.ResultType != "complete" || m.Result.Meta[MetaKeySubscriptionID] == nil || m.Result.Meta[MetaKeyServerInfo] == nil {
			t.Errorf("%v: %s", err, end)
		}
		for ch, want := range map[Change]string{
			{Topic: TopicTools}:                            `"method":"notifications/tools/list_changed","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":` + id + `}}}`,
			{Topic: TopicPrompts}:                          `"method":"notifications/prompts/list_changed","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":` + id + `}}}`,
			{Topic: TopicResources}:                        `"method":"notifications/resources/list_changed","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":` + id + `}}}`,
			{Topic: TopicResource, URI: "test://\"\u2028"}: `"method":"notifications/resources/updated","params":{"_meta":{"io.modelcontextprotocol/subscriptionId":` + id + `},"uri":"test://\"\u2028"}}`,
		} {
			prefix, suffix := s.ChangeMessage(ch)
			got := string(prefix) + id + string(suffix)
			if got != `{"jsonrpc":"2.0",`+want {
				t.Errorf("got %s\nwant …%s", got, want)
			}
			if !strings.Contains(ch.URI, `"`) {
				c.schema.Message(t, modern, "", []byte(got))
			}
		}
	}
}

func TestChangesAreTold(t *testing.T) {
	s := newTestServer(t, nil)
	var got, other []Change
	s.OnChange(func(ch Change) { got = append(got, ch) })
	s.OnChange(func(ch Change) { other = append(other, ch) })
	AddTool(s, &Tool{Name: "echo"}, echo)
	s.RemoveTools("none", "of these")
	s.RemoveTools("echo")
	s.AddPrompt(&Prompt{Name: "p"}, nil)
	s.AddResource(&Resource{Name: "r", URI: "test://r"}, noRead)
	s.AddResourceTemplate(&ResourceTemplate{Name: "r", URITemplate: "test://{x}"}, noRead)
	s.AddReceivingMiddleware()
	s.ResourceUpdated(context.Background(), &ResourceUpdatedNotificationParams{URI: "test://r"})
	s.Subscribe("test://r")
	s.Subscribe("test://r")
	s.ResourceUpdated(context.Background(), &ResourceUpdatedNotificationParams{URI: "test://r"})
	s.ResourceUpdated(context.Background(), &ResourceUpdatedNotificationParams{URI: "test://other"})
	s.Unsubscribe("test://r")
	s.ResourceUpdated(context.Background(), &ResourceUpdatedNotificationParams{URI: "test://r"})
	s.Unsubscribe("test://r")
	s.Unsubscribe("test://r")
	s.ResourceUpdated(context.Background(), &ResourceUpdatedNotificationParams{URI: "test://r"})
	r := Change{Topic: TopicResource, URI: "test://r"}
	want := []Change{{Topic: TopicTools}, {Topic: TopicTools}, {Topic: TopicPrompts}, {Topic: TopicResources}, {Topic: TopicResources}, r, r}
	if !slices.Equal(got, want) || !slices.Equal(other, want) {
		t.Errorf("got %v\nand %v\nwant %v", got, other, want)
	}
}

// hooks collects the calls of the hooks.
type hooks struct {
	mu    sync.Mutex
	edges []string
	came  chan string
}

func newHooks() *hooks { return &hooks{came: make(chan string, 1000)} }

func (h *hooks) on(sign string) func(string) {
	return func(uri string) {
		h.mu.Lock()
		h.edges = append(h.edges, sign+uri)
		h.mu.Unlock()
		h.came <- sign + uri
	}
}

func (h *hooks) want(t *testing.T, edge string) {
	t.Helper()
	select {
	case got := <-h.came:
		if got != edge {
			t.Errorf("reported %s, want %s", got, edge)
		}
	case <-time.After(10 * time.Second):
		t.Fatalf("%s was not reported", edge)
	}
}

func TestSubscribeHooks(t *testing.T) {
	h := newHooks()
	s := newTestServer(t, &ServerOptions{OnSubscribe: h.on("+"), OnUnsubscribe: h.on("-")})
	s.Subscribe("a")
	h.want(t, "+a")
	s.Subscribe("a")
	s.Subscribe("b")
	h.want(t, "+b")
	s.Unsubscribe("a")
	s.Unsubscribe("a")
	h.want(t, "-a")
	s.Unsubscribe("b")
	h.want(t, "-b")
	s.Close()
	s.Close()
	s.Subscribe("c")
	if len(s.subscribe.waiting) != 0 || len(s.subscribe.queued) != 0 {
		t.Error("a closed server queues")
	}
}

// If subscribers come and go while a hook blocks, only the last state is reported.
func TestSubscribeHooksCoalesce(t *testing.T) {
	h := newHooks()
	block := make(chan struct{})
	s := newTestServer(t, &ServerOptions{OnSubscribe: func(uri string) {
		h.on("+")(uri)
		if uri == "block" {
			<-block
		}
	}, OnUnsubscribe: h.on("-")})
	s.Subscribe("block")
	h.want(t, "+block")
	for range 1000 {
		s.Subscribe("a")
		s.Unsubscribe("a")
		s.Subscribe("b")
		s.Unsubscribe("b")
		s.Unsubscribe("block")
		s.Subscribe("block")
	}
	s.Subscribe("b")
	if n := len(s.subscribe.waiting); n > 3 {
		t.Errorf("%d entries wait for 3 URIs", n)
	}
	close(block)
	h.want(t, "+b")
	s.Subscribe("end")
	h.want(t, "+end")
	if want := []string{"+block", "+b", "+end"}; !slices.Equal(h.edges, want) {
		t.Errorf("reported %q, want %q", h.edges, want)
	}
	s.Unsubscribe("b")
	s.Unsubscribe("end")
	s.Unsubscribe("block")
	for _, edge := range []string{"-b", "-end", "-block"} {
		h.want(t, edge)
	}
	s.subscribe.mu.Lock()
	defer s.subscribe.mu.Unlock()
	if len(s.subscribe.counts)+len(s.subscribe.told)+len(s.subscribe.queued) != 0 {
		t.Error("URIs without subscribers are remembered")
	}
}

func TestMiddleware(t *testing.T) {
	s := listenServer(t, nil)
	var seen []string
	s.AddReceivingMiddleware(func(next MethodHandler) MethodHandler {
		return func(ctx context.Context, method string, req Request) (Result, error) {
			seen = append(seen, method)
			if r, ok := req.(*CallToolRequest); ok && r.Params.Name == "f00" {
				return nil, ResourceNotFoundError("refused by middleware")
			}
			res, err := next(ctx, method, req)
			if r, ok := res.(*ListToolsResult); ok {
				r.Tools = r.Tools[:1]
				r.CacheScope = CachePublic
			}
			return res, err
		}
	})
	c := newClient(t, s)
	a := c.call("tools/list", "")
	a.wantResult("a list", `"name":"add"`, `"cacheScope":"public"`)
	if a.inline || len(names(a, "tools", "name")) != 1 {
		t.Errorf("inline %t, %s", a.inline, a.body)
	}
	for _, l := range lists[1:] {
		if got := names(c.call(l.method, ""), l.list, l.member); len(got) != 3 {
			t.Errorf("%s: %q", l.method, got)
		}
	}
	c.call("tools/list", `"cursor":"x"`).wantError("a bad cursor", -32602, 400)
	c.call("server/discover", "").wantResult("discover", `"supportedVersions":["2026-07-28",`, `"tools":{"listChanged":true}`)
	a = c.call("tools/call", `"name":"add","arguments":{"a":1,"b":2}`)
	a.wantResult("an inline tool", `"structuredContent":{"sum":3}`, `"text":"{\"sum\":3}"`)
	if a.inline {
		t.Error("middleware on an event loop")
	}
	c.call("tools/call", `"name":"f00","arguments":{"text":"x"}`).wantError("refused", -32602, 400, "refused by middleware")
	c.call("resources/read", `"uri":"test://f00"`).wantResult("resource", `"text":"x"`)
	c.call("prompts/get", `"name":"f00"`).wantResult("prompt")
	want := "tools/list prompts/list resources/list resources/templates/list server/discover tools/call tools/call resources/read prompts/get"
	if got := strings.Join(seen, " "); got != want {
		t.Errorf("seen %s\nwant %s", got, want)
	}

	s.AddReceivingMiddleware(func(MethodHandler) MethodHandler {
		return func(context.Context, string, Request) (Result, error) { return new(ElicitResult), nil }
	})
	c.call("tools/call", `"name":"add","arguments":{"a":1,"b":2}`).wantError("a result of another type", -32603, 200)
	c.call("tools/list", "").wantError("a list of another type", -32603, 200)
}

// A transport that has called stop gets no more changes; others still do.
func TestOnChangeStops(t *testing.T) {
	s := newTestServer(t, nil)
	var told [3]int
	var stops [3]func()
	for i := range told {
		stops[i] = s.OnChange(func(Change) { told[i]++ })
	}
	change := func() { AddTool(s, &Tool{Name: "echo"}, echo) }
	change()
	stops[1]()
	stops[1]()
	change()
	stops[0]()
	stops[2]()
	change()
	if want := [3]int{2, 1, 2}; told != want {
		t.Errorf("reported %v times, want %v", told, want)
	}
	if n := len(*s.watchers.Load()); n != 0 {
		t.Errorf("%d watchers are left", n)
	}
}

// A hook that panics or ends its goroutine ends neither the process nor the hooks.
func TestHooksThatFail(t *testing.T) {
	told := make(chan string, 4)
	s := newTestServer(t, &ServerOptions{
		Logger: discardLogger,
		OnSubscribe: func(uri string) {
			switch uri {
			case "test://panic":
				panic("overboard")
			case "test://exit":
				runtime.Goexit()
			}
			told <- uri
		},
	})
	for _, uri := range []string{"test://panic", "test://a", "test://exit", "test://b"} {
		s.Subscribe(uri)
	}
	for _, want := range []string{"test://a", "test://b"} {
		if got := <-told; got != want {
			t.Errorf("told of %s, want %s", got, want)
		}
	}
}
