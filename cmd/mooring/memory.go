package main

import (
	"context"
	"runtime"
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
	calmBytes  = 64 << 10  // received between two looks at most: a server that is asked something now and then is calm
	calmOut    = 1 << 20   // sent
	calmOutPer = 16        // and this for each connection, for heartbeats
	calmWait   = 1 << 20   // more or fewer bytes that wait for slow readers
	calmConns  = 256       // come, or gone: it takes some seconds until thousands have
	burstConns = 256       // more or fewer connections than when memory was last given back make it worth while
	burstEnds  = 2000      // or connections that have ended since then: who came and went between two looks
	burstBytes = 64 << 20  // or bytes received
	burstOut   = 256 << 20 // or sent
	burstWait  = 8 << 20   // or as many that waited for slow readers
)

// run looks every so often until ctx ends, on the dot of every: an idle process wakes once for all that looks then.
func (m *memoryReturner) run(ctx context.Context, every time.Duration) {
	t := time.NewTimer(untilDot(every))
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			m.look()
			t.Reset(untilDot(every))
		}
	}
}

// untilDot returns how long it is until a multiple of d, from half of d on: a timer that is early finds the next one, not the same again.
func untilDot(d time.Duration) time.Duration {
	now := time.Now()
	left := now.Truncate(d).Add(d).Sub(now.Round(0))
	if left < d/2 {
		left += d
	}
	return left
}

// look gives memory back if there was a burst and is calm now. Calls in flight tell nothing: one that asked its client, or does not end, would keep the memory for ever.
func (m *memoryReturner) look() {
	now, before := m.stats(), m.seen
	m.seen = now
	if apart(now.Connections, m.freed.Connections) >= burstConns || ends(&now)-ends(&m.freed) >= burstEnds || now.BytesIn-m.freed.BytesIn >= burstBytes ||
		now.BytesOut-m.freed.BytesOut >= burstOut || apart(now.UnsentBytes, m.freed.UnsentBytes) >= burstWait {
		m.burst = true
	}
	calm := now.BytesIn-before.BytesIn <= calmBytes && now.BytesOut-before.BytesOut <= calmOut+calmOutPer*uint64(max(now.Connections, 0)) &&
		apart(now.Connections, before.Connections) < calmConns && apart(now.UnsentBytes, before.UnsentBytes) < calmWait && ends(&now)-ends(&before) < calmConns
	if !m.burst || !calm {
		return
	}
	m.freed, m.burst = now, false
	m.free()
}

// apart returns how far a and b are from each other.
func apart(a, b int64) int64 { return max(a-b, b-a) }

// ends returns how many connections have ended.
func ends(st *server.Stats) (n uint64) {
	for _, v := range st.Closes {
		n += v
	}
	return n
}

// freeMemory collects what is not used and returns it to the system. What lies in a sync.Pool survives a collection: it is moved aside first, and let go by the next.
func freeMemory() {
	runtime.GC()
	runtime.GC()
	debug.FreeOSMemory()
}

// returnMemory has a memoryReturner look at s until ctx ends.
func returnMemory(ctx context.Context, s *server.Server, every time.Duration) {
	m := &memoryReturner{stats: s.Stats, free: freeMemory}
	go m.run(ctx, every)
}
