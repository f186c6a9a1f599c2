// Command mux serves the features of `mooring serve` from a mux of net/http, for tests with real
// clients: Streamable HTTP at /mcp, HTTP+SSE at /sse.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"

	"github.com/mooring-mcp/mooring/cmd/mooring/demo"
	"github.com/mooring-mcp/mooring/mcp"
	"github.com/mooring-mcp/mooring/server"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:8080", "address to serve on")
	flag.Parse()
	if err := run(*listen); err != nil {
		fmt.Fprintln(os.Stderr, "mux:", err)
		os.Exit(1)
	}
}

// run serves until SIGTERM or SIGINT.
func run(listen string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	features := demo.New(ctx, "0", slog.Default())
	get := func(*http.Request) *mcp.Server { return features }
	streamable, sse := server.NewStreamableHTTPHandler(get, nil), server.NewSSEHandler(get, nil)
	mux := http.NewServeMux()
	mux.Handle("/mcp", streamable)
	mux.Handle("/sse", sse)
	mux.HandleFunc("/healthz", func(http.ResponseWriter, *http.Request) {})
	srv := &http.Server{Handler: mux}
	l, err := net.Listen("tcp", listen)
	if err != nil {
		return err
	}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(l) }()
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	limit := context.Background()
	return errors.Join(srv.Shutdown(limit), streamable.Shutdown(limit), sse.Shutdown(limit))
}
