package mcp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"
)

type lineIn struct {
	Text string `json:"text"`
}

type lineOut struct {
	Text string `json:"text"`
}

// newEchoServer returns a server with an inline tool, a tool of a worker, and a tool that waits for
// the end of its context.
func newEchoServer(t *testing.T, opts *ServerOptions) *Server {
	t.Helper()
	if opts == nil {
		opts = new(ServerOptions)
	}
	if opts.Logger == nil {
		opts.Logger = quiet
	}
	s := NewServer(&Implementation{Name: "echo", Version: "v1"}, opts)
	t.Cleanup(s.Close)
	AddInlineTool(s, &Tool{Name: "inline"}, func(_ *CallToolRequest, in lineIn) (lineOut, error) {
		return lineOut(in), nil
	})
	AddTool(s, &Tool{Name: "echo"}, func(_ context.Context, _ *CallToolRequest, in lineIn) (*CallToolResult, lineOut, error) {
		return nil, lineOut(in), nil
	})
	AddTool(s, &Tool{Name: "wait"}, func(ctx context.Context, req *CallToolRequest, _ struct{}) (*CallToolResult, any, error) {
		req.Progress(1, 2, "waiting")
		<-ctx.Done()
		req.Progress(2, 2, "cancelled")
		return nil, nil, context.Cause(ctx)
	})
	AddTool(s, &Tool{Name: "panic"}, func(context.Context, *CallToolRequest, struct{}) (*CallToolResult, any, error) {
		panic("boo")
	})
	return s
}

func call(id, tool, args string) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"method":"tools/call","params":{"name":%q,"arguments":%s,"_meta":{"progressToken":"p"}}}`, id, tool, args)
}

func modernCall(id, tool, args string) string {
	return modernLine(id, "tools/call", fmt.Sprintf(`"name":%q,"arguments":%s`, tool, args))
}

func TestEraIsChosenForEachRequest(t *testing.T) {
	c := dial(t, newEchoServer(t, nil), nil)
	c.send(modernLine(`1`, "server/discover", ""))
	c.want("discover comes first", `"id":1`, `"2026-07-28"`)
	c.send(call(`2`, "echo", `{"text":"early"}`))
	c.want("a legacy call without a session", `"id":2`, `"error"`)
	c.send(`{"jsonrpc":"2.0","id":3,"method":"ping"}`)
	c.want("a ping before initialize", `{"jsonrpc":"2.0","id":3,"result":{}}`)
	for i, tool := range []string{"inline", "echo"} {
		c.send(modernCall(`"m"`, tool, `{"text":"ahoy"}`))
		c.want("modern, before initialize", `"id":"m"`, `"resultType":"complete"`, `ahoy`)
		if i == 0 {
			c.initialize("2025-11-25", `{}`)
		}
		c.send(modernCall(`"m"`, tool, `{"text":"ahoy"}`))
		c.want("modern, after initialize", `"id":"m"`, `"resultType":"complete"`, `ahoy`)
		line := func() string {
			c.send(call(`"l"`, tool, `{"text":"ahoy"}`))
			return c.want("legacy", `"id":"l"`, `ahoy`)
		}()
		if strings.Contains(line, "resultType") {
			t.Errorf("a legacy result has a type: %s", line)
		}
	}
	c.send(`{"jsonrpc":"2.0","id":9,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"x","version":"1"}}}`)
	c.want("initialize twice", `"id":9`, `-32600`)
	if p := c.ss.InitializeParams(); p == nil || p.ClientInfo.Name != "a client with a long name, longer than an id" || p.ClientInfo.Version != "1.2" {
		t.Errorf("params of initialize: %+v", p)
	}
}

func TestCancellationOfLines(t *testing.T) {
	c := dial(t, newEchoServer(t, nil), nil)
	c.initialize("2025-06-18", `{}`)
	for _, id := range []string{`7`, `"seven"`} {
		c.send(call(id, "wait", `{}`))
		c.want("progress", `notifications/progress`, `"waiting"`)
		c.send(call(id, "echo", `{"text":"x"}`))
		c.want("the same id in flight", `"id":`+id, `in flight`)
		c.send(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":` + id + `}}`)
		c.wantSilence("after a cancellation")
		c.send(call(id, "echo", `{"text":"x"}`))
		c.want("the id is free again", `"id":`+id, `"result"`)
	}
	c.send(modernCall(`"a\u0062"`, "wait", `{}`)) // without a token there is no progress
	c.send(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"\u0061b"}}`)
	c.wantSilence("after a cancellation that spells the id otherwise")
	c.send(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"unknown"}}`)
	c.wantSilence("after a cancellation of nothing")
}

func TestPanicIsContained(t *testing.T) {
	c := dial(t, newEchoServer(t, nil), nil)
	c.send(modernCall(`1`, "panic", `{}`))
	c.want("a panic", `"id":1`, `-32603`)
	c.send(modernCall(`2`, "echo", `{"text":"x"}`))
	c.want("afterwards", `"id":2`, `"result"`)
}

