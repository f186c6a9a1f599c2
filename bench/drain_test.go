package bench

import (
	"os"
	"testing"
	"time"

	"github.com/mooring-mcp/mooring/bench/dialect"
	"github.com/mooring-mcp/mooring/bench/internal/badserver"
)

func TestDrain(t *testing.T) {
	t.Parallel()
	eras(t, func(t *testing.T, era dialect.Era) {
		url, pid := startMooring(t)
		p := Params{Streams: 100, Concurrency: 10, SlowTool: "countdown", SlowArgs: `{"seconds":1}`}
		s := measure(t, "drain", Options{URL: url, PID: pid, Era: era, Params: p}, "streams_graceful", "stream_ended_p50", "stream_ended_last", "calls_answered", "calls_last", "accepted_until", "time_to_exit")
		wantNone(t, s)
		if value(t, s, "streams_graceful") != 100 || value(t, s, "calls_answered") != 100 || value(t, s, "streams_left") != 0 {
			t.Errorf("figures:\n%s", table(s))
		}
		if s.Figure("time_to_exit").Better != lower {
			t.Error("everything was answered, but a quicker exit is not marked as better")
		}
		if exit := value(t, s, "time_to_exit"); exit < 300 || exit > 10_000 || value(t, s, "calls_last") > exit+100 {
			t.Errorf("figures:\n%s", table(s))
		}
	})
}

// TestDrainDropped measures a server that exits at once.
func TestDrainDropped(t *testing.T) {
	t.Parallel()
	eras(t, func(t *testing.T, era dialect.Era) {
		p := badserver.StartProcess(t, badserver.DropOnTerm)
		s := measure(t, "drain", Options{URL: p.URL, PID: p.PID, Era: era, Params: Params{Streams: 50, Concurrency: 10, SlowArgs: `{"milliseconds":1000}`}})
		wantFinding(t, s, "lost_results")
		wantFinding(t, s, "streams_cut")
		if era == dialect.Modern {
			wantFinding(t, s, "streams_no_result")
		}
		if s.Figure("time_to_exit").Better != neither {
			t.Error("a server that drops everything counts as the quickest")
		}
		if value(t, s, "streams_graceful") != 0 || value(t, s, "calls_answered") != 0 || value(t, s, "calls_lost") != 10 {
			t.Errorf("figures:\n%s", table(s))
		}
	})
}

// TestDrainWithoutSlowTool measures only streams.
func TestDrainWithoutSlowTool(t *testing.T) {
	t.Parallel()
	p := badserver.StartProcess(t)
	s := measure(t, "drain", Options{URL: p.URL, PID: p.PID, Params: Params{Streams: 20, SlowTool: "none such"}}, "streams_graceful", "time_to_exit")
	wantNone(t, s)
	if value(t, s, "streams_graceful") != 100 || s.Figure("calls_answered") != nil || len(s.Notes) == 0 {
		t.Errorf("figures:\n%s", table(s))
	}
}

// TestDrainSpares checks that drain ends no process that is not known to be the server, and not
// this one.
func TestDrainSpares(t *testing.T) {
	t.Parallel()
	s, err := badserver.Start()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, o := range []Options{{URL: s.URL}, {URL: s.URL, PID: os.Getpid(), NoProcess: true}, {URL: s.URL, PID: os.Getpid()}} {
		run, err := Run(t.Context(), o, "drain")
		if err != nil || run.Scenarios[0].Skipped == "" {
			t.Errorf("%v, %+v", err, run)
		}
	}
}

func TestCallOutcome(t *testing.T) {
	t.Parallel()
	o := openCalls{up: 6, answers: []int64{5e6, 20e6, 30e6}, losses: []int64{1e6, 40e6}}
	answered, lost, early, last, h := o.outcome(10e6)
	if answered != 2 || lost != 2 || early != 2 || last != 20*time.Millisecond || h.TotalCount() != 2 {
		t.Errorf("%d answered, %d lost, %d early, last %v, %d measured", answered, lost, early, last, h.TotalCount())
	}
	if o.why == "" {
		t.Error("the call that has neither answer nor end is not reported")
	}
}
