// Command mux serves MCP on a mux of net/http, behind middleware and next to other routes.
package main

import (
	"context"
	"errors"
	"flag"
	"log"
	"net"
	"net/http"
	"os/signal"
	"syscall"
	"time"

	"github.com/mooring-mcp/mooring/mcp"
	"github.com/mooring-mcp/mooring/server"
)

type tenantKey struct{}

// tenant puts the tenant of the path into the context of the request.
func tenant(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Tenant", r.PathValue("tenant"))
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), tenantKey{}, r.PathValue("tenant"))))
	})
}

type whoOut struct {
	Tenant string `json:"tenant"`
	Agent  string `json:"agent"`
}

// who returns what the handler of a tool knows of its caller.
func who(ctx context.Context, req *mcp.CallToolRequest, _ struct{}) (*mcp.CallToolResult, whoOut, error) {
	name, _ := ctx.Value(tenantKey{}).(string)
	return nil, whoOut{Tenant: name, Agent: req.Extra.Header.Get("User-Agent")}, nil
}

func main() {
	addr := flag.String("listen", "127.0.0.1:8080", "`address` to serve on")
	flag.Parse()

	features := mcp.NewServer(&mcp.Implementation{Name: "mux", Version: "v1.0.0"}, nil)
	mcp.AddTool(features, &mcp.Tool{Name: "who", Description: "Says who calls."}, who)

	h := server.NewStreamableHTTPHandler(func(r *http.Request) *mcp.Server { return features }, nil)
	mux := http.NewServeMux()
	mux.Handle("/mcp", h)
	mux.Handle("/tenants/{tenant}/mcp", tenant(h))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok\n")) })

	l, err := net.Listen("tcp", *addr)
	if err != nil {
		log.Fatal(err)
	}
	hs := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	stop, cancel := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer cancel()
	drained := make(chan error, 1)
	go func() {
		<-stop.Done()
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		drained <- errors.Join(hs.Shutdown(ctx), h.Shutdown(ctx)) // streams end, then the event loops
	}()
	log.Printf("serving MCP on http://%s/mcp", l.Addr())
	if err := hs.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		log.Fatal(err)
	}
	if err := <-drained; err != nil {
		log.Fatal(err)
	}
}
