package admin_test

import (
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/mcp"
	"github.com/mooring-mcp/mooring/server"
	"github.com/mooring-mcp/mooring/server/admin"
)

// A dashboard is what the tests read of contrib/grafana.json.
type dashboard struct {
	Panels []struct {
		Title   string
		Targets []struct{ Expr string }
	}
	Templating struct {
		List []struct{ Name, Definition string }
	}
}

var (
	metricName = regexp.MustCompile(`\b(?:mooring|process|go)_[a-z_]+`)
	byLabels   = regexp.MustCompile(`by \(([a-z_, ]+)\)`)
	// sample matches the name and labels of a line of the text format.
	sample = regexp.MustCompile(`(?m)^([a-z_]+)(\{[^}]*\})? `)
)

// TestDashboardShowsTheMetricsThatExist checks that contrib/grafana.json names metrics and
// labels that the handler serves, and all metrics of the server.
func TestDashboardShowsTheMetricsThatExist(t *testing.T) {
	b, err := os.ReadFile(filepath.FromSlash("../../contrib/grafana.json"))
	if err != nil {
		t.Fatal(err)
	}
	var d dashboard
	if err := json.Unmarshal(b, &d); err != nil {
		t.Fatal(err)
	}
	served := metricsOfABusyServer(t)
	shown := map[string]bool{}
	check := func(title, expr string) {
		names := metricName.FindAllString(expr, -1)
		if len(names) == 0 {
			t.Errorf("%s: no metric in %s", title, expr)
		}
		for _, name := range names {
			shown[name] = true
			labels, ok := served[name]
			if !ok && strings.HasPrefix(name, "process_") && runtime.GOOS != "linux" {
				continue // other systems tell less about a process
			}
			if !ok {
				t.Errorf("%s: the handler does not serve %s", title, name)
				continue
			}
			for _, group := range byLabels.FindAllStringSubmatch(expr, -1) {
				for label := range strings.SplitSeq(group[1], ",") {
					label = strings.TrimSpace(label)
					// Prometheus adds job and instance itself.
					if label != "instance" && label != "job" && !strings.Contains(labels, label+`="`) {
						t.Errorf("%s: %s%s has no label %s", title, name, labels, label)
					}
				}
			}
		}
	}
	for _, p := range d.Panels {
		for _, target := range p.Targets {
			check(p.Title, target.Expr)
		}
	}
	for _, v := range d.Templating.List {
		if v.Definition != "" {
			check("variable "+v.Name, v.Definition)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(served)) {
		if strings.HasPrefix(name, "mooring_") && !shown[name] {
			t.Errorf("the dashboard does not show %s", name)
		}
	}
	if len(shown) < 18 {
		t.Errorf("the dashboard shows %d metrics, want 18 or more", len(shown))
	}
}

// metricsOfABusyServer returns the metrics of a server that has had a call, with their labels:
// those of what has not happened yet are not served.
func metricsOfABusyServer(t *testing.T) map[string]string {
	t.Helper()
	s := server.New(mcp.NewServer(&mcp.Implementation{Name: "s", Version: "v1"}, nil), &server.Options{Loops: 1})
	l, err := s.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	defer func() {
		if err := s.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
		<-served
	}()
	const body = `{"jsonrpc":"2.0","id":1,"method":"server/discover","params":{"_meta":{` +
		`"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}}`
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+l.Addr().String()+"/mcp", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json, text/event-stream")
	req.Header.Set("MCP-Protocol-Version", "2026-07-28")
	req.Header.Set("Mcp-Method", "server/discover")
	client := &http.Client{Transport: new(http.Transport), Timeout: 10 * time.Second}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	client.CloseIdleConnections()
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("server/discover: %s", resp.Status)
	}

	w := httptest.NewRecorder()
	admin.Handler(s).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	text, err := io.ReadAll(w.Body)
	if err != nil || w.Code != http.StatusOK {
		t.Fatalf("GET /metrics: %d, %v", w.Code, err)
	}
	metrics := map[string]string{}
	for _, m := range sample.FindAllStringSubmatch(string(text), -1) {
		metrics[m[1]] = m[2]
	}
	return metrics
}
