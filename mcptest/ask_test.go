package mcptest_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/mooring-mcp/mooring/mcp"
	"github.com/mooring-mcp/mooring/mcptest"
)

// newAsker returns a server whose tool asks what its argument names, and says what it was answered.
func newAsker() *mcp.Server {
	s := mcp.NewServer(&mcp.Implementation{Name: "test", Version: "v1.0.0"}, nil)
	asks := map[string]mcp.InputRequestMap{
		"form":  {"ship": &mcp.ElicitParams{Message: "Which ship?", RequestedSchema: map[string]any{"type": "object", "properties": map[string]any{"name": map[string]any{"type": "string"}}}}},
		"roots": {"where": &mcp.ListRootsParams{}},
		"model": {"text": &mcp.CreateMessageParams{MaxTokens: 9, Messages: []*mcp.SamplingMessage{{Role: "user", Content: &mcp.TextContent{Text: "say it"}}}}},
		"tools": {"text": &mcp.CreateMessageWithToolsParams{MaxTokens: 9, Messages: []*mcp.SamplingMessageV2{{Role: "user", Content: []mcp.Content{&mcp.TextContent{Text: "a"}, &mcp.TextContent{Text: "b"}}}}}},
		"both":  {"ship": &mcp.ElicitParams{Message: "Which ship?"}, "where": &mcp.ListRootsParams{}},
	}
	mcp.AddTool(s, &mcp.Tool{Name: "ask"}, func(_ context.Context, req *mcp.CallToolRequest, in struct{ What string }) (*mcp.CallToolResult, any, error) {
		want := asks[in.What]
		if in.What == "endless" {
			return &mcp.CallToolResult{InputRequests: asks["form"], RequestState: "again"}, nil, nil
		}
		if len(req.Params.InputResponses) < len(want) {
			return &mcp.CallToolResult{InputRequests: want, RequestState: "seen " + in.What}, nil, nil
		}
		var b strings.Builder
		b.WriteString(req.Params.RequestState)
		for _, key := range []string{"ship", "where", "text"} {
			switch r := req.Params.InputResponses[key].(type) {
			case *mcp.ElicitResult:
				fmt.Fprint(&b, "; ", r.Action, " ", r.Content["name"])
			case *mcp.ListRootsResult:
				fmt.Fprint(&b, "; ", r.Roots[0].URI)
			case nil:
			default:
				fmt.Fprintf(&b, "; model")
			}
		}
		return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: b.String()}}}, nil, nil
	})
	return s
}

// answer answers every question, and records what it was asked.
func answer(asked *[]string) func(context.Context, string, mcp.InputRequest) (mcp.InputResponse, error) {
	return func(_ context.Context, key string, ask mcp.InputRequest) (mcp.InputResponse, error) {
		switch ask := ask.(type) {
		case *mcp.ElicitParams:
			*asked = append(*asked, key+" "+ask.Message)
			return &mcp.ElicitResult{Action: mcp.ElicitAccept, Content: map[string]any{"name": "Rose"}}, nil
		case *mcp.ListRootsParams:
			*asked = append(*asked, key)
			return &mcp.ListRootsResult{Roots: []*mcp.Root{{URI: "file:///quay"}}}, nil
		case *mcp.CreateMessageParams:
			*asked = append(*asked, fmt.Sprint(key, " ", ask.MaxTokens, " ", ask.Messages[0].Content.(*mcp.TextContent).Text))
		case *mcp.CreateMessageWithToolsParams:
			*asked = append(*asked, fmt.Sprint(key, " ", ask.MaxTokens, " ", len(ask.Messages[0].Content)))
		}
		return &mcp.CreateMessageWithToolsResult{Role: "assistant", Model: "m", Content: []mcp.Content{&mcp.TextContent{Text: "it"}}}, nil
	}
}

func TestAnswer(t *testing.T) {
	s := newAsker()
	for _, era := range eras[:2] {
		for _, tt := range []struct{ what, asked, text string }{
			{"form", "[ship Which ship?]", "seen form; accept Rose"},
			{"roots", "[where]", "seen roots; file:///quay"},
			{"model", "[text 9 say it]", "seen model; model"},
			{"tools", "[text 9 2]", "seen tools; model"},
			{"both", "[ship Which ship? where]", "seen both; accept Rose; file:///quay"},
		} {
			var asked []string
			c := &mcptest.Client{ProtocolVersion: era, Answer: answer(&asked)}
			res, _, err := mcptest.Call[any](t.Context(), s, "ask", map[string]any{"What": tt.what}, c)
			if err != nil {
				t.Errorf("%s, %s: %v", era, tt.what, err)
				continue
			}
			if got := text(t, res); got != tt.text || fmt.Sprint(asked) != tt.asked {
				t.Errorf("%s, %s: asked %v, answered %q", era, tt.what, asked, got)
			}
		}
	}
}

