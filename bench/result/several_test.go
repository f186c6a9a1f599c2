package result

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestRuns(t *testing.T) {
	name := filepath.Join(t.TempDir(), "runs.json")
	a := &Run{Server: Server{Label: "a"}, Scenarios: []Scenario{{Name: "idle", Series: []Series{{Name: "rss", Title: "rss", Points: [][2]float64{{0, 1}, {1, 9}, {2, 2}, {3, 3}, {4, 8}}}}}}}
	b := &Run{Server: Server{Label: "b"}}
	a.Thin(2)
	if got := a.Scenarios[0].Series[0].Points; len(got) != 2 || got[0] != [2]float64{1, 9} || got[1] != [2]float64{4, 8} {
		t.Errorf("thinned to %v", got)
	}
	if err := WriteRuns(name, []*Run{a, b}); err != nil {
		t.Fatal(err)
	}
	runs, err := ReadRuns(name)
	if err != nil || len(runs) != 2 || runs[0].Server.Label != "a" || runs[1].Server.Label != "b" {
		t.Fatalf("%v, %v", runs, err)
	}
	if err := WriteFile(name, b); err != nil {
		t.Fatal(err)
	}
	if runs, err = ReadRuns(name); err != nil || len(runs) != 1 {
		t.Fatalf("one document: %v, %v", runs, err)
	}
	for _, text := range []string{"[]", "[1]", "", "[" + strings.Repeat("{},", 70) + "{}]"} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadRuns(name); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%.20q: %v", text, err)
		}
	}
}
