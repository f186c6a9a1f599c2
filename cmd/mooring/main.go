package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/mooring-mcp/mooring/gateway"
)

func main() {
	root := newRoot(os.Stdout, os.Stderr)
	root.SetArgs(gateway.JoinNamed(os.Args[1:]))
	if err := root.Execute(); err != nil {
		for _, line := range linesOf(err) {
			fmt.Fprintln(os.Stderr, "mooring:", line)
		}
		os.Exit(1)
	}
}

// linesOf returns the text of err: a line for each thing that is wrong with a configuration file,
// and otherwise one.
func linesOf(err error) (lines []string) {
	if all, ok := errors.AsType[gateway.ConfigErrors](err); ok {
		for _, p := range all {
			lines = append(lines, p.String())
		}
		return lines
	}
	return []string{oneLine(err)}
}

// newRoot returns the command with its subcommands.
func newRoot(stdout, stderr io.Writer) *cobra.Command {
	root := &cobra.Command{
		Use:           "mooring",
		Short:         "An MCP server for very many connections",
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetOut(stdout)
	root.SetErr(stderr)
	root.AddCommand(newServe(), newGateway(), newPrintConfig(), newHealthcheck(), newVersion())
	return root
}
