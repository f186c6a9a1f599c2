package mcptest_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/jsonrpc"
	"github.com/mooring-mcp/mooring/mcp"
	"github.com/mooring-mcp/mooring/mcptest"
	"github.com/mooring-mcp/mooring/server"
)

// A party is an mcp.Client with what it was told, connected to a server in one way.
type party struct {
	*mcp.ClientSession
	client *mcp.Client
	told   chan string
}

// everyWay runs a test over each transport that a client has, in both eras.
func everyWay(t *testing.T, newServer func() *mcp.Server, test func(t *testing.T, s *mcp.Server, p *party)) {
	for _, era := range []string{"2026-07-28", "2025-11-25"} {
		for _, way := range []string{"memory", "http", "sse"} {
			if way == "sse" && era == "2026-07-28" {
				continue
			}
			t.Run(way+"/"+era, func(t *testing.T) {
				s := newServer()
				t.Cleanup(s.Close)
				test(t, s, connect(t, s, way, era))
			})
		}
	}
}

func connect(t *testing.T, s *mcp.Server, way, era string) *party {
	p := &party{told: make(chan string, 100)}
	p.client = mcp.NewClient(&mcp.Implementation{Name: "party", Version: "v1.2.3"}, &mcp.ClientOptions{
		ElicitationHandler: func(_ context.Context, req *mcp.ElicitRequest) (*mcp.ElicitResult, error) {
			return &mcp.ElicitResult{Action: "accept", Content: map[string]any{"answer": req.Params.Message + "!"}}, nil
		},
		CreateMessageHandler: func(_ context.Context, req *mcp.CreateMessageRequest) (*mcp.CreateMessageResult, error) {
			return &mcp.CreateMessageResult{Model: "m", Role: "assistant", Content: req.Params.Messages[0].Content}, nil
		},
		ToolListChangedHandler: func(context.Context, *mcp.ToolListChangedRequest) { p.told <- "tools" },
		ResourceUpdatedHandler: func(_ context.Context, req *mcp.ResourceUpdatedNotificationRequest) { p.told <- req.Params.URI },
		LoggingMessageHandler: func(_ context.Context, req *mcp.LoggingMessageRequest) {
			p.told <- fmt.Sprint("log ", req.Params.Data)
		},
		ProgressNotificationHandler: func(_ context.Context, req *mcp.ProgressNotificationClientRequest) {
			p.told <- fmt.Sprint("progress ", req.Params.Progress)
		},
	})
	p.client.AddRoots(&mcp.Root{URI: "file:///a"}, &mcp.Root{URI: "file:///b"})
	var transport mcp.Transport
	switch way {
	case "memory":
		ours, theirs := mcp.NewInMemoryTransports()
		if _, err := s.Connect(context.Background(), theirs, nil); err != nil {
			t.Fatal(err)
		}
		transport = ours
	case "http":
		transport = &mcp.StreamableClientTransport{Endpoint: "http://test/mcp", HTTPClient: &http.Client{Transport: mcptest.RoundTripper(t, s, nil)}}
	case "sse":
		h := server.NewSSEHandler(func(*http.Request) *mcp.Server { return s }, &server.SSEOptions{DisableLocalhostProtection: true})
		t.Cleanup(func() { _ = h.Shutdown(context.Background()) })
		transport = &mcp.SSEClientTransport{Endpoint: "http://test/sse", HTTPClient: &http.Client{Transport: mcptest.HandlerTransport(h)}}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	var err error
	if p.ClientSession, err = p.client.Connect(ctx, transport, &mcp.ClientSessionOptions{ProtocolVersion: era}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	if got := p.InitializeResult(); got.ProtocolVersion != era && way != "sse" || got.ServerInfo == nil || got.ServerInfo.Name != "test" {
		t.Errorf("initialized with %+v", got)
	}
	return p
}

func (p *party) want(t *testing.T, told ...string) {
	t.Helper()
	for len(told) > 0 {
		select {
		case got := <-p.told:
			i := slices.Index(told, got)
			if i < 0 {
				t.Errorf("was told %q, want one of %q", got, told)
				return
			}
			told = slices.Delete(told, i, i+1)
		case <-time.After(10 * time.Second):
			t.Errorf("was not told %q", told)
			return
		}
	}
}

func (p *party) text(t *testing.T, tool string, args any) string {
	t.Helper()
	res, err := p.CallTool(t.Context(), &mcp.CallToolParams{Name: tool, Arguments: args})
	if err != nil {
		t.Fatalf("%s: %v", tool, err)
	}
	return text(t, res)
}

func newPartyServer() *mcp.Server {
	s := mcp.NewServer(&mcp.Implementation{Name: "test", Version: "v1.0.0"}, nil)
	say := func(format string, args ...any) (*mcp.CallToolResult, any, error) {
		return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: fmt.Sprintf(format, args...)}}}, nil, nil
	}
	mcp.AddTool(s, &mcp.Tool{Name: "add"}, func(_ context.Context, _ *mcp.CallToolRequest, in sumIn) (*mcp.CallToolResult, sumOut, error) {
		return nil, sumOut{in.A + in.B}, nil
	})
	mcp.AddTool(s, &mcp.Tool{Name: "ask"}, func(_ context.Context, req *mcp.CallToolRequest, _ struct{}) (*mcp.CallToolResult, any, error) {
		r := req.Params.InputResponses
		if len(r) == 0 {
			return &mcp.CallToolResult{RequestState: "s", InputRequests: mcp.InputRequestMap{
				"user":  &mcp.ElicitParams{Message: "well"},
				"roots": &mcp.ListRootsParams{},
				"model": &mcp.CreateMessageParams{MaxTokens: 1, Messages: []*mcp.SamplingMessage{{Role: "user", Content: &mcp.TextContent{Text: "echo"}}}},
			}}, nil, nil
		}
		model := ""
		switch m := r["model"].(type) {
		case *mcp.CreateMessageResult:
			model = m.Content.(*mcp.TextContent).Text
		case *mcp.CreateMessageWithToolsResult:
			model = m.Content[0].(*mcp.TextContent).Text
		}
		return say("%s %v %d %s", req.Params.RequestState, r["user"].(*mcp.ElicitResult).Content["answer"], len(r["roots"].(*mcp.ListRootsResult).Roots), model)
	})
	mcp.AddTool(s, &mcp.Tool{Name: "report"}, func(ctx context.Context, req *mcp.CallToolRequest, _ struct{}) (*mcp.CallToolResult, any, error) {
		_ = req.Progress(1, 2, "half")
		_ = req.Log(mcp.LevelError, "l", "trouble")
		return say("reported to %s", req.ClientInfo().Name)
	})
	mcp.AddTool(s, &mcp.Tool{Name: "hang"}, func(ctx context.Context, req *mcp.CallToolRequest, _ struct{}) (*mcp.CallToolResult, any, error) {
		_ = req.Progress(1, 0, "")
		<-ctx.Done()
		_ = s.ResourceUpdated(context.Background(), &mcp.ResourceUpdatedNotificationParams{URI: "test:r"})
		return nil, nil, ctx.Err()
	})
	s.AddResource(&mcp.Resource{Name: "r", URI: "test:r"}, func(_ context.Context, req *mcp.ReadResourceRequest) (*mcp.ReadResourceResult, error) {
		return &mcp.ReadResourceResult{Contents: []*mcp.ResourceContents{{URI: req.Params.URI, Text: "now"}}}, nil
	})
	s.AddResourceTemplate(&mcp.ResourceTemplate{Name: "t", URITemplate: "test:{x}/y"}, func(context.Context, *mcp.ReadResourceRequest) (*mcp.ReadResourceResult, error) {
		return &mcp.ReadResourceResult{}, nil
	})
	s.AddPrompt(&mcp.Prompt{Name: "p"}, func(context.Context, *mcp.GetPromptRequest) (*mcp.GetPromptResult, error) {
		return &mcp.GetPromptResult{Messages: []*mcp.PromptMessage{{Role: "user", Content: &mcp.TextContent{Text: "hi"}}}}, nil
	})
	return s
}

