package mcptest

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/mooring-mcp/mooring/mcp"
)

// Request returns a request to call a tool, as the handler of the tool gets it, for a test that
// calls the handler itself. In and as are those of [Call]. The request can do everything until the
// test ends: what the handler reports by it is recorded in its client.
func Request(t testing.TB, tool string, in any, as ...*Client) *mcp.CallToolRequest {
	t.Helper()
	s := mcp.NewServer(&mcp.Implementation{Name: "mcptest", Version: "v1.0.0"}, nil)
	requests := make(chan *mcp.CallToolRequest, 1)
	failed := make(chan error, 1)
	over := make(chan struct{})
	// The request is valid as long as its handler runs.
	s.AddTool(&mcp.Tool{Name: tool, InputSchema: json.RawMessage(`{"type":"object"}`)}, func(_ context.Context, req *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		requests <- req
		<-over
		return &mcp.CallToolResult{}, nil
	})
	c := only(as)
	go func() {
		_, _, err := callTool(context.Background(), s, tool, in, c)
		failed <- err
	}()
	select {
	case req := <-requests:
		t.Cleanup(func() {
			close(over)
			<-failed
			s.Close()
		})
		return req
	case err := <-failed:
		s.Close()
		t.Fatalf("mcptest: Request: %v", err)
		return nil
	}
}
