package main

import (
	"runtime"
	"testing"

	"github.com/mooring-mcp/mooring/server"
)

func TestSpareProcessor(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4))
	for _, tt := range []struct {
		env                       string
		procs, loops              int
		wantLoops, wantProcessors int
	}{
		{"", 4, 0, 4, 5},
		{"", 4, 4, 4, 5},
		{"", 4, 3, 3, 4},
		{"", 1, 0, 1, 2},
		{"", 2, 8, 8, 9},
		{"4", 4, 0, 4, 4},
		{"4", 4, 8, 8, 4},
	} {
		t.Setenv("GOMAXPROCS", tt.env)
		runtime.GOMAXPROCS(tt.procs)
		o := &server.Options{Loops: tt.loops}
		spareProcessor(o)
		if got := runtime.GOMAXPROCS(0); o.Loops != tt.wantLoops || got != tt.wantProcessors {
			t.Errorf("%+v: %d loops, %d processors", tt, o.Loops, got)
		}
	}
}
