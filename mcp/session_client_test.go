package mcp

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/jsonrpc"
)

// newAskServer returns a server with a tool that asks by return, and one that waits. It is called
// twice, so that the second call may run on the goroutine that reads.
func newAskServer(t *testing.T, opts *ServerOptions) *Server {
	s := newEchoServer(t, opts)
	form := &ElicitParams{Message: "How many?", RequestedSchema: map[string]any{
		"type": "object", "properties": map[string]any{"n": map[string]any{"type": "integer"}}, "required": []string{"n"},
	}}
	AddTool(s, &Tool{Name: "byReturn"}, func(_ context.Context, req *CallToolRequest, _ struct{ Ask bool }) (*CallToolResult, any, error) {
		a, ok := req.Params.InputResponses["n"].(*ElicitResult)
		if !ok {
			return &CallToolResult{InputRequests: InputRequestMap{"n": form}}, nil, nil
		}
		return text("by return: ", a.Action), nil, nil
	})
	AddTool(s, &Tool{Name: "waiting"}, func(ctx context.Context, req *CallToolRequest, in struct{ Ask bool }) (*CallToolResult, any, error) {
		if !in.Ask {
			return text("quick"), nil, nil
		}
		a, err := req.Session.Elicit(ctx, form)
		if err != nil {
			return nil, nil, err
		}
		return text("waited: ", a.Action), nil, nil
	})
	AddInlineTool(s, &Tool{Name: "hasty"}, func(req *CallToolRequest, _ struct{}) (string, error) {
		_, err := req.Session.Elicit(context.Background(), form)
		return "", err
	})
	return s
}

func text(parts ...string) *CallToolResult {
	return &CallToolResult{Content: []Content{&TextContent{Text: strings.Join(parts, "")}}}
}

