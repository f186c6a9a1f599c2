package result

import (
	"math"
	"slices"
	"strconv"
)

// A Comparison is several runs side by side: what the tables and the report show. Its columns are
// the runs, in their order; the others are compared with the first.
type Comparison struct {
	Runs      []*Run
	Labels    []string // of the servers, all distinct
	Scenarios []Compared
}

// Compared is one scenario of all runs that have it.
type Compared struct {
	Name, Title string
	Runs        []*Scenario // one for each column; nil if the run does not have it
	Rows        []Row       // key figures first
	Differ      []string    // inputs that are not the same in all runs: "connections: 8000, 1000"
}

// Row is one figure of all runs.
type Row struct {
	Name, Title, Unit, Better string
	Key                       bool
	Cells                     []Cell // one for each column
}

// Cell is one number.
type Cell struct {
	Figure *Figure // nil: missing
	// Best says that no other run has a better value. It is not set if neither direction is better,
	// if there is nothing to compare, if all values are equal, or if the scenario was not finished.
	// A run that refused or lost part of the work is not judged (see faults). A floor is not a
	// finished server: it is neither best nor ahead, and does not keep others from being so.
	Best bool
	// Ratio is this value divided by the first run's; 0 if there is none: in the first run, if one
	// of the two is missing or not above zero, or if the units differ.
	Ratio float64
	// Ahead says that the value is better than the first run's, that both are judged, and that the
	// difference shows in the three digits of the tables. If both runs are of kind mooring, neither
	// is ahead: they belong to one project.
	Ahead bool
}

// Text returns the value for people, or Missing.
func (c Cell) Text() string {
	if c.Figure == nil {
		return Missing
	}
	return Humanise(c.Figure.Value, c.Figure.Unit)
}

// Client returns the measuring side's value for people; "" if it is unknown.
func (c Cell) Client() string {
	if c.Figure == nil || c.Figure.Client == nil {
		return ""
	}
	return Humanise(*c.Figure.Client, c.Figure.Unit)
}

// Compare puts the runs side by side: scenarios and figures in the order of the first run that has
// them, key figures before the others. The Comparison refers to the runs. Texts are unchanged from
// the documents, except the labels, which are Plain.
func Compare(runs []*Run) *Comparison {
	c := &Comparison{Runs: runs, Labels: labels(runs)}
	seen := map[string]bool{}
	for _, r := range runs {
		for i := range r.Scenarios {
			if name := r.Scenarios[i].Name; !seen[name] {
				seen[name] = true
				c.Scenarios = append(c.Scenarios, compare(runs, name))
			}
		}
	}
	return c
}

// labels returns the names of the columns, all distinct.
func labels(runs []*Run) []string {
	list := make([]string, len(runs))
	used := map[string]bool{}
	for i, r := range runs {
		label := orWord(Plain(r.Server.Label, 60), orWord(Plain(r.Server.Name, 60), "server "+strconv.Itoa(i+1)))
		list[i] = label
		for n := 2; used[list[i]]; n++ {
			list[i] = label + " (" + strconv.Itoa(n) + ")"
		}
		used[list[i]] = true
	}
	return list
}

func compare(runs []*Run, name string) Compared {
	c := Compared{Name: name, Runs: make([]*Scenario, len(runs))}
	at := map[string]int{} // the row of each figure
	for i, r := range runs {
		s := r.Scenario(name)
		if s == nil {
			continue
		}
		c.Runs[i] = s
		c.Title = orWord(c.Title, s.Title)
		for j := range s.Figures {
			f := &s.Figures[j]
			k, ok := at[f.Name]
			if !ok {
				k = len(c.Rows)
				at[f.Name] = k
				c.Rows = append(c.Rows, Row{Name: f.Name, Title: orWord(f.Title, f.Name), Unit: f.Unit, Better: f.Better, Key: f.Key, Cells: make([]Cell, len(runs))})
			}
			if c.Rows[k].Cells[i].Figure == nil {
				c.Rows[k].Cells[i].Figure = f
				// Some servers' figures may not count: see counts.
				c.Rows[k].Better = orWord(c.Rows[k].Better, f.Better)
			}
		}
	}
	for i := range c.Rows {
		c.judge(&c.Rows[i], runs)
	}
	slices.SortStableFunc(c.Rows, func(a, b Row) int {
		switch {
		case a.Key == b.Key:
			return 0
		case a.Key:
			return -1
		}
		return 1
	})
	c.Differ = differ(c.Runs)
	return c
}

