package bench

import (
	"io"

	"github.com/mooring-mcp/mooring/bench/fleet"
	"github.com/mooring-mcp/mooring/bench/internal/worker"
)

// Work does a part of a measurement for the process at the other end of in and out: it holds streams, or asks for signs of life. It returns when in ends: then that process is gone or wants no more.
func Work(in io.Reader, out io.Writer) error {
	return worker.Work(in, out, map[string]worker.Job{fleet.Job: fleet.Work, probeJob: workProbes})
}
