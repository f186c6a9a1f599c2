package bench

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/bench/dialect"
)

// startProbe probes a server of h at that path, from this process or from a worker.
func startProbe(t *testing.T, worker []string, every time.Duration, path string, h http.HandlerFunc) *prober {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	addr := s.Listener.Addr().String()
	e := newTestEnv(t, &dialect.Target{URL: "http://" + addr + "/", Addr: netip.MustParseAddrPort(addr), Era: dialect.Plain})
	e.Health, e.opts.Worker = path, worker
	p, err := e.probe(t.Context(), every)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// stopProbe stops a prober, which must have been able to make requests.
func stopProbe(t *testing.T, p *prober) {
	t.Helper()
	if err := p.stop(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// wait sleeps.
func wait(t *testing.T, d time.Duration) {
	t.Helper()
	if err := sleep(t.Context(), d); err != nil {
		t.Fatal(err)
	}
}

// probers runs f for both places that a prober may run in.
func probers(t *testing.T, f func(t *testing.T, worker []string)) {
	t.Run("here", func(t *testing.T) { f(t, nil) })
	t.Run("own process", func(t *testing.T) { f(t, testWorker(t)) })
}

// TestProbeStop checks that stopping a prober waits for the probes in flight, and that they do not
// fail.
func TestProbeStop(t *testing.T) {
	probers(t, func(t *testing.T, worker []string) {
		p := startProbe(t, worker, 10*time.Millisecond, "/", func(http.ResponseWriter, *http.Request) { time.Sleep(60 * time.Millisecond) })
		wait(t, 200*time.Millisecond)
		stopProbe(t, p)
		wantNone(t, p.env.out)
		if p50 := value(t, p.env.out, "health_p50"); p50 < 60 {
			t.Errorf("half of the answers within %v ms", p50)
		}
		s := p.env.out.Series[0]
		if len(s.Points) < 5 || s.Points[0][0] < 0 || s.Points[0][0] > 10 || s.Points[0][1] < 60 || s.Points[0][1] > 10_000 {
			t.Errorf("series %+v", s)
		}
	})
}

// TestProbeHold checks that a suspended prober sends nothing, that it can be resumed, and that a
// window has what came since the last one.
func TestProbeHold(t *testing.T) {
	probers(t, func(t *testing.T, worker []string) {
		p := startProbe(t, worker, 5*time.Millisecond, "/", func(http.ResponseWriter, *http.Request) {})
		wait(t, 100*time.Millisecond)
		p.hold(true)
		for end := time.Now().Add(5 * time.Second); p.waiting() > 0 && time.Now().Before(end); {
			wait(t, 5*time.Millisecond)
		}
		if h, err := p.window(); err != nil || h.TotalCount() == 0 {
			t.Errorf("nothing was requested, %v", err)
		}
		if h, err := p.during(t.Context(), 100*time.Millisecond); err != nil || h.TotalCount() != 0 {
			t.Errorf("%d answers while it was suspended, %v", h.TotalCount(), err)
		}
		p.hold(false)
		wait(t, 100*time.Millisecond)
		stopProbe(t, p)
		if n := p.env.out.Distributions[0].Count; n < 2 {
			t.Errorf("%d answers in all", n)
		}
		if late := p.env.out.Figure("health_p99").Client; late == nil || *late > 90 {
			t.Errorf("the suspended time counts as lateness: %v", late)
		}
	})
}

// TestProbeFailures checks that a server that does not answer, or answers with an error, does not
// look fast.
func TestProbeFailures(t *testing.T) {
	probers(t, func(t *testing.T, worker []string) {
		for path, within := range map[string]bool{"/silent": true, "/broken": false} {
			p := startProbe(t, worker, 50*time.Millisecond, path, func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/silent" {
					<-r.Context().Done()
					return
				}
				w.WriteHeader(http.StatusServiceUnavailable)
			})
			wait(t, 200*time.Millisecond)
			stopProbe(t, p)
			wantFinding(t, p.env.out, "health_failed")
			if n := value(t, p.env.out, "health_failed"); n < 3 {
				t.Errorf("%s: %v failed", path, n)
			}
			f := p.env.out.Figure("health_p99")
			if within && (f == nil || f.Value < 1000) || !within && f != nil {
				t.Errorf("%s: health_p99 %+v", path, f)
			}
		}
	})
}

// TestProbeTellsItsOwnPart checks that the prober reports how late it was itself.
func TestProbeTellsItsOwnPart(t *testing.T) {
	p := startProbe(t, nil, 20*time.Millisecond, "/", func(http.ResponseWriter, *http.Request) {})
	// The loop is busy.
	if err := p.probing.(*localProbing).loop.Call(func() { time.Sleep(200 * time.Millisecond) }); err != nil {
		t.Fatal(err)
	}
	wait(t, 100*time.Millisecond)
	stopProbe(t, p)
	f := p.env.out.Figure("health_p99")
	if f == nil || f.Client == nil || *f.Client < 100 || f.Value < *f.Client {
		t.Errorf("health_p99 %+v", f)
	}
}

// TestProbeLost checks that the loss of the prober's process is an error of the scenario, and does
// not look like a server that was never probed.
func TestProbeLost(t *testing.T) {
	p := startProbe(t, testWorker(t), 20*time.Millisecond, "/", func(http.ResponseWriter, *http.Request) {})
	p.probing.(remoteProbing).Kill()
	if err := p.stop(t.Context()); err == nil {
		t.Error("no error")
	}
	if len(p.env.out.Figures) > 0 {
		t.Errorf("figures %+v", p.env.out.Figures)
	}
}

func TestThinned(t *testing.T) {
	var points [][2]float64
	for i := range 9 {
		points = append(points, [2]float64{float64(i), float64(i % 3)})
	}
	got := thinned(points, 4)
	if want := [][2]float64{{2, 2}, {5, 2}, {8, 2}}; !slices.Equal(got, want) {
		t.Errorf("%v", got)
	}
}
