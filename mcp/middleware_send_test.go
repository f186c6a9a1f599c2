package mcp

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
)

// A recordingSender is sending middleware that notes what it sees.
type recordingSender struct {
	mu    sync.Mutex
	seen  []string
	keeps string // the method that is kept back
}

var errKept = errors.New("kept back")

func (r *recordingSender) middleware(next MethodHandler) MethodHandler {
	return func(ctx context.Context, method string, req Request) (Result, error) {
		r.mu.Lock()
		r.seen = append(r.seen, method)
		kept := method == r.keeps
		r.mu.Unlock()
		if kept {
			return nil, errKept
		}
		switch p := req.GetParams().(type) {
		case *LoggingMessageParams:
			p.Data = strings.ReplaceAll(fmt.Sprint(p.Data), "secret", "***")
		case *ProgressNotificationParams:
			p.Message += fmt.Sprintf(" (%v)", p.ProgressToken)
		case *ElicitParams:
			p.Message = "Please: " + p.Message
		}
		res, err := next(ctx, method, req)
		if e, ok := res.(*ElicitResult); ok {
			e.Action = "decline"
		}
		return res, err
	}
}

// take returns what was seen since the last call.
func (r *recordingSender) take() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	seen := strings.Join(r.seen, " ")
	r.seen = nil
	return seen
}

func (r *recordingSender) keep(method string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.keeps = method
}

// newTalkingServer has a tool that logs and reports progress, in each of the ways.
func newTalkingServer(t testing.TB, got *[]error) *Server {
	s := newTestServer(t, nil)
	AddInlineTool(s, &Tool{Name: "talk"}, func(req *CallToolRequest, _ struct{}) (any, error) {
		*got = []error{
			req.Log(LevelError, "hull", "a secret"),
			req.Session.Log(context.Background(), &LoggingMessageParams{Level: LevelError, Data: "no secret"}),
			req.Log(LevelDebug, "", "too much"),
			req.Progress(1, 2, "one"),
			req.Session.NotifyProgress(context.Background(), &ProgressNotificationParams{Progress: 2, Message: "two"}),
		}
		return nil, nil
	})
	return s
}

// What a handler sends passes through sending middleware, if the client wants it.
func TestSendingMiddleware(t *testing.T) {
	var errs []error
	s := newTalkingServer(t, &errs)
	r := new(recordingSender)
	c := newClient(t, s)
	if a := c.call("tools/call", `"name":"talk"`); !a.inline {
		t.Error("without middleware the tool is not inline")
	}
	s.AddSendingMiddleware()
	if a := c.call("tools/call", `"name":"talk"`); !a.inline {
		t.Error("no middleware made the tool a worker")
	}
	s.AddSendingMiddleware(r.middleware)
	for _, revision := range append([]string{modern}, legacies...) {
		c := newClient(t, s)
		if revision == modern {
			c.meta = `,"` + MetaKeyLogLevel + `":"info"`
		} else {
			c.session = &SessionInfo{Revision: revision}
		}
		r.keep("")
		a := c.call("tools/call", `"name":"talk"`)
		if seen := r.take(); a.inline || seen != "notifications/message notifications/message" {
			t.Errorf("%s: inline %v, saw %q", revision, a.inline, seen)
		}
		if len(a.notified) != 2 || !strings.Contains(a.notified[0], `"logger":"hull","data":"a ***"`) || !strings.Contains(a.notified[1], `"no ***"`) {
			t.Errorf("%s: notified %q", revision, a.notified)
		}
		c.meta += `,"progressToken":"tok"`
		a = c.call("tools/call", `"name":"talk"`)
		if seen, want := r.take(), "notifications/message notifications/message notifications/progress notifications/progress"; seen != want {
			t.Errorf("%s: saw %q", revision, seen)
		}
		says := since(revision, "2025-03-26")
		if len(a.notified) != 4 || strings.Contains(a.notified[2], `"one (tok)"`) != says || strings.Contains(a.notified[3], `"two (tok)"`) != says {
			t.Errorf("%s: notified %q", revision, a.notified)
		}
		r.keep("notifications/progress")
		a = c.call("tools/call", `"name":"talk"`)
		if r.take(); len(a.notified) != 2 || !slices.Equal(errs, []error{nil, nil, nil, errKept, errKept}) {
			t.Errorf("%s: notified %q, errors %v", revision, a.notified, errs)
		}
	}
}

