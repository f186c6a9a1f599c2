// Package serve has what the peers on net/http share: their flags, the line that says that they are
// ready, GET /healthz, and the way they shut down.
package serve

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// Options are the flags that every peer has.
type Options struct {
	Listen            string        // host:port, IPv4
	ShutdownTimeout   time.Duration // time that calls and streams have to end after SIGTERM
	ReadHeaderTimeout time.Duration // 0: none, as in net/http
}

// Flags registers the options with the program's flags.
func Flags() *Options {
	o := new(Options)
	flag.StringVar(&o.Listen, "listen", "127.0.0.1:8080", "address to serve on")
	flag.DurationVar(&o.ShutdownTimeout, "shutdown-timeout", 10*time.Second, "time that calls and streams have to end after SIGTERM")
	flag.DurationVar(&o.ReadHeaderTimeout, "read-header-timeout", 0, "time that a client has for the head of a request, 0 for no limit (the default of net/http)")
	return o
}

// Ready prints the line that says that the process serves.
func Ready(addr string) {
	fmt.Printf("listening on http://%s/mcp pid %d\n", addr, os.Getpid())
}

// Mux routes /mcp to endpoint and answers GET /healthz.
func Mux(endpoint http.Handler) *http.ServeMux {
	mux := http.NewServeMux()
	mux.Handle("/mcp", endpoint)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		_, _ = io.WriteString(w, "ok\n")
	})
	return mux
}

// Run serves until SIGTERM or SIGINT. Then it calls shutdown, or srv.Shutdown if that is nil, with
// the timeout of o. What is still open afterwards is cut, which is not an error: a stream may last
// as long as its client stays.
func (o *Options) Run(srv *http.Server, shutdown func(context.Context) error) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if shutdown == nil {
		shutdown = srv.Shutdown
	}
	srv.ReadHeaderTimeout = o.ReadHeaderTimeout
	l, err := net.Listen("tcp4", o.Listen)
	if err != nil {
		return err
	}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(l) }()
	Ready(l.Addr().String())
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	stop() // a second signal ends the process at once
	bounded, cancel := context.WithTimeout(context.Background(), o.ShutdownTimeout)
	defer cancel()
	if err := shutdown(bounded); errors.Is(err, context.DeadlineExceeded) {
		fmt.Fprintln(os.Stderr, "connections were still open after the timeout and have been cut")
		return srv.Close()
	} else if err != nil {
		return err
	}
	return nil
}
