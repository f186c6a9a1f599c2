// Command proxy forwards an agent's calls to a backend, with the header fields of the agent. The
// backend and the gateway are two listeners of one process.
package main

import (
	"context"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"

	"github.com/modelcontextprotocol/go-sdk/mcp"
	sdk "github.com/modelcontextprotocol/go-sdk/mcp" // the client stays that of the SDK
)

type headerKey struct{}

// forwarder adds the header fields in a request's context to the request.
type forwarder struct{}

func (forwarder) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context())
	if agent, ok := req.Context().Value(headerKey{}).(string); ok {
		req.Header.Set("X-Agent", agent)
	}
	return http.DefaultTransport.RoundTrip(req)
}

func backend() *mcp.Server {
	s := mcp.NewServer(&mcp.Implementation{Name: "backend", Version: "v1.0.0"}, nil)
	mcp.AddTool(s, &mcp.Tool{Name: "echo_agent"}, func(_ context.Context, req *mcp.CallToolRequest, _ struct{}) (*mcp.CallToolResult, any, error) {
		return nil, map[string]string{"agent": req.Extra.Header.Get("X-Agent")}, nil
	})
	return s
}

func gateway(upstream *sdk.ClientSession) *mcp.Server {
	s := mcp.NewServer(&mcp.Implementation{Name: "gateway", Version: "v1.0.0"}, nil)
	mcp.AddTool(s, &mcp.Tool{Name: "forward"}, func(ctx context.Context, req *mcp.CallToolRequest, _ struct{}) (*mcp.CallToolResult, any, error) {
		ctx = context.WithValue(ctx, headerKey{}, req.Extra.Header.Get("X-Agent"))
		res, err := upstream.CallTool(ctx, &sdk.CallToolParams{Name: "echo_agent"})
		if err != nil {
			return nil, nil, fmt.Errorf("backend: %w", err)
		}
		return nil, res.StructuredContent, nil
	})
	return s
}

func main() {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	back := backend()
	go func() {
		log.Fatal(http.Serve(ln, mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return back }, nil)))
	}()
	client := sdk.NewClient(&sdk.Implementation{Name: "gateway", Version: "v1.0.0"}, nil)
	upstream, err := client.Connect(context.Background(), &sdk.StreamableClientTransport{
		Endpoint:   "http://" + ln.Addr().String(),
		HTTPClient: &http.Client{Transport: forwarder{}},
	}, nil)
	if err != nil {
		log.Fatal(err)
	}
	front := gateway(upstream)
	log.Fatal(http.ListenAndServe(os.Getenv("ADDR"), mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return front }, nil)))
}
