package mcp

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/mooring-mcp/mooring/jsonrpc"
)

// A gate is middleware that refuses a method, before or after its handler.
type gate struct {
	mu          sync.Mutex
	seen        []string
	refuses     string
	afterwards  bool
	notified    chan string // gets the notifications
	lastSession *ServerSession
}

func (g *gate) middleware(next MethodHandler) MethodHandler {
	return func(ctx context.Context, method string, req Request) (Result, error) {
		g.mu.Lock()
		g.seen = append(g.seen, method)
		refused, after := method == g.refuses, g.afterwards
		g.lastSession = req.GetSession().(*ServerSession)
		g.mu.Unlock()
		if strings.HasPrefix(method, "notifications/") {
			g.notified <- method
		}
		if refused && !after {
			return nil, &jsonrpc.Error{Code: 429, Message: "too many requests"}
		}
		res, err := next(ctx, method, req)
		if refused {
			return nil, &jsonrpc.Error{Code: 429, Message: "too many requests"}
		}
		return res, err
	}
}

// refuse makes g refuse the method from now on.
func (g *gate) refuse(method string, afterwards bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.refuses, g.afterwards = method, afterwards
}

// dialGate connects a client to a server behind a gate.
func dialGate(t *testing.T) (*lineClient, *gate) {
	s := newTestServer(t, nil)
	fillServer(s, 2)
	g := &gate{notified: make(chan string, 16)}
	s.AddReceivingMiddleware(g.middleware)
	return dial(t, s, nil), g
}

// Over a connection, what middleware refuses has no effect, in sessions too.
func TestConnectionMiddleware(t *testing.T) {
	c, g := dialGate(t)
	init := `{"jsonrpc":"2.0","id":"i","method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"c","version":"1"}}}`
	for _, afterwards := range []bool{false, true} {
		g.refuse("initialize", afterwards)
		c.send(init)
		c.want("a refused initialize", `"code":429`)
		c.send(`{"jsonrpc":"2.0","id":1,"method":"tools/list"}`)
		c.want("there is no session", `"error"`)
	}
	g.refuse("", false)
	c.send(init)
	c.want("initialize", `"protocolVersion":"2025-06-18"`)
	c.send(init)
	c.want("a second initialize", `"error"`, "initialized already")
	c.send(`{"jsonrpc":"2.0","method":"notifications/initialized"}`, `{"jsonrpc":"2.0","method":"notifications/roots/list_changed"}`,
		`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":77}}`)
	for _, want := range []string{"notifications/initialized", "notifications/roots/list_changed", "notifications/cancelled"} {
		if got := <-g.notified; got != want {
			t.Errorf("saw %s, want %s", got, want)
		}
	}
	if g.lastSession != c.ss {
		t.Error("notifications have another session than Connect returned")
	}
	for _, how := range []string{"before", "after", ""} {
		refused := how != ""
		for i, tt := range []struct{ method, params string }{
			{"ping", ``}, {"logging/setLevel", `"level":"alert"`}, {"resources/subscribe", `"uri":"test://f00"`}, {"tools/call", `"name":"nobody"`},
		} {
			g.refuse("", false)
			want := `"result":{}`
			if tt.method == "tools/call" {
				want = "unknown tool"
			}
			if refused {
				g.refuse(tt.method, how == "after")
				want = `"code":429`
			}
			c.send(fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":%q,"params":{%s}}`, 10+i, tt.method, tt.params))
			c.want(tt.method, want)
		}
		_ = c.ss.Log(t.Context(), &LoggingMessageParams{Level: LevelError, Data: "leak"})
		if refused {
			c.want("no level was set", "leak")
		}
		updateResource(t, c)
		if !refused {
			c.want("the subscription", `"uri":"test://f00"`)
		}
		c.wantSilence("afterwards")
	}
	c.send(`{"jsonrpc":"2.0","id":20,"method":"resources/unsubscribe","params":{"uri":"test://f00"}}`)
	c.want("unsubscribe", `"result":{}`)
	updateResource(t, c)
	c.wantSilence("unsubscribed")
}

// updateResource makes the server of c report a change.
func updateResource(t *testing.T, c *lineClient) {
	t.Helper()
	if err := c.ss.peer.s.ResourceUpdated(t.Context(), &ResourceUpdatedNotificationParams{URI: "test://f00"}); err != nil {
		t.Error(err)
	}
}

// The stream of a subscription begins when middleware has let it pass.
func TestConnectionMiddlewareListen(t *testing.T) {
	c, g := dialGate(t)
	listen := modernLine(`"l"`, "subscriptions/listen", `"notifications":{"toolsListChanged":true,"resourceSubscriptions":["test://f00"]}`)
	for _, afterwards := range []bool{false, true} {
		g.refuse("subscriptions/listen", afterwards)
		c.send(listen)
		c.want("a refused listen", `"code":429`)
		updateResource(t, c)
		c.wantSilence("not subscribed")
	}
	g.refuse("", false)
	c.send(listen)
	c.want("listen", "subscriptions/acknowledged", "test://f00")
	c.send(listen)
	c.want("the same id again", `"error"`, "in flight")
	updateResource(t, c)
	c.want("a notice", "resources/updated")
	c.send(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"l"}}`)
	<-g.notified
	updateResource(t, c)
	c.wantSilence("cancelled")
	c.ss.Close()
}
