// Command everything has a feature of every kind, on one HTTP endpoint.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

var version = flag.Bool("version", false, "print the version and exit")

type args struct {
	Name string `json:"name" jsonschema:"the name to say hi to"`
}

func greet(_ context.Context, _ *mcp.CallToolRequest, in args) (*mcp.CallToolResult, any, error) {
	return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: "Hi " + in.Name}}}, nil, nil
}

type result struct {
	Message string `json:"message"`
}

func structured(_ context.Context, _ *mcp.CallToolRequest, in args) (*mcp.CallToolResult, *result, error) {
	return nil, &result{Message: "Hi " + in.Name}, nil
}

func logs(ctx context.Context, req *mcp.CallToolRequest, _ struct{}) (*mcp.CallToolResult, any, error) {
	if err := req.Session.Log(ctx, &mcp.LoggingMessageParams{Level: "error", Logger: "everything", Data: "something happened"}); err != nil {
		return nil, nil, err
	}
	return nil, nil, nil
}

func prompt(_ context.Context, req *mcp.GetPromptRequest) (*mcp.GetPromptResult, error) {
	return &mcp.GetPromptResult{
		Description: "hi prompt",
		Messages:    []*mcp.PromptMessage{{Role: "user", Content: &mcp.TextContent{Text: "Say hi to " + req.Params.Arguments["name"]}}},
	}, nil
}

var embedded = map[string]string{"info": "This is the everything server."}

func read(_ context.Context, req *mcp.ReadResourceRequest) (*mcp.ReadResourceResult, error) {
	u, err := url.Parse(req.Params.URI)
	if err != nil {
		return nil, err
	}
	text, ok := embedded[strings.TrimPrefix(u.Opaque, "/")]
	if u.Scheme != "embedded" || !ok {
		return nil, fmt.Errorf("wrong resource: %q", req.Params.URI)
	}
	return &mcp.ReadResourceResult{Contents: []*mcp.ResourceContents{{URI: req.Params.URI, MIMEType: "text/plain", Text: text}}}, nil
}

func complete(_ context.Context, req *mcp.CompleteRequest) (*mcp.CompleteResult, error) {
	return &mcp.CompleteResult{Completion: mcp.CompletionResultDetails{Total: 1, Values: []string{req.Params.Argument.Value + "x"}}}, nil
}

func main() {
	flag.Parse()
	if *version {
		fmt.Println("everything v1.0.0")
		return
	}
	server := mcp.NewServer(&mcp.Implementation{
		Name: "everything", WebsiteURL: "https://example.com",
		Icons: []mcp.Icon{{Source: "data:image/png;base64,AA==", MIMEType: "image/png", Sizes: []string{"48x48"}, Theme: mcp.IconThemeLight}},
	}, &mcp.ServerOptions{Instructions: "Use this server!", CompletionHandler: complete})
	mcp.AddTool(server, &mcp.Tool{Name: "greet", Description: "say hi", Annotations: &mcp.ToolAnnotations{Title: "Greet", ReadOnlyHint: true}}, greet)
	mcp.AddTool(server, &mcp.Tool{Name: "greet (structured)", Description: "say hi in JSON"}, structured)
	mcp.AddTool(server, &mcp.Tool{Name: "log"}, logs)
	server.AddPrompt(&mcp.Prompt{Name: "greet", Title: "Greet", Arguments: []*mcp.PromptArgument{{Name: "name", Description: "whom"}}}, prompt)
	server.AddResource(&mcp.Resource{Name: "info", MIMEType: "text/plain", URI: "embedded:info"}, read)
	server.AddResourceTemplate(&mcp.ResourceTemplate{Name: "by name", MIMEType: "text/plain", URITemplate: "embedded:{name}"}, read)
	handler := mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return server }, nil)
	log.Fatal(http.ListenAndServe(os.Getenv("ADDR"), handler))
}
