package mcp

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// A logFunc is a slog.Handler that calls a function for each record.
type logFunc func()

func (f logFunc) Enabled(context.Context, slog.Level) bool  { return true }
func (f logFunc) Handle(context.Context, slog.Record) error { f(); return nil }
func (f logFunc) WithAttrs([]slog.Attr) slog.Handler        { return f }
func (f logFunc) WithGroup(string) slog.Handler             { return f }

// The Logger of a server may write to a client, also about notifications of that client. A client
// that sends many does not fill the log.
func TestNotificationsTooManyToLog(t *testing.T) {
	var ss atomic.Pointer[ServerSession]
	logged := atomic.Int32{}
	blocked := make(chan struct{})
	s := newEchoServer(t, &ServerOptions{
		Logger: slog.New(logFunc(func() {
			logged.Add(1)
			_ = ss.Load().Log(context.Background(), &LoggingMessageParams{Level: LevelError, Data: "dropped"})
		})),
		ProgressNotificationHandler: func(context.Context, *ProgressNotificationServerRequest) { <-blocked },
	})
	c := dial(t, s, nil)
	ss.Store(c.ss)
	c.initialize("2025-11-25", "{}")
	for range maxHooks + 100 {
		c.send(`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1,"progress":1}}`)
	}
	c.want("the log", "dropped")
	c.send(`{"jsonrpc":"2.0","id":1,"method":"ping"}`)
	c.want("ping", `"id":1`)
	if n := logged.Load(); n != 1 {
		t.Errorf("logged %d times, want once", n)
	}
	close(blocked)
}

// A client whose user has many questions to answer is alive as long as it answers pings.
func TestKeepAliveAmongQuestions(t *testing.T) {
	const every = 200 * time.Millisecond
	s := newEchoServer(t, &ServerOptions{KeepAlive: every})
	c := dial(t, s, nil)
	c.initialize("2025-11-25", `{"elicitation":{}}`)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	for range maxAsks {
		go func() {
			_, _ = c.ss.Elicit(ctx, &ElicitParams{Message: "m", RequestedSchema: map[string]any{"type": "object", "properties": map[string]any{}}})
		}()
	}
	asked := 0
	for pings := 0; pings < 3; {
		line := c.next()
		switch {
		case line == "":
			t.Fatalf("the session has ended after %d questions and %d pings", asked, pings)
		case strings.Contains(line, "elicitation/create"):
			asked++
		case strings.Contains(line, `"ping"`):
			pings++
			c.send(fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"result":{}}`, idOfRequest(line)))
		}
	}
	if asked != maxAsks {
		t.Errorf("%d questions, want %d", asked, maxAsks)
	}
}

// Nil params are those without members.
func TestSessionNilParams(t *testing.T) {
	c := dial(t, newEchoServer(t, nil), nil)
	c.initialize("2025-11-25", `{}`)
	for _, ss := range []*ServerSession{nil, new(ServerSession), c.ss} {
		if err := ss.NotifyProgress(t.Context(), nil); err != nil {
			t.Error(err)
		}
		if err := ss.Log(t.Context(), nil); err != nil {
			t.Error(err)
		}
	}
	c.wantSilence("nothing to send")
}
