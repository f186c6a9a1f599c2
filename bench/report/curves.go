package report

import (
	"cmp"
	"html/template"
	"math"
	"slices"
	"strconv"
)

// maxPoints is how many points of a curve are drawn; a longer curve is thinned and keeps its
// extremes.
const maxPoints = 480

// Sizes of charts with curves, in units of the image.
const (
	plotLeft   = 64
	plotRight  = chartWidth - 22
	plotTop    = 10
	plotBottom = 214
	plotHeight = 238
)

// A curve is one line of a chart.
type curve struct {
	server int
	points [][2]float64
}

// timeChart draws values over seconds, one curve for each server, and returns whether the axis of
// values is logarithmic. The image is "" if nothing can be drawn.
func timeChart(curves []curve, labels []string, unit, words string) (image template.HTML, log bool) {
	var xs, ys []float64
	for i := range curves {
		curves[i].points = thin(curves[i].points)
		for _, p := range curves[i].points {
			if isFinite(p) {
				xs, ys = append(xs, p[0]), append(ys, p[1])
			}
		}
	}
	lo, hi, ok := bounds(xs)
	if !ok {
		return "", false
	}
	x := linearAxis(min(lo, 0), hi, plotLeft, plotRight, 6)
	x.hi = max(hi, x.lo+(x.hi-x.lo)/100) // no empty end: the ticks need not reach it
	x.ticks = slices.DeleteFunc(x.ticks, func(t float64) bool { return t > x.hi })
	c := newCanvas("chart", chartWidth, plotHeight, words)
	y := valueAxis(ys)
	c.frame(x, y, unit, func(t float64) string { return tickLabel(t, "s") })
	c.curves(curves, labels, x, y)
	return c.done(), y.log
}

// quantileChart draws a distribution: the horizontal axis is the share of values that are not
// larger, stretched so that 90 %, 99 % and 99.9 % are equally far apart. The rest is like
// timeChart.
func quantileChart(curves []curve, labels []string, unit, words string) (image template.HTML, log bool) {
	last := 1.0 // where the axis ends, in nines
	for _, cv := range curves {
		for _, p := range cv.points {
			if p[0] < 100 && isFinite(p) {
				last = max(last, nines(p[0]))
			}
		}
	}
	last = min(math.Ceil(last+1e-9), 9)
	var ys []float64
	for i, cv := range curves {
		var points [][2]float64
		for _, p := range cv.points {
			if isFinite(p) && p[0] >= 0 && p[0] <= 100 {
				points = append(points, [2]float64{min(nines(p[0]), last), p[1]})
				ys = append(ys, p[1])
			}
		}
		curves[i].points = thin(points)
	}
	if len(ys) == 0 {
		return "", false
	}
	x := axis{lo: 0, hi: last, from: plotLeft, to: plotRight, ticks: []float64{0}}
	if last <= 2 {
		x.ticks = append(x.ticks, nines(50))
	}
	for n := 1.0; n <= last; n++ {
		x.ticks = append(x.ticks, n)
	}
	c := newCanvas("chart", chartWidth, plotHeight, words)
	y := valueAxis(ys)
	c.frame(x, y, unit, func(t float64) string { return percentile(t, last) })
	c.curves(curves, labels, x, y)
	return c.done(), y.log
}

// nines returns how many nines a percentile has: 1 for 90, 2 for 99.
func nines(p float64) float64 { return -math.Log10(max(1-p/100, 1e-12)) }

func percentile(n, last float64) string {
	if n == last {
		return "max"
	}
	p := 100 * (1 - math.Pow(10, -n))
	return strconv.FormatFloat(p, 'f', int(max(math.Round(n)-2, 0)), 64) + " %"
}

// valueAxis returns the vertical axis for the values of curves. It begins at zero unless it is
// logarithmic.
func valueAxis(values []float64) axis {
	lo, hi, _ := bounds(values)
	if lo > 0 && hi/lo > spread {
		return logAxis(lo, hi, plotBottom, plotTop, 6)
	}
	return linearAxis(min(lo, 0), max(hi, 0), plotBottom, plotTop, 5)
}

// frame draws the axes and their ticks.
func (c *canvas) frame(x, y axis, unit string, xText func(float64) string) {
	for _, tick := range y.ticks {
		c.line("grid", plotLeft, y.at(tick), plotRight, y.at(tick))
		c.label("tick", "end", plotLeft-7, y.at(tick)+4, plotLeft-4, tickLabel(tick, unit))
	}
	c.line("axis", plotLeft, plotBottom, plotRight, plotBottom)
	for _, tick := range x.ticks {
		c.line("axis", x.at(tick), plotBottom, x.at(tick), plotBottom+4)
	}
	for _, tick := range spaced(x, xText) {
		c.text("tick", "middle", x.at(tick), plotBottom+17, xText(tick))
	}
}

// curves draws the first server's curve last, on top of the others.
func (c *canvas) curves(curves []curve, labels []string, x, y axis) {
	for i := len(curves) - 1; i >= 0; i-- {
		cv := curves[i]
		points := make([][2]float64, len(cv.points))
		for j, p := range cv.points {
			points[j] = [2]float64{math.NaN(), math.NaN()}
			if isFinite(p) && (!y.log || p[1] > 0) {
				points[j] = [2]float64{x.at(p[0]), y.at(p[1])}
			}
		}
		c.path(colour(cv.server), dash(cv.server), labels[cv.server], points)
	}
}

// thin returns the points in the order of their first number, at most about maxPoints of them: from
// each stretch the smallest and the largest value, in their order.
func thin(points [][2]float64) [][2]float64 {
	points = slices.Clone(points)
	slices.SortStableFunc(points, func(a, b [2]float64) int { return cmp.Compare(a[0], b[0]) })
	if len(points) <= maxPoints {
		return points
	}
	var out [][2]float64
	const stretches = maxPoints / 2
	for i := range stretches {
		part := points[i*len(points)/stretches : (i+1)*len(points)/stretches]
		lo, hi := 0, 0
		for j, p := range part {
			if cmp.Less(p[1], part[lo][1]) {
				lo = j
			}
			if cmp.Less(part[hi][1], p[1]) {
				hi = j
			}
		}
		out = append(out, part[min(lo, hi)])
		if lo != hi {
			out = append(out, part[max(lo, hi)])
		}
	}
	return out
}

// Servers are distinguished by colour and, in charts with curves, by dashes: seven colours that
// differ in hue and lightness, and five patterns. Neither number divides the other, so 35 servers
// look different.
const colours = 7

func colour(server int) string { return "c" + strconv.Itoa(server%colours) }

func dash(server int) string {
	return [...]string{"", "7 3", "2 3", "9 3 2 3", "14 4"}[server%5]
}

// swatch draws the sample of a server's line for a legend.
func swatch(server int, label string) template.HTML {
	c := newCanvas("swatch", 30, 10, label)
	c.path(colour(server), dash(server), label, [][2]float64{{1, 5}, {29, 5}})
	return c.done()
}
