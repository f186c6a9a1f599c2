package mcp

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/jsonrpc"
)

// A script is a server that answers by method. It is the transport of its client.
type script struct {
	t      *testing.T
	answer func(method string, params []byte) (string, *jsonrpc.Error)
	end    *InMemoryTransport
	seen   chan *jsonrpc.Request
	conn   Connection
}

// newScript returns a script and a client connected to it.
func newScript(t *testing.T, answer func(method string, params []byte) (string, *jsonrpc.Error)) (*script, *Client) {
	s := &script{t: t, answer: answer, seen: make(chan *jsonrpc.Request, 100)}
	ours, theirs := NewInMemoryTransports()
	s.end = ours
	s.conn, _ = theirs.Connect(t.Context())
	go s.serve()
	t.Cleanup(func() { _ = s.conn.Close() })
	return s, NewClient(&Implementation{Name: "c", Version: "v1"}, &ClientOptions{Logger: slog.New(slog.DiscardHandler)})
}

func (s *script) serve() {
	for {
		m, err := s.conn.Read(context.Background())
		if err != nil {
			return
		}
		r, ok := m.(*jsonrpc.Request)
		if !ok {
			continue
		}
		s.seen <- r
		if !r.IsCall() {
			continue
		}
		result, e := s.answer(r.Method, r.Params)
		if result == "" && e == nil {
			continue // no answer at all
		}
		res := &jsonrpc.Response{ID: r.ID, Result: json.RawMessage(result)}
		if e != nil {
			res.Error, res.Result = e, nil
		}
		_ = s.conn.Write(context.Background(), res)
	}
}

func (s *script) methods() (all []string) {
	for {
		select {
		case r := <-s.seen:
			all = append(all, r.Method)
		case <-time.After(50 * time.Millisecond):
			return all
		}
	}
}

const (
	discovered = `{"supportedVersions":["2026-07-28"],"capabilities":{"tools":{}},"_meta":{"io.modelcontextprotocol/serverInfo":{"name":"s","version":"1"}}}`
	opened     = `{"protocolVersion":"2025-06-18","capabilities":{},"serverInfo":{"name":"s","version":"1"}}`
)

