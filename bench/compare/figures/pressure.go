package main

import (
	"fmt"
	"slices"
)

// engines are the server's event loops, in the order of the columns.
var engines = [...]string{"gnet", "epoll"}

// A pressure is a group of figures of the server under adverse load, or under none at all.
type pressure struct {
	name    string // its name for -only
	measure func(bin string, o *options) []row
}

var pressures = []pressure{
	{"worker", measureWorker},
	{"cpu", measureCPU},
	{"idle", measureIdle},
	{"unread", measureUnread},
	{"onebyte", measureOneByte},
	{"health", measureHealth},
	{"stream", measureStream},
}

// options say how much to do.
type options struct {
	rounds, conns, calls, streams int
}

// A row is one figure: for the bare gnet server if it has one, and for the server on each engine.
type row struct {
	name  string // of the figure; it is stable
	what  string
	floor []float64 // one for each round; nil if the floor does not have this figure
	on    [len(engines)][]float64
	bound [len(engines)]float64 // upper bounds
}

// measurePressure prints the groups of that name, or all for "pressure".
func measurePressure(bin, only string, o *options) {
	fmt.Printf("| figure | what it is | group | bare gnet | gnet | own loop | at most: gnet · own loop |\n|---|---|---|--:|--:|--:|--:|\n")
	for _, p := range pressures {
		if only != "pressure" && only != p.name {
			continue
		}
		for _, r := range p.measure(bin, o) {
			r.print(p.name)
		}
	}
}

func (r *row) print(group string) {
	floor := ""
	if r.floor != nil {
		floor = spread(r.floor)
	}
	bound := ""
	if r.bound[0] != noBound || r.bound[1] != noBound {
		bound = fmt.Sprintf("%s · %s", boundText(r.bound[0]), boundText(r.bound[1]))
	}
	fmt.Printf("| `%s` | %s | %s | %s | %s | %s | %s |\n", r.name, r.what, group, floor, r.cell(0), r.cell(1), bound)
}

const noBound = -1

func boundText(v float64) string {
	if v == noBound {
		return "–"
	}
	return fmt.Sprintf("%.4g", v)
}

// cell is a median, its spread, and a mark if the median is above the bound.
func (r *row) cell(engine int) string {
	v := r.on[engine]
	if len(v) == 0 {
		return ""
	}
	if b := r.bound[engine]; b != noBound && median(v) > b {
		return spread(v) + " **above**"
	}
	return spread(v)
}

// isPressure reports whether -only names figures of this kind.
func isPressure(only string) bool {
	return only == "pressure" || slices.ContainsFunc(pressures, func(p pressure) bool { return p.name == only })
}

func ratios(a, b []float64) []float64 {
	r := make([]float64, len(a))
	for i := range a {
		r[i] = a[i] / b[i]
	}
	return r
}
