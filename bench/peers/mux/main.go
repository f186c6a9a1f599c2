// Command mux serves the tools of the comparison with Mooring's handler on net/http, as a host does
// that has a mux of its own. With -fast it serves them from Mooring's listener instead, so that the
// two can be compared in one process of the same build.
package main

import (
	"context"
	"flag"
	"log"
	"net"
	"net/http"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/mooring-mcp/mooring/bench/peers/internal/serve"
	"github.com/mooring-mcp/mooring/mcp"
	"github.com/mooring-mcp/mooring/server"
)

func main() {
	o := serve.Flags()
	engine := flag.String("engine", "", "event loops: gnet or epoll; empty for the default")
	fast := flag.Bool("fast", false, "serve from Mooring's listener instead of net/http")
	keepAlive := flag.Duration("heartbeat", 0, "time between two comments on a stream, 0 for the default")
	free := flag.Duration("memory-return", 0, "time between two returns of unused memory to the system, 0 for Go's own pace")
	flag.Parse()
	if *free > 0 {
		go func() {
			for range time.Tick(*free) {
				debug.FreeOSMemory()
			}
		}()
	}
	s := mcp.NewServer(&mcp.Implementation{Name: "peer-mux", Version: "v1.0.0"}, nil)
	addTools(s)
	opts := &server.Options{Engine: server.Engine(*engine), DrainTimeout: o.ShutdownTimeout, Heartbeat: *keepAlive}
	if *fast {
		if err := serveFast(o, server.New(s, opts)); err != nil {
			log.Fatal(err)
		}
		return
	}
	h := server.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return s }, &server.StreamableHTTPOptions{Options: opts})
	if err := o.Run(&http.Server{Handler: serve.Mux(h)}, nil); err != nil {
		log.Fatal(err)
	}
}

// serveFast serves until SIGTERM.
func serveFast(o *serve.Options, s *server.Server) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	l, err := net.Listen("tcp4", o.Listen)
	if err != nil {
		return err
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	serve.Ready(l.Addr().String())
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	bounded, cancel := context.WithTimeout(context.Background(), o.ShutdownTimeout+time.Second)
	defer cancel()
	return s.Shutdown(bounded)
}
