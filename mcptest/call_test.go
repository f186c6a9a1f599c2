package mcptest_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mooring-mcp/mooring/auth"
	"github.com/mooring-mcp/mooring/jsonrpc"
	"github.com/mooring-mcp/mooring/mcp"
	"github.com/mooring-mcp/mooring/mcptest"
)

// eras are a revision of either kind, and the oldest.
var eras = []string{"2026-07-28", "2025-11-25", "2024-11-05"}

type sumIn struct {
	A int `json:"a"`
	B int `json:"b"`
}

type sumOut struct {
	Sum int `json:"sum"`
}

func newServer() *mcp.Server {
	s := mcp.NewServer(&mcp.Implementation{Name: "test", Version: "v1.0.0"}, nil)
	mcp.AddTool(s, &mcp.Tool{Name: "add"}, func(_ context.Context, _ *mcp.CallToolRequest, in sumIn) (*mcp.CallToolResult, sumOut, error) {
		if in.A < 0 {
			return nil, sumOut{}, errors.New("negative")
		}
		return nil, sumOut{in.A + in.B}, nil
	})
	mcp.AddInlineTool(s, &mcp.Tool{Name: "inline"}, func(_ *mcp.CallToolRequest, in sumIn) (sumOut, error) { return sumOut{in.A + in.B}, nil })
	mcp.AddTool(s, &mcp.Tool{Name: "who"}, func(ctx context.Context, req *mcp.CallToolRequest, _ struct{}) (*mcp.CallToolResult, any, error) {
		_ = req.Progress(1, 2, "half")
		_ = req.Progress(2, 2, "whole")
		_ = req.Log(mcp.LevelInfo, "who", "asked")
		_ = req.Log(mcp.LevelDebug, "who", "more")
		ti := auth.TokenInfoFromContext(ctx)
		if ti != req.Extra.TokenInfo {
			return nil, nil, errors.New("two tokens")
		}
		text := fmt.Sprint(req.ProtocolVersion(), " ", req.ClientInfo().Name, " ", req.Extra.Principal, " ",
			req.Extra.Header.Get("X-Tenant"), " ", req.Extra.RemoteAddr, " ", req.ClientCapabilities().Sampling != nil)
		return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: text}}}, nil, nil
	})
	return s
}

func text(t testing.TB, res *mcp.CallToolResult) string {
	t.Helper()
	if res == nil || len(res.Content) != 1 {
		t.Fatalf("the result is %+v", res)
	}
	return res.Content[0].(*mcp.TextContent).Text
}

func TestCall(t *testing.T) {
	s := newServer()
	for _, tool := range []string{"add", "inline"} {
		for _, in := range []any{sumIn{40, 2}, map[string]any{"a": 40, "b": 2}, &mcp.CallToolParams{Arguments: sumIn{40, 2}}} {
			res, out, err := mcptest.Call[sumOut](t.Context(), s, tool, in)
			if err != nil || res.IsError || out.Sum != 42 {
				t.Errorf("%s(%v): %+v, %+v, %v", tool, in, res, out, err)
			}
			if diff := cmp.Diff(map[string]any{"sum": 42.0}, res.StructuredContent); diff != "" {
				t.Errorf("%s: structured content (-want +got):\n%s", tool, diff)
			}
			if got := text(t, res); got != `{"sum":42}` {
				t.Errorf("%s: content %s", tool, got)
			}
		}
	}
}

