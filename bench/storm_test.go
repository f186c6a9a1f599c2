package bench

import (
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/bench/dialect"
	"github.com/mooring-mcp/mooring/bench/internal/badserver"
	"github.com/mooring-mcp/mooring/bench/observe"
)

func TestStorm(t *testing.T) {
	t.Parallel()
	url, _ := startMooring(t)
	for era, end := range map[dialect.Era]string{dialect.Modern: endFIN, dialect.Legacy: endRST} {
		t.Run(end, func(t *testing.T) {
			p := Params{Streams: 200, Rounds: 3, Wait: time.Second, End: end}
			s := measure(t, "storm", Options{URL: url, Era: era, Params: p}, "time_to_zero", "close_wait_peak", "close_wait_final", "open_final", "cpu_per_closed", "rss_slope_per_stream", "health_p99")
			wantNone(t, s)
			if took := value(t, s, "time_to_zero"); took >= 1000 {
				t.Errorf("it took %v ms", took)
			}
			if n := value(t, s, "streams_ended"); n != 600 {
				t.Errorf("%v streams were ended", n)
			}
			if cpu := value(t, s, "cpu_per_closed"); cpu <= 0 || cpu > 5000 {
				t.Errorf("%v µs for each", cpu)
			}
			if series := s.Series[len(s.Series)-2]; series.Name != "countdown" || len(series.Points) == 0 || series.Points[0][1] < 200 {
				t.Errorf("%+v", series)
			}
		})
	}
}

// TestStormSilence measures servers whose peers have vanished: one that checks on them, and one
// that does not.
func TestStormSilence(t *testing.T) {
	t.Run("good", func(t *testing.T) {
		t.Parallel()
		p := badserver.StartProcess(t)
		s := measure(t, "storm", Options{URL: p.URL, PID: p.PID, Params: Params{Streams: 50, End: endSilence, Wait: 10 * time.Second}})
		wantNone(t, s)
		if took := value(t, s, "time_to_zero"); took < 1000 || took >= 10_000 {
			t.Errorf("silent peers were kept for %v ms", took)
		}
	})
	t.Run("bad", func(t *testing.T) {
		t.Parallel()
		p := badserver.StartProcess(t, badserver.KeepDeadPeers)
		s := measure(t, "storm", Options{URL: p.URL, PID: p.PID, Era: dialect.Legacy, Params: Params{Streams: 50, End: endSilence, Wait: 8 * time.Second}})
		wantFinding(t, s, "dead_peers_kept")
		if took := value(t, s, "time_to_zero"); took != 8000 {
			t.Errorf("time_to_zero is %v ms, although it was not reached", took)
		}
	})
}

func TestStormLeak(t *testing.T) {
	t.Parallel()
	p := badserver.StartProcess(t, badserver.LeakCloseWait)
	s := measure(t, "storm", Options{URL: p.URL, PID: p.PID, Params: Params{Streams: 100, Rounds: 1, Wait: time.Second}})
	wantFinding(t, s, "close_wait")
	if n := value(t, s, "close_wait_final"); n < 100 {
		t.Errorf("%v in CLOSE-WAIT", n)
	}
}

func TestStormLeft(t *testing.T) {
	t.Parallel()
	r := stormRound{base: 2, final: observe.States{Listen: 1, TimeWait: 50, Established: 3, CloseWait: 4, FinWait1: 5}}
	if closeWait, other := r.left(); closeWait != 4 || other != 6 {
		t.Errorf("%d in CLOSE-WAIT, %d others", closeWait, other)
	}
	if n := r.held(); n != 5 {
		t.Errorf("%d held", n)
	}
	r.final = observe.States{Listen: 1}
	if closeWait, other := r.left(); closeWait != 0 || other != 0 || r.held() != 0 {
		t.Errorf("%d, %d, %d", closeWait, other, r.held())
	}
}

func TestStormEnd(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		in     Params
		rounds int
		wait   time.Duration
	}{
		{Params{End: endFIN}, 3, 10 * time.Second},
		{Params{End: endSilence}, 1, 2 * time.Minute},
		{Params{End: endSilence, Rounds: 2, Wait: time.Second}, 2, time.Second},
	} {
		p := tt.in
		storm.adapt(&p)
		if p.Rounds != tt.rounds || p.Wait != tt.wait {
			t.Errorf("%+v: %d rounds, %v", tt.in, p.Rounds, p.Wait)
		}
	}
	url, _ := startMooring(t)
	run, err := Run(t.Context(), Options{URL: url, Params: Params{End: "politely"}}, "storm")
	if err != nil || run.Scenarios[0].Error == "" {
		t.Errorf("%v, %+v", err, run)
	}
}

func TestMedian(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		in            []float64
		middle, first float64
	}{{nil, 0, 0}, {[]float64{3}, 3, 3}, {[]float64{9, 1, 4}, 4, 9}, {[]float64{4, 1, 9, 2}, 3, 9}} {
		if got := median(tt.in); got != tt.middle {
			t.Errorf("median of %v is %v", tt.in, got)
		}
		if got := maximum(tt.in); got != tt.first {
			t.Errorf("maximum of %v is %v", tt.in, got)
		}
	}
}
