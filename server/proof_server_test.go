//go:build linux

package server_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/internal/sockdiag"
	"github.com/mooring-mcp/mooring/internal/wirecheck"
	"github.com/mooring-mcp/mooring/mcp"
	"github.com/mooring-mcp/mooring/server"
)

const revision = "2026-07-28"

// A proofServer is a server with tools that behave in all the ways a test needs.
type proofServer struct {
	*server.Server
	t      testing.TB
	mcp    *mcp.Server
	addr   string
	port   int
	schema *wirecheck.Checker
	served chan error
	ended  chan endedCall // receives the end of each "wait" call's context
	begun  chan string    // receives each "wait" or "stubborn" call that begins
	free   chan struct{}  // closed to let "stubborn" calls return
}

// An endedCall records when a handler's context ended, and why.
type endedCall struct {
	at    time.Time
	cause error
}

// serveProof starts a server on a loopback address. It is shut down at the end of the test.
func serveProof(t testing.TB, opts *server.Options) *proofServer {
	t.Helper()
	p := newProofServer(t, opts)
	l, err := p.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p.serve(l)
	return p
}

func newProofServer(t testing.TB, opts *server.Options) *proofServer {
	t.Helper()
	var o server.Options
	if opts != nil {
		o = *opts
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	ms := mcp.NewServer(&mcp.Implementation{Name: "proof", Version: "1"}, &mcp.ServerOptions{Logger: o.Logger})
	p := &proofServer{
		t: t, mcp: ms, Server: server.New(ms, &o), schema: wirecheck.Open(t),
		ended: make(chan endedCall, 20_000), begun: make(chan string, 20_000), free: make(chan struct{}),
	}
	p.addTools()
	t.Cleanup(func() {
		p.release()
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		_ = p.Shutdown(ctx)
		ms.Close()
	})
	return p
}

// serve serves l as well and returns when its first health check is answered.
func (p *proofServer) serve(l net.Listener) {
	p.t.Helper()
	p.served = make(chan error, 1)
	served := p.served
	go func() { served <- p.Serve(l) }()
	if a, ok := l.Addr().(*net.TCPAddr); ok {
		p.port, p.addr = a.Port, a.String()
		c := p.dial()
		c.health(200)
		c.Close()
	}
}

func (p *proofServer) release() {
	select {
	case <-p.free:
	default:
		close(p.free)
	}
}

type (
	noArgs   struct{}
	addArgs  struct{ A, B int }
	sum      struct{ Sum int }
	sizeArgs struct{ Bytes, Count, PauseMs int }
)

const proofResource = "proof://clock"

func (p *proofServer) addTools() {
	mcp.AddInlineTool(p.mcp, &mcp.Tool{Name: "add"}, func(_ *mcp.CallToolRequest, in addArgs) (sum, error) {
		return sum{in.A + in.B}, nil
	})
	mcp.AddInlineTool(p.mcp, &mcp.Tool{Name: "panicInline"}, func(*mcp.CallToolRequest, noArgs) (sum, error) {
		panic("proof")
	})
	mcp.AddTool(p.mcp, &mcp.Tool{Name: "panic"}, func(context.Context, *mcp.CallToolRequest, noArgs) (*mcp.CallToolResult, any, error) {
		panic("proof")
	})
	mcp.AddTool(p.mcp, &mcp.Tool{Name: "exit"}, func(context.Context, *mcp.CallToolRequest, noArgs) (*mcp.CallToolResult, any, error) {
		runtime.Goexit()
		return nil, nil, nil
	})
	// wait sends one notification if its client wants progress, and then waits for the end of its
	// context.
	mcp.AddTool(p.mcp, &mcp.Tool{Name: "wait"},
		func(ctx context.Context, req *mcp.CallToolRequest, _ noArgs) (*mcp.CallToolResult, any, error) {
			_ = req.Progress(1, 2, "waiting")
			p.begun <- "wait"
			<-ctx.Done()
			p.ended <- endedCall{time.Now(), context.Cause(ctx)}
			return nil, nil, ctx.Err()
		})
	// stubborn ignores its context.
	mcp.AddTool(p.mcp, &mcp.Tool{Name: "stubborn"},
		func(ctx context.Context, _ *mcp.CallToolRequest, _ noArgs) (*mcp.CallToolResult, any, error) {
			p.begun <- "stubborn"
			<-p.free
			return text("at last"), nil, nil
		})
	mcp.AddTool(p.mcp, &mcp.Tool{Name: "big"}, func(_ context.Context, _ *mcp.CallToolRequest, in sizeArgs) (*mcp.CallToolResult, any, error) {
		return text(strings.Repeat("x", in.Bytes)), nil, nil
	})
	// flood sends Count notifications of Bytes each and retries each one that is rejected.
	mcp.AddTool(p.mcp, &mcp.Tool{Name: "flood"},
		func(ctx context.Context, req *mcp.CallToolRequest, in sizeArgs) (*mcp.CallToolResult, any, error) {
			msg := strings.Repeat("y", in.Bytes)
			for i := range in.Count {
				for req.Progress(float64(i+1), 0, msg) != nil && ctx.Err() == nil {
					time.Sleep(time.Millisecond)
				}
				time.Sleep(time.Duration(in.PauseMs) * time.Millisecond)
				if ctx.Err() != nil {
					p.ended <- endedCall{time.Now(), context.Cause(ctx)}
					return nil, nil, ctx.Err()
				}
			}
			return text("done"), nil, nil
		})
	mcp.AddTool(p.mcp, &mcp.Tool{Name: "needy"}, func(context.Context, *mcp.CallToolRequest, noArgs) (*mcp.CallToolResult, any, error) {
		return nil, nil, mcp.MissingCapabilityError(&mcp.ClientCapabilities{Sampling: &mcp.SamplingCapabilities{}})
	})
	p.mcp.AddResource(&mcp.Resource{Name: "clock", URI: proofResource},
		func(context.Context, *mcp.ReadResourceRequest) (*mcp.ReadResourceResult, error) {
			return nil, errors.New("not read in these tests")
		})
}

func text(s string) *mcp.CallToolResult {
	return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: s}}}
}

