// Command stateless serves requests that any replica can answer.
package main

import (
	"context"
	"fmt"
	"log"
	"log/slog"
	"net/http"
	"os"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

type args struct {
	N int `json:"n"`
}

func count(ctx context.Context, req *mcp.CallToolRequest, in args) (*mcp.CallToolResult, any, error) {
	for i := range in.N {
		params := &mcp.ProgressNotificationParams{ProgressToken: req.Params.GetProgressToken(), Progress: float64(i + 1), Total: float64(in.N)}
		if err := req.Session.NotifyProgress(ctx, params); err != nil {
			return nil, nil, err
		}
	}
	text := fmt.Sprintf("counted to %d in session %q", in.N, req.Session.ID())
	return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: text}}}, nil, nil
}

func main() {
	server := mcp.NewServer(&mcp.Implementation{Name: "replica", Version: "v1.0.0"}, nil)
	mcp.AddTool(server, &mcp.Tool{Name: "count"}, count)
	handler := mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return server }, &mcp.StreamableHTTPOptions{
		Stateless:                    true,
		Logger:                       slog.Default(),
		PropagateRequestCancellation: true,
	})
	log.Fatal(http.ListenAndServe(os.Getenv("ADDR"), handler))
}
