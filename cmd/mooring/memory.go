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
	burst bool         // there was one since then
}

const (
	calmBytes  = 64 << 10 // received between two looks at most: a server that is asked something now and then is calm
	burstConns = 256      // more or fewer connections than when memory was last given back make it worth while
	burstEnds  = 2000     // or connections that have ended since then: who came and went between two looks
	burstBytes = 64 << 20 // or bytes received
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
	if d := now.Connections - m.freed.Connections; d >= burstConns || d <= -burstConns || ends(&now)-ends(&m.freed) >= burstEnds || now.BytesIn-m.freed.BytesIn >= burstBytes {
		m.burst = true
	}
	if !m.burst || now.BytesIn-before.BytesIn > calmBytes || now.CallsInFlight > 0 {
		return
	}
	m.freed, m.burst = now, false
	m.free()
}

// ends returns how many connections have ended.
func ends(st *server.Stats) (n uint64) {
	for _, v := range st.Closes {
		n += v
	}
	return n
}

// returnMemory has a memoryReturner look at s until ctx ends.
func returnMemory(ctx context.Context, s *server.Server, every time.Duration) {
	m := &memoryReturner{stats: s.Stats, free: debug.FreeOSMemory}
	go m.run(ctx, every)
}
