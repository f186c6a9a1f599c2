package mcp

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"math"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/mooring-mcp/mooring/jsonrpc"
)

func addReporter(s *Server, name string, h func(context.Context, *CallToolRequest) error) {
	AddTool(s, &Tool{Name: name}, func(ctx context.Context, req *CallToolRequest, _ struct{}) (*CallToolResult, any, error) {
		return nil, nil, h(ctx, req)
	})
}

func TestProgress(t *testing.T) {
	s := newTestServer(t, nil)
	addReporter(s, "work", func(ctx context.Context, req *CallToolRequest) error {
		return errors.Join(
			req.Progress(0, 100, ""),
			req.Progress(50.5, 100, "half \"done\""),
			req.Progress(50.5, 100, "not above"),
			req.Progress(10, 100, "below"),
			req.Progress(math.NaN(), 0, ""),
			req.Progress(math.Inf(1), 0, ""),
			req.Session.NotifyProgress(ctx, &ProgressNotificationParams{ProgressToken: "another", Progress: 60}),
		)
	})
	c := newClient(t, s)
	a := c.call("tools/call", `"name":"work"`)
	a.wantResult("without a token")
	if len(a.notified) != 0 {
		t.Errorf("without a token: %q", a.notified)
	}
	for _, token := range []string{`"tok\u0041"`, `12345678901234567`} {
		c.meta = `,"progressToken":` + token
		a := c.call("tools/call", `"name":"work"`)
		a.wantResult("with a token")
		want := []string{
			`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":` + token + `,"progress":0,"total":100}}`,
			`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":` + token + `,"progress":50.5,"total":100,"message":"half \"done\""}}`,
			`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":` + token + `,"progress":60}}`,
		}
		if got := strings.Join(a.notified, "\n"); got != strings.Join(want, "\n") {
			t.Errorf("got\n%s\nwant\n%s", got, strings.Join(want, "\n"))
		}
	}
}

func TestLogging(t *testing.T) {
	s := newTestServer(t, nil)
	addReporter(s, "work", func(ctx context.Context, req *CallToolRequest) error {
		return errors.Join(
			req.Log(LevelDebug, "l", "debug"),
			req.Log(LevelInfo, "", map[string]any{"a": "<b>"}),
			req.Session.Log(ctx, &LoggingMessageParams{Level: LevelError, Logger: "db", Data: nil}),
			req.Log("loud", "", "no level"),
		)
	})
	c := newClient(t, s)
	if a := c.call("tools/call", `"name":"work"`); len(a.notified) != 0 {
		t.Errorf("without a level: %q", a.notified)
	}
	for level, want := range map[string]int{"debug": 3, "info": 2, "warning": 1, "emergency": 0} {
		c.meta = `,"io.modelcontextprotocol/logLevel":"` + level + `"`
		a := c.call("tools/call", `"name":"work"`)
		if len(a.notified) != want {
			t.Errorf("%s: %q", level, a.notified)
		}
		if level == "info" && a.notified[0] != `{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":{"a":"<b>"}}}` {
			t.Errorf("got %s", a.notified[0])
		}
	}
	addReporter(s, "unwritable", func(_ context.Context, req *CallToolRequest) error { return req.Log(LevelError, "", func() {}) })
	c.meta = `,"io.modelcontextprotocol/logLevel":"debug"`
	c.call("tools/call", `"name":"unwritable"`).wantResult("an unwritable value is the handler's to see", `"isError":true`)
}

func TestNoLoggingUndeclared(t *testing.T) {
	s := newTestServer(t, &ServerOptions{Capabilities: &ServerCapabilities{}})
	addReporter(s, "work", func(_ context.Context, req *CallToolRequest) error { return req.Log(LevelError, "", 1) })
	c := newClient(t, s)
	c.meta = `,"io.modelcontextprotocol/logLevel":"debug"`
	if a := c.call("tools/call", `"name":"work"`); a.code != 0 || len(a.notified) != 0 {
		t.Errorf("code %d, notified %q", a.code, a.notified)
	}
}

// Codes that the revision forbids never reach the wire, nor does data that is not JSON.
func TestHandlerErrors(t *testing.T) {
	var e *jsonrpc.Error
	s := newTestServer(t, nil)
	addReporter(s, "fails", func(context.Context, *CallToolRequest) error { return e })
	c := newClient(t, s)
	for code, want := range map[jsonrpc.Code]jsonrpc.Code{0: -32603, -32002: -32602, -32042: -32603, 7: 7, -32602: -32602} {
		e = &jsonrpc.Error{Code: code, Message: "m", Data: json.RawMessage(`{"a":`)}
		a := c.call("tools/call", `"name":"fails"`)
		if a.code != want || a.data() != "" || e.Code != code {
			t.Errorf("code %d became %d: %s", code, a.code, a.body)
		}
	}
}

