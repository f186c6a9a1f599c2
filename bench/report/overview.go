package report

import (
	_ "embed"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/mooring-mcp/mooring/bench/result"
)

// ErrNoOverview is returned by WriteOverview if there is nothing that it could draw.
var ErrNoOverview = errors.New("report: no run has a figure that the overview shows")

//go:embed overview.css
var overviewCSS string

// Sizes of the overview, in units of the image.
const (
	overviewWidth  = 820
	overviewMargin = 16
	overviewRow    = 22
	overviewBar    = 13
	overviewLabel  = 132 // room for the name of a server
	overviewValue  = 66  // room for a value behind the longest bar
	overviewMost   = 12  // servers that are drawn at most
)

// A panel is the part of the overview that shows one figure of a scenario.
type panel struct{ scenario, figure, title string }

// panels are the two figures that a host pays for first: what a client costs that waits, and what
// one costs that calls.
var panels = [...]panel{
	{"idle", "rss_per_stream", "Resident memory for one idle stream"},
	{"call", "call_cpu", "Server CPU time for 100,000 tools/call"},
}

// WriteOverview writes one SVG image for a README: the memory of an idle stream and the processor
// time of calls, as horizontal bars, one for each server. It shows the first group of the runs
// ([result.Groups]) without its floors. Bars begin at zero and their lengths are proportional to
// the values. The image has a background of its own and follows the reader's light or dark theme.
// If no such run has one of the figures it writes nothing and returns [ErrNoOverview].
func WriteOverview(w io.Writer, runs []*result.Run) error {
	groups := result.Groups(runs)
	if len(groups) == 0 {
		return ErrNoOverview
	}
	var servers []*result.Run
	for _, r := range groups[0].Runs {
		if !r.IsFloor() && len(servers) < overviewMost {
			servers = append(servers, r)
		}
	}
	if len(servers) == 0 {
		return ErrNoOverview
	}
	c := result.Compare(servers)
	note := overviewNote(servers[0])
	height := float64(overviewMargin + overviewRow + len(servers)*overviewRow + overviewRow + 12)
	image := newCanvas("overview", overviewWidth, height, overviewWords(c, note))
	image.b.WriteString("<style>\n" + overviewCSS + "</style>")
	image.rect("card", 0.5, 0.5, overviewWidth-1, height-1, note)
	const room = (overviewWidth - overviewMargin*(len(panels)+1)) / len(panels)
	drawn := false
	for i, p := range panels {
		drawn = image.panel(c, p, float64(overviewMargin+i*(room+overviewMargin)), float64(room)) || drawn
	}
	if !drawn {
		return ErrNoOverview
	}
	image.text("note", "start", overviewMargin, height-14, note)
	if _, err := io.WriteString(w, string(image.done())+"\n"); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return nil
}

// overviewNote says what was measured, when and where. The client shares the machine with a server
// whose process is known.
func overviewNote(r *result.Run) string {
	text := ""
	if r.Server.Revision != "" {
		text = "MCP " + result.Plain(r.Server.Revision, 20) + ", "
	}
	text += fmt.Sprintf("measured on %s: %s, %d cores", r.Began.Format("2006-01-02"), result.Plain(r.Machine.CPU, 40), r.Machine.Cores)
	if r.Server.PID != 0 {
		text += " shared with the client"
	}
	return text + ". Shorter is better."
}

// panel draws p, room units wide, at x. It reports whether there was a value to draw.
func (c *canvas) panel(of *result.Comparison, p panel, x, room float64) bool {
	row := p.row(of)
	most := 0.0
	for i := range of.Runs {
		if v, ok := barValue(row, i); ok {
			most = max(most, v)
		}
	}
	c.text("head", "start", x, overviewMargin+13, p.title)
	top, zero := float64(overviewMargin+overviewRow), x+overviewLabel
	for i, run := range of.Runs {
		y := top + float64(i*overviewRow)
		base := y + overviewRow/2 + 4.5
		c.label("name", "end", zero-8, base, overviewLabel-8, of.Labels[i])
		v, ok := barValue(row, i)
		length, text := 0.0, result.Missing
		if ok {
			text = row.Cells[i].Text()
		}
		if ok && v > 0 && most > 0 {
			class := "other"
			if run.Server.Kind == "mooring" {
				class = "own"
			}
			length = math.Max(v/most*(room-overviewLabel-overviewValue), 1)
			c.rect(class, zero, y+(overviewRow-overviewBar)/2.0, length, overviewBar, of.Labels[i]+": "+text)
		}
		c.text("value", "start", zero+length+6, base, text)
	}
	c.line("axis", zero, top, zero, top+float64(len(of.Runs)*overviewRow))
	return most > 0
}

// row returns the row of the panel's figure, or nil if no run has it.
func (p panel) row(of *result.Comparison) *result.Row {
	for i := range of.Scenarios {
		for j := range of.Scenarios[i].Rows {
			if of.Scenarios[i].Name == p.scenario && of.Scenarios[i].Rows[j].Name == p.figure {
				return &of.Scenarios[i].Rows[j]
			}
		}
	}
	return nil
}

// barValue returns the value of the server in column i, if it can be drawn next to the others.
func barValue(row *result.Row, i int) (v float64, ok bool) {
	if row == nil || row.Cells[i].Figure == nil || row.Cells[i].Figure.Unit != row.Unit || !drawable(row.Cells[i].Figure.Value) {
		return 0, false
	}
	return row.Cells[i].Figure.Value, true
}

// overviewWords is the overview in words.
func overviewWords(of *result.Comparison, note string) string {
	text := ""
	for _, p := range panels {
		text += p.title
		row, sep := p.row(of), ": "
		for i, label := range of.Labels {
			value := result.Missing
			if _, ok := barValue(row, i); ok {
				value = row.Cells[i].Text()
			}
			text += sep + label + " " + value
			sep = "; "
		}
		text += ". "
	}
	return text + note
}
