package result

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestRuns(t *testing.T) {
	name := filepath.Join(t.TempDir(), "runs.json")
	a := &Run{Server: Server{Label: "a"}, Scenarios: []Scenario{{Name: "idle", Series: []Series{{Name: "rss", Title: "rss", Points: [][2]float64{{0, 1}, {1, 2}, {2, 9}, {3, 3}, {4, 8}, {5, 0}}}}}}}
	b := &Run{Server: Server{Label: "b"}}
	a.Thin(4)
	if got := a.Scenarios[0].Series[0].Points; !slices.Equal(got, [][2]float64{{0, 1}, {2, 9}, {4, 8}, {5, 0}}) {
		t.Errorf("thinned to %v", got)
	}
	for n := 3; n < 8; n++ {
		long := make([][2]float64, 7)
		if got := thin(long, n); len(got) != min(n, 7) {
			t.Errorf("thinned to %d points, not %d", len(got), n)
		}
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
