// Command progress reports how far a call is, and notices when it is cancelled.
package main

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

func count(ctx context.Context, req *mcp.CallToolRequest, in struct {
	N int `json:"n"`
}) (*mcp.CallToolResult, any, error) {
	token := req.Params.GetProgressToken()
	if token == nil {
		return nil, nil, fmt.Errorf("nobody wants to know")
	}
	for i := range in.N {
		err := req.Session.NotifyProgress(ctx, &mcp.ProgressNotificationParams{
			ProgressToken: token, Progress: float64(i + 1), Total: float64(in.N), Message: fmt.Sprint("step ", i+1),
		})
		if err != nil {
			return nil, nil, err
		}
	}
	return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: "done"}}}, nil, nil
}

var cancelled = make(chan error, 16)

func wait(ctx context.Context, req *mcp.CallToolRequest, _ struct{}) (*mcp.CallToolResult, any, error) {
	_ = req.Session.NotifyProgress(ctx, &mcp.ProgressNotificationParams{ProgressToken: req.Params.GetProgressToken(), Progress: 1})
	select {
	case <-ctx.Done():
		cancelled <- ctx.Err()
		return nil, nil, ctx.Err()
	case <-time.After(10 * time.Second):
		return nil, nil, fmt.Errorf("not cancelled")
	}
}

func last(context.Context, *mcp.CallToolRequest, struct{}) (*mcp.CallToolResult, any, error) {
	select {
	case err := <-cancelled:
		return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: err.Error()}}}, nil, nil
	case <-time.After(5 * time.Second):
		return nil, nil, fmt.Errorf("no call was cancelled")
	}
}

func main() {
	server := mcp.NewServer(&mcp.Implementation{Name: "progress", Version: "v1.0.0"}, nil)
	mcp.AddTool(server, &mcp.Tool{Name: "count"}, count)
	mcp.AddTool(server, &mcp.Tool{Name: "wait"}, wait)
	mcp.AddTool(server, &mcp.Tool{Name: "last"}, last)
	if err := server.Run(context.Background(), &mcp.StdioTransport{}); err != nil {
		log.Print(err)
	}
}
