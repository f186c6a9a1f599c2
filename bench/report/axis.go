package report

import "math"

// spread is the ratio between the largest and the smallest value above which an axis is
// logarithmic.
const spread = 20

// An axis maps values to positions in an image.
type axis struct {
	lo, hi   float64 // values at its ends; lo < hi
	from, to float64 // positions of its ends
	log      bool
	ticks    []float64 // ascending, within lo and hi
}

// linearAxis returns an axis that includes lo and hi, begins and ends at round values, and has
// about n ticks.
func linearAxis(lo, hi, from, to float64, n int) axis {
	if !(lo < hi) {
		pad := math.Abs(lo)
		if pad < 1e-100 {
			pad = 1
		}
		hi = lo + pad
	}
	step := roundStep((hi - lo) / float64(n))
	first, last := math.Floor(lo/step+1e-9), math.Ceil(hi/step-1e-9)
	a := axis{lo: first * step, hi: last * step, from: from, to: to}
	for i := 0; i <= int(min(last-first, 50)); i++ {
		a.ticks = append(a.ticks, (first+float64(i))*step)
	}
	return a
}

// roundStep returns the smallest 1, 2 or 5 times a power of ten that is not below step.
func roundStep(step float64) float64 {
	power := math.Pow(10, math.Floor(math.Log10(step)))
	for _, m := range [...]float64{1, 2, 5} {
		if m*power >= step*(1-1e-9) {
			return m * power
		}
	}
	return 10 * power
}

// logAxis returns a logarithmic axis that includes lo and hi, both above zero. It begins and ends
// at 1, 2 or 5 times a power of ten. Its ticks are the powers of ten, with steps in between if
// there are few, and with gaps if there are many.
func logAxis(lo, hi, from, to float64, n int) axis {
	below, above := math.Floor(math.Log10(lo)+1e-9), math.Ceil(math.Log10(hi)-1e-9)
	if above <= below {
		above = below + 1
	}
	a := axis{lo: math.Pow(10, below), hi: math.Pow(10, above), from: from, to: to, log: true}
	decades := above - below
	for _, m := range [...]float64{2, 5} {
		if m*math.Pow(10, below) <= lo {
			a.lo = m * math.Pow(10, below)
		}
		if v := m * math.Pow(10, above-1); v >= hi && v < a.hi && v > a.lo {
			a.hi = v
		}
	}
	between := []float64{1}
	if decades <= 2 {
		between = []float64{1, 2, 5}
	}
	every := math.Max(1, math.Ceil(decades/float64(n)))
	for d := below; d <= above; d += every {
		for _, m := range between {
			if v := m * math.Pow(10, d); v >= a.lo*(1-1e-9) && v <= a.hi*(1+1e-9) {
				a.ticks = append(a.ticks, v)
			}
		}
	}
	return a
}

// at returns the position of v, which is clamped to the axis.
func (a axis) at(v float64) float64 {
	v = min(max(v, a.lo), a.hi)
	part := (v - a.lo) / (a.hi - a.lo)
	if a.log {
		part = math.Log(v/a.lo) / math.Log(a.hi/a.lo)
	}
	return a.from + part*(a.to-a.from)
}

// bounds returns the smallest and the largest of the values that can be drawn; ok is false if there
// is none.
func bounds(values []float64) (lo, hi float64, ok bool) {
	lo, hi = math.Inf(1), math.Inf(-1)
	for _, v := range values {
		if drawable(v) {
			lo, hi, ok = min(lo, v), max(hi, v), true
		}
	}
	return lo, hi, ok
}
