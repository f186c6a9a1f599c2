package mcp

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func newNoticeServer(t *testing.T) *Server {
	s := newEchoServer(t, nil)
	read := func(_ context.Context, req *ReadResourceRequest) (*ReadResourceResult, error) {
		return &ReadResourceResult{Contents: []*ResourceContents{{URI: req.Params.URI, Text: "x"}}}, nil
	}
	s.AddResource(&Resource{Name: "a", URI: "file:///a"}, read)
	s.AddResourceTemplate(&ResourceTemplate{Name: "t", URITemplate: "file:///t/{x}"}, read)
	return s
}

// touch changes a list of the server.
func touch(s *Server) {
	s.AddPrompt(&Prompt{Name: "p"}, func(context.Context, *GetPromptRequest) (*GetPromptResult, error) { return nil, nil })
}

func updated(s *Server, uri string) {
	s.ResourceUpdated(context.Background(), &ResourceUpdatedNotificationParams{URI: uri})
}

// In a bubble no time passes between changes, however slow the machine is.
func TestNoticesOverAConnection(t *testing.T) { synctest.Test(t, testNoticesOverAConnection) }

func testNoticesOverAConnection(t *testing.T) {
	s := newNoticeServer(t)
	touch(s)
	c := dial(t, s, nil)
	touch(s)
	c.wantSilence("nobody listens")
	c.send(modernLine(`"a"`, "subscriptions/listen", `"notifications":{"promptsListChanged":true,"resourceSubscriptions":["FILE:///a"]}`))
	c.want("listen", `subscriptions/acknowledged`, MetaKeySubscriptionID+`":"a"`, `"FILE:///a"`)
	c.send(modernLine(`"a"`, "subscriptions/listen", `"notifications":{}`))
	c.want("the same id", `"id":"a"`, `in flight`)
	for range 50 {
		touch(s)
	}
	c.want("many changes, one notice", `prompts/list_changed`, MetaKeySubscriptionID+`":"a"`)
	updated(s, "file:///a")
	c.want("an update", `resources/updated`, MetaKeySubscriptionID+`":"a"`, `"uri":"FILE:///a"`)

	c.initialize("2025-11-25", `{}`)
	c.send(`{"jsonrpc":"2.0","id":1,"method":"resources/subscribe","params":{"uri":"file:///t/1"}}`)
	c.want("subscribe", `"id":1,"result"`)
	touch(s)
	both := c.next() + c.next()
	if strings.Count(both, `prompts/list_changed`) != 2 || strings.Count(both, MetaKeySubscriptionID) != 1 {
		t.Errorf("a change sends %s", both)
	}
	updated(s, "file:///t/1")
	c.want("an update of the session's", `{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"file:///t/1"}}`)
	c.send(`{"jsonrpc":"2.0","id":2,"method":"resources/unsubscribe","params":{"uri":"file:///t/1"}}`)
	c.want("unsubscribe", `"id":2,"result"`)
	c.send(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"a"}}`)
	c.send(`{"jsonrpc":"2.0","id":3,"method":"ping"}`)
	c.want("ping", `"id":3`)
	updated(s, "file:///t/1")
	updated(s, "file:///a")
	c.wantSilence("nobody is subscribed")
	if n := len(s.subscribe.counts); n != 0 {
		t.Errorf("%d resources have subscribers", n)
	}
	c.send(`{"jsonrpc":"2.0","id":4,"method":"resources/subscribe","params":{"uri":"file:///t/1"}}`)
	c.want("subscribe", `"id":4,"result"`)
	c.send(modernLine(`5`, "subscriptions/listen", `"notifications":{"resourceSubscriptions":["file:///a"]}`))
	c.want("listen", `acknowledged`)
	c.ss.Close()
	c.want("the end of a subscription", `"id":5,"result"`)
	if n := len(s.subscribe.counts); n != 0 {
		t.Errorf("%d resources have subscribers after the end", n)
	}
	if n := len(*s.watchers.Load()); n != 0 {
		t.Errorf("%d watchers after the end", n)
	}
}

func TestSubscriptionsAreLimited(t *testing.T) {
	s := newNoticeServer(t)
	c := dial(t, s, nil)
	c.initialize("2025-06-18", `{}`)
	for i := range s.opts.MaxListenURIs + 1 {
		c.send(fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"resources/subscribe","params":{"uri":"file:///t/%d"}}`, i, i))
		if i < s.opts.MaxListenURIs {
			c.want("subscribe", `"result"`)
		}
	}
	c.want("one too many", `too many subscriptions`)
}

// A client that does not read gets no notices, and one for each list when it reads again.
func TestNoticesWaitForTheirClient(t *testing.T) {
	s := newNoticeServer(t)
	touch(s)
	ours, theirs := NewInMemoryTransports()
	ss, err := s.Connect(context.Background(), ours, &ServerSessionOptions{MaxUnsent: 200})
	if err != nil {
		t.Fatal(err)
	}
	c := &lineClient{t: t, ss: ss, w: theirs, lines: make(chan string, 4096)}
	c.send(modernLine(`1`, "subscriptions/listen", `"notifications":{"promptsListChanged":true}`))
	wide := strings.Repeat("x", 3*memoryRoom/2)
	c.send(modernCall(`2`, "echo", `{"text":"`+wide+`"}`)) // fills the pipe
	time.Sleep(20 * time.Millisecond)
	c.send(modernCall(`3`, "echo", `{"text":"`+wide[:1000]+`"}`))
	time.Sleep(20 * time.Millisecond)
	for range 10 {
		touch(s)
		time.Sleep(2 * noticeDelay)
	}
	go c.read(theirs)
	c.want("ack", `acknowledged`)
	c.want("call", `"id":2`)
	c.want("call", `"id":3`)
	c.want("notice", `prompts/list_changed`)
	c.wantSilence("only one notice")
	theirs.Close()
	ss.Wait()
}
