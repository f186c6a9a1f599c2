package observe

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestFit(t *testing.T) {
	exact := [][2]float64{{0, 100}, {1000, 8_100}, {2000, 16_100}, {3000, 24_100}}
	l, ok := Fit(exact)
	if !ok || math.Abs(l.Slope-8) > 1e-9 || math.Abs(l.Intercept-100) > 1e-6 || math.Abs(l.R2-1) > 1e-9 || !l.Grows() || l.High-l.Low > 1e-6 {
		t.Errorf("a line: %+v %t", l, ok)
	}
	// Anscombe's first quartet: slope 0.500, intercept 3.00, R² 0.667. The standard error of the
	// slope is 0.1179, and t with 9 degrees of freedom is 2.262.
	anscombe := [][2]float64{{10, 8.04}, {8, 6.95}, {13, 7.58}, {9, 8.81}, {11, 8.33}, {14, 9.96}, {6, 7.24}, {4, 4.26}, {12, 10.84}, {7, 4.82}, {5, 5.68}}
	l, ok = Fit(anscombe)
	if !ok || math.Abs(l.Slope-0.5001) > 1e-4 || math.Abs(l.Intercept-3.0001) > 1e-4 || math.Abs(l.R2-0.6665) > 1e-4 || math.Abs(l.Low-(0.5001-2.262*0.1179)) > 1e-3 || math.Abs(l.High-(0.5001+2.262*0.1179)) > 1e-3 {
		t.Errorf("Anscombe's points: %+v %t", l, ok)
	}
	flat, ok := Fit([][2]float64{{1, 5}, {2, 5}, {3, 5}})
	if !ok || flat.Slope != 0 || flat.Grows() || flat.R2 != 0 {
		t.Errorf("a level line: %+v %t", flat, ok)
	}
	for name, points := range map[string][][2]float64{
		"none": nil, "two": {{1, 1}, {2, 2}}, "one x": {{1, 1}, {1, 2}, {1, 3}}, "no number": {{1, 1}, {2, math.NaN()}, {3, 3}}, "infinite": {{1, 1}, {2, math.Inf(1)}, {3, 3}},
	} {
		if l, ok := Fit(points); ok {
			t.Errorf("%s: %+v", name, l)
		}
	}
}

// The interval contains the true slope in some 95 of 100 cases, whatever the number of points.
func TestFitConfidence(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{3, 6, 12, 50, 200} {
		const rounds = 4000
		hit := 0
		for range rounds {
			points := make([][2]float64, n)
			for i := range points {
				points[i] = [2]float64{float64(i), 7 + 3*float64(i) + 10*r.NormFloat64()}
			}
			if l, ok := Fit(points); ok && l.Low <= 3 && 3 <= l.High {
				hit++
			}
		}
		if part := float64(hit) / rounds; part < 0.935 || part > 0.965 {
			t.Errorf("%d points: %.3f of the intervals have the slope", n, part)
		}
	}
}
