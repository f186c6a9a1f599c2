package report

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/mooring-mcp/mooring/bench/result"
)

// odd returns a run with one scenario of these numbers.
func odd(label string, values []float64, points [][2]float64) *result.Run {
	s := result.Scenario{Name: "odd", Title: "Odd"}
	for i, v := range values {
		s.Figures = append(s.Figures, result.Figure{Name: fmt.Sprintf("f%d", i), Title: "F", Unit: "ms", Value: v, Better: "lower", Key: i%2 == 0})
	}
	s.Series = []result.Series{{Name: "s", Title: "S", Unit: "B", Points: points}}
	s.Distributions = []result.Distribution{{Name: "d", Title: "D", Unit: "ms", Quantiles: points}}
	return &result.Run{Server: result.Server{Label: label}, Scenarios: []result.Scenario{s}}
}

func TestOddNumbers(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	for why, tt := range map[string]struct {
		values []float64
		points [][2]float64
		charts int // of one server; two more, or one for a figure, of two
		bars   int
	}{
		"nothing":       {nil, nil, 0, 0},
		"not finite":    {[]float64{nan, inf, -inf}, [][2]float64{{nan, 1}, {1, inf}, {inf, inf}}, 0, 0},
		"one point":     {[]float64{1}, [][2]float64{{5, 7}}, 2, 1},
		"one at zero":   {[]float64{0}, [][2]float64{{0, 0}}, 2, 1},
		"all the same":  {[]float64{3, 3}, [][2]float64{{0, 3}, {1, 3}, {2, 3}}, 2, 2},
		"same time":     {[]float64{3}, [][2]float64{{1, 3}, {1, 4}}, 2, 1},
		"negative":      {[]float64{-3, -1e6}, [][2]float64{{-5, -3}, {1, -4}}, 1 + 1, 2},
		"huge":          {[]float64{1e99, 1e-99}, [][2]float64{{0, 1e99}, {1e99, -1e99}}, 2, 2},
		"beyond":        {[]float64{math.MaxFloat64, 5e-324}, [][2]float64{{0, math.MaxFloat64}, {1, 5e-324}}, 0, 0},
		"gaps":          {[]float64{1}, [][2]float64{{0, 1}, {1, 2}, {2, nan}, {3, 4}, {4, nan}, {5, 1}, {6, 2}}, 2, 1},
		"wide":          {[]float64{1e-6, 1e9}, [][2]float64{{0, 1e-6}, {99, 1e9}}, 2, 2},
		"backward":      {[]float64{1}, [][2]float64{{9, 1}, {5, 2}, {1, 3}}, 2, 1},
		"no percentile": {[]float64{1}, [][2]float64{{-9, 1}, {101, 2}}, 1, 1},
	} {
		one := odd("one", tt.values, tt.points)
		page := written(t, []*result.Run{one})
		if charts := wantImages(t, page); charts != tt.charts {
			t.Errorf("%s: %d charts of one server, want %d", why, charts, tt.charts)
		}
		wantQuiet(t, page)
		two := written(t, []*result.Run{one, odd("two", tt.values, tt.points)})
		if charts := wantImages(t, two); charts != tt.charts+tt.bars {
			t.Errorf("%s: %d charts of two servers, want %d", why, charts, tt.charts+tt.bars)
		}
		lone := written(t, []*result.Run{one, odd("two", nil, nil), {}})
		wantImages(t, lone)
	}
}

func TestManyServers(t *testing.T) {
	runs := samples(t)
	for len(runs) < 20 {
		runs = append(runs, runs[len(runs)%3])
	}
	page := written(t, runs)
	wantImages(t, page)
	wantQuiet(t, page)
	if !strings.Contains(page, "sample: Buoy (7)") || !strings.Contains(page, "and 16 more") {
		t.Error("servers with the same label are not distinguished, or the title names all")
	}
	looks := map[string]int{}
	for i := range 35 {
		looks[colour(i)+dash(i)]++
	}
	if len(looks) != 35 {
		t.Errorf("%d looks of 35 servers", len(looks))
	}
}

