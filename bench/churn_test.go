package bench

import (
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/bench/dialect"
	"github.com/mooring-mcp/mooring/bench/internal/badserver"
	"github.com/mooring-mcp/mooring/bench/observe"
)

var smallChurn = Params{Clients: 1600, Rounds: 4, Concurrency: 16, Wait: 500 * time.Millisecond}

func TestChurn(t *testing.T) {
	t.Parallel()
	url, pid := startMooring(t)
	eras(t, func(t *testing.T, era dialect.Era) {
		s := measure(t, "churn", Options{URL: url, PID: pid, Era: era, Params: smallChurn}, "clients_rate", "client_cpu", "retained_per_client", "sockets_gone", "close_wait_max", "rss_growth", "left_per_client", "health_p99")
		wantNone(t, s)
		for _, name := range []string{"close_wait_final", "established_final", "client_errors", "health_failed"} {
			if v := value(t, s, name); v != 0 {
				t.Errorf("%s is %v", name, v)
			}
		}
		if v := value(t, s, "client_cpu"); v <= 0 || v > 100_000 {
			t.Errorf("client_cpu is %v µs", v)
		}
		names := map[string]bool{}
		for _, series := range s.Series {
			names[series.Name] = true
		}
		for _, name := range []string{"server_rss", "established", "close_wait", "health"} {
			if !names[name] {
				t.Errorf("no series %s", name)
			}
		}
	})
}

// TestChurnWithStream has the clients open streams too, which the server must forget as well.
func TestChurnWithStream(t *testing.T) {
	t.Parallel()
	url, pid := startMooring(t)
	eras(t, func(t *testing.T, era dialect.Era) {
		p := smallChurn
		p.WithStream, p.Clients = true, 400
		s := measure(t, "churn", Options{URL: url, PID: pid, Era: era, Params: p}, "clients_rate")
		wantNone(t, s)
	})
}

func TestChurnFindsCloseWait(t *testing.T) {
	t.Parallel()
	p := badserver.StartProcess(t, badserver.LeakCloseWait)
	s := measure(t, "churn", Options{URL: p.URL, PID: p.PID, Params: Params{Clients: 400, Rounds: 2, Concurrency: 16, Wait: 500 * time.Millisecond}})
	wantFinding(t, s, "close_wait")
	if v := value(t, s, "close_wait_final"); v < 300 {
		t.Errorf("%v sockets are in CLOSE-WAIT after 400 clients", v)
	}
	if s.Figure("sockets_gone") != nil {
		t.Error("sockets_gone is reported, although sockets are left")
	}
}

func TestChurnFindsSessions(t *testing.T) {
	t.Parallel()
	p := badserver.StartProcess(t, badserver.LeakSessions)
	s := measure(t, "churn", Options{URL: p.URL, PID: p.PID, Era: dialect.Legacy, Params: Params{Clients: 4000, Rounds: 5, Concurrency: 16, Wait: 200 * time.Millisecond}})
	wantFinding(t, s, "sessions_kept")
	// The server keeps 16 KiB for each; its garbage collector may hold as much again.
	if v := value(t, s, "retained_per_client"); v < 8<<10 || v > 64<<10 {
		t.Errorf("the server keeps 16 KiB for each session, and %v B were measured", v)
	}
}

// TestChurnClearsTheGood is the other half: the same server without the fault has no finding.
func TestChurnClearsTheGood(t *testing.T) {
	t.Parallel()
	p := badserver.StartProcess(t)
	s := measure(t, "churn", Options{URL: p.URL, PID: p.PID, Era: dialect.Legacy, Params: Params{Clients: 3000, Rounds: 5, Concurrency: 16, Wait: 500 * time.Millisecond}})
	wantNone(t, s)
}

func TestJudgeKept(t *testing.T) {
	points := func(each, wobble float64) (p [][2]float64) {
		for i := range 6 {
			w := wobble
			if i%2 == 1 {
				w = -w
			}
			p = append(p, [2]float64{float64(i * 4000), 50e6 + each*float64(i*4000) + w})
		}
		return p
	}
	for name, tt := range map[string]struct {
		each, wobble, before float64
		want                 verdict
	}{
		"nothing":                        {0, 0, 20e6, keptNothing},
		"steps of an allocator":          {0, 4e6, 20e6, keptNothing},
		"8 KB each":                      {8000, 0, 20e6, keptSurely},
		"8 KB each among noise":          {8000, 4e6, 20e6, keptSurely},
		"little each":                    {100, 0, 20e6, keptNothing},
		"more than noise can prove":      {2000, 20e6, 20e6, keptNothing},
		"within what a collector allows": {2000, 0, 49e6, keptPerhaps},
	} {
		p := points(tt.each, tt.wobble)
		l, ok := observe.Fit(p)
		if !ok {
			t.Fatal(name)
		}
		if got := judgeKept(&l, p[len(p)-1][1]-tt.before, tt.before); got != tt.want {
			t.Errorf("%s: %v, by a slope of %s", name, got, interval(&l, "B"))
		}
	}
}
