// Command mcpgo serves the tools of the comparison with mcp-go. Every mode serves 2026-07-28 as
// well as the earlier revisions.
package main

import (
	"flag"
	"log"
	"net/http"
	"time"

	"github.com/mark3labs/mcp-go/server"
	"github.com/mooring-mcp/mooring/bench/peers/internal/serve"
)

func main() {
	o := serve.Flags()
	mode := flag.String("mode", "default", "how sessions are kept: default (ids are issued but not remembered), stateful (ids are remembered), stateless (there are no sessions)")
	timeout := flag.Duration("session-timeout", 10*time.Minute, "time after which the state of an idle session is dropped, 0 for never (mcp-go's default)")
	heartbeat := flag.Duration("heartbeat", 0, "time between pings on each GET stream, 0 for none (mcp-go's default)")
	flag.Parse()
	s := server.NewMCPServer("peer-mcpgo", "v1.2.1", server.WithToolCapabilities(true), server.WithRecovery())
	addTools(s)
	srv := new(http.Server)
	opts := []server.StreamableHTTPOption{
		// So that Shutdown ends the sessions' streams, and then srv.
		server.WithStreamableHTTPServer(srv),
		server.WithSessionIdleTTL(*timeout),
	}
	if *heartbeat > 0 {
		opts = append(opts, server.WithHeartbeatInterval(*heartbeat))
	}
	switch *mode {
	case "default":
	case "stateful":
		opts = append(opts, server.WithStateful(true))
	case "stateless":
		opts = append(opts, server.WithStateLess(true))
	default:
		log.Fatalf("unknown mode %q", *mode)
	}
	h := server.NewStreamableHTTPServer(s, opts...)
	srv.Handler = serve.Mux(h)
	if err := o.Run(srv, h.Shutdown); err != nil {
		log.Fatal(err)
	}
}
