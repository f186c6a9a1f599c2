package main

import (
	"context"
	"runtime/debug"
	"time"

	"github.com/mooring-mcp/mooring/server"
)

// A memoryReturner gives memory back to the system when the server has become calm after a burst. The collector runs when the heap has doubled: what some thousand clients left behind who came
// or went at once stays resident until as many have come again, or for minutes.
type memoryReturner struct {
	stats func() server.Stats
	free  func()

	seen  server.Stats // when it was last looked
	freed server.Stats // when memory was last given back
}

const (
	calmBytes  = 64 << 10 // received between two looks at most: a server that is asked something now and then is calm
	burstConns = 256      // more or fewer connections than when memory was last given back make it worth while
	burstBytes = 64 << 20 // or bytes received since then
)

// run looks every so often until ctx ends.
func (m *memoryReturner) run(ctx context.Context, every time.Duration) {
	t := time.NewTicker(every)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			m.look()
		}
	}
}

// look gives memory back if there was a burst and is calm now.
func (m *memoryReturner) look() {
	now, before := m.stats(), m.seen
	m.seen = now
	if now.BytesIn-before.BytesIn > calmBytes || now.CallsInFlight > 0 {
		return
	}
	if d := now.Connections - m.freed.Connections; d < burstConns && d > -burstConns && now.BytesIn-m.freed.BytesIn < burstBytes {
		return
	}
	m.freed = now
	m.free()
}

// returnMemory has a memoryReturner look at s until ctx ends.
func returnMemory(ctx context.Context, s *server.Server, every time.Duration) {
	m := &memoryReturner{stats: s.Stats, free: debug.FreeOSMemory}
	go m.run(ctx, every)
}