// The order is that of receiving middleware, and each is made once.
func TestSendingMiddlewareOrder(t *testing.T) {
	s := newTestServer(t, nil)
	var seen, made []string
	named := func(name string) Middleware {
		return func(next MethodHandler) MethodHandler {
			made = append(made, name)
			return func(ctx context.Context, method string, req Request) (Result, error) {
				if req.GetSession() == nil || req.GetSession().ID() != "" || req.GetParams() == nil || req.GetExtra() != nil {
					t.Errorf("%s: %+v", method, req)
				}
				seen = append(seen, name)
				return next(ctx, method, req)
			}
		}
	}
	s.AddSendingMiddleware(named("a"), named("b"))
	s.AddSendingMiddleware(named("c"))
	AddInlineTool(s, &Tool{Name: "new"}, add)
	if !slices.Equal(seen, []string{"c", "a", "b"}) || len(made) != 3 {
		t.Errorf("saw %q, made %q", seen, made)
	}
}

func readNothing(context.Context, *ReadResourceRequest) (*ReadResourceResult, error) {
	return &ReadResourceResult{Contents: []*ResourceContents{}}, nil
}

// Middleware sees each change once, and can keep it back for all.
func TestSendingMiddlewareOfChanges(t *testing.T) {
	s := newTestServer(t, &ServerOptions{Logger: discardLogger})
	fillServer(s, 2)
	r := new(recordingSender)
	s.AddSendingMiddleware(r.middleware, func(next MethodHandler) MethodHandler {
		return func(ctx context.Context, method string, req Request) (Result, error) {
			if p, ok := req.GetParams().(*ResourceUpdatedNotificationParams); ok && p.URI == "test://f00" {
				p.URI = "test://f01"
			}
			return next(ctx, method, req)
		}
	})
	var changes []Change
	defer s.OnChange(func(ch Change) { changes = append(changes, ch) })()
	update := func(uri string) error {
		return s.ResourceUpdated(t.Context(), &ResourceUpdatedNotificationParams{URI: uri})
	}
	s.Subscribe("test://f00")
	s.Subscribe("test://f01")
	for _, tt := range []struct {
		method string
		change func() error
		want   Change
	}{
		{"notifications/tools/list_changed", func() error { AddInlineTool(s, &Tool{Name: "n"}, add); return nil }, Change{Topic: TopicTools}},
		{"notifications/prompts/list_changed", func() error { s.RemovePrompts("f00"); s.AddPrompt(&Prompt{Name: "f00"}, nil); return nil }, Change{Topic: TopicPrompts}},
		{"notifications/resources/list_changed", func() error { s.AddResource(&Resource{URI: "test://f02"}, readNothing); return nil }, Change{Topic: TopicResources}},
		{"notifications/resources/updated", func() error { return update("test://f00") }, Change{Topic: TopicResource, URI: "test://f01"}},
	} {
		for _, kept := range []bool{false, true} {
			changes = nil
			if r.keep(""); kept {
				r.keep(tt.method)
			}
			err := tt.change()
			if tt.want.Topic == TopicResource && errors.Is(err, errKept) != kept {
				t.Errorf("%s: %v", tt.method, err)
			}
			seen := r.take()
			times := strings.Count(seen, tt.method)
			if got := len(changes); times == 0 || kept && got != 0 || !kept && (got != times || changes[0] != tt.want) {
				t.Errorf("%s, kept %v: saw %q, changed %v", tt.method, kept, seen, changes)
			}
		}
	}
	r.keep("")
	if err := update("test://nobody"); err != nil || r.take() != "" {
		t.Errorf("nobody subscribes: %v", err)
	}
}

