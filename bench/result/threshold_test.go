package result

import (
	"fmt"
	"math"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	for text, want := range map[string]Threshold{
		"close_wait_final>0":            {Figure: "close_wait_final", Op: ">"},
		"churn.close_wait_final>=1":     {Scenario: "churn", Figure: "close_wait_final", Op: ">=", Value: 1},
		" call.p99 > 5 ms ":             {Scenario: "call", Figure: "p99", Op: ">", Value: 5, Unit: "ms"},
		"p99>5us":                       {Figure: "p99", Op: ">", Value: 5, Unit: "µs"},
		"p99>5μs":                       {Figure: "p99", Op: ">", Value: 5, Unit: "µs"},
		"rate<1e3/s":                    {Figure: "rate", Op: "<", Value: 1000, Unit: "/s"},
		"graceful!=100%":                {Figure: "graceful", Op: "!=", Value: 100, Unit: "%"},
		"retained<=-.5":                 {Figure: "retained", Op: "<=", Value: -0.5},
		"findings==0":                   {Figure: "findings", Op: "=="},
		"rss_per_stream>1234567.125e-1": {Figure: "rss_per_stream", Op: ">", Value: 123456.7125},
	} {
		got, err := Parse(text)
		if err != nil || got != want {
			t.Errorf("%q: got %+v, %v, want %+v", text, got, err, want)
		}
		if back, err := Parse(got.String()); err != nil || back != got {
			t.Errorf("%q: written as %q, that is %+v, %v", text, got, back, err)
		}
	}
	for _, text := range []string{"", "p99", "p99>", ">5", "p99=5", "p99=>5", "p99><5", "p99>five", "p99>NaN", "p99>Inf", "p99>0x10", "p99>1_0", "p99>1e999", "P99>5", "a.b.c>1", ".p99>1",
		"p99>5KB", "p99>5 m s", "p99>5,5", "p99>5\x00", strings.Repeat("p", 1000)} {
		if got, err := Parse(text); err == nil || !strings.HasPrefix(err.Error(), "result: ") || len(err.Error()) > 300 {
			t.Errorf("%.40q: got %+v, %v", text, got, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("churn.close_wait_final>=1")
	f.Add("p99>5.5e2ms")
	f.Fuzz(func(t *testing.T, text string) {
		got, err := Parse(text)
		if err != nil {
			return
		}
		if back, err := Parse(got.String()); err != nil || back != got {
			t.Errorf("%q: %+v is written as %q, that is %+v, %v", text, got, got, back, err)
		}
	})
}

func TestCheck(t *testing.T) {
	run := &Run{Scenarios: []Scenario{
		{Name: "churn", Figures: []Figure{{Name: "close_wait_final", Unit: "count", Value: 12}, {Name: "p99", Unit: "ms", Value: 5}}, Findings: []Finding{{Code: "close_wait"}, {Code: "sessions_kept"}}},
		{Name: "call", Figures: []Figure{{Name: "p99", Unit: "ms", Value: 7.25}, {Name: "rate", Unit: "/s", Value: 100}, {Name: "odd", Value: math.NaN()}}},
		{Name: "idle"},
		{Name: "drain", Skipped: "no pid"},
		{Name: "slow", Error: "connection reset", Findings: []Finding{{Code: "others_stall"}}},
	}}
	for _, tt := range []struct {
		text string
		met  string // breaches, as text
		err  string
	}{
		{text: "close_wait_final>0", met: "churn.close_wait_final is 12 (close_wait_final>0)"},
		{text: "churn.close_wait_final>=12", met: "churn.close_wait_final is 12 (churn.close_wait_final>=12)"},
		{text: "close_wait_final>12"},
		{text: "close_wait_final<=11.9"},
		{text: "close_wait_final==12", met: "churn.close_wait_final is 12 (close_wait_final==12)"},
		{text: "close_wait_final!=12"},
		{text: "p99>4ms", met: "churn.p99 is 5 ms (p99>4ms); call.p99 is 7.25 ms (p99>4ms)"},
		{text: "p99>5", met: "call.p99 is 7.25 ms (p99>5)"},
		{text: "call.p99<7"},
		{text: "rate<101/s", met: "call.rate is 100/s (rate<101/s)"},
		{text: "p99>5s", err: "threshold p99>5s: the figure of churn is in ms"},
		{text: "odd>1", err: "not a finite number"},
		{text: "odd>1B", err: "the figure of call is in no unit"},
		{text: "close_wait_finale>0", err: "threshold close_wait_finale>0: no scenario has"},
		{text: "call.close_wait_final>0", err: "no scenario has a figure of that name"},
		{text: "chum.close_wait_final>0", err: "the run has no scenario chum, only churn, call"},
		{text: "drain.graceful<1", err: "drain: no pid"},
		{text: "slow.p99>1", err: "slow: connection reset"},
		{text: "findings>0", met: "findings is 3 (findings>0)"},
		{text: "findings>3"},
		{text: "churn.findings>0", met: "churn.findings is 2 (churn.findings>0)"},
		{text: "idle.findings>0"},
		{text: "idle.findings==0count", met: "idle.findings is 0 (idle.findings==0count)"},
		{text: "drain.findings>0", err: "drain: no pid"},
		{text: "chum.findings>0", err: "no scenario chum"},
		{text: "findings>0ms", err: "findings have no unit"},
	} {
		threshold, err := Parse(tt.text)
		if err != nil {
			t.Fatal(err)
		}
		breaches, err := Thresholds{threshold}.Check(run)
		var met []string
		for _, b := range breaches {
			met = append(met, b.String())
		}
		if got := strings.Join(met, "; "); got != tt.met {
			t.Errorf("%s: met: %q, want %q", tt.text, got, tt.met)
		}
		if (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%s: error %v, want %q", tt.text, err, tt.err)
		}
	}
	all := Thresholds{{Figure: "nothing", Op: ">"}, {Figure: "close_wait_final", Op: ">"}, {Figure: "nowhere", Op: ">"}}
	breaches, err := all.Check(run)
	if text := fmt.Sprint(err); len(breaches) != 1 || !strings.Contains(text, "nothing>0") || !strings.Contains(text, "nowhere>0") {
		t.Errorf("several at once: %v, %v", breaches, err)
	}
	if breaches, err := (Thresholds{{Figure: "findings", Op: ">"}}).Check(&Run{}); err == nil || breaches != nil {
		t.Errorf("a run of nothing: %v, %v", breaches, err)
	}
}
