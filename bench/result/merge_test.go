package result

import (
	"reflect"
	"strings"
	"testing"
	"time"
)

// TestMerge checks that a scenario that was measured again replaces the earlier one, but only of
// the same server on the same machine.
func TestMerge(t *testing.T) {
	run := func(label, era string, cores int, version string, scenarios ...string) *Run {
		r := &Run{Server: Server{Label: label, Era: era}, Machine: Machine{Cores: cores}, Tool: Tool{Version: version}, Began: time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)}
		for _, s := range scenarios {
			name, title, _ := strings.Cut(s, ":")
			r.Scenarios = append(r.Scenarios, Scenario{Name: name, Title: title, Notes: make([]string, 0, 4)})
		}
		return r
	}
	all := func() []*Run {
		runs := []*Run{
			run("a", "modern", 2, "v1", "idle:1", "call:1"), run("a", "legacy", 2, "v1", "idle:1"), run("b", "modern", 2, "v1", "idle:1"),
			run("a", "modern", 2, "v1", "call:2", "storm:2"), run("a", "modern", 4, "v1", "idle:3"), run("b", "modern", 2, "v2", "idle:4"), run("a", "modern", 2, "v1", "call:5"),
		}
		runs[3].Server.Kind = "mooring"
		return runs
	}
	runs := all()
	var got []string
	for _, r := range Merge(runs) {
		text := r.Server.Label + " " + r.Server.Era
		for _, s := range r.Scenarios {
			text += " " + s.Name + ":" + s.Title + strings.Join(s.Notes, "")
		}
		got = append(got, text)
	}
	const want = "a modern idle:1 call:5 storm:2; a legacy idle:1; b modern idle:4measured separately from other scenarios, on 2026-11-23 with mooring-bench v2, server version unknown; a modern idle:3"
	if text := strings.Join(got, "; "); text != want {
		t.Errorf("merged to %s, want %s", text, want)
	}
	if kind := Merge(runs)[0].Server.Kind; kind != "mooring" {
		t.Errorf("a kind that only the later run has is lost: %q", kind)
	}
	if !reflect.DeepEqual(runs, all()) {
		t.Error("the runs were changed")
	}
	if got := Merge(nil); len(got) != 0 {
		t.Errorf("of nothing: %v", got)
	}
}