// TestEveryColourHasItsStyle checks that the classes of charts are in the style sheet, in all three
// themes.
func TestEveryColourHasItsStyle(t *testing.T) {
	for i := range colours {
		for _, class := range []string{".line." + colour(i), ".bar." + colour(i), ".dot." + colour(i)} {
			if !strings.Contains(pageCSS, class+" ") && !strings.Contains(pageCSS, class+",") {
				t.Errorf("no style for %s", class)
			}
		}
		if n := strings.Count(pageCSS, "--"+colour(i)+":"); n != 3 {
			t.Errorf("%s is defined for %d of light, dark and print", colour(i), n)
		}
	}
	if strings.Contains(pageCSS, "url(") || strings.Contains(pageCSS, "@import") || strings.Contains(pageCSS, "<") {
		t.Error("the style sheet refers to something")
	}
}

func TestAxes(t *testing.T) {
	for _, tt := range []struct {
		a    axis
		want string
	}{
		{linearAxis(0, 8000, 0, 100, 4), "[0 2000 4000 6000 8000] 0..8000"},
		{linearAxis(0, 7.3, 0, 100, 5), "[0 2 4 6 8] 0..8"},
		{linearAxis(-41, 2400, 0, 100, 4), "[-1000 0 1000 2000 3000] -1000..3000"},
		{linearAxis(0, 0, 0, 100, 2), "[0 0.5 1] 0..1"},
		{linearAxis(5, 5, 0, 100, 5), "[5 6 7 8 9 10] 5..10"},
		{logAxis(340, 56000, 0, 100, 5), "[1000 10000 100000] 200..100000"},
		{logAxis(3, 90, 0, 100, 5), "[2 5 10 20 50 100] 2..100"},
		{logAxis(1, 1e12, 0, 100, 5), "[1 1000 1e+06 1e+09 1e+12] 1..1e+12"},
	} {
		var ticks []string
		for _, v := range tt.a.ticks {
			ticks = append(ticks, fmt.Sprintf("%.6g", v))
		}
		if got := fmt.Sprintf("[%s] %.6g..%.6g", strings.Join(ticks, " "), tt.a.lo, tt.a.hi); got != tt.want {
			t.Errorf("got %s, want %s", got, tt.want)
		}
		if tt.a.at(tt.a.lo) != 0 || tt.a.at(tt.a.hi) != 100 || tt.a.at(-1e300) != 0 || tt.a.at(1e300) != 100 {
			t.Errorf("%s: the ends are not at the ends", tt.want)
		}
	}
	if got := logAxis(1, 100, 0, 200, 5).at(10); math.Abs(got-100) > 1e-9 {
		t.Errorf("10 is at %v between 1 and 100", got)
	}
}

func TestThinKeepsExtremes(t *testing.T) {
	var points [][2]float64
	for i := range 100_000 {
		points = append(points, [2]float64{float64(i), 5})
	}
	points[77_777][1], points[33_333][1] = 99, -1
	thinned := thin(points)
	lo, hi := math.Inf(1), math.Inf(-1)
	for i, p := range thinned {
		lo, hi = min(lo, p[1]), max(hi, p[1])
		if i > 0 && p[0] < thinned[i-1][0] {
			t.Fatalf("point %d is out of order", i)
		}
	}
	if len(thinned) > maxPoints || lo != -1 || hi != 99 {
		t.Errorf("%d points from %v to %v", len(thinned), lo, hi)
	}
	if points[0] != [2]float64{0, 5} || len(points) != 100_000 {
		t.Error("the original points have changed")
	}
}

func TestImageCheckSees(t *testing.T) {
	for _, bad := range []string{
		`<svg width="0" height="9" aria-label="x"><rect x="1"/></svg>`, `<svg width="9" height="9" aria-label="x"></svg>`, `<svg width="9" height="9" aria-label="x"><rect x="NaN"/></svg>`,
		`<svg width="9" height="9" aria-label="x"><rect x="99"/></svg>`, `<svg width="9" height="9" aria-label="x"><path d="M1 2L+Inf 3"/></svg>`, `<svg width="9" height="9" aria-label="x"><rect></svg>`,
		`<svg width="9" height="9" aria-label="x"><image href="x"/></svg>`, `<svg width="9" height="9" aria-label=""><rect x="1"/></svg>`, "<svg width=\"9\" height=\"9\" aria-label=\"\x01\"><rect x=\"1\"/></svg>",
	} {
		if checkImage(bad) == nil {
			t.Errorf("%s passes", bad)
		}
	}
}
