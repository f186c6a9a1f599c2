package mcp

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/mooring-mcp/mooring/jsonrpc"
)

type searchParams struct {
	ParamsBase
	Query string `json:"query"`
	Limit int    `json:"limit,omitempty"`
}

type searchResult struct {
	ResultBase
	Hits []string `json:"hits"`
	Next string   `json:"next,omitempty"`
}

// search is a custom method.
func search(_ context.Context, ss *ServerSession, p *searchParams) (*searchResult, error) {
	switch p.Query {
	case "nothing":
		return nil, nil
	case "fails":
		return nil, errors.New("no index")
	case "refused":
		return nil, &jsonrpc.Error{Code: 77, Message: "not here"}
	case "meta":
		return &searchResult{ResultBase: ResultBase{Meta{"took": 3}}}, nil
	case "who":
		caps := ss.clientCapabilities()
		return &searchResult{Hits: []string{ss.ID(), fmt.Sprint(caps.Elicitation != nil)}}, nil
	case "panics":
		panic("overboard")
	}
	if err := ss.NotifyProgress(context.Background(), &ProgressNotificationParams{Progress: 1}); err != nil {
		return nil, err
	}
	return &searchResult{Hits: []string{p.Query, fmt.Sprint(p.Limit), fmt.Sprint(p.Meta["key"])}}, nil
}

func TestCustomMethod(t *testing.T) {
	s := newTestServer(t, &ServerOptions{Logger: discardLogger})
	eachEra(t, s, func(t *testing.T, c *client) {
		c.call("acme/search", `"query":"q"`).wantError("before it is added", -32601, unknownStatus(c))
	})
	if err := AddReceivingCustomMethod(s, "acme/search", search); err != nil {
		t.Fatal(err)
	}
	eachEra(t, s, func(t *testing.T, c *client) {
		c.schema = nil // no schema has the method
		c.caps = formCaps
		if c.session != nil {
			c.session.Capabilities |= CapabilityElicitation | CapabilityElicitationForm
		}
		elicits := c.session == nil || since(c.session.Revision, "2025-06-18")
		c.meta = `,"key":"value","progressToken":7`
		for _, tt := range []struct{ members, want string }{
			{`"query":"a\u0062","limit":3,"unknown":[1]`, `"hits":["ab","3","value"]}}`},
			{``, `"hits":["","0","value"]}}`},
			{`"query":"nothing"`, ``},
			{`"query":"meta"`, `"took":3`},
			{`"query":"who"`, fmt.Sprintf(`"hits":["","%v"]`, elicits)},
		} {
			a := c.call("acme/search", tt.members)
			a.wantResult(tt.members, tt.want)
			if a.inline || a.kind != CallRequest {
				t.Errorf("%s: inline %v, kind %d", tt.members, a.inline, a.kind)
			}
			if modern := c.session == nil; strings.Contains(a.body, `"resultType":"complete"`) != modern || strings.Contains(a.body, MetaKeyServerInfo) != modern {
				t.Errorf("%s", a.body)
			}
		}
		if a := c.call("acme/search", `"query":"nothing"`); c.session != nil && !strings.HasSuffix(a.body, `"result":{}}`) || strings.Contains(a.body, ",}") {
			t.Errorf("nothing: %s", a.body)
		}
		if a := c.call("acme/search", ``); len(a.notified) != 1 || !strings.Contains(a.notified[0], `"progressToken":7`) {
			t.Errorf("notified %q", a.notified)
		}
		bad := 200
		if c.session == nil {
			bad = 400
		}
		c.call("acme/search", `"query":7`).wantError("wrong type", -32602, bad)
		c.call("acme/search", `"query":"fails"`).wantError("error", -32603, 200, "no index")
		c.call("acme/search", `"query":"refused"`).wantError("protocol error", 77, 200, "not here")
		c.call("acme/search", `"query":"panics"`).wantError("panic", -32603, 200)
		c.call("acme/find", ``).wantError("another", -32601, unknownStatus(c))
		c.call("Acme/search", ``).wantError("in capitals", -32601, unknownStatus(c))
	})
}

// unknownStatus returns the HTTP status for an unknown method.
func unknownStatus(c *client) int {
	if c.session == nil {
		return 404
	}
	return 200
}

// Requests of custom methods obey the rules for header fields.
func TestCustomMethodHeaders(t *testing.T) {
	s := newTestServer(t, nil)
	if err := AddReceivingCustomMethod(s, "acme/search", search); err != nil {
		t.Fatal(err)
	}
	c := newClient(t, s)
	c.schema = nil
	for _, tt := range []struct {
		method string // header field
		code   jsonrpc.Code
		status int
	}{{"acme/search", 0, 200}, {"acme/Search", CodeHeaderMismatch, 400}, {"tools/call", CodeHeaderMismatch, 400}, {"", CodeHeaderMismatch, 400}} {
		meta := &RequestMeta{HTTP: true, ProtocolVersion: []byte(modern), Method: []byte(tt.method)}
		if tt.method == "" {
			meta.Method = nil
		}
		if a := c.callHTTP("acme/search", `"query":"q"`, meta); a.code != tt.code || a.status != tt.status {
			t.Errorf("Mcp-Method %q: %d %s", tt.method, a.status, a.body)
		}
	}
	c.send(`{"jsonrpc":"2.0","id":1,"method":"acme/search","params":{}}`, &RequestMeta{HTTP: true}).wantError("without a session", -32602, 400)
}

