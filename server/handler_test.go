package server_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/mcp"
	"github.com/mooring-mcp/mooring/server"
)

// newHandler returns a handler for a server with the tools that the tests of handlers use.
func newHandler(t testing.TB, opts *server.StreamableHTTPOptions) (*server.StreamableHTTPHandler, *mcp.Server) {
	t.Helper()
	m := newHandlerServer(t)
	var o server.StreamableHTTPOptions
	if opts != nil {
		o = *opts
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	h := server.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return m }, &o)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := h.Shutdown(ctx); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
	})
	return h, m
}

type whoOut struct {
	Agent, User, Value string
}

type ctxKey struct{}

// newHandlerServer returns a server with the tools that the tests of handlers use.
func newHandlerServer(t testing.TB) *mcp.Server {
	m := mcp.NewServer(&mcp.Implementation{Name: "handler", Version: "1"}, &mcp.ServerOptions{Logger: slog.New(slog.DiscardHandler)})
	t.Cleanup(m.Close)
	type add struct{ A, B int }
	type sum struct{ Sum int }
	mcp.AddInlineTool(m, &mcp.Tool{Name: "add"}, func(_ *mcp.CallToolRequest, in add) (sum, error) {
		return sum{in.A + in.B}, nil
	})
	type waitIn struct{ Ms, Steps int }
	mcp.AddTool(m, &mcp.Tool{Name: "wait"}, func(ctx context.Context, req *mcp.CallToolRequest, in waitIn) (*mcp.CallToolResult, any, error) {
		for i := range in.Steps {
			_ = req.Progress(float64(i+1), float64(in.Steps), "step")
			time.Sleep(time.Millisecond)
		}
		select {
		case <-time.After(time.Duration(in.Ms) * time.Millisecond):
		case <-ctx.Done():
			return nil, nil, ctx.Err()
		}
		return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: "waited"}}}, nil, nil
	})
	mcp.AddTool(m, &mcp.Tool{Name: "who"}, func(ctx context.Context, req *mcp.CallToolRequest, _ struct{}) (*mcp.CallToolResult, whoOut, error) {
		value, _ := ctx.Value(ctxKey{}).(string)
		return nil, whoOut{req.Extra.Header.Get("User-Agent"), req.Extra.Principal, value}, nil
	})
	type sizeIn struct{ Bytes int }
	mcp.AddTool(m, &mcp.Tool{Name: "large"}, func(_ context.Context, _ *mcp.CallToolRequest, in sizeIn) (*mcp.CallToolResult, any, error) {
		return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: strings.Repeat("x", in.Bytes)}}}, nil, nil
	})
	return m
}

// post returns a request of 2026-07-28.
func post(method, name, params string) *http.Request {
	if params != "" {
		params += ","
	}
	body := fmt.Sprintf(`{"jsonrpc":"2.0","id":7,"method":%q,"params":{%s"_meta":{"progressToken":1,"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}}`, method, params)
	r := httptest.NewRequest("POST", "/anywhere", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json, text/event-stream")
	r.Header.Set("MCP-Protocol-Version", "2026-07-28")
	r.Header.Set("Mcp-Method", method)
	if name != "" {
		r.Header.Set("Mcp-Name", name)
	}
	return r
}

func call(tool, arguments string) *http.Request {
	return post("tools/call", tool, fmt.Sprintf(`"name":%q,"arguments":%s`, tool, arguments))
}

func TestHandlerRecorder(t *testing.T) {
	h, _ := newHandler(t, nil)
	for _, tt := range []struct {
		name   string
		r      *http.Request
		status int
		ctype  string
		want   string
	}{
		{"an inline call", call("add", `{"A":1,"B":2}`), 200, "application/json", `"Sum":3`},
		{"a call of a worker", call("wait", `{"Ms":1,"Steps":0}`), 200, "application/json", "waited"},
		{"notifications", call("wait", `{"Ms":1,"Steps":3}`), 200, "text/event-stream", "waited"},
		{"a large answer", call("large", `{"Bytes":300000}`), 200, "application/json", "xxx"},
		{"discover", post("server/discover", "", ""), 200, "application/json", `"handler"`},
		{"GET without a session", httptest.NewRequest("GET", "/", nil), 400, "application/json", "Mcp-Session-Id is required"},
		{"PUT", httptest.NewRequest("PUT", "/", strings.NewReader("x")), 405, "application/json", ""},
	} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, tt.r)
		if w.Code != tt.status || w.Header().Get("Content-Type") != tt.ctype || !strings.Contains(w.Body.String(), tt.want) {
			t.Errorf("%s: %d %v %.300s", tt.name, w.Code, w.Header(), w.Body)
		}
	}
	if st := h.Stats(); st.Connections != 0 {
		t.Errorf("%d connections are left", st.Connections)
	}
}

func TestHandlerLoopback(t *testing.T) {
	h, _ := newHandler(t, nil)
	hs := httptest.NewServer(h)
	defer hs.Close()
	for range 3 {
		r := call("large", `{"Bytes":3000000}`)
		r.RequestURI = ""
		r.URL.Scheme, r.URL.Host, r.Host = "http", hs.Listener.Addr().String(), ""
		resp, err := hs.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(resp.Body)
		if err != nil || len(b) < 3000000 {
			t.Fatalf("%d bytes, %v", len(b), err)
		}
	}
}
