// Command custommethod adds methods that are not in the protocol.
package main

import (
	"context"
	"fmt"
	"log"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"
)

type translateParams struct {
	mcp.ParamsBase
	Text string `json:"text"`
}

type translateResult struct {
	mcp.ResultBase
	Latin string `json:"latin"`
}

var latin = map[string]string{"hello": "salve", "sea": "mare"}

func translate(_ context.Context, ss *mcp.ServerSession, p *translateParams) (*translateResult, error) {
	word, ok := latin[p.Text]
	if !ok {
		return nil, &jsonrpc.Error{Code: jsonrpc.CodeInvalidParams, Message: fmt.Sprintf("no word for %q", p.Text)}
	}
	return &translateResult{Latin: word}, nil
}

func main() {
	server := mcp.NewServer(&mcp.Implementation{Name: "latin", Version: "v1.0.0"}, nil)
	if err := mcp.AddReceivingCustomMethod(server, "latin/translate", translate); err != nil {
		log.Fatal(err)
	}
	if err := mcp.AddReceivingCustomMethod(server, "tools/list", translate); err == nil {
		log.Fatal("a standard method was taken over")
	}
	server.AddReceivingMiddleware(func(next mcp.MethodHandler) mcp.MethodHandler {
		return func(ctx context.Context, method string, req mcp.Request) (mcp.Result, error) {
			if p, ok := req.GetParams().(*translateParams); ok && p.Text == "anything" {
				p.Text = "sea"
			}
			return next(ctx, method, req)
		}
	})
	if err := server.Run(context.Background(), &mcp.StdioTransport{}); err != nil {
		log.Print(err)
	}
}
