// Command behind-nginx is a server for the public name mcp.example.com, with nginx in front of
// it. Its tool reports progress, which reaches the client only if the proxy does not buffer,
// and it ends when the client disconnects, of which it learns only if the proxy disconnects as
// well.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"os/signal"
	"syscall"
	"time"

	"github.com/mooring-mcp/mooring/mcp"
	"github.com/mooring-mcp/mooring/server"
)

type loadIn struct {
	Crates int `json:"crates" jsonschema:"how many to load"`
}

type loadOut struct {
	Loaded int `json:"loaded"`
}

// load takes a second for each crate. On revision 2026-07-28 its context ends when the client
// disconnects.
func load(ctx context.Context, req *mcp.CallToolRequest, in loadIn) (*mcp.CallToolResult, loadOut, error) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for n := range in.Crates {
		// A client that asked for no progress still gets its result.
		_ = req.Progress(float64(n), float64(in.Crates), fmt.Sprintf("%d of %d crates loaded", n, in.Crates))
		select {
		case <-tick.C:
		case <-ctx.Done():
			log.Printf("cancelled after %d crates: %v", n, context.Cause(ctx))
			return nil, loadOut{Loaded: n}, ctx.Err()
		}
	}
	return nil, loadOut{Loaded: in.Crates}, nil
}

func main() {
	addr := flag.String("listen", "127.0.0.1:8080", "`address` that nginx connects to")
	name := flag.String("name", "mcp.example.com", "public `name` of the server")
	flag.Parse()

	features := mcp.NewServer(&mcp.Implementation{Name: "crane", Version: "v1.0.0"}, nil)
	mcp.AddTool(features, &mcp.Tool{Name: "load", Description: "Loads crates, a second each."}, load)

	s := server.New(features, &server.Options{
		// On a loopback address the server answers only requests for loopback names, unless its
		// public name is set here. Pages of that site may call it from a browser.
		AllowedHosts:   []string{*name, "localhost", "127.0.0.1"},
		AllowedOrigins: []string{"https://" + *name},
		// The proxy closes a connection on which nothing comes for proxy_read_timeout: send
		// something more often than that.
		Heartbeat: 15 * time.Second,
	})
	l, err := s.Listen(*addr)
	if err != nil {
		log.Fatal(err)
	}
	log.Printf("serving MCP on http://%s/mcp", l.Addr())

	// The first signal begins the drain. nginx sends new requests to the next server of the
	// upstream, if there is one: this one refuses connections by then.
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	ended := make(chan error, 1)
	context.AfterFunc(ctx, func() {
		stop() // a second signal ends the process at once
		ended <- s.Shutdown(context.Background())
	})
	if err := s.Serve(l); !errors.Is(err, server.ErrServerClosed) {
		log.Fatal(err)
	}
	if err := <-ended; err != nil {
		log.Fatal(err)
	}
}
