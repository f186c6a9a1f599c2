package report

import (
	"fmt"
	"html/template"
	"slices"
	"strconv"
	"strings"

	"github.com/mooring-mcp/mooring/bench/result"
)

// A page is the data of the template.
type page struct {
	Style  template.CSS
	Policy string

	Title    string
	Date     string
	Apart    bool // there is more than one group
	Groups   []group
	Machines []machine
}

// A group is a set of servers that are compared with one another.
type group struct {
	Anchor    string
	Title     string
	First     string   // label of the first server
	Labels    []string // labels of all servers
	Several   bool
	Apart     bool // it is not the only group
	Legend    []legend
	Floors    []string // labels of servers that are a lower bound, not finished servers
	Ahead     []string // where others are better than the first in key figures, a sentence each
	Findings  []remark
	Undone    []remark // what was not finished, skipped or not run
	Scenarios []section
	Servers   []server // those that no earlier group has
}

type legend struct {
	Swatch template.HTML
	Label  string
}

// A remark is a message about one server.
type remark struct {
	Label, Where, Anchor, What, Text string
}

// A section is one scenario.
type section struct {
	Anchor, Name, Title string
	Group               string // title of its group; empty if there is only one
	Inputs              string
	Differ              []string
	KeyBars             []chart
	KeyRows             []row // instead of bars, if there is only one server
	Rows                []row
	Charts              []chart
	Tables              []table
	Ahead               []string // like group.Ahead, for the figures that are not key figures
	Remarks             []remark
}

type chart struct {
	Title, Hint string
	Image       template.HTML
	Legend      []legend
}

type row struct {
	Title, Hint string
	Key         bool
	Cells       []cell
}

type cell struct {
	Exact, Text   string // Exact is empty if there is no number
	Ratio, Client string
	Best          bool
}

// A table holds the numbers of a chart.
type table struct {
	Title string
	Head  []string
	Rows  []tableRow
}

type tableRow struct {
	Label string
	Cells []cell
}

func newPage(groups []result.Group) *page {
	p := &page{Apart: len(groups) > 1}
	told := map[*result.Run]bool{}
	var labels []string // of all servers, each once
	var all []*result.Run
	for i, g := range groups {
		anchor := ""
		if p.Apart {
			anchor = "g" + strconv.Itoa(i+1)
		}
		c := result.Compare(g.Runs)
		p.Groups = append(p.Groups, newGroup(c, g.Title, anchor, told))
		p.Machines = addMachines(p.Machines, c)
		for _, r := range g.Runs {
			told[r] = true
		}
		all = append(all, g.Runs...)
		for _, l := range c.Labels {
			if !slices.Contains(labels, l) {
				labels = append(labels, l)
			}
		}
	}
	p.Title = strings.Join(labels[:min(len(labels), 4)], ", ")
	if more := len(labels) - 4; more > 0 {
		p.Title += fmt.Sprintf(" and %d more", more)
	}
	p.Date = dates(all)
	return p
}

// newGroup returns a group of the page. anchor is the prefix of its scenarios' anchors, or empty if
// it is the only group. Servers leaves out those in told.
func newGroup(c *result.Comparison, title, anchor string, told map[*result.Run]bool) group {
	g := group{Anchor: anchor, Title: title, First: c.Labels[0], Labels: c.Labels, Several: len(c.Labels) > 1, Apart: anchor != ""}
	if !g.Apart {
		g.Anchor = "summary"
	}
	for i, r := range c.Runs {
		g.Legend = append(g.Legend, legendOf(c, i))
		if r.IsFloor() {
			g.Floors = append(g.Floors, c.Labels[i])
		}
		if !told[r] {
			g.Servers = append(g.Servers, newServer(c, i))
		}
	}
	for i := range c.Scenarios {
		s := newSection(c, &c.Scenarios[i], anchor+"s"+strconv.Itoa(i+1))
		if g.Apart {
			s.Group = title
		}
		g.Scenarios = append(g.Scenarios, s)
		g.Ahead = append(g.Ahead, aheadIn(c, &c.Scenarios[i], true)...)
		for _, r := range s.Remarks {
			switch r.What {
			case "":
			case found:
				g.Findings = append(g.Findings, r)
			default:
				g.Undone = append(g.Undone, r)
			}
		}
	}
	return g
}

