package gateway

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/gateway/internal/config"
	"github.com/mooring-mcp/mooring/mcp"
	"github.com/mooring-mcp/mooring/mcptest"
	"github.com/mooring-mcp/mooring/server"
)

// A quay is an upstream over HTTP that speaks only revisions with sessions. Its tool ask asks the
// user for a name, and answers with it unless the test lets it end before.
type quay struct {
	url   string
	asked chan struct{} // gets an element for each question that was sent
	leave chan struct{} // closed: calls end without an answer
}

func newQuay(t *testing.T) *quay {
	q := &quay{asked: make(chan struct{}, 16), leave: make(chan struct{})}
	s := mcp.NewServer(&mcp.Implementation{Name: "quay", Version: "1"}, nil)
	s.AddTool(&mcp.Tool{Name: "ask", InputSchema: map[string]any{"type": "object"}}, func(ctx context.Context, r *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		go func() {
			select {
			case <-q.leave:
				cancel()
			case <-ctx.Done():
			}
		}()
		q.asked <- struct{}{}
		res, err := r.Session.Elicit(ctx, &mcp.ElicitParams{Message: "name?", RequestedSchema: map[string]any{
			"type": "object", "properties": map[string]any{"name": map[string]any{"type": "string"}},
		}})
		if err != nil {
			return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: "left"}}}, nil
		}
		return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: fmt.Sprint(res.Action, " ", res.Content["name"])}}}, nil
	})
	h := server.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return s }, nil)
	web := httptest.NewServer(h)
	t.Cleanup(func() {
		web.CloseClientConnections()
		web.Close()
		_ = h.Shutdown(context.Background())
	})
	q.url = web.URL
	return q
}

// upstreams returns servers as their configuration has them.
func upstreams(t *testing.T, text string) []Server {
	t.Helper()
	f, err := config.Parse("test.json", []byte(text), func(string) (string, bool) { return "", false })
	if err != nil {
		t.Fatal(err)
	}
	return f.Servers
}

// newGateway returns a gateway before the servers, when they have been listed.
func newGateway(t *testing.T, text string) *Gateway {
	t.Helper()
	g, err := New(&Options{Servers: upstreams(t, text), Logger: slog.New(slog.DiscardHandler), CallTimeout: 20 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := g.Shutdown(ctx); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if err := g.Wait(ctx); err != nil {
		t.Fatal(err)
	}
	return g
}

// A modern client's answers reach the call of a legacy upstream that waits for them, even if the
// call has ended meanwhile, or the upstream was configured anew.
func TestParkedCalls(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, want string
		meanwhile  func(t *testing.T, g *Gateway, q *quay)
	}{
		{"at once", "accept Rose", nil},
		{"the call has ended", "left", func(t *testing.T, g *Gateway, q *quay) {
			close(q.leave)
			time.Sleep(200 * time.Millisecond)
		}},
		{"after a reload", "accept Rose", func(t *testing.T, g *Gateway, q *quay) {
			_, err := g.Reload(upstreams(t, fmt.Sprintf(`{"mcpServers":{"quay":{"url":%q,"x-mooring":{"era":"legacy","queue":7}}}}`, q.url)))
			if err != nil {
				t.Error(err)
			}
			for g.Status()[0].Replacing {
				time.Sleep(5 * time.Millisecond)
			}
			time.Sleep(100 * time.Millisecond)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			q := newQuay(t)
			g := newGateway(t, fmt.Sprintf(`{"mcpServers":{"quay":{"url":%q,"x-mooring":{"era":"legacy"}}}}`, q.url))
			ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
			defer cancel()
			c := &mcptest.Client{Answer: func(context.Context, string, mcp.InputRequest) (mcp.InputResponse, error) {
				<-q.asked
				if tt.meanwhile != nil {
					tt.meanwhile(t, g, q)
				}
				return &mcp.ElicitResult{Action: "accept", Content: map[string]any{"name": "Rose"}}, nil
			}}
			res, _, err := mcptest.Call[any](ctx, g.Server(), "quay__ask", map[string]any{}, c)
			if err != nil {
				t.Fatal(err)
			}
			if got := res.Content[0].(*mcp.TextContent).Text; got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
