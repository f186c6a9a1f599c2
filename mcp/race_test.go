package mcp

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
)

// Features are added and removed while clients call, list, listen and subscribe. Under the race
// detector this shows that a registry is never changed. Without it, it shows that each call sees
// one registry and gets one response.
func TestConcurrentUse(t *testing.T) {
	h := newHooks()
	h.came = make(chan string, 1<<16)
	s := newTestServer(t, &ServerOptions{PageSize: 3, OnSubscribe: h.on("+"), OnUnsubscribe: h.on("-")})
	fillServer(s, 2)
	var changes atomic.Int64
	s.OnChange(func(Change) { changes.Add(1) })
	const rounds = 200
	var wg sync.WaitGroup
	for worker := range 2 {
		wg.Go(func() {
			for i := range rounds {
				name := fmt.Sprintf("w%d-%d", worker, i%5)
				AddTool(s, &Tool{Name: name, Description: "d"}, echo)
				s.AddPrompt(&Prompt{Name: name}, nil)
				s.AddResource(&Resource{Name: name, URI: "test://" + name}, noRead)
				s.ResourceUpdated(context.Background(), &ResourceUpdatedNotificationParams{URI: "test://f00"})
				s.RemoveTools(name)
				s.RemovePrompts(name)
				s.RemoveResources("test://" + name)
			}
		})
		wg.Go(func() {
			c := newClient(t, s)
			for i := range rounds {
				a := c.call("tools/call", fmt.Sprintf(`"name":"echo","arguments":{"text":"%d-%d"}`, worker, i))
				if got, want := a.text(), fmt.Sprintf("%d-%d", worker, i); got != want {
					t.Errorf("got %q, want %q", got, want)
				}
				c.call("tools/call", `"name":"add","arguments":{"a":1,"b":2}`).wantResult("add", `{"sum":3}`)
			}
		})
		wg.Go(func() {
			c := newClient(t, s)
			for range rounds {
				members := ""
				for {
					a := c.call("tools/list", members)
					next, ok := a.result()["nextCursor"].(string)
					if !ok {
						break
					}
					members = fmt.Sprintf(`"cursor":%q`, next)
				}
				c.call("server/discover", "").wantResult("discover")
			}
		})
		wg.Go(func() {
			c := newClient(t, s)
			for range rounds {
				a := c.call("subscriptions/listen", `"notifications":{"toolsListChanged":true,"resourceSubscriptions":["test://f00","test://f01"]}`)
				if a.listen == nil {
					t.Errorf("no subscription: %s", a.body)
					continue
				}
				for _, uri := range a.listen.URIs {
					s.Subscribe(uri)
				}
				for _, uri := range a.listen.URIs {
					s.Unsubscribe(uri)
				}
			}
		})
	}
	wg.Wait()
	if n := changes.Load(); n < 2*rounds*6 {
		t.Errorf("%d changes reported, at least %d were made", n, 2*rounds*6)
	}
	c := newClient(t, s)
	for _, uri := range []string{"test://f00", "test://f01"} {
		if s.subscribe.has(uri) {
			t.Errorf("%s has a subscriber", uri)
		}
	}
	if got := names(c.call("tools/list", ""), "tools", "name"); len(got) != 3 {
		t.Errorf("got %q", got)
	}
}

// Many goroutines use every type for the first time at once.
func TestConcurrentFirstUse(t *testing.T) {
	type in struct {
		M map[string][]int `json:"m"`
	}
	s := newTestServer(t, nil)
	AddTool(s, &Tool{Name: "sum"}, func(_ context.Context, _ *CallToolRequest, in in) (*CallToolResult, addOut, error) {
		n := 0
		for _, v := range in.M {
			for _, x := range v {
				n += x
			}
		}
		return nil, addOut{n}, nil
	})
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			arg, _ := json.Marshal(map[string][]int{"a": {i}, "b": {1}})
			newClient(t, s).call("tools/call", fmt.Sprintf(`"name":"sum","arguments":{"m":%s}`, arg)).wantResult("sum", fmt.Sprintf(`{"sum":%d}`, i+1))
		})
	}
	wg.Wait()
}
