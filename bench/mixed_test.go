package bench

import (
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/bench/dialect"
	"github.com/mooring-mcp/mooring/bench/internal/badserver"
)

func TestMixed(t *testing.T) {
	t.Parallel()
	url, pid := startMooring(t)
	eras(t, func(t *testing.T, era dialect.Era) {
		s := measure(t, "mixed", Options{URL: url, PID: pid, Era: era, Params: Params{Streams: 200, Concurrency: 4, Rate: 500, Clients: 60, Duration: 2 * time.Second}},
			"control_p50", "control_p99", "call_p99", "newcomer_p99", "newcomer_whole_p99", "change_p50", "change_p99", "cpu", "rss_begin", "rss_end")
		wantNone(t, s)
		if value(t, s, "errors") != 0 || value(t, s, "changes") < 2 || value(t, s, "cpu") <= 0 {
			t.Errorf("figures:\n%s", table(s))
		}
		counts := map[string]int64{}
		for _, d := range s.Distributions {
			counts[d.Name] = d.Count
		}
		// 500 requests a second for 2 s, one in 101 a call; 60 clients; two or more changes to 200
		// streams.
		if c := counts["control"]; c < 980 || c > 1010 {
			t.Errorf("%d control requests", c)
		}
		if c := counts["call"]; c < 9 || c > 11 {
			t.Errorf("%d tools/call", c)
		}
		if c := counts["newcomer"]; c != 60 {
			t.Errorf("%d new clients", c)
		}
		if c := counts["change"]; c < 400 || c%200 != 0 {
			t.Errorf("%d arrivals of changes", c)
		}
	})
}

// TestMixedFindsStall measures a server that does one thing at a time: slow calls hold up every
// other request, and the open loop shows it.
func TestMixedFindsStall(t *testing.T) {
	t.Parallel()
	p := badserver.StartProcess(t, badserver.BlocksHealth)
	o := Options{URL: p.URL, PID: p.PID, Era: dialect.Modern, Params: Params{Streams: 10, Concurrency: 8, Rate: 200, Clients: 10, Duration: 2 * time.Second, Tool: "sleep", Args: `{"milliseconds":300}`, ChangeTool: "none"}}
	s := measure(t, "mixed", o, "control_p99")
	if v := value(t, s, "control_p99"); v < 150 {
		t.Errorf("99 %% of control requests within %v ms, behind calls of 300 ms", v)
	}
	if len(s.Notes) == 0 || s.Figure("changes") != nil {
		t.Errorf("notes %q: there is no tool that makes changes", s.Notes)
	}
}

func TestMixKind(t *testing.T) {
	var n [3]int
	for i := range int64(101 * 40) {
		n[mixKind(i)]++
	}
	if n != [3]int{2000, 2000, 40} {
		t.Errorf("of 4,040 requests %v", n)
	}
	// Two loops take turns: both must get calls.
	var calls [2]int
	for i := range int64(101 * 40) {
		if mixKind(i) == 2 {
			calls[i%2]++
		}
	}
	if calls != [2]int{20, 20} {
		t.Errorf("calls of two lanes: %v", calls)
	}
}
