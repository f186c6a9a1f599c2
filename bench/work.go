package bench

import (
	"io"

	"github.com/mooring-mcp/mooring/bench/fleet"
	"github.com/mooring-mcp/mooring/bench/internal/worker"
)

// Work does part of a measurement for the process at the other end of in and out: it holds streams,
// or makes health checks. It returns when in ends, because that process has then exited or needs no
// more.
func Work(in io.Reader, out io.Writer) error {
	return worker.Work(in, out, map[string]worker.Job{fleet.Job: fleet.Work, probeJob: workProbes})
}
