// Command beside serves MCP and other pages on one port.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net/http"
	"os/signal"
	"syscall"

	"github.com/mooring-mcp/mooring/mcp"
	"github.com/mooring-mcp/mooring/server"
)

type berthIn struct {
	Ship string `json:"ship" jsonschema:"the ship that looks for a berth"`
}

type berthOut struct {
	Berth string `json:"berth"`
}

func berth(_ *mcp.CallToolRequest, in berthIn) (berthOut, error) {
	return berthOut{Berth: "north quay, behind the " + in.Ship}, nil
}

func main() {
	addr := flag.String("listen", "127.0.0.1:8080", "`address` to serve on")
	flag.Parse()

	features := mcp.NewServer(&mcp.Implementation{Name: "beside", Version: "v1.0.0"}, nil)
	mcp.AddInlineTool(features, &mcp.Tool{Name: "berth", Description: "Finds a berth."}, berth)

	// Every path but /mcp is the mux's, /healthz included.
	mux := http.NewServeMux()
	s := server.New(features, &server.Options{Other: mux})
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprintf(w, "Point an MCP client at http://%s/mcp.\n", r.Host)
	})
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		if !s.Ready() {
			http.Error(w, "draining", http.StatusServiceUnavailable)
			return
		}
		_, _ = io.WriteString(w, "ready\n")
	})

	l, err := s.Listen(*addr)
	if err != nil {
		log.Fatal(err)
	}
	stop, cancel := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer cancel()
	drained := make(chan error, 1)
	go func() {
		<-stop.Done()
		drained <- s.Shutdown(context.Background()) // of the endpoint and of the mux
	}()
	log.Printf("serving MCP on http://%s/mcp", l.Addr())
	if err := s.Serve(l); !errors.Is(err, server.ErrServerClosed) {
		log.Fatal(err)
	}
	if err := <-drained; err != nil {
		log.Fatal(err)
	}
}
