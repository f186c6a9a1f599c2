package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/mooring-mcp/mooring/bench/report"
	"github.com/mooring-mcp/mooring/bench/result"
)

// TestReportOverview checks that report --overview writes the image and no page, and that an image
// that is there stays if there is nothing to draw.
func TestReportOverview(t *testing.T) {
	sample, err := filepath.Abs("../../bench/result/testdata/anchor.json")
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	if _, err := execute(t, "report", sample, "--overview", "o.svg"); err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile("o.svg")
	if err != nil || !bytes.HasPrefix(want, []byte("<svg ")) {
		t.Fatalf("the image is %.40q, %v", want, err)
	}
	if _, err := os.Stat("report.html"); err == nil {
		t.Error("a page was written that nobody asked for")
	}
	run := onlySlow(t, sample, "slow.json")
	if _, err := execute(t, "report", run, "--overview", "o.svg"); !errors.Is(err, report.ErrNoOverview) {
		t.Errorf("of a run without the figures: %v", err)
	}
	if got, _ := os.ReadFile("o.svg"); !bytes.Equal(got, want) {
		t.Error("an image was replaced by nothing")
	}
}

// onlySlow writes the scenario slow of a document to a file of that name, which it returns.
func onlySlow(t *testing.T, document, name string) string {
	t.Helper()
	run, err := result.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	run.Scenarios = []result.Scenario{*run.Scenario("slow")}
	if err := result.WriteFile(name, run); err != nil {
		t.Fatal(err)
	}
	return name
}
