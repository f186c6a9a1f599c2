// Command basic has a server and its client in one process, as tests and gateways have.
package main

import (
	"context"
	"fmt"
	"log"
	"sort"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

type args struct {
	Name string `json:"name"`
}

func greet(ctx context.Context, req *mcp.CallToolRequest, in args) (*mcp.CallToolResult, any, error) {
	if token := req.Params.GetProgressToken(); token != nil {
		if err := req.Session.NotifyProgress(ctx, &mcp.ProgressNotificationParams{ProgressToken: token, Progress: 1}); err != nil {
			return nil, nil, err
		}
	}
	return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: "Hi " + in.Name}}}, nil, nil
}

func newServer() *mcp.Server {
	s := mcp.NewServer(&mcp.Implementation{Name: "basic", Version: "v1.0.0"}, &mcp.ServerOptions{PageSize: 2})
	for _, name := range []string{"greet", "salute", "welcome"} {
		mcp.AddTool(s, &mcp.Tool{Name: name}, greet)
	}
	s.AddResource(&mcp.Resource{Name: "a", URI: "a:b"}, func(_ context.Context, req *mcp.ReadResourceRequest) (*mcp.ReadResourceResult, error) {
		return &mcp.ReadResourceResult{Contents: []*mcp.ResourceContents{{URI: req.Params.URI, Text: "text"}}}, nil
	})
	mcp.AddTool(s, &mcp.Tool{Name: "ask"}, func(_ context.Context, req *mcp.CallToolRequest, _ struct{}) (*mcp.CallToolResult, any, error) {
		if r, ok := req.Params.InputResponses["q"].(*mcp.ElicitResult); ok {
			return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: fmt.Sprint(r.Action, " ", r.Content["name"])}}}, nil, nil
		}
		return &mcp.CallToolResult{InputRequests: mcp.InputRequestMap{"q": &mcp.ElicitParams{Message: "Who?"}}}, nil, nil
	})
	return s
}

func run(ctx context.Context, version string) error {
	ct, st := mcp.NewInMemoryTransports()
	session, err := newServer().Connect(ctx, st, nil)
	if err != nil {
		return err
	}
	progress := make(chan float64, 1)
	client := mcp.NewClient(&mcp.Implementation{Name: "client", Version: "v1.0.0"}, &mcp.ClientOptions{
		ElicitationHandler: func(_ context.Context, req *mcp.ElicitRequest) (*mcp.ElicitResult, error) {
			return &mcp.ElicitResult{Action: "accept", Content: map[string]any{"name": req.Params.Message}}, nil
		},
		ProgressNotificationHandler: func(_ context.Context, req *mcp.ProgressNotificationClientRequest) {
			progress <- req.Params.Progress
		},
	})
	cs, err := client.Connect(ctx, ct, &mcp.ClientSessionOptions{ProtocolVersion: version})
	if err != nil {
		return err
	}
	fmt.Println(cs.InitializeResult().ProtocolVersion, cs.InitializeResult().ServerInfo.Name)
	var names []string
	for tool, err := range cs.Tools(ctx, nil) {
		if err != nil {
			return err
		}
		names = append(names, tool.Name)
	}
	sort.Strings(names)
	fmt.Println(names)
	params := &mcp.CallToolParams{Name: "greet", Arguments: map[string]any{"name": "you"}}
	params.SetProgressToken("token")
	res, err := cs.CallTool(ctx, params)
	if err != nil {
		return err
	}
	fmt.Println(res.Content[0].(*mcp.TextContent).Text, <-progress)
	if res, err = cs.CallTool(ctx, &mcp.CallToolParams{Name: "ask"}); err != nil {
		return err
	}
	fmt.Println(res.Content[0].(*mcp.TextContent).Text)
	read, err := cs.ReadResource(ctx, &mcp.ReadResourceParams{URI: "a:b"})
	if err != nil {
		return err
	}
	fmt.Println(read.Contents[0].Text)
	_, err = cs.GetPrompt(ctx, &mcp.GetPromptParams{Name: "absent"})
	fmt.Println(err != nil)
	if err := cs.Close(); err != nil {
		return err
	}
	return session.Wait()
}

func main() {
	for _, version := range []string{"2026-07-28", "2025-11-25"} {
		if err := run(context.Background(), version); err != nil {
			log.Fatal(err)
		}
	}
}
