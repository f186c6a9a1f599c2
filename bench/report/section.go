package report

import (
	"math"
	"strconv"
	"strings"

	"github.com/mooring-mcp/mooring/bench/result"
)

func newSection(c *result.Comparison, s *result.Compared, anchor string) section {
	sec := section{Anchor: anchor, Name: s.Name, Title: s.Title, Inputs: inputs(s), Differ: s.Differ}
	sec.Remarks = remarks(c, s, anchor)
	sec.Ahead = aheadIn(c, s, false)
	for _, r := range s.Rows {
		sec.Rows = append(sec.Rows, newRow(r))
		if r.Key {
			sec.KeyRows = append(sec.KeyRows, newRow(r))
		}
		if len(c.Labels) < 2 {
			continue // a single bar says nothing
		}
		bar := chart{Title: r.Title, Hint: hint(r), Image: barChart(r, c.Labels, s.Name)}
		switch {
		case bar.Image == "":
		case r.Key:
			sec.KeyBars = append(sec.KeyBars, bar)
		default:
			sec.Charts = append(sec.Charts, bar)
		}
	}
	curves, tables := curvesOf(c, s)
	sec.Charts = append(curves, sec.Charts...)
	sec.Tables = tables
	return sec
}

// hint says how to read the bars of a figure.
func hint(r result.Row) string {
	text := ""
	if r.Better != "" {
		text = r.Better + " is better"
	}
	a, ok := barAxis(r)
	return scale(text, ok && a.log)
}

// scale adds to a hint that the scale is logarithmic.
func scale(text string, log bool) string {
	switch {
	case !log:
		return text
	case text == "":
		return "logarithmic scale"
	}
	return text + " · logarithmic scale"
}

func inputs(s *result.Compared) string {
	for _, run := range s.Runs {
		if run == nil || run.Skipped != "" || len(run.Params) == 0 {
			continue
		}
		var list []string
		for _, p := range run.Params {
			list = append(list, result.Plain(p.Name, 60)+" "+result.Plain(p.Value, 60))
		}
		return strings.Join(list, " · ")
	}
	return ""
}

func newRow(r result.Row) row {
	out := row{Title: r.Title, Key: r.Key}
	if r.Better != "" {
		out.Hint = r.Better + " is better"
	}
	for _, c := range r.Cells {
		cell := cell{Text: c.Text(), Best: c.Best, Ratio: result.HumaniseRatio(c.Ratio), Client: c.Client()}
		if c.Figure != nil {
			cell.Exact = exact(c.Figure.Value)
		}
		out.Cells = append(out.Cells, cell)
	}
	return out
}

// exact is the number for machines, where people read three digits; empty for a number that is not
// finite.
func exact(v float64) string {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return ""
	}
	return strconv.FormatFloat(v, 'g', -1, 64)
}

// A bundle is a series, or a distribution, of all servers that have it.
type bundle struct {
	name, title, unit string
	curves            []curve
}

// add puts a curve into its bundle. A curve with another unit than the bundle's starts a new
// bundle.
func add(bundles []bundle, name, title, unit string, c curve) []bundle {
	for i := range bundles {
		if bundles[i].name == name && bundles[i].unit == unit {
			// A name that a run has twice counts once.
			if last := bundles[i].curves; last[len(last)-1].server != c.server {
				bundles[i].curves = append(bundles[i].curves, c)
			}
			return bundles
		}
	}
	if title == "" {
		title = name
	}
	return append(bundles, bundle{name: name, title: title, unit: unit, curves: []curve{c}})
}

// curvesOf draws the series and distributions of a scenario, and puts their main values into
// tables.
func curvesOf(c *result.Comparison, s *result.Compared) (charts []chart, tables []table) {
	var series, dists []bundle
	for i, run := range s.Runs {
		if run == nil {
			continue
		}
		for _, v := range run.Series {
			series = add(series, v.Name, v.Title, v.Unit, curve{server: i, points: v.Points})
		}
		for _, v := range run.Distributions {
			dists = add(dists, v.Name, v.Title, v.Unit, curve{server: i, points: v.Quantiles})
		}
	}
	for _, b := range series {
		if t := seriesTable(b, c.Labels); len(t.Rows) > 0 {
			tables = append(tables, t)
		}
		if image, log := timeChart(b.curves, c.Labels, b.unit, s.Name+": "+b.title+" over time"); image != "" {
			charts = append(charts, chart{Title: b.title, Hint: scale("over time", log), Image: image, Legend: legendFor(c, b)})
		}
	}
	for _, b := range dists {
		if t := distributionTable(b, c.Labels); len(t.Rows) > 0 {
			tables = append(tables, t)
		}
		if image, log := quantileChart(b.curves, c.Labels, b.unit, s.Name+": "+b.title+" by percentile"); image != "" {
			charts = append(charts, chart{Title: b.title, Hint: scale("by percentile", log), Image: image, Legend: legendFor(c, b)})
		}
	}
	return charts, tables
}

func legendFor(c *result.Comparison, b bundle) (list []legend) {
	if len(c.Labels) < 2 {
		return nil
	}
	for _, cv := range b.curves {
		list = append(list, legendOf(c, cv.server))
	}
	return list
}

func value(v float64, unit string) cell { return cell{Exact: exact(v), Text: result.Humanise(v, unit)} }

// seriesTable lists where each curve begins and ends, and its extremes.
func seriesTable(b bundle, labels []string) table {
	t := table{Title: b.title + ", over time", Head: []string{"first", "least", "most", "last"}}
	for _, cv := range b.curves {
		var ys []float64
		for _, p := range cv.points {
			if isFinite(p) {
				ys = append(ys, p[1])
			}
		}
		if lo, hi, ok := bounds(ys); ok {
			t.Rows = append(t.Rows, tableRow{Label: labels[cv.server], Cells: []cell{value(ys[0], b.unit), value(lo, b.unit), value(hi, b.unit), value(ys[len(ys)-1], b.unit)}})
		}
	}
	return t
}

// distributionTable lists the usual percentiles, as far as the document has them.
func distributionTable(b bundle, labels []string) table {
	percentiles := []float64{50, 90, 99, 99.9, 99.99, 100}
	t := table{Title: b.title + ", by percentile", Head: []string{"50 %", "90 %", "99 %", "99.9 %", "99.99 %", "most"}}
	for _, cv := range b.curves {
		r := tableRow{Label: labels[cv.server]}
		any := false
		for _, want := range percentiles {
			of := cell{Text: result.Missing}
			for _, q := range cv.points {
				if q[0] == want && drawable(q[1]) {
					of, any = value(q[1], b.unit), true
				}
			}
			r.Cells = append(r.Cells, of)
		}
		if any {
			t.Rows = append(t.Rows, r)
		}
	}
	return t
}