// Custom methods pass through middleware under their names.
func TestCustomMethodMiddleware(t *testing.T) {
	s := newTestServer(t, nil)
	for _, method := range []string{"acme/search", "acme/other"} {
		if err := AddReceivingCustomMethod(s, method, search); err != nil {
			t.Fatal(err)
		}
	}
	var seen string
	s.AddReceivingMiddlewareFor([]string{"acme/search"}, func(next MethodHandler) MethodHandler {
		return func(ctx context.Context, method string, req Request) (Result, error) {
			p := req.GetParams().(*searchParams)
			seen += method + " " + p.Query
			p.Query = "changed"
			res, err := next(ctx, method, req)
			if res != nil {
				res.(*searchResult).Next = "n"
			}
			return res, err
		}
	})
	c := newClient(t, s)
	c.schema = nil
	c.call("acme/search", `"query":"q"`).wantResult("search", `"hits":["changed","0","<nil>"],"next":"n"`)
	c.call("acme/other", `"query":"q"`).wantResult("other", `"hits":["q"`)
	if seen != "acme/search q" {
		t.Errorf("saw %q", seen)
	}
	s.AddReceivingMiddlewareFor([]string{"acme/other"}, func(next MethodHandler) MethodHandler {
		return func(ctx context.Context, _ string, req Request) (Result, error) {
			return next(ctx, "tools/list", &ListToolsRequest{Session: req.GetSession().(*ServerSession), Params: new(ListToolsParams)})
		}
	})
	c.call("acme/other", ``).wantResult("as another method", `"name":"echo"`, `"ttlMs":0`)
}

// A method is replaced, and the names of the protocol are refused.
func TestCustomMethodNames(t *testing.T) {
	s := newTestServer(t, nil)
	for _, name := range append(methodNames[1:], "") {
		if AddReceivingCustomMethod(s, name, search) == nil {
			t.Errorf("%q was added", name)
		}
	}
	for i := range 2 {
		err := AddReceivingCustomMethod(s, "tasks/get", func(context.Context, *ServerSession, *ParamsBase) (*searchResult, error) {
			return &searchResult{Hits: []string{fmt.Sprint("version ", i)}}, nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	c := newClient(t, s)
	c.schema = nil
	c.call("tasks/get", ``).wantResult("replaced", "version 1")
	c.send(`{"jsonrpc":"2.0","method":"tasks/get"}`, nil) // a notification of that name is ignored
}

// The params of a custom method may be of a type that a method of the protocol has.
func TestCustomMethodWithParamsOfTheProtocol(t *testing.T) {
	s := newTestServer(t, nil)
	err := errors.Join(
		AddReceivingCustomMethod(s, "acme/ping", func(_ context.Context, _ *ServerSession, p *PingParams) (*searchResult, error) {
			return &searchResult{Next: "pong"}, nil
		}),
		AddReceivingCustomMethod(s, "acme/tools", func(_ context.Context, _ *ServerSession, p *ListToolsParams) (*searchResult, error) {
			return &searchResult{Next: p.Cursor}, nil
		}),
		AddReceivingCustomMethod(s, "acme/cancel", func(_ context.Context, _ *ServerSession, p *CancelledParams) (*searchResult, error) {
			return &searchResult{Next: p.Reason}, nil
		}))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		eachEra(t, s, func(t *testing.T, c *client) {
			c.schema = nil
			for method, members := range map[string]string{"acme/ping": "", "acme/tools": `"cursor":"pong"`, "acme/cancel": `"reason":"pong"`} {
				if a := c.call(method, members); a.code != 0 || !strings.Contains(a.body, `"next":"pong"`) {
					t.Errorf("%s: %s", method, a.body)
				}
			}
		})
		s.AddReceivingMiddleware(pass)
	}
}

// A listResult is a result that is not an object.
type listResult struct{ ResultBase }

func (*listResult) MarshalJSON() ([]byte, error) { return []byte(`["x"]`), nil }

// A result that is not an object is an error of the handler, and not an empty result.
func TestCustomMethodWithoutObject(t *testing.T) {
	s := newTestServer(t, &ServerOptions{Logger: discardLogger})
	err := AddReceivingCustomMethod(s, "acme/list", func(context.Context, *ServerSession, *searchParams) (*listResult, error) {
		return new(listResult), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	eachEra(t, s, func(_ *testing.T, c *client) {
		c.schema = nil
		c.call("acme/list", "").wantError("a list", -32603, 200)
	})
}
