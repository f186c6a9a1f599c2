package bench

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/bench/dialect"
)

// TestProbeStop holds that what is under way when a prober is stopped is waited for, and is no failure.
func TestProbeStop(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { time.Sleep(60 * time.Millisecond) }))
	t.Cleanup(s.Close)
	addr := s.Listener.Addr().String()
	e := newTestEnv(t, &dialect.Target{URL: "http://" + addr + "/", Addr: netip.MustParseAddrPort(addr), Era: dialect.Plain})
	e.Health = "/"
	p, err := e.probe(t.Context(), 10*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	if err := sleep(t.Context(), 200*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	p.stop(t.Context())
	wantNone(t, e.out)
	if p50 := value(t, e.out, "health_p50"); p50 < 60 {
		t.Errorf("half of the answers within %v ms", p50)
	}
}

// TestProbeFailures holds that a server that does not answer, or answers that it cannot, does not look quick.
func TestProbeFailures(t *testing.T) {
	for path, within := range map[string]bool{"/silent": true, "/broken": false} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/silent" {
				<-r.Context().Done()
				return
			}
			w.WriteHeader(http.StatusServiceUnavailable)
		}))
		t.Cleanup(s.Close)
		addr := s.Listener.Addr().String()
		e := newTestEnv(t, &dialect.Target{URL: "http://" + addr + "/", Addr: netip.MustParseAddrPort(addr), Era: dialect.Plain})
		e.Health = path
		p, err := e.probe(t.Context(), 50*time.Millisecond)
		if err != nil {
			t.Fatal(err)
		}
		if err := sleep(t.Context(), 200*time.Millisecond); err != nil {
			t.Fatal(err)
		}
		p.stop(t.Context())
		wantFinding(t, e.out, "health_failed")
		if n := value(t, e.out, "health_failed"); n < 3 || int(n) != p.asked {
			t.Errorf("%s: %v of %d failed", path, n, p.asked)
		}
		f := e.out.Figure("health_p99")
		if within && (f == nil || f.Value < 1000) || !within && f != nil {
			t.Errorf("%s: health_p99 %+v", path, f)
		}
	}
}

// TestProbeTellsItsOwnPart holds that it is told how late the prober itself was.
func TestProbeTellsItsOwnPart(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(s.Close)
	addr := s.Listener.Addr().String()
	e := newTestEnv(t, &dialect.Target{URL: "http://" + addr + "/", Addr: netip.MustParseAddrPort(addr), Era: dialect.Plain})
	e.Health = "/"
	p, err := e.probe(t.Context(), 20*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.loop.Call(func() { time.Sleep(200 * time.Millisecond) }); err != nil { // it has other things to do
		t.Fatal(err)
	}
	if err := sleep(t.Context(), 100*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	p.stop(t.Context())
	f := e.out.Figure("health_p99")
	if f == nil || f.Client == nil || *f.Client < 100 || f.Value < *f.Client {
		t.Errorf("health_p99 %+v", f)
	}
}
