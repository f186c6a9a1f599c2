package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mooring-mcp/mooring/bench"
	"github.com/mooring-mcp/mooring/bench/dialect"
	"github.com/mooring-mcp/mooring/bench/result"
)

func newRun() *cobra.Command {
	run := &cobra.Command{
		Use: "run", Short: "Run one scenario, or all scenarios, against a server",
		Long: "Runs one scenario, or all scenarios, against a server. The help of each says what it does and what its figures mean:\nmooring-bench run idle --help",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	var names []string
	for _, s := range bench.Scenarios() {
		names = append(names, s.Name)
		run.AddCommand(newScenario(s))
	}
	run.AddCommand(newAll(names))
	return run
}

func newScenario(s *bench.Scenario) *cobra.Command {
	var f serverFlags
	var p bench.Params
	cmd := &cobra.Command{
		Use: s.Name, Short: s.Title, Long: s.Title + ".\n\n" + s.Help, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return measure(cmd, &f, p, s.Name) },
	}
	f.add(cmd.Flags())
	d := s.AllDefaults()
	paramFlags(cmd.Flags(), &p, s.Uses, &d)
	return cmd
}

func newAll(names []string) *cobra.Command {
	var f serverFlags
	var p bench.Params
	var only, without []string
	cmd := &cobra.Command{
		Use: "all", Short: "Run all scenarios, one after another",
		Long: `Runs all scenarios, one after another. Without a flag for a parameter, each scenario uses its own default;
see its help. The scenario drain ends the server with SIGTERM. It needs --pid for that, and comes last.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var todo []string
			for _, n := range names {
				if (len(only) == 0 || slices.Contains(only, n)) && !slices.Contains(without, n) {
					todo = append(todo, n)
				}
			}
			for _, n := range append(only, without...) {
				if !slices.Contains(names, n) {
					return fmt.Errorf("there is no scenario %q; the scenarios are %s", n, strings.Join(names, ", "))
				}
			}
			return measure(cmd, &f, p, todo...)
		},
	}
	f.add(cmd.Flags())
	paramFlags(cmd.Flags(), &p, nil, &bench.Params{})
	cmd.Flags().StringSliceVar(&only, "only", nil, "run only these scenarios, separated by commas")
	cmd.Flags().StringSliceVar(&without, "without", nil, "run all scenarios except these")
	return cmd
}

// measure runs the scenarios, prints the table, writes the file and judges the thresholds.
func measure(cmd *cobra.Command, f *serverFlags, p bench.Params, names ...string) error {
	if f.url == "" {
		return fmt.Errorf("--url is required: it says which server to measure")
	}
	era, err := dialect.ParseEra(f.era)
	if err != nil {
		return err
	}
	var thresholds result.Thresholds
	for _, text := range f.failIf {
		t, err := result.Parse(text)
		if err != nil {
			return err
		}
		thresholds = append(thresholds, t)
	}
	if f.out != "" {
		if dir, err := os.Stat(filepath.Dir(f.out)); err != nil {
			return err
		} else if !dir.IsDir() {
			return fmt.Errorf("%s is not a directory", filepath.Dir(f.out))
		}
	}
	o := bench.Options{
		URL: f.url, Era: era, Revision: f.revision, Header: f.header, Label: f.label, Notes: f.notes, PID: f.pid, NoProcess: f.noProcess, OwnServer: f.own,
		Params: p, Command: withoutSecrets(os.Args),
	}
	if exe, err := os.Executable(); err == nil {
		o.Worker = []string{exe, "worker"}
	}
	if !f.quiet {
		pr := newProgress(os.Stderr)
		defer pr.end()
		o.Progress = pr.tell
	}
	run, err := bench.Run(cmd.Context(), o, names...)
	if err != nil {
		return err
	}
	// The table comes first: a file that cannot be written must not cost the results of a long run.
	if err := result.Compare([]*result.Run{run}).WriteText(cmd.OutOrStdout()); err != nil {
		return err
	}
	if f.out != "" {
		if err := result.WriteFile(f.out, run); err != nil {
			return err
		}
	}
	if err := cmd.Context().Err(); err != nil {
		return fmt.Errorf("interrupted; what was measured until then is shown above")
	}
	return judge(run, thresholds)
}

// judge reports which thresholds are crossed, and whether a scenario failed.
func judge(run *result.Run, thresholds result.Thresholds) error {
	breaches, err := thresholds.Check(run)
	for _, b := range breaches {
		fmt.Fprintf(os.Stderr, "mooring-bench: %v\n", b)
	}
	if err != nil {
		return err
	}
	if err := unfinished(run); err != nil {
		return err
	}
	if len(breaches) > 0 {
		return errCrossed
	}
	return nil
}

// unfinished returns an error that lists what was not finished, with its server if there are
// several; nil if everything was.
func unfinished(runs ...*result.Run) error {
	var failed []string
	for _, run := range runs {
		for i := range run.Scenarios {
			s := &run.Scenarios[i]
			if s.Error == "" {
				continue
			}
			text := s.Name + ": " + result.Plain(s.Error, 300)
			if len(runs) > 1 {
				text = strings.TrimSuffix(run.Server.Label+", "+run.Server.Era, ", ") + ", " + text
			}
			failed = append(failed, text)
		}
	}
	if len(failed) == 0 {
		return nil
	}
	return fmt.Errorf("not finished: %s", strings.Join(failed, "; "))
}

// withoutSecrets returns a command line without the values of header lines, for a document that
// others will read.
func withoutSecrets(args []string) []string {
	out := slices.Clone(args)
	hide := func(line string) string {
		name, _, _ := strings.Cut(line, ":")
		return name + ": (hidden)"
	}
	for i, a := range out {
		if line, ok := strings.CutPrefix(a, "--header="); ok {
			out[i] = "--header=" + hide(line)
		} else if a == "--header" && i+1 < len(out) {
			out[i+1] = hide(out[i+1])
		}
	}
	return out
}
