package mcp

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/slogtest"
	"testing/synctest"
	"time"
)

// addLogger adds a tool that calls log with a logger for its request.
func addLogger(s *Server, opts *LoggingHandlerOptions, log func(*slog.Logger)) {
	AddTool(s, &Tool{Name: "log"}, func(_ context.Context, req *CallToolRequest, _ struct{}) (*CallToolResult, any, error) {
		log(slog.New(NewLoggingHandler(req.Session, opts)))
		return nil, nil, nil
	})
}

// logged returns the params of the notifications/message.
func logged(t *testing.T, notified []string) (all []LoggingMessageParams) {
	t.Helper()
	for _, n := range notified {
		var m struct {
			Method string
			Params LoggingMessageParams
		}
		if err := json.Unmarshal([]byte(n), &m); err != nil || m.Method != "notifications/message" {
			t.Fatalf("%v: %s", err, n)
		}
		all = append(all, m.Params)
	}
	return all
}

// A record becomes a message of its level, at the levels that the client wants.
func TestLoggingHandler(t *testing.T) {
	s := newTestServer(t, nil)
	addLogger(s, &LoggingHandlerOptions{LoggerName: "hull"}, func(l *slog.Logger) {
		l.Debug("below")
		l.Info("trim", "level", "high", "deck", 2)
		l.With("ship", "Ada").WithGroup("tank").Warn("leak", "level", slog.LevelError)
		for level := slog.LevelDebug - 2; level <= slog.LevelError+14; level++ {
			l.Log(context.Background(), level, "levels")
		}
	})
	eachEra(t, s, func(t *testing.T, c *client) {
		if c.session == nil {
			c.meta = `,"` + MetaKeyLogLevel + `":"info"`
		}
		got := logged(t, c.call("tools/call", `"name":"log"`).notified)
		if len(got) < 2 || got[0].Level != LevelInfo || got[0].Logger != "hull" || got[1].Level != LevelWarning {
			t.Fatalf("logged %+v", got)
		}
		first, second := got[0].Data.(map[string]any), got[1].Data.(map[string]any)
		if first["msg"] != "trim" || first["level"] != "high" || first["deck"] != 2.0 || first["time"] == nil {
			t.Errorf("data %v", first)
		}
		if second["ship"] != "Ada" || second["level"] != nil || fmt.Sprint(second["tank"]) != "map[level:ERROR]" {
			t.Errorf("data %v", second)
		}
		var levels strings.Builder
		for _, m := range got[2:] {
			levels.WriteString(string(m.Level[0]))
		}
		if want := "ii" + "nn" + "wwww" + "eeee" + "cccc" + "aaaa" + "eee"; levels.String() != want {
			t.Errorf("levels %s, want %s", levels.String(), want)
		}
		if c.session == nil {
			c.meta = "" // a client that wants nothing
			if a := c.call("tools/call", `"name":"log"`); len(a.notified) != 0 {
				t.Errorf("logged %q", a.notified)
			}
		}
	})
}

// The handler obeys the rules of slog.
func TestLoggingHandlerConforms(t *testing.T) {
	s := newTestServer(t, nil)
	var results []string
	var h slog.Handler
	c := newLegacyClient(t, s, "2025-11-25", `{}`)
	AddTool(s, &Tool{Name: "log"}, func(_ context.Context, req *CallToolRequest, _ struct{}) (*CallToolResult, any, error) {
		h = NewLoggingHandler(req.Session, nil)
		return nil, nil, slogtest.TestHandler(h, func() []map[string]any {
			w := req.Session.sink.(*recorder)
			results = append([]string(nil), w.notified...)
			var all []map[string]any
			for _, m := range logged(t, results) {
				record := m.Data.(map[string]any)
				record[slog.LevelKey] = string(m.Level)
				all = append(all, record)
			}
			return all
		})
	})
	if a := c.call("tools/call", `"name":"log"`); strings.Contains(a.body, `"isError":true`) || len(results) == 0 {
		t.Errorf("%d records: %s", len(results), a.body)
	}
}

