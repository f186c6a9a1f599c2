package main

import (
	"errors"
	"os"

	"github.com/spf13/cobra"

	"github.com/mooring-mcp/mooring/bench"
	"github.com/mooring-mcp/mooring/bench/report"
	"github.com/mooring-mcp/mooring/bench/result"
	"github.com/mooring-mcp/mooring/bench/suite"
)

// seriesPoints is how many points a comparison's file keeps of each series: a chart of several
// servers shows no more.
const seriesPoints = 150

func newSuite() *cobra.Command {
	var o suite.Options
	var p bench.Params
	var out, page, readme, overview string
	var quiet bool
	cmd := &cobra.Command{
		Use: "suite LIST", Short: "Start the servers of a list in turn and measure each", Args: cobra.ExactArgs(1),
		Long: `Starts each server of a list, runs the scenarios that the list names for it, ends it, and writes the
results side by side. Each scenario gets a process of its own. In Mooring's repository,
bench/peers/peers.json is such a list, and bench/suite/list.go documents its fields.
Without a flag for a parameter, each scenario uses its own default. If a server could not be measured
completely, the remaining servers are still measured and all files written, and the exit code is 2.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			servers, err := suite.ReadList(args[0])
			if err != nil {
				return err
			}
			o.Bench.Params, o.Bench.Command = p, os.Args
			if exe, err := os.Executable(); err == nil {
				o.Bench.Worker = []string{exe, "worker"}
			}
			if !quiet {
				pr := newProgress(os.Stderr)
				defer pr.end()
				o.Bench.Progress = pr.tell
			}
			var runs []*result.Run
			o.Done = func(run *result.Run) error {
				run.Thin(seriesPoints)
				if runs = append(runs, run); out == "" {
					return nil
				}
				return result.WriteRuns(out, runs)
			}
			if _, err := suite.Compare(cmd.Context(), servers, o); err != nil {
				return err
			}
			if err := present(cmd.OutOrStdout(), runs, page, readme); err != nil {
				return err
			}
			// A part of the suite may have none of the figures that the overview shows.
			if err := writeOverview(cmd.OutOrStdout(), runs, overview); err != nil && !errors.Is(err, report.ErrNoOverview) {
				return err
			}
			return unfinished(runs...)
		},
	}
	fs := cmd.Flags()
	fs.StringVar(&o.Dir, "dir", ".", "directory that the list's commands are relative to")
	fs.StringSliceVar(&o.Servers, "servers", nil, "names of the servers to measure, in the order of the tables; all by default")
	fs.StringSliceVar(&o.Eras, "eras", nil, "modern, legacy, plain; all by default")
	fs.StringSliceVar(&o.Scenarios, "scenarios", nil, "only these scenarios")
	fs.StringVarP(&out, "output", "o", "", "write the results to this file, as JSON")
	fs.StringVar(&page, "html", "", "write the report to this file")
	readmeFlag(cmd, &readme)
	overviewFlag(cmd, &overview)
	fs.BoolVarP(&quiet, "quiet", "q", false, "no progress")
	paramFlags(fs, &p, nil, &bench.Params{})
	return cmd
}
