package mcp

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
)

// byPrincipal shows each caller the features that have its name in theirs; "root" sees all.
func byPrincipal(_ context.Context, caller *Caller, _ FeatureKind, name string) bool {
	return caller.Principal == "root" || strings.Contains(name, caller.Principal)
}

// newVisibleServer has features f00 to f06 of each kind for alice and bob, and a template for both.
func newVisibleServer(t testing.TB, opts *ServerOptions) *Server {
	t.Helper()
	opts.VisibleInline = true
	if opts.Visible == nil {
		opts.Visible = byPrincipal
	}
	opts.CompletionHandler = func(context.Context, *CompleteRequest) (*CompleteResult, error) {
		return &CompleteResult{Completion: CompletionResultDetails{Values: []string{"v"}}}, nil
	}
	s := NewServer(&Implementation{Name: "test", Version: "v1"}, opts)
	t.Cleanup(s.Close)
	for _, who := range []string{"alice", "bob"} {
		for i := range 7 {
			addVisible(s, fmt.Sprintf("f%02d-%s", i, who))
		}
	}
	return s
}

func addVisible(s *Server, name string) {
	read := func(_ context.Context, req *ReadResourceRequest) (*ReadResourceResult, error) {
		return &ReadResourceResult{Cacheable: Cacheable{CacheScope: CachePublic}, Contents: []*ResourceContents{{Text: name}}}, nil
	}
	AddInlineTool(s, &Tool{Name: name}, add)
	s.AddPrompt(&Prompt{Name: name}, func(context.Context, *GetPromptRequest) (*GetPromptResult, error) { return nil, nil })
	s.AddResource(&Resource{Name: name, URI: "test://" + name}, read)
	s.AddResourceTemplate(&ResourceTemplate{Name: name, URITemplate: "test://" + name + "/{id}"}, read)
}

// eachEra runs f for a client of a modern revision and for one of each earlier revision.
func eachEra(t *testing.T, s *Server, f func(t *testing.T, c *client)) {
	t.Helper()
	t.Run(modern, func(t *testing.T) { f(t, newClient(t, s)) })
	for _, revision := range legacies {
		t.Run(revision, func(t *testing.T) { f(t, newLegacyClient(t, s, revision, `{}`)) })
	}
}

// A caller's lists have its own features alone, page by page, with middleware and without.
func TestVisibleLists(t *testing.T) {
	for _, size := range []int{0, 1, 3, 7, 8} {
		for _, chained := range []bool{false, true} {
			s := newVisibleServer(t, &ServerOptions{PageSize: size, Cache: CacheHints{Tools: Cacheable{CacheScope: CachePublic}}})
			if chained {
				s.AddReceivingMiddleware(pass)
			}
			eachEra(t, s, func(t *testing.T, c *client) {
				for _, who := range []string{"alice", "bob", "nobody", "alice", "root"} {
					c.principal = who
					for _, l := range lists {
						var want []string
						for i := range 7 {
							for _, owner := range []string{"alice", "bob"} {
								if who == owner || who == "root" {
									want = append(want, fmt.Sprintf("%sf%02d-%s%s", l.prefix, i, owner, l.suffix))
								}
							}
						}
						bodies, got := c.walk(l.method, l.list, l.member, &RequestMeta{})
						if all := slices.Concat(got...); !slices.Equal(all, want) {
							t.Errorf("%s of %s by %d: %q", l.method, who, size, all)
						}
						pages := 1
						if size > 0 {
							pages = max(1, (len(want)+size-1)/size)
						}
						if len(bodies) != pages {
							t.Errorf("%s of %s by %d: %d pages, want %d", l.method, who, size, len(bodies), pages)
						}
						if c.session == nil && strings.Contains(bodies[0], CachePublic) {
							t.Errorf("%s of %s may be shared: %s", l.method, who, bodies[0])
						}
					}
				}
			})
		}
	}
}

