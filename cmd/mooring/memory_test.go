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
		want int // how often memory has been returned so far
	}{
		{"nothing has happened", server.Stats{}, 0},
		{"a few clients have connected", server.Stats{Connections: 200, BytesIn: 60 << 10}, 0},
		{"many are connecting", server.Stats{Connections: 5000, BytesIn: 3 << 20}, 0},
		{"all have connected", server.Stats{Connections: 5000, BytesIn: 3 << 20}, 1},
		{"they are idle", server.Stats{Connections: 5000, BytesIn: 3<<20 + 1000}, 1},
		{"some have disconnected", server.Stats{Connections: 4900, BytesIn: 3<<20 + 1000}, 1},
		{"many are disconnecting", server.Stats{Connections: 3000, BytesIn: 3<<20 + 1000}, 1},
		{"and more", server.Stats{Connections: 1000, BytesIn: 3<<20 + 1000}, 1},
		{"all have disconnected", server.Stats{BytesIn: 3<<20 + 1000}, 1},
		{"it is calm", server.Stats{BytesIn: 3<<20 + 1000}, 2},
		{"calls are made", server.Stats{Connections: 10, BytesIn: 80 << 20}, 2},
		{"the answers are large", server.Stats{Connections: 10, BytesIn: 80 << 20, BytesOut: 90 << 20}, 2},
		{"one call never ends", server.Stats{Connections: 10, BytesIn: 80 << 20, BytesOut: 90 << 20, CallsInFlight: 1}, 3},
		{"and nothing else happens", server.Stats{Connections: 10, BytesIn: 80 << 20, BytesOut: 90 << 20, CallsInFlight: 1}, 3},
		{"many are connected at one sample", server.Stats{Connections: 3000, BytesIn: 82 << 20, BytesOut: 90 << 20}, 3},
		{"and have disconnected by the next", server.Stats{Connections: 10, BytesIn: 82 << 20, BytesOut: 90 << 20}, 3},
		{"it is calm again", server.Stats{Connections: 10, BytesIn: 82 << 20, BytesOut: 90 << 20}, 4},
		{"many connected and disconnected between two samples", server.Stats{Connections: 10, BytesIn: 82<<20 + 1000, BytesOut: 90 << 20, Closes: map[string]uint64{"peer": 2500, "reset": 40}}, 4},
		{"one more did", server.Stats{Connections: 10, BytesIn: 82<<20 + 1200, BytesOut: 90 << 20, Closes: map[string]uint64{"peer": 2501, "reset": 40}}, 5},
		{"a hundred thousand connect to listen", server.Stats{Connections: 100_000, BytesIn: 200 << 20, BytesOut: 120 << 20, Closes: map[string]uint64{"peer": 2501, "reset": 40}}, 5},
		{"and get heartbeats", server.Stats{Connections: 100_000, BytesIn: 200 << 20, BytesOut: 122 << 20, Closes: map[string]uint64{"peer": 2501, "reset": 40}}, 6},
		{"a few request much and read nothing", server.Stats{Connections: 100_020, UnsentBytes: 100 << 20, BytesIn: 200 << 20, BytesOut: 122 << 20, Closes: map[string]uint64{"peer": 2501, "reset": 40}}, 6},
		{"and still read nothing", server.Stats{Connections: 100_020, UnsentBytes: 100 << 20, BytesIn: 200 << 20, BytesOut: 122 << 20, Closes: map[string]uint64{"peer": 2501, "reset": 40}}, 7},
		{"they have disconnected", server.Stats{Connections: 100_000, BytesIn: 200 << 20, BytesOut: 122 << 20, Closes: map[string]uint64{"peer": 2501, "reset": 60}}, 7},
		{"and it is calm", server.Stats{Connections: 100_000, BytesIn: 200 << 20, BytesOut: 122 << 20, Closes: map[string]uint64{"peer": 2501, "reset": 60}}, 8},
		{"a few get large answers", server.Stats{Connections: 100_000, BytesIn: 200 << 20, BytesOut: 500 << 20, Closes: map[string]uint64{"peer": 2501, "reset": 60}}, 8},
		{"and it is calm again", server.Stats{Connections: 100_000, BytesIn: 200 << 20, BytesOut: 500 << 20, Closes: map[string]uint64{"peer": 2501, "reset": 60}}, 9},
	} {
		st = tt.st
		if m.sample(); freed != tt.want {
			t.Errorf("%s: memory was returned %d times, want %d", tt.why, freed, tt.want)
			freed = tt.want
		}
	}
}

// TestFreeMemory checks that objects in a pool are freed, not only moved aside.
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
		t.Errorf("%d MiB are still allocated after a pool held %d", m.HeapAlloc>>20, n*size>>20)
	}
	runtime.KeepAlive(&pool)
}
