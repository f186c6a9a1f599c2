// Command mooring-conformance serves the fixture of the official MCP conformance
// suite at /mcp.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/signal"
	"syscall"

	"github.com/mooring-mcp/mooring/cmd/mooring-conformance/fixture"
	"github.com/mooring-mcp/mooring/server"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:8081", "address to serve /mcp on")
	ssePath := flag.String("sse-path", "", "path to serve HTTP+SSE of 2024-11-05 on (default off)")
	over := flag.String("over", "loops", "what serves it: loops, net/http, middleware, h2, tls, stdio or bridge")
	guard := flag.String("auth", "off", "who may call: off (everybody), token (see "+tokenFile+"), or as scenarios of the suite expect it: scopes, issuer")
	flag.Parse()
	if err := run(*over, *guard, *listen, &server.Options{SSEPath: *ssePath}); err != nil {
		fmt.Fprintln(os.Stderr, "mooring-conformance:", err)
		os.Exit(1)
	}
}

// endpointPath is where the fixture is served.
const endpointPath = "/mcp"

// run serves until SIGTERM or SIGINT.
func run(over, guard, listen string, opts *server.Options) error {
	serve, ok := ways[over]
	if !ok {
		return fmt.Errorf("--over %s is not known", over)
	}
	protect, ok := guards[guard]
	if !ok {
		return fmt.Errorf("--auth %s is not known", guard)
	}
	if guard != "off" && (over == "stdio" || over == "bridge") {
		return fmt.Errorf("--auth %s needs HTTP, and --over %s speaks stdio", guard, over)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if over == "stdio" {
		return serve(ctx, nil, opts)
	}
	l, err := net.Listen("tcp", listen)
	if err != nil {
		return err
	}
	scheme := "http"
	if over == "tls" {
		scheme = "https"
	}
	end, err := protect(opts, scheme+"://"+l.Addr().String())
	if err != nil {
		return err
	}
	defer end()
	fmt.Fprintf(os.Stderr, "serving %s://%s%s\n", scheme, l.Addr(), endpointPath)
	return serve(ctx, l, opts)
}

// serveLoops serves the fixture on event loops.
func serveLoops(ctx context.Context, l net.Listener, opts *server.Options) error {
	return serveServer(ctx, l, opts, (*server.Server).Serve)
}

// serveServer serves the fixture with a Server, by one of its methods.
func serveServer(ctx context.Context, l net.Listener, opts *server.Options, serve func(*server.Server, net.Listener) error) error {
	m := fixture.New(nil)
	defer m.Close()
	s := server.New(m, opts)
	served := make(chan error, 1)
	go func() { served <- serve(s, l) }()
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	if err := s.Shutdown(context.Background()); err != nil {
		return err
	}
	if err := <-served; !errors.Is(err, server.ErrServerClosed) {
		return err
	}
	return nil
}
