package result

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// A form is a style of table.
type form struct {
	escape func(string) string
	cell   func(Cell) string
	tail   string // follows what is not a value, so that it is aligned with values
}

func plainForm() form {
	return form{escape: func(s string) string { return s }, cell: textCell, tail: "  "}
}

func markdownForm() form { return form{escape: escapeMarkdown, cell: markdownCell} }

// maxText is how many characters of a document's text a table shows.
const maxText = 300

// WriteText writes a table for each scenario as plain text: key figures first, the best value of a
// row marked with *, the ratio to the first run in brackets, and the measuring side's value below a
// figure; then what was found, skipped or not finished.
func (c *Comparison) WriteText(w io.Writer) error {
	var b bytes.Buffer
	for i := range c.Scenarios {
		s := &c.Scenarios[i]
		if i > 0 {
			b.WriteByte('\n')
		}
		fmt.Fprintln(&b, s.heading())
		for _, line := range s.inputs() {
			fmt.Fprintln(&b, "  "+line)
		}
		writeAligned(&b, s.grid(c.Labels, plainForm()))
		for _, r := range s.remarks(c.Labels) {
			fmt.Fprintln(&b, "  "+r)
		}
	}
	return flush(w, &b)
}

// WriteMarkdown writes the same as tables in GitHub's Markdown, with the best value in bold.
func (c *Comparison) WriteMarkdown(w io.Writer) error {
	var b bytes.Buffer
	for i := range c.Scenarios {
		s := &c.Scenarios[i]
		if i > 0 {
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "### %s\n\n", escapeMarkdown(s.heading()))
		for _, line := range s.inputs() {
			fmt.Fprintf(&b, "%s\n\n", escapeMarkdown(line))
		}
		writeMarkdown(&b, s.grid(c.Labels, markdownForm()))
		if remarks := s.remarks(c.Labels); len(remarks) > 0 {
			b.WriteByte('\n')
			for _, r := range remarks {
				fmt.Fprintf(&b, "- %s\n", escapeMarkdown(r))
			}
		}
	}
	return flush(w, &b)
}

// apart returns which runs are not judged, and why: "storm: a server (streams_refused)". It does
// not list floors.
func (c *Comparison) apart() (list []string) {
	for i := range c.Scenarios {
		s := &c.Scenarios[i]
		for j, of := range s.Runs {
			switch {
			case of == nil || c.Runs[j].IsFloor():
			case of.Error != "":
				list = append(list, s.Name+": "+c.Labels[j]+" (not finished)")
			case of.fault() != "":
				list = append(list, s.Name+": "+c.Labels[j]+" ("+of.fault()+")")
			}
		}
	}
	return list
}

func (c *Compared) heading() string { return c.Name + ": " + Plain(c.Title, maxText) }

// inputs returns a line for the inputs that all runs share, and one for those that differ.
func (c *Compared) inputs() (lines []string) {
	for _, s := range c.Runs {
		if s == nil || s.Skipped != "" || len(s.Params) == 0 {
			continue
		}
		var same []string
		for _, p := range s.Params {
			name := Plain(p.Name, 40)
			if !slices.ContainsFunc(c.Differ, func(d string) bool { return strings.HasPrefix(d, name+": ") }) {
				same = append(same, name+" "+Plain(p.Value, 40))
			}
		}
		if len(same) > 0 {
			lines = append(lines, "with "+strings.Join(same, ", "))
		}
		break
	}
	if len(c.Differ) > 0 {
		lines = append(lines, "NOT THE SAME for all: "+strings.Join(c.Differ, "; "))
	}
	return lines
}

