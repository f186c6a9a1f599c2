package result

import (
	"math"
	"strings"
	"testing"
)

// TestShortTableHasOneUnitPerRow checks the unit that is chosen for a row, and its cells.
func TestShortTableHasOneUnitPerRow(t *testing.T) {
	nan := math.NaN()
	for _, tt := range []struct {
		why, unit string
		values    []float64
		want      string
	}{
		{"the first server's", "B", []float64{802, 98.8, 86_204}, "| B | 802 | 98.8 (0.12 ×) | 86,204 (107 ×) |"},
		{"a larger one", "B", []float64{14_879, 26_508.9, 246}, "| KB | 14.9 | 26.5 (1.8 ×) | 0.246 (0.02 ×) |"},
		{"the first that is not zero", "B", []float64{0, 0, 14.1e6}, "| MB | 0 | 0 | 14.1 |"},
		{"negative", "B", []float64{260, -26.6}, "| B | 260 | −26.6 |"},
		{"all are zero", "ms", []float64{0, 0}, "| ns | 0 | 0 |"},
		{"time", "ms", []float64{2700, 1260}, "| s | 2.7 | 1.26 (0.47 ×) |"},
		{"short time", "s", []float64{0.0000183, 0.002}, "| µs | 18.3 | 2,000 (109 ×) |"},
		{"rounded", "µs", []float64{999.9, 1}, "| ms | 1 | 0.001 (0.001 ×) |"},
		{"a rate", "/s", []float64{36_894.27, 793.3}, "| /s | 36,894 | 793 (0.02 ×) |"},
		{"a count", "count", []float64{8000, 7410}, "| count | 8,000 | 7,410 (0.93 ×) |"},
		{"missing", "B", []float64{nan, 5}, "| B | – | 5 |"},
		{"hostile", "a|b", []float64{1, 2}, `| a\|b | 1 | 2 (2 ×) |`},
	} {
		var runs []*Run
		for _, v := range tt.values {
			runs = append(runs, server("x", Scenario{Name: "idle", Figures: []Figure{{Name: "a", Title: "A", Unit: tt.unit, Value: v, Key: true}}}))
		}
		got := text(t, Compare(runs), asReadme)
		if !strings.Contains(got, "| idle | A "+tt.want+"\n") {
			t.Errorf("%s: %s is not in:\n%s", tt.why, tt.want, got)
		}
	}
	other := server("x", Scenario{Name: "idle", Figures: []Figure{{Name: "a", Title: "A", Unit: "ms", Value: 3, Key: true}}})
	bytes := server("x", Scenario{Name: "idle", Figures: []Figure{{Name: "a", Title: "A", Unit: "B", Value: 3, Key: true}}})
	if got := text(t, Compare([]*Run{bytes, other}), asReadme); !strings.Contains(got, "| B | 3 | 3 ms |\n") {
		t.Errorf("another unit in a row:\n%s", got)
	}
}

// TestShortTitles checks that each key figure of the committed results has a short title, and no
// two of a scenario the same.
func TestShortTitles(t *testing.T) {
	runs, err := ReadRuns("../results/2026-11-28.json")
	if err != nil {
		t.Fatal(err)
	}
	used := 0
	for _, s := range Compare(runs).Scenarios {
		seen := map[string]bool{}
		for _, row := range s.Rows {
			if !row.Key {
				continue
			}
			title, ok := shortTitles[s.Name][row.Name]
			if !ok || seen[title] {
				t.Errorf("%s %s: the short title is %q", s.Name, row.Name, title)
			}
			seen[title] = true
			used++
		}
	}
	all := 0
	for _, titles := range shortTitles {
		all += len(titles)
	}
	if used != all {
		t.Errorf("%d short titles, %d of them used", all, used)
	}
}
