// Command params looks into requests and results by their interfaces, and changes their _meta.
package main

import (
	"context"
	"fmt"
	"log"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

func kind(p mcp.Params) string {
	switch p := p.(type) {
	case *mcp.ListToolsParams:
		return "tools from " + p.Cursor
	case *mcp.ListPromptsParams:
		return "prompts from " + p.Cursor
	case *mcp.ListResourcesParams:
		return "resources from " + p.Cursor
	case *mcp.ListResourceTemplatesParams:
		return "templates from " + p.Cursor
	case *mcp.CallToolParamsRaw:
		return "call of " + p.Name
	case *mcp.ReadResourceParams:
		return "read of " + p.URI
	}
	return fmt.Sprintf("%T", p)
}

func mark(next mcp.MethodHandler) mcp.MethodHandler {
	return func(ctx context.Context, method string, req mcp.Request) (mcp.Result, error) {
		switch req.(type) {
		case *mcp.ListToolsRequest, *mcp.ListPromptsRequest, *mcp.ListResourcesRequest, *mcp.CallToolRequest, *mcp.ReadResourceRequest:
		default:
			return next(ctx, method, req)
		}
		res, err := next(ctx, method, req)
		if err != nil || res == nil {
			return res, err
		}
		meta := res.GetMeta()
		if meta == nil {
			meta = map[string]any{}
		}
		meta["example.com/kind"] = kind(req.GetParams())
		if v, ok := req.GetParams().GetMeta()["example.com/in"]; ok {
			meta["example.com/out"] = v
		}
		res.SetMeta(meta)
		return res, nil
	}
}

func main() {
	server := mcp.NewServer(&mcp.Implementation{Name: "params", Version: "v1.0.0"}, nil)
	server.AddReceivingMiddleware(mark)
	mcp.AddTool(server, &mcp.Tool{Name: "nothing", Meta: mcp.Meta{"example.com/tool": 1}}, func(context.Context, *mcp.CallToolRequest, struct{}) (*mcp.CallToolResult, any, error) {
		return nil, nil, nil
	})
	server.AddPrompt(&mcp.Prompt{Name: "p"}, func(context.Context, *mcp.GetPromptRequest) (*mcp.GetPromptResult, error) {
		return &mcp.GetPromptResult{}, nil
	})
	server.AddResource(&mcp.Resource{URI: "a:b", Name: "ab"}, func(_ context.Context, req *mcp.ReadResourceRequest) (*mcp.ReadResourceResult, error) {
		res := &mcp.ReadResourceResult{Contents: []*mcp.ResourceContents{{URI: req.Params.URI, Text: "x", Meta: mcp.Meta{"k": "v"}}}}
		res.Cacheable = mcp.Cacheable{TTLMs: 5, CacheScope: "private"}
		return res, nil
	})
	if err := server.Run(context.Background(), &mcp.StdioTransport{}); err != nil {
		log.Print(err)
	}
}