// A cursor of one caller is a place in the list of another, and shows nothing more of it.
func TestVisibleForeignCursor(t *testing.T) {
	s := newVisibleServer(t, &ServerOptions{PageSize: 2})
	c := newClient(t, s)
	for _, l := range lists {
		c.principal = "alice"
		next := c.call(l.method, "").result()["nextCursor"].(string)
		c.principal = "bob"
		got := names(c.call(l.method, fmt.Sprintf(`"cursor":%q`, next)), l.list, l.member)
		want := []string{l.prefix + "f01-bob" + l.suffix, l.prefix + "f02-bob" + l.suffix}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", l.method, got, want)
		}
	}
}

// visibleRequests name a feature, which is written as %s.
var visibleRequests = []struct{ method, members string }{
	{"tools/call", `"name":"%s","arguments":{"a":1,"b":2}`},
	{"prompts/get", `"name":"%s"`},
	{"resources/read", `"uri":"test://%s"`},
	{"resources/read", `"uri":"test://%s/1"`},
	{"completion/complete", `"ref":{"type":"ref/prompt","name":"%s"},"argument":{"name":"a","value":"v"}`},
	{"completion/complete", `"ref":{"type":"ref/resource","uri":"test://%s/{id}"},"argument":{"name":"a","value":"v"}`},
	{"completion/complete", `"ref":{"type":"ref/resource","uri":"test://%s"},"argument":{"name":"a","value":"v"}`},
}

// What a caller cannot see is answered with the very bytes of what does not exist.
func TestInvisibleIsUnknown(t *testing.T) {
	for _, chained := range []bool{false, true} {
		s := newVisibleServer(t, &ServerOptions{})
		if chained {
			s.AddReceivingMiddleware(pass)
		}
		eachEra(t, s, func(t *testing.T, c *client) {
			requests := visibleRequests
			if c.session != nil {
				requests = append(slices.Clone(requests), struct{ method, members string }{"resources/subscribe", `"uri":"test://%s"`})
			}
			for _, r := range requests {
				c.principal = "alice"
				c.call(r.method, fmt.Sprintf(r.members, "f03-alice")).wantResult(r.method + " " + r.members)
				hidden := c.call(r.method, fmt.Sprintf(r.members, "f03-bob"))
				c.next-- // the same id again
				unknown := c.call(r.method, fmt.Sprintf(r.members, "f99-bob"))
				if hidden.code == 0 || hidden.status != unknown.status ||
					strings.ReplaceAll(hidden.body, "f03-bob", "f99-bob") != unknown.body {
					t.Errorf("%s: hidden %s\nunknown %s", r.method, hidden.body, unknown.body)
				}
			}
		})
	}
}

// A read result must not be shared either, whatever its handler says.
func TestVisibleResourceIsPrivate(t *testing.T) {
	c := newClient(t, newVisibleServer(t, &ServerOptions{}))
	c.principal = "alice"
	c.call("resources/read", `"uri":"test://f00-alice"`).wantResult("read", `"cacheScope":"private"`)
	c = newClient(t, newVisibleServer(t, &ServerOptions{Visible: func(context.Context, *Caller, FeatureKind, string) bool { return true }}))
	c.call("resources/read", `"uri":"test://f00-alice"`).wantResult("read", `"cacheScope":"private"`)
}

// A listener does not get notices about a resource that it cannot see.
func TestVisibleListen(t *testing.T) {
	c := newClient(t, newVisibleServer(t, &ServerOptions{}))
	c.principal = "alice"
	a := c.call("subscriptions/listen", `"notifications":{"toolsListChanged":true,"resourceSubscriptions":["test://f00-alice","test://f00-bob","test://f00-bob/1","test://f00-alice/1"]}`)
	if a.listen == nil || !slices.Equal(a.listen.URIs, []string{"test://f00-alice", "test://f00-alice/1"}) || a.listen.Topics != TopicTools|TopicResource {
		t.Errorf("listens to %+v", a.listen)
	}
}

