package main

import (
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/mooring-mcp/mooring/bench/result"
)

func newCompare() *cobra.Command {
	var markdown, readme, merge bool
	cmd := &cobra.Command{
		Use: "compare FILE...", Short: "Print results side by side", Args: cobra.MinimumNArgs(1),
		Long: `Prints the results in these files side by side. The others are compared with the first.
Results of several eras are compared within each era; servers that do not speak MCP are listed in each.`,
		RunE: func(cmd *cobra.Command, names []string) error {
			runs, err := readAll(names, merge)
			if err != nil {
				return err
			}
			w := cmd.OutOrStdout()
			switch {
			case readme:
				return writeGroups(w, runs, "**%s**\n\n", (*result.Comparison).WriteReadme)
			case markdown:
				return writeGroups(w, runs, "## %s\n\n", (*result.Comparison).WriteMarkdown)
			}
			return writeGroups(w, runs, "== %s ==\n\n", (*result.Comparison).WriteText)
		},
	}
	mergeFlag(cmd, &merge)
	cmd.Flags().BoolVar(&markdown, "markdown", false, "tables in Markdown")
	cmd.Flags().BoolVar(&readme, "short", false, "one short table in Markdown for each era, with the key figures")
	return cmd
}

func newReport() *cobra.Command {
	var out, readme, overview string
	var merge bool
	cmd := &cobra.Command{
		Use: "report FILE...", Short: "Write one HTML page with charts, several servers side by side", Args: cobra.MinimumNArgs(1),
		Long: `Writes the page of the results in these files, as suite does when it has measured. With --readme it writes the short tables
into a page of documentation, with --overview an image. With one of these and without --output it does not write the page.`,
		RunE: func(cmd *cobra.Command, names []string) error {
			runs, err := readAll(names, merge)
			if err != nil {
				return err
			}
			page := out
			if readme+overview != "" && !cmd.Flags().Changed("output") {
				page = ""
			}
			if err := writeFiles(cmd.OutOrStdout(), runs, page, readme); err != nil {
				return err
			}
			return writeOverview(cmd.OutOrStdout(), runs, overview)
		},
	}
	cmd.Flags().StringVarP(&out, "output", "o", "report.html", "file to write, - for standard output")
	readmeFlag(cmd, &readme)
	overviewFlag(cmd, &overview)
	mergeFlag(cmd, &merge)
	return cmd
}

func readmeFlag(cmd *cobra.Command, file *string) {
	cmd.Flags().StringVar(file, "readme", "", "put the short tables between the lines <!-- comparison --> and <!-- /comparison --> of this file")
}

func mergeFlag(cmd *cobra.Command, merge *bool) {
	cmd.Flags().BoolVar(merge, "merge", false, "merge results with the same label, era and machine: scenarios of a later file replace those of an earlier one")
}

// readAll reads the runs of the files, merged if requested.
func readAll(names []string, merge bool) ([]*result.Run, error) {
	var runs []*result.Run
	for _, name := range names {
		some, err := result.ReadRuns(name)
		if err != nil {
			return nil, err
		}
		runs = append(runs, some...)
	}
	if merge {
		runs = result.Merge(runs)
	}
	return runs, nil
}

// toFile writes a file, or to standard output if the name is -.
func toFile(name string, stdout io.Writer, write func(io.Writer) error) error {
	if name == "-" {
		return write(stdout)
	}
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	if err := write(f); err != nil {
		_ = f.Close()
		return fmt.Errorf("%s: %w", name, err)
	}
	return f.Close()
}
