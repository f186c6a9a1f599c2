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

type visibleKey struct{}

// A Visible that waits keeps nothing else on its connection waiting. Its context has the values
// that Connect was given, and ends with the session.
func TestConnectionVisibleWaits(t *testing.T) {
	asked := make(chan context.Context, 16)
	answer := make(chan struct{})
	s := newEchoServer(t, &ServerOptions{Visible: func(ctx context.Context, _ *Caller, _ FeatureKind, name string) bool {
		asked <- ctx
		<-answer
		return name == "echo"
	}})
	c := dial(t, s, nil)
	c.initialize("2025-03-26", "{}")
	c.send(`{"jsonrpc":"2.0","id":1,"method":"tools/list"}`, `[{"jsonrpc":"2.0","id":2,"method":"tools/list"},{"jsonrpc":"2.0","id":3,"method":"ping"}]`,
		`{"jsonrpc":"2.0","id":4,"method":"ping"}`)
	c.want("ping", `"id":4`, `"result":{}`)
	close(answer)
	for range 2 {
		line := c.want("a list", `"name":"echo"`)
		if strings.Contains(line, `"id":1`) == strings.Contains(line, `"id":2`) || strings.Contains(line, "panic") {
			t.Error(line)
		}
	}

	ours, theirs := NewInMemoryTransports()
	ss, err := s.Connect(context.WithValue(t.Context(), visibleKey{}, "of Connect"), ours, nil)
	if err != nil {
		t.Fatal(err)
	}
	for len(asked) > 0 {
		<-asked
	}
	if _, err := theirs.Write([]byte(modernLine("1", "tools/list", "") + "\n")); err != nil {
		t.Fatal(err)
	}
	ctx := <-asked
	if v := ctx.Value(visibleKey{}); v != "of Connect" {
		t.Errorf("the context of Visible has %v", v)
	}
	theirs.Close()
	if err := ss.Wait(); err != nil {
		t.Error(err)
	}
	<-ctx.Done()
}