// grid returns the head and rows of a scenario's table; nil if no run has a figure.
func (c *Compared) grid(labels []string, f form) [][]string {
	if len(c.Rows) == 0 {
		return nil
	}
	head := []string{""}
	for _, label := range labels {
		head = append(head, f.escape(label)+f.tail)
	}
	grid := [][]string{head}
	for _, row := range c.Rows {
		grid = append(grid, append([]string{f.escape(Plain(row.Title, maxText))}, each(row.Cells, f.cell)...))
		if !slices.ContainsFunc(row.Cells, func(c Cell) bool { return c.Client() != "" }) {
			continue
		}
		client := []string{"– the client's own"}
		for _, cell := range row.Cells {
			client = append(client, orWord(cell.Client(), Missing)+f.tail)
		}
		grid = append(grid, client)
	}
	return grid
}

// remarks returns what to say about the runs in addition to their figures, one line each.
func (c *Compared) remarks(labels []string) (lines []string) {
	tell := func(i int, what, text string) { lines = append(lines, labels[i]+": "+what+Plain(text, maxText)) }
	for i, s := range c.Runs {
		if s == nil {
			tell(i, "not run", "")
			continue
		}
		if s.Skipped != "" {
			tell(i, "skipped: ", s.Skipped)
		}
		if s.Error != "" {
			tell(i, "NOT FINISHED: ", s.Error)
		}
		for _, f := range s.Findings {
			tell(i, "FOUND "+Plain(f.Code, 64)+": ", f.Text)
		}
		for _, n := range s.Notes {
			tell(i, "", n)
		}
	}
	return lines
}

func textCell(c Cell) string {
	text := c.Text()
	if ratio := HumaniseRatio(c.Ratio); ratio != "" {
		text += " (" + ratio + ")"
	}
	if c.Best {
		return text + " *"
	}
	return text + "  "
}

func markdownCell(c Cell) string {
	text := c.Text()
	if c.Best {
		text = "**" + text + "**"
	}
	if ratio := HumaniseRatio(c.Ratio); ratio != "" {
		text += " (" + ratio + ")"
	}
	return text
}

// writeAligned writes a grid with the first column aligned left and the others right.
func writeAligned(b *bytes.Buffer, grid [][]string) {
	var width []int
	for _, row := range grid {
		for i, text := range row {
			if i == len(width) {
				width = append(width, 0)
			}
			width[i] = max(width[i], utf8.RuneCountInString(text))
		}
	}
	for _, row := range grid {
		var line strings.Builder
		for i, text := range row {
			pad := strings.Repeat(" ", width[i]-utf8.RuneCountInString(text))
			if i == 0 {
				line.WriteString("  " + text + pad)
			} else {
				line.WriteString("  " + pad + text)
			}
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
}

func writeMarkdown(b *bytes.Buffer, grid [][]string) {
	for i, row := range grid {
		fmt.Fprintf(b, "| %s |\n", strings.Join(row, " | "))
		if i == 0 {
			fmt.Fprintf(b, "|---%s|\n", strings.Repeat("|--:", len(row)-1))
		}
	}
}

// escapeMarkdown returns text that Markdown shows unchanged: what could begin markup, a cell, a
// link or HTML is escaped (CommonMark 2.4), and addresses do not become links.
func escapeMarkdown(text string) string {
	var b strings.Builder
	for _, r := range text {
		switch {
		case r == '<':
			b.WriteString("&lt;")
		case r == '>':
			b.WriteString("&gt;")
		case r == '&':
			b.WriteString("&amp;")
		case strings.ContainsRune("\\`*_[]{}|~!#@$", r):
			b.WriteByte('\\')
			b.WriteRune(r)
		default:
			b.WriteRune(r)
		}
	}
	return strings.NewReplacer("://", "&#58;//", "www.", "www&#46;").Replace(b.String())
}

func each[T any](list []T, f func(T) string) []string {
	out := make([]string, len(list))
	for i, v := range list {
		out[i] = f(v)
	}
	return out
}

func flush(w io.Writer, b *bytes.Buffer) error {
	if _, err := w.Write(b.Bytes()); err != nil {
		return fmt.Errorf("result: %w", err)
	}
	return nil
}
