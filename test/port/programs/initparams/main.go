// Command initparams knows its clients: what they said at the start, and how many there are.
package main

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"os"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

type sessionKey struct{}

// withClient puts the name of the client into the context, from the session of the request.
func withClient(next mcp.MethodHandler) mcp.MethodHandler {
	return func(ctx context.Context, method string, req mcp.Request) (mcp.Result, error) {
		if ss, ok := req.GetSession().(*mcp.ServerSession); ok {
			if p := ss.InitializeParams(); p != nil && p.ClientInfo != nil {
				ctx = context.WithValue(ctx, sessionKey{}, p.ClientInfo.Name+" "+p.ClientInfo.Version)
			}
		}
		return next(ctx, method, req)
	}
}

func who(ctx context.Context, req *mcp.CallToolRequest, _ struct{}) (*mcp.CallToolResult, any, error) {
	name, _ := ctx.Value(sessionKey{}).(string)
	p := req.Session.InitializeParams()
	text := fmt.Sprintf("%s, %s, elicitation %v, sampling %v", name, p.ProtocolVersion, p.Capabilities.Elicitation != nil, p.Capabilities.Sampling != nil)
	return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: text}}}, nil, nil
}

func main() {
	server := mcp.NewServer(&mcp.Implementation{Name: "host", Version: "v1.0.0"}, &mcp.ServerOptions{
		InitializedHandler: func(_ context.Context, req *mcp.InitializedRequest) {
			log.Printf("initialized: %v", req.Session.InitializeParams().ClientInfo)
		},
	})
	server.AddReceivingMiddleware(withClient)
	mcp.AddTool(server, &mcp.Tool{Name: "who"}, who)
	mcp.AddTool(server, &mcp.Tool{Name: "sessions"}, func(context.Context, *mcp.CallToolRequest, struct{}) (*mcp.CallToolResult, any, error) {
		n := 0
		for range server.Sessions() {
			n++
		}
		return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: fmt.Sprint(n > 0)}}}, nil, nil
	})
	if addr := os.Getenv("ADDR"); addr != "" {
		log.Fatal(http.ListenAndServe(addr, mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return server }, nil)))
	}
	if err := server.Run(context.Background(), &mcp.StdioTransport{}); err != nil {
		log.Print(err)
	}
}
