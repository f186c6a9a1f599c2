// Command logging logs to its client, through slog and directly.
package main

import (
	"context"
	"log"
	"log/slog"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

func work(ctx context.Context, req *mcp.CallToolRequest, _ struct{}) (*mcp.CallToolResult, any, error) {
	logger := slog.New(mcp.NewLoggingHandler(req.Session, &mcp.LoggingHandlerOptions{LoggerName: "work"}))
	logger.DebugContext(ctx, "begin")
	logger.InfoContext(ctx, "half", "done", 1)
	logger.With("part", "second").WarnContext(ctx, "slow")
	if err := req.Session.Log(ctx, &mcp.LoggingMessageParams{Level: "error", Logger: "direct", Data: map[string]any{"n": 1}}); err != nil {
		return nil, nil, err
	}
	return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: "done"}}}, nil, nil
}

func main() {
	server := mcp.NewServer(&mcp.Implementation{Name: "logger", Version: "v1.0.0"}, nil)
	mcp.AddTool(server, &mcp.Tool{Name: "work"}, work)
	if err := server.Run(context.Background(), &mcp.StdioTransport{}); err != nil {
		log.Print(err)
	}
}