// A handler gets an error for a notification that the transport does not take. Such a notification
// does not count as reported progress.
func TestNotificationNotDelivered(t *testing.T) {
	s := newTestServer(t, nil)
	var errs []error
	w := &recorder{t: t, refuse: true}
	addReporter(s, "work", func(_ context.Context, req *CallToolRequest) error {
		errs = append(errs, req.Progress(1, 0, ""), req.Log(LevelError, "", 1))
		w.refuse = false
		errs = append(errs, req.Progress(1, 0, ""))
		return nil
	})
	runOn(t, s, w, `"progressToken":1,"io.modelcontextprotocol/logLevel":"debug"`, `"name":"work"`)
	if !errors.Is(errs[0], ErrNotDelivered) || !errors.Is(errs[1], ErrNotDelivered) || errs[2] != nil || len(w.notified) != 1 {
		t.Errorf("errors %v, notified %q", errs, w.notified)
	}
}

// runOn runs one tools/call on w.
func runOn(t *testing.T, s *Server, w Sink, meta, members string) {
	t.Helper()
	c := &client{t: t, caps: `{}`, meta: "," + meta}
	var m jsonrpc.Envelope
	if err := m.Decode([]byte(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":` + c.params(members) + `}`)); err != nil {
		t.Fatal(err)
	}
	var call Call
	if e := s.Prepare(&call, &m, nil); e != nil {
		t.Fatal(e)
	}
	call.Run(t.Context(), w)
}

// A request that outlives its call sends nothing, even when the Call serves another message.
func TestNothingFollowsTheResponse(t *testing.T) {
	s := newTestServer(t, nil)
	var kept *CallToolRequest
	stop := make(chan struct{})
	var wg sync.WaitGroup
	addReporter(s, "keeps", func(_ context.Context, req *CallToolRequest) error {
		kept = req
		for range 4 {
			wg.Go(func() {
				for i := 1.0; ; i++ {
					select {
					case <-stop:
						return
					default:
						_ = req.Progress(i, 0, "")
						_ = req.Log(LevelInfo, "", "late")
					}
				}
			})
		}
		return req.Progress(0.5, 0, "")
	})
	meta := `"progressToken":1,"io.modelcontextprotocol/logLevel":"debug"`
	for range 20 {
		w := &recorder{t: t}
		runOn(t, s, w, meta, `"name":"keeps"`)
		if w.responses != 1 {
			t.Errorf("%d responses", w.responses)
		}
	}
	close(stop)
	wg.Wait()
	if err := kept.Progress(1e9, 0, ""); err != nil {
		t.Errorf("behind the response: %v", err)
	}
	if caps := kept.ClientCapabilities(); caps == nil || kept.ClientInfo() != nil || kept.ProtocolVersion() != modern {
		t.Errorf("behind the response: %v", caps)
	}
}

func TestPanicsAndGoexit(t *testing.T) {
	var logged bytes.Buffer
	s := newTestServer(t, &ServerOptions{Logger: slog.New(slog.NewTextHandler(&logged, nil))})
	addReporter(s, "panics", func(context.Context, *CallToolRequest) error { panic("secret of the server") })
	addReporter(s, "exits", func(context.Context, *CallToolRequest) error { runtime.Goexit(); return nil })
	AddInlineTool(s, &Tool{Name: "inline"}, func(*CallToolRequest, struct{}) (any, error) { panic("inline") })
	c := newClient(t, s)
	for _, name := range []string{"panics", "inline"} {
		a := c.call("tools/call", `"name":"`+name+`"`)
		a.wantError(name, -32603, 200, `"message":"Internal error"`)
		if strings.Contains(a.body, "secret") {
			t.Errorf("the client sees the panic: %s", a.body)
		}
	}
	if !strings.Contains(logged.String(), "secret of the server") || !strings.Contains(logged.String(), "session_test.go") {
		t.Errorf("the log has no panic with its stack: %s", logged.String())
	}
	w := &recorder{t: t}
	done := make(chan struct{})
	go func() {
		defer close(done)
		runOn(t, s, w, `"x":1`, `"name":"exits"`)
	}()
	<-done
	if w.responses != 1 || w.code != -32603 {
		t.Errorf("a handler that ended its goroutine: %d responses, code %d", w.responses, w.code)
	}
}

func TestRequestOfAHandler(t *testing.T) {
	s := newTestServer(t, nil)
	addReporter(s, "looks", func(ctx context.Context, req *CallToolRequest) error {
		if caps := req.ClientCapabilities(); caps.Sampling == nil || caps.Elicitation == nil || caps.Elicitation.URL == nil || caps.RootsV2 != nil {
			t.Errorf("capabilities %+v", caps)
		}
		if info := req.ClientInfo(); info == nil || info.Name != "n" || info.Version != "2" {
			t.Errorf("client info %+v", info)
		}
		if req.ProtocolVersion() != modern || req.Session.ID() != "" || req.Extra.Principal != "alice" {
			t.Errorf("version %q, id %q, principal %q", req.ProtocolVersion(), req.Session.ID(), req.Extra.Principal)
		}
		if req.Params.Name != "looks" || string(req.Params.Arguments) != `{}` || req.Params.Meta["com.example/x"] != "y" {
			t.Errorf("params %+v", req.Params)
		}
		trace, ok := TraceContext(ctx)
		if !ok || trace != req.Extra.Trace || trace.Parent != "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01" || trace.State != "a=b" || trace.Baggage != "k=v" {
			t.Errorf("trace %+v", trace)
		}
		return nil
	})
	c := newClient(t, s)
	c.principal = "alice"
	c.caps = `{"sampling":{},"elicitation":{"url":{}},"future":1}`
	c.meta = `,"io.modelcontextprotocol/clientInfo":{"name":"n","version":"2"},"com.example/x":"y","traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01","tracestate":"a=b","baggage":"k=v"`
	c.call("tools/call", `"name":"looks","arguments":{}`).wantResult("looks")

	c.caps, c.meta = `{"sampling":{"tools":5}}`, ""
	addReporter(s, "bad", func(ctx context.Context, req *CallToolRequest) error {
		if caps := req.ClientCapabilities(); caps.Sampling != nil {
			t.Errorf("capabilities that cannot be read: %+v", caps)
		}
		if _, ok := TraceContext(ctx); ok || req.Params.Meta != nil {
			t.Errorf("a trace or %v out of nothing", req.Params.Meta)
		}
		return nil
	})
	c.call("tools/call", `"name":"bad"`).wantResult("bad")
}

// These are the rules of W3C Trace Context, section 3.2.2.
func TestTraceparent(t *testing.T) {
	const id, span = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
	for text, want := range map[string]bool{
		"00-" + id + "-" + span + "-01":                      true,
		"cc-" + id + "-" + span + "-01":                      true,
		"cc-" + id + "-" + span + "-01-more":                 true,
		"00-" + id + "-" + span + "-01-more":                 false,
		"cc-" + id + "-" + span + "-01more":                  false,
		"ff-" + id + "-" + span + "-01":                      false,
		"00-" + strings.ToUpper(id) + "-" + span + "-01":     false,
		"00-" + strings.Repeat("0", 32) + "-" + span + "-01": false,
		"00-" + id + "-" + strings.Repeat("0", 16) + "-01":   false,
		"00-" + id + "-" + span + "-0g":                      false,
		"00_" + id + "-" + span + "-01":                      false,
		"00-" + id + "-" + span + "-0":                       false,
		"":                                                   false,
	} {
		raw, _ := json.Marshal(text)
		tt := traceText{parent: raw, state: []byte(`"a=b"`)}
		got, _ := tt.trace()
		if (got.Parent == text && text != "") != want || (got.State != "") != want {
			t.Errorf("%q: %+v", text, got)
		}
	}
	tt := traceText{baggage: []byte(`"k=\u0000"`), parent: []byte(`7`)}
	if got, ok := tt.trace(); ok {
		t.Errorf("%+v out of nothing valid", got)
	}
}

func TestCancellation(t *testing.T) {
	s := newTestServer(t, nil)
	started := make(chan struct{})
	addReporter(s, "waits", func(ctx context.Context, _ *CallToolRequest) error {
		close(started)
		<-ctx.Done()
		return ctx.Err()
	})
	ctx, cancel := context.WithCancel(t.Context())
	w := &recorder{t: t}
	done := make(chan struct{})
	go func() {
		defer close(done)
		m, meta := hotMessage(t, "tools/call", "waits", hotMeta+`,"name":"waits"`)
		var call Call
		if e := s.Prepare(&call, m, meta); e != nil {
			t.Error(e)
			return
		}
		call.Run(ctx, w)
	}()
	<-started
	cancel()
	<-done
	if w.responses != 1 || !strings.Contains(w.body, "context canceled") {
		t.Errorf("%d responses: %s", w.responses, w.body)
	}
}