// The questions that somebody waits for pass through middleware with their answers.
func TestSendingMiddlewareOfRequests(t *testing.T) {
	s := newTestServer(t, nil)
	r := new(recordingSender)
	s.AddSendingMiddleware(r.middleware)
	c := dial(t, s, nil)
	c.initialize("2025-11-25", `{"elicitation":{},"sampling":{"tools":{}},"roots":{}}`)
	ctx := t.Context()
	var result any
	asks := map[string]struct {
		ask    func() error
		answer string
		want   string
	}{
		"elicitation/create": {func() (err error) { result, err = c.ss.Elicit(ctx, &ElicitParams{Message: "?"}); return }, `{"action":"cancel"}`, "decline"},
		"roots/list":         {func() (err error) { result, err = c.ss.ListRoots(ctx, nil); return }, `{"roots":[{"uri":"file:///a"}]}`, "file:///a"},
		"ping":               {func() error { result = nil; return c.ss.Ping(ctx, nil) }, `{}`, "<nil>"},
		"sampling/createMessage": {func() (err error) {
			result, err = c.ss.CreateMessage(ctx, &CreateMessageParams{MaxTokens: 1})
			return
		}, `{"role":"assistant","model":"m1","content":{"type":"text","text":"hi"}}`, "m1"},
	}
	for method, tt := range asks {
		done := make(chan error, 1)
		go func() { done <- tt.ask() }()
		line := c.want(method, method)
		if method == "elicitation/create" && !strings.Contains(line, "Please: ?") {
			t.Errorf("asked %s", line)
		}
		c.send(`{"jsonrpc":"2.0","id":` + idOfRequest(line) + `,"result":` + tt.answer + `}`)
		if err := <-done; err != nil {
			t.Errorf("%s: %v", method, err)
		}
		var text string
		switch v := result.(type) {
		case *ElicitResult:
			text = v.Action
		case *ListRootsResult:
			text = v.Roots[0].URI
		case *CreateMessageResult:
			text = v.Model
		default:
			text = fmt.Sprint(v)
		}
		if text != tt.want {
			t.Errorf("%s: got %s, want %s", method, text, tt.want)
		}
		if seen := r.take(); seen != method {
			t.Errorf("%s: saw %q", method, seen)
		}
		r.keep(method)
		if err := tt.ask(); !errors.Is(err, errKept) {
			t.Errorf("%s: kept back: %v", method, err)
		}
		r.keep("")
		r.take()
	}
	done := make(chan error, 1)
	go func() {
		_, err := c.ss.CreateMessageWithTools(ctx, &CreateMessageWithToolsParams{})
		done <- err
	}()
	line := c.want("with tools", "sampling/createMessage")
	c.send(`{"jsonrpc":"2.0","id":` + idOfRequest(line) + `,"result":{"role":"assistant","model":"m","content":[]}}`)
	if err := <-done; err != nil || r.take() != "sampling/createMessage" {
		t.Error(err)
	}
	if err := c.ss.Log(ctx, &LoggingMessageParams{Level: LevelError, Data: "a secret"}); err != nil {
		t.Error(err)
	}
	c.want("a log message", `"a ***"`)
	_ = c.ss.Log(ctx, &LoggingMessageParams{Level: LevelDebug, Data: "a secret"})
	_ = c.ss.NotifyProgress(ctx, &ProgressNotificationParams{ProgressToken: "p", Progress: 1})
	c.want("progress", `"message":" (p)"`)
	_ = c.ss.NotifyElicitationComplete(ctx, &ElicitationCompleteParams{ElicitationID: "e"})
	c.want("the end of an elicitation", `"e"`)
	if seen := r.take(); seen != "notifications/message notifications/progress notifications/elicitation/complete" {
		t.Errorf("saw %q", seen)
	}
	c.wantSilence("in the end")
}

// A result of another type is an error, not a panic.
func TestSendingMiddlewareReturnsNonsense(t *testing.T) {
	s := newTestServer(t, nil)
	s.AddSendingMiddleware(func(MethodHandler) MethodHandler {
		return func(context.Context, string, Request) (Result, error) { return new(CallToolResult), nil }
	})
	c := dial(t, s, nil)
	c.initialize("2025-11-25", `{"roots":{}}`)
	if _, err := c.ss.ListRoots(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "CallToolResult") {
		t.Errorf("ListRoots returned %v", err)
	}
}
