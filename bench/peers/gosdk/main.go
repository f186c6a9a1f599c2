// Command gosdk serves the tools of the comparison with the official Go SDK.
//
// In stateful mode it serves the revisions with sessions, and refuses 2026-07-28. In stateless mode
// it serves 2026-07-28, and earlier revisions without session and stream. The SDK has no handler
// for both (its docs/protocol.md, Stateless Mode). In stdio mode it serves standard input and
// output.
package main

import (
	"context"
	"flag"
	"log"
	"net/http"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/mooring-mcp/mooring/bench/peers/internal/serve"
)

func main() {
	o := serve.Flags()
	mode := flag.String("mode", "stateful", "stateful, stateless or stdio")
	timeout := flag.Duration("session-timeout", 0, "time after which an idle session ends, 0 for never (the SDK's default)")
	jsonResponse := flag.Bool("json", false, "answer with application/json instead of an event stream (the SDK's default is a stream)")
	keepAlive := flag.Duration("keep-alive", 0, "time between pings to each session, 0 for none (the SDK's default)")
	flag.Parse()
	if *mode == "stdio" {
		if err := newServer(0).Run(context.Background(), &mcp.StdioTransport{}); err != nil {
			log.Fatal(err)
		}
		return
	}
	if *mode != "stateful" && *mode != "stateless" {
		log.Fatalf("unknown mode %q", *mode)
	}
	h := handler(*mode == "stateless", *jsonResponse, *timeout, *keepAlive)
	if err := o.Run(&http.Server{Handler: serve.Mux(h)}, nil); err != nil {
		log.Fatal(err)
	}
}

func handler(stateless, jsonResponse bool, timeout, keepAlive time.Duration) http.Handler {
	s := newServer(keepAlive)
	return mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return s }, &mcp.StreamableHTTPOptions{
		Stateless:      stateless,
		JSONResponse:   jsonResponse,
		SessionTimeout: timeout,
	})
}

func newServer(keepAlive time.Duration) *mcp.Server {
	s := mcp.NewServer(&mcp.Implementation{Name: "peer-gosdk", Version: "v1.8.0"}, &mcp.ServerOptions{KeepAlive: keepAlive})
	addTools(s)
	return s
}
