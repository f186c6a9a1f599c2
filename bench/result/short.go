package result

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
)

// WriteReadme writes the short table of a documentation page, in Markdown: a line that says when
// and where the runs were made, the key figures of all scenarios with the unit of each row and one
// column for each server, and which servers were not judged. All values of a row are in the same
// unit, and cells hold nothing but the value and its ratio to the first server's.
func (c *Comparison) WriteReadme(w io.Writer) error {
	if len(c.Runs) == 0 {
		return nil
	}
	var b bytes.Buffer
	c.writeCaption(&b)
	grid := [][]string{append([]string{"scenario", "figure", "unit"}, each(c.Labels, escapeMarkdown)...)}
	for i := range c.Scenarios {
		s := &c.Scenarios[i]
		for j := range s.Rows {
			row := &s.Rows[j]
			if !row.Key {
				continue
			}
			unit := row.shortUnit()
			cells := []string{escapeMarkdown(Plain(s.Name, maxText)), escapeMarkdown(row.shortTitle(s.Name)), escapeMarkdown(strings.TrimSpace(unit.name))}
			for _, cell := range row.Cells {
				cells = append(cells, unit.cell(row, cell))
			}
			grid = append(grid, cells)
		}
	}
	for i, cells := range grid {
		fmt.Fprintf(&b, "| %s |\n", strings.Join(cells, " | "))
		if i == 0 {
			fmt.Fprintf(&b, "|---|---|---%s|\n", strings.Repeat("|--:", len(c.Labels)))
		}
	}
	if list := c.apart(); len(list) > 0 {
		fmt.Fprintf(&b, "\nNot judged because of faults, or because they were not finished: %s.\n", escapeMarkdown(strings.Join(list, "; ")))
	}
	return flush(w, &b)
}

// writeCaption writes when and where the runs were made, and how to read the table.
func (c *Comparison) writeCaption(b *bytes.Buffer) {
	m := c.Runs[0].Machine
	fmt.Fprintf(b, "Measured on %s with mooring-bench %s: %s, %d cores, %.3g GiB.", c.Runs[0].Began.Format("2006-01-02"),
		escapeMarkdown(Plain(c.Runs[0].Tool.Version, 60)), escapeMarkdown(Plain(m.CPU, 60)), m.Cores, float64(m.MemoryBytes)/(1<<30))
	if len(c.Runs) > 1 {
		fmt.Fprintf(b, " In parentheses: the ratio to the value of %s. Bold: the best value", escapeMarkdown(c.Labels[0]))
		if slices.ContainsFunc(c.Runs, (*Run).IsFloor) {
			b.WriteString("; floors are not finished servers and are not judged")
		}
		b.WriteByte('.')
	}
	if slices.ContainsFunc(c.Runs, func(r *Run) bool { return r.Machine != m }) {
		b.WriteString(" The servers were not all measured on one machine.")
	}
	b.WriteString("\n\n")
}

// shortUnit returns the unit for all values of the row: the step in which the first value that is
// not zero is at least 1, beginning with the server that the others are compared with.
func (r *Row) shortUnit() step {
	of := stepsOf(r.Unit)
	for _, cell := range r.Cells {
		if r.comparable(cell.Figure) && cell.Figure.Value != 0 {
			return of.fit(cell.Figure.Value)
		}
	}
	return of[0]
}

// cell writes the cell's value in the unit s. A value in another unit than the row's keeps its own.
func (s step) cell(row *Row, c Cell) string {
	text := c.Text()
	if row.comparable(c.Figure) {
		text = digits(c.Figure.Value / s.size)
	}
	if c.Best {
		text = "**" + text + "**"
	}
	if ratio := HumaniseRatio(c.Ratio); ratio != "" {
		text += " (" + ratio + ")"
	}
	return text
}

// stepsOf returns the units in which values of a unit are written, in sizes of that unit. There is
// at least one.
func stepsOf(unit string) steps {
	switch unit {
	case "B":
		return byteSteps
	case "s":
		return durationSteps(1)
	case "ms":
		return durationSteps(1e-3)
	case "µs":
		return durationSteps(1e-6)
	}
	return steps{{1, Plain(unit, 16)}}
}

// durationSteps returns the units of time in sizes of one that has that many seconds.
func durationSteps(seconds float64) steps {
	of := slices.Clone(timeSteps)
	for i := range of {
		of[i].size /= seconds
	}
	return of
}

// fit returns the largest step that leaves value at 1 or more once it is rounded, or the first.
func (of steps) fit(value float64) step {
	found := of[0]
	for _, s := range of[1:] {
		if math.Abs(value) >= s.size*0.9995 {
			found = s
		}
	}
	return found
}
