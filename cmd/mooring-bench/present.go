package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/mooring-mcp/mooring/bench/report"
	"github.com/mooring-mcp/mooring/bench/result"
)

// present prints the comparison and writes those of the page and the README tables that have a file
// name.
func present(w io.Writer, runs []*result.Run, page, readme string) error {
	if err := writeGroups(w, runs, "== %s ==\n\n", (*result.Comparison).WriteText); err != nil {
		return err
	}
	return writeFiles(w, runs, page, readme)
}

// writeFiles writes those of the page and the README tables that have a file name.
func writeFiles(w io.Writer, runs []*result.Run, page, readme string) error {
	if page != "" {
		if err := toFile(page, w, func(w io.Writer) error { return report.Write(w, runs) }); err != nil {
			return err
		}
	}
	if readme == "" {
		return nil
	}
	var b strings.Builder
	for _, g := range result.Groups(runs) {
		fmt.Fprintf(&b, "\n**%s**\n\n", g.Title)
		if err := result.Compare(g.Runs).WriteReadme(&b); err != nil {
			return err
		}
	}
	return replaceSection(readme, "comparison", b.String())
}

// writeGroups writes each group of runs, under its title if there is more than one; head is the
// format of the title.
func writeGroups(w io.Writer, runs []*result.Run, head string, write func(*result.Comparison, io.Writer) error) error {
	groups := result.Groups(runs)
	for i, g := range groups {
		if i > 0 {
			if _, err := fmt.Fprintln(w); err != nil {
				return err
			}
		}
		if len(groups) > 1 {
			if _, err := fmt.Fprintf(w, head, g.Title); err != nil {
				return err
			}
		}
		if err := write(result.Compare(g.Runs), w); err != nil {
			return err
		}
	}
	return nil
}

// replaceSection puts text between the lines <!-- name --> and <!-- /name --> of a file.
func replaceSection(file, name, text string) error {
	old, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	begin, end := "<!-- "+name+" -->\n", "<!-- /"+name+" -->"
	before, rest, ok := strings.Cut(string(old), begin)
	_, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		return fmt.Errorf("%s has no lines %s and %s", file, strings.TrimSpace(begin), end)
	}
	return os.WriteFile(file, []byte(before+begin+text+end+after), 0o644)
}