// judge sets Best, Ratio and Ahead of a row's cells.
func (c *Compared) judge(row *Row, runs []*Run) {
	first := row.Cells[0].Figure
	best, worst, n := math.NaN(), math.NaN(), 0
	for i := range row.Cells {
		cell := &row.Cells[i]
		if i > 0 && row.comparable(cell.Figure) && row.comparable(first) && first.Value > 0 && cell.Figure.Value > 0 {
			cell.Ratio = cell.Figure.Value / first.Value
		}
		if !c.counts(row, runs, i) {
			continue
		}
		v := cell.Figure.Value
		n++
		if n == 1 || row.better(v, best) {
			best = v
		}
		if n == 1 || row.better(worst, v) {
			worst = v
		}
		cell.Ahead = i > 0 && c.counts(row, runs, 0) && !sameProject(runs[0], runs[i]) && row.better(v, first.Value) && Humanise(v, row.Unit) != Humanise(first.Value, row.Unit)
	}
	if n < 2 || best == worst || row.Better == "" {
		return
	}
	for i := range row.Cells {
		row.Cells[i].Best = c.counts(row, runs, i) && row.Cells[i].Figure.Value == best
	}
}

// counts reports whether the value in column i is judged. A value whose own run says that neither
// direction is better is not: that server did less work for it.
func (c *Compared) counts(row *Row, runs []*Run, i int) bool {
	return c.Runs[i] != nil && c.Runs[i].Error == "" && c.Runs[i].fault() == "" && !runs[i].IsFloor() && row.comparable(row.Cells[i].Figure) && row.Cells[i].Figure.Better == row.Better
}

// faults are codes of findings after which figures say little: the server did not do all of the
// work that the others did.
var faults = [...]string{"streams_refused", "streams_ended", "client_errors", "call_errors", "request_errors", "lost_notifications", "server_gone"}

// fault returns the first of the faults among the findings of s, or "".
func (s *Scenario) fault() string {
	for _, f := range s.Findings {
		if slices.Contains(faults[:], f.Code) {
			return f.Code
		}
	}
	return ""
}

// IsFloor reports whether the server is a lower bound for others, not a finished server.
func (r *Run) IsFloor() bool { return r.Server.Kind == kindFloor }

// sameProject reports whether two servers are known to belong to one project: ours.
func sameProject(a, b *Run) bool { return a.Server.Kind == kindMooring && b.Server.Kind == kindMooring }

func (r *Row) comparable(f *Figure) bool {
	return f != nil && f.Unit == r.Unit && isFinite(f.Value)
}

func (r *Row) better(a, b float64) bool {
	switch r.Better {
	case "lower":
		return a < b
	case "higher":
		return a > b
	}
	return false
}

// differ returns the inputs that are not the same in all runs of a scenario, without skipped runs.
func differ(runs []*Scenario) (list []string) {
	var names []string
	values := map[string][]string{}
	n := 0
	for _, s := range runs {
		if s == nil || s.Skipped != "" {
			continue
		}
		for _, p := range s.Params {
			list, ok := values[p.Name]
			if !ok {
				names = append(names, p.Name)
			}
			for len(list) < n {
				list = append(list, Missing)
			}
			if len(list) == n {
				values[p.Name] = append(list, orWord(Plain(p.Value, 40), Missing))
			}
		}
		n++
	}
	for _, name := range names {
		all := values[name]
		for len(all) < n {
			all = append(all, Missing)
		}
		if slices.ContainsFunc(all, func(v string) bool { return v != all[0] }) {
			text := Plain(name, 40) + ": " + all[0]
			for _, v := range all[1:] {
				text += ", " + v
			}
			list = append(list, text)
		}
	}
	return list
}
