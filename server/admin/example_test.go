package admin_test

import (
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"

	"github.com/mooring-mcp/mooring/mcp"
	"github.com/mooring-mcp/mooring/server"
	"github.com/mooring-mcp/mooring/server/admin"
)

// Metrics, health and profiles are served on an address that the public cannot reach.
func Example() {
	s := server.New(mcp.NewServer(&mcp.Implementation{Name: "sums", Version: "v1.0.0"}, nil), nil)
	go func() { log.Fatal(http.ListenAndServe("127.0.0.1:9090", admin.Handler(s))) }()
	log.Fatal(s.ListenAndServe("127.0.0.1:8080"))
}

// The process is healthy before the server takes requests.
func ExampleHandler() {
	s := server.New(mcp.NewServer(&mcp.Implementation{Name: "sums", Version: "v1.0.0"}, nil), nil)
	h := admin.Handler(s)
	for _, path := range []string{"/healthz", "/readyz"} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		fmt.Println(path, w.Code)
	}
	// Output:
	// /healthz 200
	// /readyz 503
}
