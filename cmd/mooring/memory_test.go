package main

import (
	"testing"

	"github.com/mooring-mcp/mooring/server"
)

func TestMemoryReturner(t *testing.T) {
	var st server.Stats
	freed := 0
	m := &memoryReturner{stats: func() server.Stats { return st }, free: func() { freed++ }}
	for _, tt := range []struct {
		why  string
		st   server.Stats
		want int // times, in all
	}{
		{"nothing has happened", server.Stats{}, 0},
		{"a few clients have come", server.Stats{Connections: 200, BytesIn: 60 << 10}, 0},
		{"many are coming", server.Stats{Connections: 5000, BytesIn: 3 << 20}, 0},
		{"they have come", server.Stats{Connections: 5000, BytesIn: 3 << 20}, 1},
		{"they wait", server.Stats{Connections: 5000, BytesIn: 3<<20 + 1000}, 1},
		{"some have gone", server.Stats{Connections: 4900, BytesIn: 3<<20 + 1000}, 1},
		{"all have gone", server.Stats{BytesIn: 3<<20 + 1000}, 2},
		{"calls are made", server.Stats{Connections: 10, BytesIn: 80 << 20}, 2},
		{"one goes on", server.Stats{Connections: 10, BytesIn: 80 << 20, CallsInFlight: 1}, 2},
		{"they are over", server.Stats{Connections: 10, BytesIn: 80 << 20}, 3},
		{"and nothing happens", server.Stats{Connections: 10, BytesIn: 80 << 20}, 3},
		{"many are seen while they come", server.Stats{Connections: 3000, BytesIn: 82 << 20}, 3},
		{"and have gone at the next look", server.Stats{Connections: 10, BytesIn: 82 << 20}, 4},
		{"many came and went between two looks", server.Stats{Connections: 10, BytesIn: 82<<20 + 1000, Closes: map[string]uint64{"peer": 2500, "reset": 40}}, 5},
		{"one did", server.Stats{Connections: 10, BytesIn: 82<<20 + 1200, Closes: map[string]uint64{"peer": 2501, "reset": 40}}, 5},
	} {
		st = tt.st
		if m.look(); freed != tt.want {
			t.Errorf("%s: memory was given back %d times, want %d", tt.why, freed, tt.want)
			freed = tt.want
		}
	}
}