func legendOf(c *result.Comparison, i int) legend {
	return legend{Swatch: swatch(i, c.Labels[i]), Label: c.Labels[i]}
}

func dates(runs []*result.Run) string {
	first, last := runs[0].Began, runs[0].Began
	for _, r := range runs {
		if r.Began.Before(first) {
			first = r.Began
		}
		if r.Began.After(last) {
			last = r.Began
		}
	}
	a, b := first.Format("2006-01-02"), last.Format("2006-01-02")
	if a == b {
		return a
	}
	return a + " to " + b
}

// found, unfinished, skipped and missing are what a remark is about. A remark about none of these
// is a note.
const (
	found      = "found"
	unfinished = "not finished"
	skipped    = "skipped"
	missing    = "not run"
)

func remarks(c *result.Comparison, s *result.Compared, anchor string) (list []remark) {
	for i, of := range s.Runs {
		tell := func(what, text string) {
			list = append(list, remark{Label: c.Labels[i], Where: s.Name, Anchor: anchor, What: what, Text: text})
		}
		if of == nil {
			tell(missing, "the document does not have this scenario")
			continue
		}
		if of.Skipped != "" {
			tell(skipped, of.Skipped)
		}
		if of.Error != "" {
			tell(unfinished, of.Error)
		}
		for _, f := range of.Findings {
			tell(found, f.Code+": "+f.Text)
		}
		for _, n := range of.Notes {
			tell("", n)
		}
	}
	return list
}

// aheadIn says in words in which figures, either key figures or the others, a server is better than
// the first.
func aheadIn(c *result.Comparison, s *result.Compared, key bool) (list []string) {
	for _, r := range s.Rows {
		if r.Key != key {
			continue
		}
		for i, cell := range r.Cells {
			if !cell.Ahead {
				continue
			}
			text := fmt.Sprintf("%s: %s has %s, %s has %s", result.Plain(r.Title, 200), c.Labels[i], cell.Text(), c.Labels[0], r.Cells[0].Text())
			if ratio := result.HumaniseRatio(cell.Ratio); ratio != "" {
				text += " (" + ratio + ")"
			}
			list = append(list, s.Name+" – "+text)
		}
	}
	return list
}

// A server describes how one of the servers was configured and measured.
type server struct {
	Legend                      legend
	Name, Revision, URL         string
	Process, Notes, Command     string
	PID                         int
	Began, Tool, Go, MachineRef string
}

// A machine is one that runs were made on.
type machine struct {
	result.Machine
	Ref, Memory string
	Labels      []string
}

// addMachines adds the machines of a comparison, each of them once.
func addMachines(list []machine, c *result.Comparison) []machine {
	for i, r := range c.Runs {
		at := slices.IndexFunc(list, func(m machine) bool { return m.Machine == r.Machine })
		if at < 0 {
			at = len(list)
			list = append(list, machine{Machine: r.Machine, Memory: fmt.Sprintf("%.3g GiB", float64(r.Machine.MemoryBytes)/(1<<30))})
		}
		if !slices.Contains(list[at].Labels, c.Labels[i]) {
			list[at].Labels = append(list[at].Labels, c.Labels[i])
		}
	}
	return list
}

func newServer(c *result.Comparison, i int) server {
	r := c.Runs[i]
	s := r.Server
	return server{
		Legend: legendOf(c, i), Name: strings.TrimSpace(s.Name + " " + s.Version), Revision: strings.TrimSpace(s.Era + " " + s.Revision), URL: s.URL,
		Process: s.Command, Notes: s.Notes, Command: shellWords(r.Command), PID: s.PID,
		Began: r.Began.UTC().Format("2006-01-02 15:04:05 UTC"), Tool: r.Tool.Version, Go: r.Tool.Go,
	}
}

// shellWords formats a command line so that a POSIX shell reads the same words.
func shellWords(words []string) string {
	out := make([]string, len(words))
	for i, w := range words {
		out[i] = w
		if w == "" || strings.ContainsAny(w, " \t\n'\"\\$`!*?[]{}()<>|&;#~") {
			out[i] = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
		}
	}
	return strings.Join(out, " ")
}
