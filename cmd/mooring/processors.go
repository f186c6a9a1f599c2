package main

import (
	"os"
	"runtime"

	"github.com/mooring-mcp/mooring/server"
)

// spareProcessor gives Go one processor more than there are event loops. A busy loop never gives
// up its processor, and Go polls its other sockets, the listeners, only on a processor that has
// nothing else to run. Without a spare one, new clients would wait for tens of milliseconds under
// full load. spareProcessor leaves GOMAXPROCS alone if the environment sets it.
func spareProcessor(o *server.Options) {
	procs := runtime.GOMAXPROCS(0)
	if o.Loops <= 0 {
		o.Loops = procs
	}
	if os.Getenv("GOMAXPROCS") == "" && procs <= o.Loops {
		runtime.GOMAXPROCS(o.Loops + 1)
	}
}