func TestAnswerFails(t *testing.T) {
	s := newAsker()
	broken := errors.New("no user")
	for _, era := range eras[:2] {
		c := &mcptest.Client{ProtocolVersion: era, Answer: func(context.Context, string, mcp.InputRequest) (mcp.InputResponse, error) { return nil, broken }}
		if _, _, err := mcptest.Call[any](t.Context(), s, "ask", map[string]any{"What": "form"}, c); !errors.Is(err, broken) {
			t.Errorf("%s: %v", era, err)
		}
		var asked []string
		c = &mcptest.Client{ProtocolVersion: era, Answer: answer(&asked)}
		if res, _, err := mcptest.Call[any](t.Context(), s, "ask", map[string]any{"What": "endless"}, c); err == nil || len(asked) != 16 {
			t.Errorf("%s: a handler that asks without end was asked %d times: %+v, %v", era, len(asked), res, err)
		}
		c = &mcptest.Client{ProtocolVersion: era, Capabilities: &mcp.ClientCapabilities{}, Answer: answer(&asked)}
		if _, _, err := mcptest.Call[any](t.Context(), s, "ask", map[string]any{"What": "form"}, c); err == nil {
			t.Errorf("%s: a client that cannot be asked: no error", era)
		}
	}
}

// TestRoundByHand plays both rounds in the test itself.
func TestRoundByHand(t *testing.T) {
	s := newAsker()
	c := &mcptest.Client{Capabilities: &mcp.ClientCapabilities{Elicitation: &mcp.ElicitationCapabilities{}}}
	args := map[string]any{"What": "form"}
	res, _, err := mcptest.Call[any](t.Context(), s, "ask", args, c)
	if err != nil {
		t.Fatal(err)
	}
	ask, ok := res.InputRequests["ship"].(*mcp.ElicitParams)
	if !ok || ask.Message != "Which ship?" || res.RequestState == "" {
		t.Fatalf("the handler asked %+v", res)
	}
	res, _, err = mcptest.Call[any](t.Context(), s, "ask", &mcp.CallToolParams{
		Arguments:      args,
		InputResponses: mcp.InputResponseMap{"ship": &mcp.ElicitResult{Action: mcp.ElicitDecline}},
		RequestState:   res.RequestState,
	}, c)
	if err != nil || text(t, res) != "seen form; decline <nil>" {
		t.Errorf("the second round: %+v, %v", res, err)
	}

	c.ProtocolVersion = "2025-11-25"
	if _, _, err := mcptest.Call[any](t.Context(), s, "ask", args, c); err == nil || !strings.Contains(err.Error(), "no Answer") {
		t.Errorf("in a session: %v", err)
	}
}

// TestAnswerWhileHandlerWaits is about the methods of a session that ask.
func TestAnswerWhileHandlerWaits(t *testing.T) {
	s := mcp.NewServer(&mcp.Implementation{Name: "test", Version: "v1.0.0"}, nil)
	mcp.AddTool(s, &mcp.Tool{Name: "wait"}, func(ctx context.Context, req *mcp.CallToolRequest, _ struct{}) (*mcp.CallToolResult, any, error) {
		if err := req.Session.Ping(ctx, nil); err != nil {
			return nil, nil, err
		}
		ship, err := req.Session.Elicit(ctx, &mcp.ElicitParams{Message: "Which ship?"})
		if err != nil {
			return nil, nil, err
		}
		roots, err := req.Session.ListRoots(ctx, nil)
		if err != nil {
			return nil, nil, err
		}
		text := fmt.Sprint(ship.Content["name"], " at ", roots.Roots[0].URI)
		return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: text}}}, nil, nil
	})
	var asked []string
	c := &mcptest.Client{ProtocolVersion: "2025-11-25", Answer: answer(&asked)}
	res, _, err := mcptest.Call[any](t.Context(), s, "wait", nil, c)
	if err != nil || text(t, res) != "Rose at file:///quay" || fmt.Sprint(asked) != "[ Which ship? ]" {
		t.Errorf("asked %q, answered %q, %v", asked, text(t, res), err)
	}
	c = &mcptest.Client{ProtocolVersion: "2025-11-25", Capabilities: &mcp.ClientCapabilities{Elicitation: &mcp.ElicitationCapabilities{}}}
	if res, _, err = mcptest.Call[any](t.Context(), s, "wait", nil, c); err != nil || !res.IsError || !strings.Contains(text(t, res), "no Answer") {
		t.Errorf("without Answer: %q, %v", text(t, res), err)
	}
}
