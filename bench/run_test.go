package bench

import (
	"math"
	"testing"

	"github.com/mooring-mcp/mooring/bench/result"
)

// TestOnlyFinite checks that a figure that is not a number does not cost the whole document.
func TestOnlyFinite(t *testing.T) {
	nan, one := math.NaN(), 1.0
	s := result.Scenario{Name: "idle", Figures: []result.Figure{{Name: "a", Value: nan}, {Name: "b", Value: 2, Client: &nan}, {Name: "c", Value: math.Inf(-1)}, {Name: "d", Value: 3, Client: &one}},
		Series:        []result.Series{{Name: "s", Points: [][2]float64{{0, nan}, {1, 1}}}},
		Distributions: []result.Distribution{{Name: "d", Quantiles: [][2]float64{{50, math.Inf(1)}, {99, 1}}}}}
	onlyFinite(&s)
	if err := (&result.Run{Format: result.Format, Scenarios: []result.Scenario{s}}).Validate(); err != nil {
		t.Error(err)
	}
	if len(s.Figures) != 2 || s.Figures[0].Client != nil || s.Figures[1].Client == nil || len(s.Notes) != 2 || len(s.Series[0].Points) != 1 || len(s.Distributions[0].Quantiles) != 1 {
		t.Errorf("%+v", s)
	}
}