func TestCallFails(t *testing.T) {
	s := newServer()
	res, out, err := mcptest.Call[sumOut](t.Context(), s, "add", sumIn{A: -1})
	if err != nil || !res.IsError || text(t, res) != "negative" || out.Sum != 0 {
		t.Errorf("a tool that fails: %+v, %+v, %v", res, out, err)
	}
	res, _, err = mcptest.Call[sumOut](t.Context(), s, "add", map[string]any{"a": "x"})
	if err != nil || !res.IsError || !strings.Contains(text(t, res), "/a") {
		t.Errorf("arguments that the schema refuses: %+v, %v", res, err)
	}
	var wire *jsonrpc.Error
	if _, _, err := mcptest.Call[any](t.Context(), s, "absent", nil); !errors.As(err, &wire) || wire.Code != jsonrpc.CodeInvalidParams {
		t.Errorf("an unknown tool: %v", err)
	}
	if _, _, err := mcptest.Call[any](t.Context(), s, "add", []int{1}); !errors.As(err, &wire) {
		t.Errorf("arguments that are no object: %v", err)
	}
	if _, _, err := mcptest.Call[any](t.Context(), s, "add", func() {}); err == nil {
		t.Error("arguments that cannot be encoded: no error")
	}
	if _, _, err := mcptest.Call[[]string](t.Context(), s, "add", sumIn{}); err == nil {
		t.Error("an Out that does not fit: no error")
	}
	if _, _, err := mcptest.Call[any](t.Context(), s, "add", sumIn{}, &mcptest.Client{ProtocolVersion: "1999-01-01"}); !errors.As(err, &wire) || wire.Code != mcp.CodeUnsupportedProtocolVersion {
		t.Errorf("an unknown revision: %v", err)
	}
}

func TestClient(t *testing.T) {
	s := newServer()
	for _, era := range eras {
		c := &mcptest.Client{
			ProtocolVersion: era,
			Info:            &mcp.Implementation{Name: "ship", Version: "v1.2.3"},
			Capabilities:    &mcp.ClientCapabilities{Sampling: &mcp.SamplingCapabilities{}},
			LogLevel:        mcp.LevelInfo,
			TokenInfo:       &auth.TokenInfo{UserID: "ann"},
			Header:          http.Header{"X-Tenant": {"blue"}},
			RemoteAddr:      netip.MustParseAddrPort("192.0.2.1:1234"),
		}
		res, _, err := mcptest.Call[any](t.Context(), s, "who", nil, c)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := text(t, res), era+" ship ann blue 192.0.2.1:1234 true"; got != want {
			t.Errorf("the handler saw %q, want %q", got, want)
		}
		if p := c.Progress(); len(p) != 2 || p[0].Progress != 1 || p[0].Total != 2 || p[1].Progress != 2 {
			t.Errorf("%s: progress %+v", era, p)
		}
		if l := c.Logs(); len(l) != 1 || l[0].Data != "asked" || l[0].Level != mcp.LevelInfo || l[0].Logger != "who" {
			t.Errorf("%s: logs %+v", era, l)
		}
	}
}

func TestClientDefaults(t *testing.T) {
	s := newServer()
	for _, era := range eras {
		c := &mcptest.Client{ProtocolVersion: era}
		res, _, err := mcptest.Call[any](t.Context(), s, "who", nil, c)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := text(t, res), era+" mcptest   invalid AddrPort false"; got != want {
			t.Errorf("the handler saw %q, want %q", got, want)
		}
		if l := c.Logs(); len(l) != 2 || l[1].Level != mcp.LevelDebug {
			t.Errorf("%s: logs %+v", era, l)
		}
	}
	if _, _, err := mcptest.Call[any](t.Context(), s, "who", nil); err != nil {
		t.Error(err)
	}
}

func TestMeta(t *testing.T) {
	s := mcp.NewServer(&mcp.Implementation{Name: "test", Version: "v1.0.0"}, nil)
	var got mcp.Meta
	s.AddTool(&mcp.Tool{Name: "meta", InputSchema: map[string]any{"type": "object"}}, func(_ context.Context, req *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		got = req.Params.Meta
		return &mcp.CallToolResult{}, nil
	})
	for _, era := range eras {
		c := &mcptest.Client{ProtocolVersion: era, Meta: mcp.Meta{"progressToken": "mine", "x": 1.0}}
		if _, _, err := mcptest.Call[any](t.Context(), s, "meta", nil, c); err != nil {
			t.Fatal(err)
		}
		if got["progressToken"] != "mine" || got["x"] != 1.0 {
			t.Errorf("%s: the handler saw %v", era, got)
		}
	}
}

