package bench

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/bench/dialect"
	"github.com/mooring-mcp/mooring/bench/internal/badserver"
)

func TestFanout(t *testing.T) {
	t.Parallel()
	mooring, _ := startMooring(t)
	other := badserver.StartProcess(t)
	for name, url := range map[string]string{"mooring": mooring, "other": other.URL} {
		t.Run(name, func(t *testing.T) {
			eras(t, func(t *testing.T, era dialect.Era) {
				s := measure(t, "fanout", Options{URL: url, Era: era, Params: Params{Streams: 100, Rounds: 2}}, "fanout_p50", "fanout_p99", "fanout_last", "cpu_per_delivery")
				wantNone(t, s)
				if value(t, s, "deliveries") != 200 || value(t, s, "lost") != 0 {
					t.Errorf("figures:\n%s", table(s))
				}
				p50, last := value(t, s, "fanout_p50"), value(t, s, "fanout_last")
				if cpu := value(t, s, "cpu_per_delivery"); p50 <= 0 || p50 > last || last > 10_000 || cpu <= 0 || cpu > 10_000 {
					t.Errorf("figures:\n%s", table(s))
				}
				if len(s.Distributions) != 1 || s.Distributions[0].Count != 200 {
					t.Errorf("%+v", s.Distributions)
				}
			})
		})
	}
}

// startPlain returns the URL of a server of event streams without MCP, and the URL of a POST that
// makes it notify each stream of a change, except those for which deaf returns true.
func startPlain(t *testing.T, deaf func(stream int) bool) (url, change string) {
	t.Helper()
	var mu sync.Mutex
	var streams []chan struct{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			mu.Lock()
			defer mu.Unlock()
			for i, c := range streams {
				if !deaf(i) {
					c <- struct{}{}
				}
			}
			return
		}
		c := make(chan struct{}, 100)
		mu.Lock()
		streams = append(streams, c)
		mu.Unlock()
		w.Header().Set("Content-Type", "text/event-stream")
		w.WriteHeader(http.StatusOK)
		for {
			if http.NewResponseController(w).Flush() != nil {
				return
			}
			select {
			case <-r.Context().Done():
				return
			case <-c:
				fmt.Fprint(w, "data: changed\n\n")
			case <-time.After(100 * time.Millisecond):
				fmt.Fprint(w, ": still there\n\n")
			}
		}
	}))
	t.Cleanup(s.Close)
	return s.URL + "/events", s.URL + "/change"
}

func TestFanoutPlain(t *testing.T) {
	t.Parallel()
	all := func(int) bool { return false }
	url, change := startPlain(t, all)
	s := measure(t, "fanout", Options{URL: url, Era: dialect.Plain, NoProcess: true, Params: Params{Streams: 50, Rounds: 2, ChangeURL: change, Event: "changed"}}, "fanout_last")
	wantNone(t, s)
	if value(t, s, "deliveries") != 100 || s.Figure("cpu_per_delivery") != nil {
		t.Errorf("figures:\n%s", table(s))
	}
}

// TestFanoutLost measures a server that forgets one stream in ten.
func TestFanoutLost(t *testing.T) {
	t.Parallel()
	url, change := startPlain(t, func(i int) bool { return i%10 == 9 })
	s := measure(t, "fanout", Options{URL: url, Era: dialect.Plain, NoProcess: true, Params: Params{Streams: 50, Rounds: 5, Wait: 300 * time.Millisecond, ChangeURL: change}})
	wantFinding(t, s, "lost_notifications")
	if value(t, s, "deliveries") != 135 || value(t, s, "lost") != 15 {
		t.Errorf("figures:\n%s", table(s))
	}
	if p50, last := value(t, s, "fanout_p50"), value(t, s, "fanout_last"); p50 >= 300 || last < 299 || last > 301 {
		t.Errorf("streams that got nothing do not count with --wait:\n%s", table(s))
	}
}

// TestFanoutSkips checks that the reason why no change can be made is reported.
func TestFanoutSkips(t *testing.T) {
	t.Parallel()
	url, _ := startMooring(t)
	run, err := Run(t.Context(), Options{URL: url, Params: Params{ChangeTool: "none such"}}, "fanout")
	if err != nil || run.Scenarios[0].Skipped == "" {
		t.Errorf("%v, %+v", err, run)
	}
}
