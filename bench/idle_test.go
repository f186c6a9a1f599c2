package bench

import (
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/bench/dialect"
	"github.com/mooring-mcp/mooring/bench/internal/badserver"
)

func TestIdle(t *testing.T) {
	t.Parallel()
	url, pid := startMooring(t, "--heartbeat", "1s")
	eras(t, func(t *testing.T, era dialect.Era) {
		s := measure(t, "idle", Options{URL: url, PID: pid, Era: era, Params: Params{Streams: 300, Wait: 200 * time.Millisecond, Duration: 2500 * time.Millisecond, Silence: 2 * time.Second}},
			"rss_per_stream", "rss_opened", "kernel_per_stream", "open_rate", "idle_cpu", "heartbeats", "streams_heard")
		wantNone(t, s)
		if value(t, s, "streams_open") != 300 || value(t, s, "streams_heard") != 300 || value(t, s, "open_rate") < 10 {
			t.Errorf("figures:\n%s", table(s))
		}
		// Sixty a minute; two or three of them fall into the measured time.
		if beats := value(t, s, "heartbeats"); beats < 30 || beats > 90 {
			t.Errorf("%v heartbeats a minute", beats)
		}
		if rss := value(t, s, "rss_after"); rss < 1<<20 || value(t, s, "rss_per_stream") > 100_000 {
			t.Errorf("figures:\n%s", table(s))
		}
		names := map[string]bool{}
		for _, series := range s.Series {
			names[series.Name] = len(series.Points) > 0
		}
		if !names["server_rss"] || !names["server_cpu"] || !names["established"] {
			t.Errorf("series: %v", names)
		}
	})
}

// TestIdleSilent measures a server that sends no heartbeats.
func TestIdleSilent(t *testing.T) {
	t.Parallel()
	p := badserver.StartProcess(t, badserver.NeverHeartbeat)
	o := Options{URL: p.URL, PID: p.PID, Params: Params{Streams: 20, Wait: 200 * time.Millisecond, Duration: 1500 * time.Millisecond, Silence: time.Second}}
	s := measure(t, "idle", o)
	wantFinding(t, s, "no_heartbeat")
	if s.Figure("idle_cpu").Better != neither {
		t.Error("a server that sends nothing counts as the cheapest")
	}
	if value(t, s, "heartbeats") != 0 || value(t, s, "streams_heard") != 0 {
		t.Errorf("figures:\n%s", table(s))
	}
	// A server that was watched for too short a time has no finding, but there is a note.
	o.Params.Silence = time.Minute
	if s = measure(t, "idle", o); len(s.Notes) == 0 {
		t.Error("the silence is not noted")
	}
	wantNone(t, s)
}

func TestIdlePlain(t *testing.T) {
	t.Parallel()
	url, _ := startPlain(t, func(int) bool { return false })
	s := measure(t, "idle", Options{URL: url, Era: dialect.Plain, NoProcess: true, Params: Params{Streams: 50, Wait: 200 * time.Millisecond, Duration: time.Second}}, "open_rate", "heartbeats")
	wantNone(t, s)
	if value(t, s, "streams_heard") != 50 || value(t, s, "heartbeats") < 60 || s.Figure("rss_per_stream") != nil {
		t.Errorf("figures:\n%s", table(s))
	}
}
