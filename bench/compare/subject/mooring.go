package main

import (
	"context"
	"log/slog"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/mooring-mcp/mooring/mcp"
	"github.com/mooring-mcp/mooring/server"
)

type mooring struct {
	l     net.Listener
	s     *mcp.Server
	srv   *server.Server
	extra bool
}

type addIn struct {
	A int `json:"a"`
	B int `json:"b"`
}

type addOut struct {
	Sum int `json:"sum"`
}

type echoIn struct {
	Text string `json:"text" jsonschema:"what to say"`
}

type largeOut struct {
	Text string `json:"text"`
}

func startMooring(engine server.Engine, large int, tokens bool) (subject, error) {
	s := mcp.NewServer(&mcp.Implementation{Name: "subject", Version: "v1.0.0"}, nil)
	mcp.AddInlineTool(s, &mcp.Tool{Name: "add", Description: "Sum of two integers."}, func(_ *mcp.CallToolRequest, in addIn) (addOut, error) {
		return addOut{in.A + in.B}, nil
	})
	mcp.AddTool(s, &mcp.Tool{Name: "echo", Description: "Says it again."}, func(_ context.Context, _ *mcp.CallToolRequest, in echoIn) (*mcp.CallToolResult, any, error) {
		return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: in.Text}}}, nil, nil
	})
	if large > 0 {
		text := strings.Repeat("x", large)
		mcp.AddInlineTool(s, &mcp.Tool{Name: "large", Description: "Says much."}, func(*mcp.CallToolRequest, struct{}) (largeOut, error) {
			return largeOut{text}, nil
		})
	}
	opts := &server.Options{Engine: engine, Logger: slog.New(slog.DiscardHandler)}
	if tokens {
		opts.Authenticate = authentication()
	}
	srv := server.New(s, opts)
	l, err := srv.Listen("127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	go func() { _ = srv.Serve(l) }()
	return &mooring{l: l, s: s, srv: srv}, nil
}

func (m *mooring) addr() string { return m.l.Addr().String() }

func (m *mooring) lag() time.Duration {
	return time.Duration(slices.Max(m.srv.Stats().LoopLag) * float64(time.Second))
}

func (m *mooring) change() {
	if m.extra = !m.extra; !m.extra {
		m.s.RemoveTools("extra")
		return
	}
	mcp.AddInlineTool(m.s, &mcp.Tool{Name: "extra", Description: "Comes and goes."}, func(_ *mcp.CallToolRequest, _ struct{}) (addOut, error) {
		return addOut{}, nil
	})
}
