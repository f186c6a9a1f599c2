// Command resources serves files of every kind: text, bytes, templates of several levels, and one
// without a name.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"
)

var files = map[string]string{"a.txt": "alpha", "dir/b.txt": "beta"}

func file(_ context.Context, req *mcp.ReadResourceRequest) (*mcp.ReadResourceResult, error) {
	name := strings.TrimPrefix(req.Params.URI, "file:///")
	text, ok := files[name]
	if !ok {
		return nil, mcp.ResourceNotFoundError(req.Params.URI)
	}
	return &mcp.ReadResourceResult{Contents: []*mcp.ResourceContents{{URI: req.Params.URI, MIMEType: "text/plain", Text: text}}}, nil
}

func bytes(_ context.Context, req *mcp.ReadResourceRequest) (*mcp.ReadResourceResult, error) {
	return &mcp.ReadResourceResult{Contents: []*mcp.ResourceContents{{URI: req.Params.URI, MIMEType: "application/octet-stream", Blob: []byte{0, 1, 2}}}}, nil
}

func echo(_ context.Context, req *mcp.ReadResourceRequest) (*mcp.ReadResourceResult, error) {
	return &mcp.ReadResourceResult{Contents: []*mcp.ResourceContents{{URI: req.Params.URI, Text: "read " + req.Params.URI}}}, nil
}

func broken(context.Context, *mcp.ReadResourceRequest) (*mcp.ReadResourceResult, error) {
	return nil, errors.New("the disk is gone")
}

func main() {
	server := mcp.NewServer(&mcp.Implementation{Name: "files", Version: "v1.0.0"}, &mcp.ServerOptions{PageSize: 2})
	server.AddResource(&mcp.Resource{URI: "file:///a.txt", Name: "a", MIMEType: "text/plain", Size: 5}, file)
	server.AddResource(&mcp.Resource{URI: "file:///dir/b.txt"}, file)
	server.AddResource(&mcp.Resource{URI: "blob:x", Name: "x", Annotations: &mcp.Annotations{Priority: 0.5, Audience: []mcp.Role{"user"}}}, bytes)
	server.AddResource(&mcp.Resource{URI: "disk:gone", Name: "gone"}, broken)
	server.AddResourceTemplate(&mcp.ResourceTemplate{URITemplate: "file:///{+path}", Name: "files"}, file)
	server.AddResourceTemplate(&mcp.ResourceTemplate{URITemplate: "repo://{owner}/{name}/contents{/path*}", Name: "contents"}, echo)
	server.AddResourceTemplate(&mcp.ResourceTemplate{URITemplate: "search://{term:3}{?page,size}"}, echo)

	err := mcp.ResourceNotFoundError("file:///none")
	var wire *jsonrpc.Error
	if !errors.As(err, &wire) {
		log.Fatal("ResourceNotFoundError is not a *jsonrpc.Error")
	}
	mcp.AddTool(server, &mcp.Tool{Name: "code"}, func(context.Context, *mcp.CallToolRequest, struct{}) (*mcp.CallToolResult, any, error) {
		return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: fmt.Sprint(int64(wire.Code) == int64(mcp.CodeResourceNotFound))}}}, nil, nil
	})
	if err := server.Run(context.Background(), &mcp.StdioTransport{}); err != nil {
		log.Print(err)
	}
}
