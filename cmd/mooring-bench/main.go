package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/mooring-mcp/mooring/bench"
	"github.com/mooring-mcp/mooring/bench/result"
)

// Exit codes.
const (
	exitCrossed = 1 // a threshold is crossed
	exitFailed  = 2 // the measurement failed, or the command line is wrong
)

// errCrossed ends the program with exitCrossed; everything has been printed already.
var errCrossed = errors.New("a threshold is crossed")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	switch err := newCommand().ExecuteContext(ctx); {
	case errors.Is(err, errCrossed):
		os.Exit(exitCrossed)
	case err != nil:
		fmt.Fprintf(os.Stderr, "mooring-bench: %s\n", result.Plain(err.Error(), 4000))
		os.Exit(exitFailed)
	}
}

func newCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "mooring-bench",
		Short: "Measures MCP servers",
		Long: `Measures an MCP server over HTTP, given its URL, from outside: any server, of any revision.

  mooring-bench run idle --url http://127.0.0.1:8080/mcp
  mooring-bench run all --url http://127.0.0.1:8080/mcp -o mine.json --fail-if 'close_wait_final>0'
  mooring-bench compare mine.json theirs.json
  mooring-bench report mine.json theirs.json -o report.html

Figures of the server's process (memory, processor time, sockets) are available if it runs on this machine.
Exit codes: 0 measured, 1 a threshold is crossed, 2 the server could not be measured.`,
		SilenceUsage: true, SilenceErrors: true,
	}
	root.CompletionOptions.DisableDefaultCmd = true
	root.AddCommand(newRun(), newSuite(), newCompare(), newReport(), newSchema(), newWorker())
	return root
}

func newSchema() *cobra.Command {
	return &cobra.Command{
		Use: "schema", Short: "Print the JSON Schema of the documents that run writes", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprint(cmd.OutOrStdout(), result.Schema())
			return err
		},
	}
}

// newWorker returns the command that does part of a measurement for another process of this
// program; see bench.Work.
func newWorker() *cobra.Command {
	return &cobra.Command{
		Use: "worker", Hidden: true, Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			// A terminal sends it to the whole group; only the end of standard input counts.
			signal.Ignore(os.Interrupt)
			return bench.Work(os.Stdin, os.Stdout)
		},
	}
}