// An invisible resource is not in the way of a template, nor an invisible template of the next.
func TestVisibleTemplateServes(t *testing.T) {
	hidden := ""
	s := NewServer(&Implementation{Name: "n", Version: "v"}, &ServerOptions{VisibleInline: true,
		Visible: func(_ context.Context, _ *Caller, kind FeatureKind, name string) bool {
			return !strings.Contains(hidden, kind.String()+" "+name+";")
		}})
	says := func(text string) ResourceHandler {
		return func(context.Context, *ReadResourceRequest) (*ReadResourceResult, error) {
			return &ReadResourceResult{Contents: []*ResourceContents{{Text: text}}}, nil
		}
	}
	s.AddResource(&Resource{Name: "r", URI: "test://a/1"}, says("resource"))
	s.AddResourceTemplate(&ResourceTemplate{Name: "t", URITemplate: "test://a/{id}"}, says("narrow"))
	s.AddResourceTemplate(&ResourceTemplate{Name: "u", URITemplate: "test://{x}/{id}"}, says("wide"))
	c := newClient(t, s)
	for _, tt := range []struct{ hidden, want string }{
		{"", `"resource"`},
		{"resource test://a/1;", `"narrow"`},
		{"resource test://a/1;resource template test://a/{id};", `"wide"`},
	} {
		hidden = tt.hidden
		c.call("resources/read", `"uri":"test://a/1"`).wantResult("hidden "+tt.hidden, tt.want)
	}
	hidden += "resource template test://{x}/{id};"
	c.call("resources/read", `"uri":"test://a/1"`).wantError("hidden "+hidden, -32602, 400)
}

// Middleware may redirect a request, but only to what the caller sees.
func TestVisibleRedirect(t *testing.T) {
	s := newVisibleServer(t, &ServerOptions{})
	s.AddReceivingMiddleware(func(next MethodHandler) MethodHandler {
		return func(ctx context.Context, method string, req Request) (Result, error) {
			switch r := req.(type) {
			case *CallToolRequest:
				r.Params.Name = "f00-bob"
			case *GetPromptRequest:
				r.Params.Name = "f00-bob"
			case *ReadResourceRequest:
				r.Params.URI = "test://f00-bob"
			}
			return next(ctx, method, req)
		}
	})
	c := newClient(t, s)
	c.principal = "alice"
	for _, r := range visibleRequests[:3] {
		c.call(r.method, fmt.Sprintf(r.members, "f00-alice")).wantError(r.method, -32602, 400)
	}
}

// That holds for requests of every method, also those that Visible has no part in by themselves.
func TestVisibleRedirectOfOthers(t *testing.T) {
	s := newVisibleServer(t, &ServerOptions{})
	if err := AddReceivingCustomMethod(s, "acme/tools", func(context.Context, *ServerSession, *searchParams) (*searchResult, error) { return nil, nil }); err != nil {
		t.Fatal(err)
	}
	var got []string
	s.AddReceivingMiddleware(func(next MethodHandler) MethodHandler {
		return func(ctx context.Context, method string, req Request) (Result, error) {
			res, err := next(ctx, "tools/list", &ListToolsRequest{Session: req.GetSession().(*ServerSession), Params: new(ListToolsParams)})
			if err != nil {
				return nil, err
			}
			for _, tool := range res.(*ListToolsResult).Tools {
				got = append(got, tool.Name)
			}
			return next(ctx, method, req)
		}
	})
	c := newClient(t, s)
	c.principal, c.schema = "alice", nil
	for _, method := range []string{"acme/tools", "server/discover"} {
		got = nil
		c.call(method, "").wantResult(method)
		if len(got) != 7 || strings.Contains(strings.Join(got, " "), "bob") {
			t.Errorf("%s: %q", method, got)
		}
	}
}

// A panic hides the feature and leaves the server alone.
func TestVisiblePanics(t *testing.T) {
	var log strings.Builder
	s := newVisibleServer(t, &ServerOptions{Logger: slog.New(slog.NewTextHandler(&log, nil)),
		Visible: func(_ context.Context, _ *Caller, _ FeatureKind, name string) bool {
			if strings.Contains(name, "bob") {
				panic("no bobs")
			}
			return true
		}})
	c := newClient(t, s)
	if got := names(c.call("tools/list", ""), "tools", "name"); len(got) != 7 {
		t.Errorf("listed %q", got)
	}
	c.call("tools/call", `"name":"f00-bob"`).wantError("call", -32602, 400, "unknown tool")
	if !strings.Contains(log.String(), "no bobs") || !strings.Contains(log.String(), "f00-bob") {
		t.Errorf("logged %s", log.String())
	}
}