// toggle changes the list of tools.
func (p *proofServer) toggle() {
	p.mcp.AddTool(&mcp.Tool{Name: "extra", InputSchema: json.RawMessage(`{"type":"object"}`)},
		func(context.Context, *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			return text("extra"), nil
		})
}

// sockets counts the server's sockets, or only those connected to the peer's port if peer is not
// 0.
func (p *proofServer) sockets(peer int) sockdiag.Counts {
	p.t.Helper()
	diagMu.Lock()
	defer diagMu.Unlock()
	if diag == nil {
		var err error
		if diag, err = sockdiag.NewReader(); err != nil {
			p.t.Fatal(err)
		}
	}
	c, err := diag.Count(p.port, peer)
	if err != nil {
		p.t.Fatal(err)
	}
	return c
}

var (
	diagMu sync.Mutex
	diag   *sockdiag.Reader // opened at first use; lives as long as the test binary
)

// wantNothingLeft fails the test unless the server and the kernel have forgotten all connections.
func (p *proofServer) wantNothingLeft() {
	p.t.Helper()
	await(p.t, "connections, streams and calls are gone", func() bool {
		st := p.Stats()
		return st.Connections == 0 && st.Streams == 0 && st.CallsInFlight == 0
	})
	await(p.t, "the kernel has no socket of the server", func() bool {
		c := p.sockets(0)
		return c.Open() == 0
	})
	if c := p.Census(); c.Connections != 0 || c.Armed != 0 || c.Stalls != 0 ||
		c.Streams != 0 || c.Resources != 0 || c.Exchanges != 0 || c.TwiceFree != 0 {
		p.t.Errorf("the loops still hold something: %+v", c)
	}
}

// liveHeap returns the size of the live heap in bytes.
func liveHeap() int64 {
	var m runtime.MemStats
	for range 3 {
		runtime.GC()
	}
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
