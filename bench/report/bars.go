package report

import (
	"html/template"
	"math"
	"slices"
	"unicode/utf8"

	"github.com/mooring-mcp/mooring/bench/result"
)

// Sizes of bar charts, in units of the image.
const (
	chartWidth = 420
	labelWidth = 146
	valueWidth = 118
	rowHeight  = 24
	barHeight  = 14
)

// barChart draws one figure of all servers as horizontal bars. It returns "" if no value can be
// drawn. The axis is logarithmic if the values above zero are far apart and none is negative. Such
// bars have no natural start, so the chart says so. Zero has no bar there.
func barChart(row result.Row, labels []string, where string) template.HTML {
	axis, ok := barAxis(row)
	if !ok {
		return ""
	}
	height := float64(len(labels)*rowHeight + 24)
	c := newCanvas("chart", chartWidth, height, barWords(row, labels, where))
	bottom := float64(len(labels) * rowHeight)
	label := func(v float64) string { return tickLabel(v, row.Unit) }
	for _, tick := range spaced(axis, label) {
		c.line("grid", axis.at(tick), 0, axis.at(tick), bottom)
		c.text("tick", "middle", axis.at(tick), bottom+16, label(tick))
	}
	zero := axis.at(0) // on a logarithmic axis, its start
	for i, cell := range row.Cells {
		y := float64(i * rowHeight)
		base := y + rowHeight/2 + 4.5
		c.label("name", "end", labelWidth-8, base, labelWidth-8, labels[i])
		end := zero
		if f := cell.Figure; f != nil && f.Unit == row.Unit && drawable(f.Value) {
			end = axis.at(f.Value)
			c.rect("bar "+colour(i), math.Min(zero, end), y+(rowHeight-barHeight)/2, math.Max(math.Abs(end-zero), 1), barHeight, labels[i]+": "+cell.Text())
		}
		class, text := "value", cell.Text()
		if cell.Best {
			class = "value best"
			text += " ●"
		}
		at := math.Max(zero, end) + 6
		c.value(class, at, base, text, result.HumaniseRatio(cell.Ratio))
	}
	return c.done()
}

// barAxis returns the axis of a bar chart.
func barAxis(row result.Row) (axis, bool) {
	var all, positive []float64
	for _, cell := range row.Cells {
		f := cell.Figure
		if f == nil || f.Unit != row.Unit || !drawable(f.Value) {
			continue
		}
		all = append(all, f.Value)
		if f.Value > 0 {
			positive = append(positive, f.Value)
		}
	}
	lo, hi, ok := bounds(all)
	if !ok {
		return axis{}, false
	}
	least, _, _ := bounds(positive)
	if lo >= 0 && len(positive) > 1 && hi/least > spread {
		// Half, so that the smallest value has a bar too.
		return logAxis(least/2, hi, labelWidth, chartWidth-valueWidth, 5), true
	}
	return linearAxis(math.Min(lo, 0), math.Max(hi, 0), labelWidth, chartWidth-valueWidth, 4), true
}

// barWords describes the chart in words.
func barWords(row result.Row, labels []string, where string) string {
	text := where + ": " + row.Title
	sep := ": "
	for i, cell := range row.Cells {
		text += sep + labels[i] + " " + cell.Text()
		sep = "; "
	}
	return text
}

// spaced returns the ticks of a horizontal axis, as many as fit without their labels touching: all
// of them, the powers of ten of a logarithmic axis, or every second, third and so on.
func spaced(a axis, label func(float64) string) []float64 {
	sets := [][]float64{a.ticks}
	if a.log {
		tens := slices.DeleteFunc(slices.Clone(a.ticks), func(v float64) bool { n := math.Log10(v); return math.Abs(n-math.Round(n)) > 1e-6 })
		if len(tens) > 1 {
			sets = append(sets, tens)
		}
	}
	last := sets[len(sets)-1]
	for every := 2; every < len(last); every++ {
		var some []float64
		for i := 0; i < len(last); i += every {
			some = append(some, last[i])
		}
		sets = append(sets, some)
	}
	for _, set := range sets {
		if apart(a, set, label) {
			return set
		}
	}
	return a.ticks[:min(len(a.ticks), 1)]
}

// apart reports whether no label of a tick touches the next.
func apart(a axis, ticks []float64, label func(float64) string) bool {
	end := math.Inf(-1)
	for _, tick := range ticks {
		half := float64(utf8.RuneCountInString(label(tick))) * charWidth / 2
		if a.at(tick)-half < end {
			return false
		}
		end = a.at(tick) + half + 6
	}
	return true
}

// tickLabel formats a round value; zero needs no unit.
func tickLabel(v float64, unit string) string {
	if v == 0 {
		return "0"
	}
	return result.Humanise(v, unit)
}
