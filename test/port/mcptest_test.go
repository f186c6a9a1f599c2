package port

import (
	"context"
	"net/http"
	"testing"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/mooring-mcp/mooring/mcp"
	"github.com/mooring-mcp/mooring/mcptest"
)

// TestRoundTripper connects the SDK's client to a server without sockets.
func TestRoundTripper(t *testing.T) {
	s := mcp.NewServer(&mcp.Implementation{Name: "test", Version: "v1.0.0"}, nil)
	mcp.AddTool(s, &mcp.Tool{Name: "greet"}, func(ctx context.Context, req *mcp.CallToolRequest, in struct{ Name string }) (*mcp.CallToolResult, any, error) {
		if err := req.Progress(1, 2, "half"); err != nil {
			return nil, nil, err
		}
		return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: "Hi " + in.Name}}}, nil, nil
	})
	client := &http.Client{Transport: mcptest.RoundTripper(t, s, nil)}
	for _, era := range []string{modern, legacy} {
		d := newDriver(era)
		if _, err := d.connect(&sdk.StreamableClientTransport{Endpoint: "http://test/mcp", HTTPClient: client, MaxRetries: -1}); err != nil {
			t.Fatalf("%s: %v", era, err)
		}
		p := &sdk.CallToolParams{Name: "greet", Arguments: map[string]any{"Name": "you"}}
		p.SetProgressToken("p")
		res, err := d.session.CallTool(t.Context(), p)
		if err != nil || res.Content[0].(*sdk.TextContent).Text != "Hi you" {
			t.Errorf("%s: %+v, %v", era, res, err)
		}
		if sent := d.await(1); len(sent) != 1 || sent[0].Kind != "progress" {
			t.Errorf("%s: was sent %v", era, sent)
		}
		s.RemoveTools("absent")
		mcp.AddTool(s, &mcp.Tool{Name: "more-" + era}, func(context.Context, *mcp.CallToolRequest, struct{}) (*mcp.CallToolResult, any, error) {
			return nil, nil, nil
		})
		if sent := d.await(1); len(sent) != 1 || sent[0].Kind != "tools" {
			t.Errorf("%s: was sent %v after a change", era, sent)
		}
		d.close()
	}
}