func TestCallsInFlightAreLimited(t *testing.T) {
	c := dial(t, newEchoServer(t, nil), &ServerSessionOptions{MaxCalls: 2})
	c.send(modernCall(`1`, "wait", `{}`), modernLine(`2`, "subscriptions/listen", `"notifications":{}`))
	c.want("a listener", `acknowledged`)
	c.send(modernCall(`3`, "echo", `{"text":"x"}`), modernLine(`4`, "subscriptions/listen", `"notifications":{}`))
	c.want("one call too many", `"id":3`, `too many calls`)
	c.want("one listener too many", `"id":4`, `too many calls`)
	c.send(modernCall(`5`, "inline", `{"text":"x"}`))
	c.want("inline calls are not in flight", `"id":5`, `"result"`)
	c.send(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":2}}`, modernCall(`6`, "echo", `{"text":"x"}`))
	c.want("there is room again", `"id":6`, `"result"`)
}

func TestEndOfInput(t *testing.T) {
	s := newEchoServer(t, nil)
	in, w := io.Pipe()
	r, out := io.Pipe()
	run := make(chan error, 1)
	go func() { run <- s.Run(context.Background(), &IOTransport{Reader: in, Writer: out}) }()
	go func() {
		// The last line has no end.
		io.WriteString(w, modernCall(`1`, "wait", `{}`)+"\n"+modernCall(`2`, "echo", `{"text":"last"}`))
		w.Close()
	}()
	got, err := io.ReadAll(r)
	if err != nil || strings.Count(string(got), "\n") != 2 || !strings.Contains(string(got), `"last"`) {
		t.Errorf("read %s, %v", got, err)
	}
	if err := <-run; err != nil {
		t.Errorf("Run returned %v", err)
	}
	if n := len(s.peers.all()); n != 0 {
		t.Errorf("%d sessions are left", n)
	}
}

func TestRunEndsWithItsContext(t *testing.T) {
	s := newEchoServer(t, nil)
	ctx, stop := context.WithCancel(context.Background())
	ours, theirs := NewInMemoryTransports()
	run := make(chan error, 1)
	go func() { run <- s.Run(ctx, ours) }()
	c := &lineClient{t: t, w: theirs, lines: make(chan string, 16)}
	go c.read(theirs)
	c.send(modernLine(`1`, "subscriptions/listen", `"notifications":{"toolsListChanged":true}`), modernCall(`2`, "wait", `{}`))
	c.want("listen", `acknowledged`)
	stop()
	a, b := c.next(), c.next()
	if both := a + b; !strings.Contains(both, `"id":1,"result"`) || !strings.Contains(both, `"id":2`) {
		t.Errorf("at the end came %s and %s", a, b)
	}
	c.wantEnd("after Run")
	if err := <-run; !errors.Is(err, context.Canceled) {
		t.Errorf("Run returned %v", err)
	}
}

func TestClose(t *testing.T) {
	s := newEchoServer(t, nil)
	c := dial(t, s, nil)
	n := 0
	for ss := range s.Sessions() {
		if n++; ss != c.ss {
			t.Error("another session")
		}
	}
	begin := time.Now()
	c.send(modernCall(`2`, "wait", `{}`))
	c.send(modernCall(`3`, "echo", `{"text":"x"}`))
	c.want("a call", `"id":3`)
	if err := c.ss.Close(); err != nil || n != 1 {
		t.Errorf("Close returned %v; %d sessions before", err, n)
	}
	if err := c.ss.Wait(); !errors.Is(err, ErrConnectionClosed) {
		t.Errorf("Wait returned %v", err)
	}
	for range s.Sessions() {
		t.Error("a session after Close")
	}
	if d := time.Since(begin); d > endGrace/2 {
		t.Errorf("Close took %v", d)
	}
	if err := c.ss.Log(context.Background(), &LoggingMessageParams{Level: LevelError, Data: 1}); err != nil {
		t.Errorf("Log after the end: %v", err) // nobody has a session
	}
}

// Handlers may keep the arguments of a call also on a connection, where many messages arrive in one
// buffer.
func TestArgumentsAreKeptOnConnections(t *testing.T) {
	s := newEchoServer(t, nil)
	const calls = 200
	type pair struct {
		kept json.RawMessage
		was  string
	}
	var mu sync.Mutex
	var all []pair
	s.AddTool(&Tool{Name: "keep", InputSchema: map[string]any{"type": "object"}}, func(_ context.Context, req *CallToolRequest) (*CallToolResult, error) {
		mu.Lock()
		defer mu.Unlock()
		all = append(all, pair{req.Params.Arguments, string(req.Params.Arguments)})
		return nil, nil
	})
	c := dial(t, s, nil)
	var lines []string
	for i := range calls {
		lines = append(lines, modernCall(fmt.Sprint(i), "keep", fmt.Sprintf(`{"text":"call %d %s"}`, i, strings.Repeat("x", i))))
		if len(lines) == 1+i/10 {
			c.send(lines...)
			for range lines {
				c.want("a call", `"result"`)
			}
			lines = nil
		}
	}
	c.send(append(lines, modernLine(`"end"`, "server/discover", ""))...)
	for range len(lines) + 1 {
		c.want("the end", `"result"`)
	}
	mu.Lock()
	defer mu.Unlock()
	for _, p := range all {
		if string(p.kept) != p.was {
			t.Errorf("%s became %s", p.was, p.kept)
		}
	}
	if len(all) != calls {
		t.Errorf("%d calls, want %d", len(all), calls)
	}
}

// A transport without its Reader or its Writer makes no connection.
func TestConnectIncompleteTransport(t *testing.T) {
	s := newTestServer(t, nil)
	r, w := io.Pipe()
	for _, tr := range []*IOTransport{{}, {Reader: r}, {Writer: w}} {
		if _, err := s.Connect(t.Context(), tr, nil); err == nil {
			t.Errorf("%+v made a connection", tr)
		}
	}
}