func TestMCPClient(t *testing.T) {
	everyWay(t, newPartyServer, func(t *testing.T, s *mcp.Server, p *party) {
		ctx := t.Context()
		var names []string
		for tool, err := range p.Tools(ctx, nil) {
			if err != nil {
				t.Fatal(err)
			}
			names = append(names, tool.Name)
		}
		if slices.Sort(names); strings.Join(names, " ") != "add ask hang report" {
			t.Errorf("tools %v", names)
		}
		res, err := p.CallTool(ctx, &mcp.CallToolParams{Name: "add", Arguments: sumIn{40, 2}})
		if m, ok := res.StructuredContent.(map[string]any); p.InitializeResult().ProtocolVersion > "2025" && (err != nil || !ok || m["sum"] != 42.0) {
			t.Errorf("add: %+v, %v", res, err)
		}
		var wire *jsonrpc.Error
		if _, err := p.CallTool(ctx, &mcp.CallToolParams{Name: "absent"}); !errors.As(err, &wire) || wire.Code != jsonrpc.CodeInvalidParams {
			t.Errorf("an unknown tool: %v", err)
		}
		r, err := p.ReadResource(ctx, &mcp.ReadResourceParams{URI: "test:r"})
		if err != nil || r.Contents[0].Text != "now" {
			t.Errorf("read: %+v, %v", r, err)
		}
		g, err := p.GetPrompt(ctx, &mcp.GetPromptParams{Name: "p"})
		if err != nil || g.Messages[0].Content.(*mcp.TextContent).Text != "hi" {
			t.Errorf("prompt: %+v, %v", g, err)
		}
		for _, err := range p.Prompts(ctx, nil) {
			if err != nil {
				t.Error(err)
			}
		}
		for _, err := range p.ResourceTemplates(ctx, nil) {
			if err != nil {
				t.Error(err)
			}
		}
		if p.InitializeResult().ProtocolVersion < "2026" {
			if err := p.Ping(ctx, nil); err != nil {
				t.Errorf("ping: %v", err)
			}
		}
	})
}