// Messages that come too early are dropped, for all loggers of a handler together.
func TestLoggingHandlerInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewServer(&Implementation{Name: "n", Version: "v"}, nil)
		defer s.Close()
		addLogger(s, &LoggingHandlerOptions{MinInterval: time.Second}, func(l *slog.Logger) {
			for i := range 8 {
				l.Error("a", "i", i)
				l.With("k", "v").Error("b", "i", i)
				time.Sleep(400 * time.Millisecond)
			}
		})
		c := &client{t: t, s: s, caps: `{}`, session: &SessionInfo{Revision: "2025-11-25"}}
		var got []string
		for _, m := range logged(t, c.call("tools/call", `"name":"log"`).notified) {
			data := m.Data.(map[string]any)
			got = append(got, fmt.Sprint(data["msg"], data["i"]))
		}
		if want := "[a0 a3 a6]"; fmt.Sprint(got) != want {
			t.Errorf("logged %v, want %s", got, want)
		}
	})
}

// After the request a handler writes nothing, whatever else is served, and nothing is raced for.
func TestLoggingHandlerOutlives(t *testing.T) {
	s := newTestServer(t, nil)
	loggers := make(chan *slog.Logger, 1)
	addLogger(s, nil, func(l *slog.Logger) {
		select {
		case loggers <- l:
		default:
		}
	})
	c := newLegacyClient(t, s, "2025-11-25", `{}`)
	c.call("tools/call", `"name":"log"`).wantResult("log")
	l := <-loggers
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					l.Error("late")
				}
			}
		})
	}
	for range 50 {
		if a := c.call("tools/call", `"name":"echo","arguments":{"text":"x"}`); len(a.notified) != 0 {
			t.Errorf("notified %q", a.notified)
		}
	}
	close(stop)
	wg.Wait()
	if l.Enabled(t.Context(), slog.LevelError) {
		t.Error("enabled after the request")
	}
	if h := NewLoggingHandler(nil, nil); h.Enabled(t.Context(), slog.LevelError) || h.Handle(t.Context(), slog.Record{}) != nil {
		t.Error("a handler without a session writes")
	}
}

// On a connection a handler of the session goes on to write, at the session's level.
func TestLoggingHandlerOfConnection(t *testing.T) {
	s := newTestServer(t, nil)
	c := dial(t, s, nil)
	l := slog.New(NewLoggingHandler(c.ss, &LoggingHandlerOptions{LoggerName: "port"}))
	l.Error("before the session")
	c.initialize("2025-11-25", `{}`)
	l.Debug("below")
	l.Info("ready")
	c.want("info", `"logger":"port"`, `"level":"info"`, `"msg":"ready"`)
	c.send(`{"jsonrpc":"2.0","id":1,"method":"logging/setLevel","params":{"level":"error"}}`)
	c.want("the level", `"result":{}`)
	l.Warn("below")
	l.Error("fire")
	c.want("error", `"msg":"fire"`)
	c.wantSilence("in the end")
	if err := l.Handler().Handle(t.Context(), slog.NewRecord(time.Now(), LevelAlert.Level(), "up", 0)); err != nil {
		t.Error(err)
	}
	c.want("alert", `"level":"alert"`)
}

func TestLoggingLevels(t *testing.T) {
	for _, l := range slogLevels {
		if l.own.Level() != l.slog || loggingLevel(l.slog) != l.own {
			t.Errorf("%s: %v, %v", l.own, l.own.Level(), loggingLevel(l.slog))
		}
	}
	if LoggingLevel("loud").Level() != slog.LevelDebug || loggingLevel(-100) != LevelDebug {
		t.Error("what is not a level is not debug")
	}
	for i := 1; i < len(slogLevels); i++ {
		if slogLevels[i-1].own.rank() != slogLevels[i].own.rank()+1 {
			t.Errorf("%s does not follow %s", slogLevels[i].own, slogLevels[i-1].own)
		}
	}
}
