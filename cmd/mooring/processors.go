package main

import (
	"os"
	"runtime"

	"github.com/mooring-mcp/mooring/server"
)

// spareProcessor gives Go a processor more than there are event loops. A loop that is busy never
// lets go of its own, and Go looks at its other sockets, the listeners, only where it has one to
// spare: under full load new clients would wait for tens of milliseconds. An operator's GOMAXPROCS
// stands.
func spareProcessor(o *server.Options) {
	procs := runtime.GOMAXPROCS(0)
	if o.Loops <= 0 {
		o.Loops = procs
	}
	if os.Getenv("GOMAXPROCS") == "" && procs <= o.Loops {
		runtime.GOMAXPROCS(o.Loops + 1)
	}
}