func TestAskingOverAConnection(t *testing.T) {
	c := dial(t, newAskServer(t, nil), nil)
	c.send(modernCall(`1`, "byReturn", `{"Ask":true}`))
	c.want("modern, by return", `"id":1`, `"input_required"`)
	c.send(modernCall(`1`, "waiting", `{"Ask":true}`))
	c.want("modern, waiting", `"id":1`, `\"elicitation/create\" cannot be sent while serving a request on protocol version 2026-07-28`)
	c.initialize("2025-11-25", `{"elicitation":{}}`)
	for range 3 { // the tool becomes quick, and then it waits
		c.send(call(`2`, "waiting", `{"Ask":false}`))
		c.want("quick", `"id":2`, `"quick"`)
	}
	for _, tool := range []string{"byReturn", "waiting", "waiting"} {
		c.send(call(`3`, tool, `{"Ask":true}`))
		line := c.want(tool, `"method":"elicitation/create"`, `"How many?"`)
		c.send(call(`4`, "echo", `{"text":"meanwhile"}`))
		c.want("another call", `"id":4`, `meanwhile`)
		c.send(`{"jsonrpc":"2.0","id":` + idOfRequest(line) + `,"result":{"action":"accept","content":{"n":3}}}`)
		c.want(tool, `"id":3`, `accept`)

		c.send(call(`5`, tool, `{"Ask":true}`))
		line = c.want(tool, `"method":"elicitation/create"`)
		c.send(`{"jsonrpc":"2.0","id":` + idOfRequest(line) + `,"error":{"code":-1,"message":"not today"}}`)
		c.want(tool+" and an error", `"id":5`, `"isError":true`, `not today`)

		c.send(call(`6`, tool, `{"Ask":true}`))
		line = c.want(tool, `"method":"elicitation/create"`)
		c.send(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":6}}`)
		if tool == "waiting" {
			c.want("the question is cancelled too", `notifications/cancelled`, `"requestId":`+idOfRequest(line))
		}
		c.send(`{"jsonrpc":"2.0","id":` + idOfRequest(line) + `,"result":{"action":"decline"}}`)
		c.wantSilence("an answer behind a cancellation")

		c.send(call(`7`, tool, `{"Ask":true}`))
		line = c.want(tool, `"method":"elicitation/create"`)
		c.send(`{"jsonrpc":"2.0","id":` + idOfRequest(line) + `,"result":{"action":"accept","content":{"n":"three"}}}`)
		if line := c.want(tool+" and content that the form does not allow", `"id":7`); strings.Contains(line, "accept") {
			t.Error(line)
		}
	}
	c.send(call(`8`, "hasty", `{}`))
	c.want("inline", `"id":8`, `must not wait`)
	c.send(call(`9`, "waiting", `{"Ask":true}`), call(`10`, "byReturn", `{"Ask":true}`))
	c.want("a question", `"method":"elicitation/create"`)
	c.want("a question", `"method":"elicitation/create"`)
	c.ss.Close()
	a, b := c.next(), c.next()
	if !strings.Contains(a+b, `"id":9`) || !strings.Contains(a+b, `"id":10`) || strings.Contains(a+b, "accept") {
		t.Errorf("at the end came %s and %s", a, b)
	}
}

func TestAskingOutsideOfACall(t *testing.T) {
	initialized := make(chan error, 1)
	s := newAskServer(t, &ServerOptions{InitializedHandler: func(ctx context.Context, req *InitializedRequest) {
		roots, err := req.Session.ListRoots(ctx, nil)
		if err == nil && (len(roots.Roots) != 1 || roots.Roots[0].URI != "file:///a") {
			err = errors.New("other roots")
		}
		initialized <- err
	}})
	c := dial(t, s, nil)
	if _, err := c.ss.ListRoots(t.Context(), nil); !errors.Is(err, errNoAsking) {
		t.Errorf("roots before initialize: %v", err)
	}
	c.initialize("2025-11-25", `{"roots":{},"sampling":{}}`)
	line := c.want("roots", `"method":"roots/list"`)
	c.send(`{"jsonrpc":"2.0","id":` + idOfRequest(line) + `,"result":{"roots":[{"uri":"file:///a"}]}}`)
	if err := <-initialized; err != nil {
		t.Error(err)
	}
	if _, err := c.ss.Elicit(t.Context(), &ElicitParams{Message: "?"}); err == nil || !strings.Contains(err.Error(), `does not support "form" elicitation`) {
		t.Errorf("Elicit returned %v", err)
	}
	type result struct {
		m   *CreateMessageResult
		err error
	}
	sampled := make(chan result, 1)
	go func() {
		m, err := c.ss.CreateMessage(context.Background(), &CreateMessageParams{MaxTokens: 1})
		sampled <- result{m, err}
	}()
	line = c.want("sampling", `"method":"sampling/createMessage"`, `"messages":[]`)
	c.send(`{"jsonrpc":"2.0","id":` + idOfRequest(line) + `,"result":{"role":"assistant","model":"m","content":{"type":"text","text":"hi"}}}`)
	if r := <-sampled; r.err != nil || r.m.Model != "m" {
		t.Errorf("CreateMessage returned %+v", r)
	}
	pinged := make(chan error, 1)
	go func() { pinged <- c.ss.Ping(context.Background(), nil) }()
	line = c.want("ping", `"method":"ping"`)
	c.send(`{"jsonrpc":"2.0","id":` + idOfRequest(line) + `,"error":{"code":-32601,"message":"no"}}`)
	var e *jsonrpc.Error
	if err := <-pinged; !errors.As(err, &e) || e.Code != jsonrpc.CodeMethodNotFound {
		t.Errorf("Ping returned %v", err)
	}
	ctx, stop := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer stop()
	if err := c.ss.Ping(ctx, nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Ping returned %v", err)
	}
	c.want("a ping", `"method":"ping"`)
	c.want("its cancellation", `notifications/cancelled`)
	c.ss.Log(t.Context(), &LoggingMessageParams{Level: LevelInfo, Data: "a\nb"})
	c.want("log", `notifications/message`, `"a\nb"`)
	c.ss.NotifyProgress(t.Context(), &ProgressNotificationParams{ProgressToken: "p", Progress: 1})
	c.want("progress", `notifications/progress`, `"progressToken":"p"`)
	c.ss.NotifyElicitationComplete(t.Context(), &ElicitationCompleteParams{ElicitationID: "e"})
	c.want("the end of an elicitation", `notifications/elicitation/complete`, `"e"`)
	c.send(`{"jsonrpc":"2.0","id":20,"method":"logging/setLevel","params":{"level":"error"}}`)
	c.want("setLevel", `"id":20`)
	c.ss.Log(t.Context(), &LoggingMessageParams{Level: LevelWarning, Data: 1})
	c.wantSilence("a log message below the level")
	c.ss.Close()
	if err := c.ss.Ping(t.Context(), nil); !errors.Is(err, ErrConnectionClosed) {
		t.Errorf("Ping after the end: %v", err)
	}
}

func TestNotificationHandlers(t *testing.T) {
	got := make(chan string, 10)
	s := newEchoServer(t, &ServerOptions{
		InitializedHandler: func(_ context.Context, req *InitializedRequest) {
			got <- "initialized " + req.Session.InitializeParams().ClientInfo.Version
			panic("boo")
		},
		RootsListChangedHandler: func(context.Context, *RootsListChangedRequest) { got <- "roots" },
		ProgressNotificationHandler: func(_ context.Context, req *ProgressNotificationServerRequest) {
			got <- "progress " + req.Params.ProgressToken.(string)
		},
	})
	c := dial(t, s, nil)
	c.send(`{"jsonrpc":"2.0","method":"notifications/initialized"}`) // there is no session yet
	c.initialize("2025-06-18", `{"roots":{}}`)
	c.send(`{"jsonrpc":"2.0","method":"notifications/initialized"}`,
		`{"jsonrpc":"2.0","method":"notifications/roots/list_changed"}`,
		`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"p","progress":1}}`,
		`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":7,"progress":"none"}}`)
	for _, want := range []string{"initialized 1.2", "roots", "progress p"} {
		if s := <-got; s != want {
			t.Errorf("%s, want %s", s, want)
		}
	}
	c.wantSilence("after notifications")
	if len(got) > 0 {
		t.Errorf("%s, want nothing", <-got)
	}
}

func TestKeepAlive(t *testing.T) {
	s := newEchoServer(t, &ServerOptions{KeepAlive: 20 * time.Millisecond, KeepAliveFailureThreshold: 2})
	c := dial(t, s, nil)
	c.initialize("2025-11-25", `{}`)
	line := c.want("a ping", `"method":"ping"`)
	c.send(`{"jsonrpc":"2.0","id":` + idOfRequest(line) + `,"result":{}}`)
	for {
		if line, ok := <-c.lines; !ok {
			break
		} else if !strings.Contains(line, `"ping"`) && !strings.Contains(line, `cancelled`) {
			t.Error(line)
		}
	}
	if err := c.ss.Wait(); !errors.Is(err, errNoPong) {
		t.Errorf("Wait returned %v", err)
	}
}
