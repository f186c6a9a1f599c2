package main

import (
	"context"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/mooring-mcp/mooring/server"
)

// A memoryReturner returns memory to the operating system once the server is quiet after a burst.
// Go's garbage collector runs only when the heap has doubled. Without a memoryReturner, what some
// thousand clients leave behind when they connect or disconnect at once stays resident until as
// many have connected again, or for minutes.
type memoryReturner struct {
	stats func() server.Stats
	free  func()

	seen  server.Stats // at the previous sample
	freed server.Stats // when memory was last returned
	burst bool         // whether there was a burst since then
}

// The server is calm if, from one sample to the next, it stays within all of these limits.
const (
	calmBytes  = 64 << 10 // bytes received: a server that gets an occasional request is calm
	calmOut    = 1 << 20  // bytes sent, and in addition
	calmOutPer = 16       // bytes sent per connection, which allows for heartbeats
	calmWait   = 1 << 20  // change in the bytes that wait for slow readers
	calmConns  = 256      // change in connections, or ends: thousands take seconds to connect or leave
)

// There was a burst if, since memory was last returned, any of these was reached.
const (
	burstConns = 256       // change in connections
	burstEnds  = 2000      // connections ended: some come and go between two samples
	burstBytes = 64 << 20  // bytes received
	burstOut   = 256 << 20 // bytes sent
	burstWait  = 8 << 20   // change in the bytes that wait for slow readers
)

// run samples the server at each multiple of every until ctx ends. Timers that are due at the same
// moment wake an idle process only once.
func (m *memoryReturner) run(ctx context.Context, every time.Duration) {
	t := time.NewTimer(untilDot(every))
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			m.sample()
			t.Reset(untilDot(every))
		}
	}
}

// untilDot returns the time until the next multiple of d that is at least half of d away. So a
// timer that fires early does not get the same multiple again.
func untilDot(d time.Duration) time.Duration {
	now := time.Now()
	left := now.Truncate(d).Add(d).Sub(now.Round(0))
	if left < d/2 {
		left += d
	}
	return left
}

// sample returns memory if there was a burst and the server is calm now. Calls in flight do not
// count: one that waits for its client's answer, or never ends, would keep the memory for ever.
func (m *memoryReturner) sample() {
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

// apart returns the distance between a and b.
func apart(a, b int64) int64 { return max(a-b, b-a) }

// ends returns how many connections have ended.
func ends(st *server.Stats) (n uint64) {
	for _, v := range st.Closes {
		n += v
	}
	return n
}

// freeMemory collects garbage and returns free memory to the operating system. It collects twice:
// the first collection only moves the objects in a sync.Pool aside, and the second frees them.
func freeMemory() {
	runtime.GC()
	runtime.GC()
	debug.FreeOSMemory()
}

// returnMemory starts a memoryReturner that samples s until ctx ends.
func returnMemory(ctx context.Context, s *server.Server, every time.Duration) {
	m := &memoryReturner{stats: s.Stats, free: freeMemory}
	go m.run(ctx, every)
}