func TestGetPromptAndReadResource(t *testing.T) {
	s := mcp.NewServer(&mcp.Implementation{Name: "test", Version: "v1.0.0"}, nil)
	s.AddPrompt(&mcp.Prompt{Name: "greet", Arguments: []*mcp.PromptArgument{{Name: "who", Required: true}}}, func(_ context.Context, req *mcp.GetPromptRequest) (*mcp.GetPromptResult, error) {
		return &mcp.GetPromptResult{Messages: []*mcp.PromptMessage{{Role: "user", Content: &mcp.TextContent{Text: "hi " + req.Params.Arguments["who"]}}}}, nil
	})
	s.AddResource(&mcp.Resource{Name: "r", URI: "test:r"}, func(_ context.Context, req *mcp.ReadResourceRequest) (*mcp.ReadResourceResult, error) {
		return &mcp.ReadResourceResult{Contents: []*mcp.ResourceContents{{URI: req.Params.URI, Blob: []byte{1, 2}}}}, nil
	})
	for _, era := range eras {
		c := &mcptest.Client{ProtocolVersion: era}
		p, err := mcptest.GetPrompt(t.Context(), s, "greet", map[string]string{"who": "you"}, c)
		if err != nil || len(p.Messages) != 1 || p.Messages[0].Content.(*mcp.TextContent).Text != "hi you" {
			t.Errorf("%s: %+v, %v", era, p, err)
		}
		r, err := mcptest.ReadResource(t.Context(), s, "test:r", c)
		if err != nil || len(r.Contents) != 1 || string(r.Contents[0].Blob) != "\x01\x02" || r.Contents[0].URI != "test:r" {
			t.Errorf("%s: %+v, %v", era, r, err)
		}
		if _, err := mcptest.ReadResource(t.Context(), s, "test:other", c); err == nil {
			t.Errorf("%s: an unknown resource: no error", era)
		}
		if _, err := mcptest.GetPrompt(t.Context(), s, "other", nil, c); err == nil {
			t.Errorf("%s: an unknown prompt: no error", era)
		}
	}
}

type tenantKey struct{}

// Visible sees the context of the call, as over HTTP it sees that of the request.
func TestVisibleContext(t *testing.T) {
	s := mcp.NewServer(&mcp.Implementation{Name: "test", Version: "v1.0.0"}, &mcp.ServerOptions{
		Visible: func(ctx context.Context, caller *mcp.Caller, _ mcp.FeatureKind, name string) bool {
			return ctx.Value(tenantKey{}) == name && auth.TokenInfoFromContext(ctx) == caller.TokenInfo
		},
	})
	for _, tenant := range []string{"ann", "bob"} {
		s.AddTool(&mcp.Tool{Name: tenant, InputSchema: map[string]any{"type": "object"}}, func(context.Context, *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			return &mcp.CallToolResult{}, nil
		})
	}
	ctx := context.WithValue(t.Context(), tenantKey{}, "ann")
	for _, c := range []*mcptest.Client{{}, {TokenInfo: &auth.TokenInfo{UserID: "u"}}, {ProtocolVersion: "2025-11-25"}} {
		if _, _, err := mcptest.Call[any](ctx, s, "ann", nil, c); err != nil {
			t.Error(err)
		}
		if _, _, err := mcptest.Call[any](ctx, s, "bob", nil, c); err == nil {
			t.Error("a tool that is not visible was called")
		}
	}
}

func TestTwoClientsPanic(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	_, _, _ = mcptest.Call[any](t.Context(), newServer(), "add", nil, nil, nil)
}

func BenchmarkCall(b *testing.B) {
	s := newServer()
	for _, tool := range []string{"add", "inline"} {
		b.Run(tool, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, out, err := mcptest.Call[sumOut](b.Context(), s, tool, sumIn{40, 2}); err != nil || out.Sum != 42 {
					b.Fatal(out, err)
				}
			}
		})
	}
	b.Run("client", func(b *testing.B) {
		b.ReportAllocs()
		c := &mcptest.Client{Info: &mcp.Implementation{Name: "ship", Version: "v1.2.3"}}
		for b.Loop() {
			if _, out, err := mcptest.Call[sumOut](b.Context(), s, "add", sumIn{40, 2}, c); err != nil || out.Sum != 42 {
				b.Fatal(out, err)
			}
		}
	})
}
