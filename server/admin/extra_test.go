package admin_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/mooring-mcp/mooring/mcp"
	"github.com/mooring-mcp/mooring/server"
	"github.com/mooring-mcp/mooring/server/admin"
)

// What hosts add is served beside the rest, and a metric that is wrong is an error of the scrape
// alone.
func TestExtra(t *testing.T) {
	s := server.New(mcp.NewServer(&mcp.Implementation{Name: "s", Version: "v1"}, nil), nil)
	wrong := false
	page := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "the page") })
	h := admin.Handler(s, admin.Extra{}, admin.Extra{
		Metrics: func(emit func(admin.Metric)) {
			for _, name := range []string{"b", `a"` + "\n"} {
				emit(admin.Metric{Name: "tides_total", Help: "Tides.", Counter: true, Value: 7, Labels: []admin.Label{{Name: "harbour", Value: name}}})
			}
			emit(admin.Metric{Name: "depth", Help: "Depth.", Value: -1.5})
			if wrong {
				emit(admin.Metric{Name: "depth", Help: "Depth.", Value: 1}) // the second one
			}
		},
		Pages: map[string]http.Handler{"GET /page": page},
	})
	get := func(path string) (int, string) {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		return w.Code, w.Body.String()
	}
	if code, body := get("/page"); code != 200 || body != "the page" {
		t.Errorf("the page: %d %s", code, body)
	}
	_, body := get("/metrics")
	for _, want := range []string{
		"# HELP tides_total Tides.\n# TYPE tides_total counter\n", `tides_total{harbour="a\"\n"} 7` + "\n", `tides_total{harbour="b"} 7` + "\n",
		"# TYPE depth gauge\ndepth -1.5\n", "mooring_connections 0\n",
	} {
		if !strings.Contains(body, want) {
			t.Errorf("there is no %q in %s", want, body)
		}
	}
	wrong = true
	if code, _ := get("/metrics"); code != 500 {
		t.Errorf("a metric that is wrong: %d, want 500", code)
	}
	wrong = false
	if code, _ := get("/metrics"); code != 200 {
		t.Errorf("afterwards: %d", code)
	}
}