func TestMCPClientIsAsked(t *testing.T) {
	everyWay(t, newPartyServer, func(t *testing.T, s *mcp.Server, p *party) {
		if p.InitializeResult().ProtocolVersion < "2025-06-18" {
			t.Skip("the revision has no elicitation")
		}
		if got := p.text(t, "ask", nil); got != "s well! 2 echo" {
			t.Errorf("answered %q", got)
		}
	})
}

func TestMCPClientIsNotified(t *testing.T) {
	everyWay(t, newPartyServer, func(t *testing.T, s *mcp.Server, p *party) {
		params := &mcp.CallToolParams{Name: "report", Meta: mcp.Meta{mcp.MetaKeyLogLevel: "error"}}
		params.SetProgressToken("t")
		if res, err := p.CallTool(t.Context(), params); err != nil || text(t, res) != "reported to party" {
			t.Errorf("%+v, %v", res, err)
		}
		p.want(t, "progress 1", "log trouble")
		s.RemoveTools("add")
		p.want(t, "tools")
		if err := p.Subscribe(t.Context(), &mcp.SubscribeParams{URI: "test:r"}); err != nil {
			t.Fatal(err)
		}
		_ = s.ResourceUpdated(t.Context(), &mcp.ResourceUpdatedNotificationParams{URI: "test:r"})
		p.want(t, "test:r")
		if err := p.Unsubscribe(t.Context(), &mcp.UnsubscribeParams{URI: "test:r"}); err != nil {
			t.Error(err)
		}
	})
}

// TestMCPClientCancels checks that the server learns of the end of a call's context.
func TestMCPClientCancels(t *testing.T) {
	everyWay(t, newPartyServer, func(t *testing.T, s *mcp.Server, p *party) {
		if err := p.Subscribe(t.Context(), &mcp.SubscribeParams{URI: "test:r"}); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		params := &mcp.CallToolParams{Name: "hang"}
		params.SetProgressToken("t")
		failed := make(chan error, 1)
		go func() {
			_, err := p.CallTool(ctx, params)
			failed <- err
		}()
		p.want(t, "progress 1")
		cancel()
		if err := <-failed; !errors.Is(err, context.Canceled) {
			t.Errorf("the call returned %v", err)
		}
		p.want(t, "test:r")
	})
}

func TestMCPClientEnds(t *testing.T) {
	everyWay(t, newPartyServer, func(t *testing.T, s *mcp.Server, p *party) {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
		if err := p.Wait(); err != nil {
			t.Error(err)
		}
		if _, err := p.ListTools(t.Context(), nil); !errors.Is(err, mcp.ErrConnectionClosed) {
			t.Errorf("after the end: %v", err)
		}
	})
}
