package main

import (
	"bytes"
	"io"

	"github.com/spf13/cobra"

	"github.com/mooring-mcp/mooring/bench/report"
	"github.com/mooring-mcp/mooring/bench/result"
)

func overviewFlag(cmd *cobra.Command, file *string) {
	cmd.Flags().StringVar(file, "overview", "", "write an SVG image with the memory of an idle stream and the CPU time of calls to this file")
}

// writeOverview writes the overview of the runs, if file is not empty. An error from drawing leaves
// an existing file unchanged.
func writeOverview(stdout io.Writer, runs []*result.Run, file string) error {
	if file == "" {
		return nil
	}
	var image bytes.Buffer
	if err := report.WriteOverview(&image, runs); err != nil {
		return err
	}
	return toFile(file, stdout, func(w io.Writer) error {
		_, err := image.WriteTo(w)
		return err
	})
}