func TestClientNegotiates(t *testing.T) {
	unsupported := func(names string) *jsonrpc.Error {
		return &jsonrpc.Error{Code: CodeUnsupportedProtocolVersion, Message: "no", Data: json.RawMessage(`{"supported":[` + names + `],"requested":"x"}`)}
	}
	for _, tt := range []struct {
		name     string
		ask      string
		discover any
		answer   string
		methods  string
		version  string // "" for an error
	}{
		{"modern", "", discovered, "", "server/discover", "2026-07-28"},
		{"no such method", "", &jsonrpc.Error{Code: jsonrpc.CodeMethodNotFound}, opened, "server/discover initialize notifications/initialized", "2025-06-18"},
		{"another revision", "", unsupported(`"2024-11-05","2025-06-18"`), opened, "server/discover initialize notifications/initialized", "2025-06-18"},
		{"no common revision", "", unsupported(`"2030-01-01"`), opened, "server/discover", ""},
		{"by initialize", "2025-06-18", discovered, opened, "initialize notifications/initialized", "2025-06-18"},
		{"a revision that is unknown", "2025-06-18", discovered, strings.Replace(opened, "2025-06-18", "1999-01-01", 1), "initialize", ""},
		{"a modern answer to initialize", "2025-06-18", discovered, strings.Replace(opened, "2025-06-18", "2026-07-28", 1), "initialize", ""},
		{"a result that is none", "", `[]`, "", "server/discover", ""},
	} {
		s, c := newScript(t, func(method string, _ []byte) (string, *jsonrpc.Error) {
			if method == "initialize" {
				return tt.answer, nil
			}
			if e, ok := tt.discover.(*jsonrpc.Error); ok {
				return "", e
			}
			return tt.discover.(string), nil
		})
		cs, err := c.Connect(t.Context(), s.end, &ClientSessionOptions{ProtocolVersion: tt.ask})
		if got := strings.Join(s.methods(), " "); got != tt.methods {
			t.Errorf("%s: sent %s", tt.name, got)
		}
		if tt.version == "" {
			if err == nil {
				t.Errorf("%s: no error", tt.name)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if r := cs.InitializeResult(); r.ProtocolVersion != tt.version || r.ServerInfo.Name != "s" {
			t.Errorf("%s: %+v", tt.name, r)
		}
		_ = cs.Close()
	}
	if _, err := NewClient(&Implementation{}, nil).Connect(t.Context(), nil, &ClientSessionOptions{ProtocolVersion: "1"}); err == nil {
		t.Error("an unknown revision: no error")
	}
}

// TestClientHostileServer checks that a server cannot keep a client busy, or bring it down.
func TestClientHostileServer(t *testing.T) {
	rounds := 0
	s, c := newScript(t, func(method string, params []byte) (string, *jsonrpc.Error) {
		switch method {
		case "server/discover":
			return discovered, nil
		case "tools/list":
			return `{"tools":[{"name":"a","inputSchema":7}],"nextCursor":"again"}`, nil
		case "tools/call":
			rounds++
			return `{"resultType":"input_required","requestState":"more"}`, nil
		case "prompts/get":
			return `{"messages":[null,{"role":"user","content":{"type":"odd"}}]}`, nil
		}
		return "", nil
	})
	cs, err := c.Connect(t.Context(), s.end, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer cs.Close()
	n := 0
	for _, err = range cs.Tools(t.Context(), nil) {
		n++
	}
	if err == nil || n != 3 {
		t.Errorf("a page that repeats: %d tools, %v", n, err)
	}
	if _, err := cs.CallTool(t.Context(), &CallToolParams{Name: "a"}); !errors.Is(err, errTooManyRounds) || rounds > 20 {
		t.Errorf("endless questions: %v after %d rounds", err, rounds)
	}
	if _, err := cs.GetPrompt(t.Context(), &GetPromptParams{Name: "a"}); err == nil {
		t.Error("content of an unknown type: no error")
	}
	for _, text := range []string{
		`{"jsonrpc":"2.0","id":99,"result":{}}`,
		`{"jsonrpc":"2.0","method":"notifications/odd"}`,
		`{"jsonrpc":"2.0","method":"notifications/progress","params":{"progress":"x"}}`,
		`{"jsonrpc":"2.0","id":1,"method":"elicitation/create","params":{"message":"m"}}`,
		`{"jsonrpc":"2.0","id":2,"method":"odd"}`,
	} {
		m, err := jsonrpc.DecodeMessage([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if err := s.conn.Write(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := cs.ReadResource(ctx, &ReadResourceParams{URI: "a:b"}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("no answer: %v", err)
	}
	if got := s.methods(); !slices.Contains(got, "notifications/cancelled") {
		t.Errorf("the server is not told: %v", got)
	}
	_ = s.conn.Close()
	if err := cs.Wait(); err != nil {
		t.Errorf("the end: %v", err)
	}
	if _, err := cs.ListTools(t.Context(), nil); !errors.Is(err, ErrConnectionClosed) {
		t.Errorf("after the end: %v", err)
	}
}

// TestClientDropsNotifications checks the limit for notifications whose handler is slow.
func TestClientDropsNotifications(t *testing.T) {
	s, _ := newScript(t, func(string, []byte) (string, *jsonrpc.Error) { return discovered, nil })
	block := make(chan struct{})
	handled := make(chan struct{}, 2*maxNotes)
	c := NewClient(&Implementation{}, &ClientOptions{
		Logger: slog.New(slog.DiscardHandler),
		ProgressNotificationHandler: func(context.Context, *ProgressNotificationClientRequest) {
			<-block
			handled <- struct{}{}
		},
	})
	cs, err := c.Connect(t.Context(), s.end, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer cs.Close()
	m := &jsonrpc.Request{Method: "notifications/progress", Params: json.RawMessage(`{"progressToken":1,"progress":1}`)}
	for range maxNotes + 500 {
		if err := s.conn.Write(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	if err := cs.Ping(t.Context(), nil); err != nil { // everything before it has been read
		t.Fatal(err)
	}
	close(block)
	for range maxNotes {
		<-handled
	}
	time.Sleep(10 * time.Millisecond)
	if n := len(handled); n > 1 {
		t.Errorf("%d more than the limit", n)
	}
}

func TestClientMiddleware(t *testing.T) {
	s, c := newScript(t, func(method string, _ []byte) (string, *jsonrpc.Error) {
		if method == "server/discover" {
			return discovered, nil
		}
		return `{"content":[]}`, nil
	})
	var sent []string
	c.AddSendingMiddleware(func(next MethodHandler) MethodHandler {
		return func(ctx context.Context, method string, req Request) (Result, error) {
			sent = append(sent, method)
			if p, ok := req.GetParams().(*CallToolParams); ok && p.Name == "refused" {
				return nil, errors.New("refused")
			}
			return next(ctx, method, req)
		}
	})
	cs, err := c.Connect(t.Context(), s.end, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer cs.Close()
	if _, err := cs.CallTool(t.Context(), &CallToolParams{Name: "refused"}); err == nil || err.Error() != "refused" {
		t.Errorf("refused: %v", err)
	}
	if _, err := cs.CallTool(t.Context(), &CallToolParams{Name: "a"}); err != nil {
		t.Error(err)
	}
	if got := strings.Join(sent, " "); got != "server/discover tools/call tools/call" {
		t.Errorf("the middleware saw %s", got)
	}
}

func TestClientPanics(t *testing.T) {
	for name, f := range map[string]func(){
		"no implementation": func() { NewClient(nil, nil) },
		"two handlers": func() {
			NewClient(&Implementation{}, &ClientOptions{
				CreateMessageHandler: func(context.Context, *CreateMessageRequest) (*CreateMessageResult, error) { return nil, nil },
				CreateMessageWithToolsHandler: func(context.Context, *CreateMessageWithToolsRequest) (*CreateMessageWithToolsResult, error) {
					return nil, nil
				},
			})
		},
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			f()
		}()
	}
}

// TestCommandTransport runs this test binary as a server.
func TestCommandTransport(t *testing.T) {
	if os.Getenv("MOORING_TEST_COMMAND") != "" {
		s := NewServer(&Implementation{Name: "s", Version: "v1"}, nil)
		AddTool(s, &Tool{Name: "a"}, func(context.Context, *CallToolRequest, struct{}) (*CallToolResult, any, error) { return nil, nil, nil })
		if err := s.Run(context.Background(), &StdioTransport{}); err != nil && err != io.EOF {
			os.Exit(1)
		}
		os.Exit(0)
	}
	cmd := exec.Command(os.Args[0], "-test.run", "^TestCommandTransport$")
	cmd.Env = append(os.Environ(), "MOORING_TEST_COMMAND=1")
	cs, err := NewClient(&Implementation{Name: "c"}, nil).Connect(t.Context(), &CommandTransport{Command: cmd}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if res, err := cs.ListTools(t.Context(), nil); err != nil || len(res.Tools) != 1 {
		t.Errorf("tools: %+v, %v", res, err)
	}
	if err := cs.Close(); err != nil {
		t.Error(err)
	}
	if cmd.ProcessState == nil || !cmd.ProcessState.Success() {
		t.Errorf("the command ended with %v", cmd.ProcessState)
	}
}

func TestFieldText(t *testing.T) {
	for _, s := range []string{"", "plain", "two words", " space", "ü", "=?base64?eA==?=", "a\nb", "tab\tinside"} {
		text := fieldText(s)
		if got, ok := decodeField([]byte(text)); !ok || string(got) != s || strings.TrimSpace(text) != text {
			t.Errorf("%q becomes %q, which is read as %q, %v", s, text, got, ok)
		}
	}
}

// TestInitializedHandlerAsks checks that the handler of a notification has a session that can ask.
func TestInitializedHandlerAsks(t *testing.T) {
	asked := make(chan any, 2)
	ask := func(ctx context.Context, ss *ServerSession) {
		r, err := ss.ListRoots(ctx, nil)
		if err != nil {
			asked <- err
			return
		}
		asked <- len(r.Roots)
	}
	s := NewServer(&Implementation{Name: "s", Version: "v1"}, &ServerOptions{
		InitializedHandler:      func(ctx context.Context, req *InitializedRequest) { ask(ctx, req.Session) },
		RootsListChangedHandler: func(ctx context.Context, req *RootsListChangedRequest) { ask(ctx, req.Session) },
	})
	defer s.Close()
	ours, theirs := NewInMemoryTransports()
	if _, err := s.Connect(t.Context(), theirs, nil); err != nil {
		t.Fatal(err)
	}
	c := NewClient(&Implementation{Name: "c"}, nil)
	cs, err := c.Connect(t.Context(), ours, &ClientSessionOptions{ProtocolVersion: "2025-11-25"})
	if err != nil {
		t.Fatal(err)
	}
	defer cs.Close()
	for i := range 2 {
		select {
		case got := <-asked:
			if got != i {
				t.Errorf("asked for roots: %v, want %d", got, i)
			}
		case <-time.After(5 * time.Second):
			t.Fatalf("the handler %d did not run", i)
		}
		c.AddRoots(&Root{URI: "file:///a"})
	}
}
