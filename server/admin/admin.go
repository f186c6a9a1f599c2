// Package admin serves metrics for Prometheus, health checks and profiles of a server.Server to
// its operators. It uses net/http, with goroutines of its own, and belongs on an address that the
// public cannot reach. It is a package of its own so that programs without it do not link the
// Prometheus client.
//
//	s := server.New(features, nil)
//	go http.ListenAndServe("127.0.0.1:9090", admin.Handler(s))
//	log.Fatal(s.ListenAndServe("127.0.0.1:8080"))
package admin

import (
	"io"
	"net/http"
	"net/http/pprof"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/mooring-mcp/mooring/server"
)

// Handler returns a handler that serves GET /metrics, /healthz, /readyz and /debug/pprof/ for s.
// Each has a registry of its own. What more has is served too; Handler panics if its pages are in
// conflict with others.
//
// /healthz returns 200 as long as the process runs. /readyz returns 200 while s takes new work, and
// otherwise 503.
func Handler(s *server.Server, more ...Extra) http.Handler {
	reg := prometheus.NewRegistry()
	reg.MustRegister(
		newCollector(s),
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(reg, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "ok\n")
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if !s.Ready() {
			http.Error(w, "draining", http.StatusServiceUnavailable)
			return
		}
		_, _ = io.WriteString(w, "ready\n")
	})
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	for i := range more {
		more[i].add(reg, mux)
	}
	return mux
}
