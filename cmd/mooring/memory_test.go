package main

import (
	"runtime"
	"sync"
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
		{"many are going", server.Stats{Connections: 3000, BytesIn: 3<<20 + 1000}, 1},
		{"and go on", server.Stats{Connections: 1000, BytesIn: 3<<20 + 1000}, 1},
		{"all have gone", server.Stats{BytesIn: 3<<20 + 1000}, 1},
		{"it is calm", server.Stats{BytesIn: 3<<20 + 1000}, 2},
		{"calls are made", server.Stats{Connections: 10, BytesIn: 80 << 20}, 2},
		{"much is answered", server.Stats{Connections: 10, BytesIn: 80 << 20, BytesOut: 90 << 20}, 2},
		{"one call does not end", server.Stats{Connections: 10, BytesIn: 80 << 20, BytesOut: 90 << 20, CallsInFlight: 1}, 3},
		{"and nothing happens", server.Stats{Connections: 10, BytesIn: 80 << 20, BytesOut: 90 << 20, CallsInFlight: 1}, 3},
		{"many are seen while they come", server.Stats{Connections: 3000, BytesIn: 82 << 20, BytesOut: 90 << 20}, 3},
		{"and have gone at the next look", server.Stats{Connections: 10, BytesIn: 82 << 20, BytesOut: 90 << 20}, 3},
		{"it is calm again", server.Stats{Connections: 10, BytesIn: 82 << 20, BytesOut: 90 << 20}, 4},
		{"many came and went between two looks", server.Stats{Connections: 10, BytesIn: 82<<20 + 1000, BytesOut: 90 << 20, Closes: map[string]uint64{"peer": 2500, "reset": 40}}, 4},
		{"one did", server.Stats{Connections: 10, BytesIn: 82<<20 + 1200, BytesOut: 90 << 20, Closes: map[string]uint64{"peer": 2501, "reset": 40}}, 5},
		{"a hundred thousand came to listen", server.Stats{Connections: 100_000, BytesIn: 200 << 20, BytesOut: 120 << 20, Closes: map[string]uint64{"peer": 2501, "reset": 40}}, 5},
		{"and get heartbeats", server.Stats{Connections: 100_000, BytesIn: 200 << 20, BytesOut: 122 << 20, Closes: map[string]uint64{"peer": 2501, "reset": 40}}, 6},
		{"a few ask for much and read nothing", server.Stats{Connections: 100_020, UnsentBytes: 100 << 20, BytesIn: 200 << 20, BytesOut: 122 << 20, Closes: map[string]uint64{"peer": 2501, "reset": 40}}, 6},
		{"and go on waiting", server.Stats{Connections: 100_020, UnsentBytes: 100 << 20, BytesIn: 200 << 20, BytesOut: 122 << 20, Closes: map[string]uint64{"peer": 2501, "reset": 40}}, 7},
		{"they have gone", server.Stats{Connections: 100_000, BytesIn: 200 << 20, BytesOut: 122 << 20, Closes: map[string]uint64{"peer": 2501, "reset": 60}}, 7},
		{"and it is calm", server.Stats{Connections: 100_000, BytesIn: 200 << 20, BytesOut: 122 << 20, Closes: map[string]uint64{"peer": 2501, "reset": 60}}, 8},
		{"much is answered to few", server.Stats{Connections: 100_000, BytesIn: 200 << 20, BytesOut: 500 << 20, Closes: map[string]uint64{"peer": 2501, "reset": 60}}, 8},
		{"and it is calm again", server.Stats{Connections: 100_000, BytesIn: 200 << 20, BytesOut: 500 << 20, Closes: map[string]uint64{"peer": 2501, "reset": 60}}, 9},
	} {
		st = tt.st
		if m.look(); freed != tt.want {
			t.Errorf("%s: memory was given back %d times, want %d", tt.why, freed, tt.want)
			freed = tt.want
		}
	}
}

// TestFreeMemory: what lies in a pool is let go, not only moved aside.
func TestFreeMemory(t *testing.T) {
	const n, size = 64, 1 << 20
	var pool sync.Pool
	for range n {
		pool.Put(new([size]byte))
	}
	freeMemory()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	if m.HeapAlloc > n*size/2 {
		t.Errorf("%d MiB are held after a pool had %d", m.HeapAlloc>>20, n*size>>20)
	}
	runtime.KeepAlive(&pool)
}