// What a client sends behind its initialize belongs to the session, also with middleware.
func TestInitializeIsFirst(t *testing.T) {
	s := newEchoServer(t, nil)
	asks := false
	s.AddReceivingMiddleware(func(next MethodHandler) MethodHandler {
		return func(ctx context.Context, method string, req Request) (Result, error) {
			if method != "initialize" {
				return next(ctx, method, req)
			}
			time.Sleep(5 * time.Millisecond)
			res, err := next(ctx, method, req)
			if asks {
				if err := req.GetSession().(*ServerSession).Ping(ctx, nil); err != nil {
					return nil, err
				}
			}
			return res, err
		}
	})
	lines := []string{
		`{"jsonrpc":"2.0","id":"i","method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"a","version":"1"}}}`,
		`{"jsonrpc":"2.0","method":"notifications/initialized"}`,
		`{"jsonrpc":"2.0","id":1,"method":"tools/list"}`,
	}
	c := dial(t, s, nil)
	c.send(lines...)
	c.want("initialize", `"id":"i"`, `"result"`)
	c.want("the list", `"id":1`, `"result"`)

	// Middleware that waits for its client does not keep the client from answering.
	asks = true
	c = dial(t, s, nil)
	c.send(lines[0])
	ping := c.want("a ping", `"ping"`)
	c.send(fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,"result":{}}`, idOfRequest(ping)))
	c.want("initialize", `"id":"i"`, `"result"`)
}

// A session that was taken back, because middleware refused its initialize after all, may be used
// at the same moment.
func TestSessionTakenBack(t *testing.T) {
	c := dial(t, newEchoServer(t, nil), nil)
	c.initialize("2025-11-25", `{"roots":{}}`)
	c.ss.peer.unopen()
	if e := c.ss.peer.apply(SessionOp{Kind: OpSetLevel, Level: LevelError}); e != nil {
		t.Error(e)
	}
	if bits := c.ss.declaredBits(); bits != 0 {
		t.Errorf("capabilities %b", bits)
	}
	if err := c.ss.NotifyProgress(t.Context(), &ProgressNotificationParams{ProgressToken: "t", Progress: 1}); err != nil {
		t.Error(err)
	}
	if _, err := c.ss.ListRoots(t.Context(), nil); err == nil {
		t.Error("asked a client without a session")
	}
	c.wantSilence("no session")
}

// The client of a restored session is pinged like others.
func TestKeepAliveOfRestoredSession(t *testing.T) {
	s := newEchoServer(t, &ServerOptions{KeepAlive: 20 * time.Millisecond, KeepAliveFailureThreshold: 1000})
	c := dial(t, s, &ServerSessionOptions{State: &ServerSessionState{
		InitializeParams:  &InitializeParams{ProtocolVersion: "2025-11-25"},
		InitializedParams: new(InitializedParams),
	}})
	c.want("a ping", `"method":"ping"`)
}

// A client that reads slowly keeps its session, however much waits for it.
func TestSlowClient(t *testing.T) {
	const timeout = 300 * time.Millisecond
	ours, theirs := NewInMemoryTransports()
	ss, err := newEchoServer(t, nil).Connect(t.Context(), ours, &ServerSessionOptions{
		WriteTimeout: timeout,
		State:        &ServerSessionState{InitializeParams: &InitializeParams{ProtocolVersion: "2025-11-25"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	const messages, length = 64, 16 << 10
	for range messages {
		go func() {
			if err := ss.Log(context.Background(), &LoggingMessageParams{Level: LevelError, Data: strings.Repeat("x", length)}); err != nil {
				t.Error(err)
			}
		}()
	}
	const want = messages * length
	buf := make([]byte, 64<<10)
	begin := time.Now()
	for got := 0; got < want; time.Sleep(timeout / 8) {
		n, err := theirs.Read(buf)
		if err != nil {
			t.Fatalf("the session has ended after %d of %d bytes: %v", got, want, err)
		}
		got += n
	}
	if d := time.Since(begin); d < timeout {
		t.Errorf("that took only %v", d)
	}
	theirs.Close()
	if err := ss.Wait(); err != nil {
		t.Error(err)
	}
}

// What a client can make the server notify it of is more than may wait for it.
func TestNoticesAreLimited(t *testing.T) {
	const listens, uris, limit = 20, 100, 32 << 10
	s := newEchoServer(t, nil)
	read := func(context.Context, *ReadResourceRequest) (*ReadResourceResult, error) { return nil, nil }
	s.AddResourceTemplate(&ResourceTemplate{Name: "t", URITemplate: "test://{id}"}, read)
	ours, theirs := NewInMemoryTransports()
	ss, err := s.Connect(t.Context(), ours, &ServerSessionOptions{MaxUnsent: limit})
	if err != nil {
		t.Fatal(err)
	}
	c := &lineClient{t: t, ss: ss, w: theirs, lines: make(chan string, 1)}
	var all []string
	for i := range uris {
		all = append(all, fmt.Sprintf("test://%d", i))
	}
	subscribe := `"notifications":{"resourceSubscriptions":["` + strings.Join(all, `","`) + `"]}`
	go c.read(theirs)
	for i := range listens {
		c.send(modernLine(fmt.Sprint(i), "subscriptions/listen", subscribe))
		c.want("acknowledged", "subscriptions/acknowledged")
	}
	p := ss.peer
	p.mu.Lock()
	p.updated, p.waiting = make(map[string]struct{}), true // so that the timer does not send them
	for _, uri := range all {
		p.updated[normalURI(uri)] = struct{}{}
	}
	p.mu.Unlock()
	p.putNotices()
	p.out.mu.Lock()
	if n := len(p.out.pending); n > limit {
		t.Errorf("%d bytes wait, want at most %d", n, limit)
	}
	p.out.mu.Unlock()
	go p.sendNotices()
	for range listens * uris {
		c.want("an update", "resources/updated")
	}
	theirs.Close()
	_ = ss.Wait()
}
