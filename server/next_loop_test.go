package server

import (
	"testing"

	"github.com/mooring-mcp/mooring/mcp"
)

// TestNextLoop holds which loop gets the next connection: each in its turn, whatever their number, but none that is held.
func TestNextLoop(t *testing.T) {
	ms := mcp.NewServer(&mcp.Implementation{Name: "loops", Version: "1"}, nil)
	defer ms.Close()
	const rounds = 12
	count := func(s *Server, share int32) []int {
		got := make([]int, len(s.loops))
		for range rounds * len(s.loops) {
			got[s.nextLoop(share).idx]++
		}
		return got
	}
	for n := 1; n <= 9; n++ {
		s := New(ms, &Options{Loops: n})
		for i := range n {
			s.loops = append(s.loops, newLoop(s, i, nil))
		}
		for _, share := range []int32{1, 16} {
			for i, got := range count(s, share) {
				if got != rounds {
					t.Errorf("%d loops, share %d: loop %d got %d of %d connections", n, share, i, got, rounds)
				}
			}
		}
		if n == 1 {
			continue
		}
		s.loops[0].coming.Store(16)
		if got := count(s, 16)[0]; got != 0 {
			t.Errorf("%d loops: one with its share on the way got %d connections more", n, got)
		}
		s.loops[0].coming.Store(0)
		s.loops[n-1].m.tickPosted.Store(s.clock().Add(-2 * stuckAfter).UnixNano())
		if got := count(s, 16)[n-1]; got != 0 {
			t.Errorf("%d loops: one that misses its ticks got %d connections", n, got)
		}
		s.loops[n-1].m.tickPosted.Store(0)
		for i, l := range s.loops {
			l.coming.Store(int32(20 + i))
		}
		if got := count(s, 16); got[0] != rounds*n {
			t.Errorf("%d loops beyond their share: %v, all are for the one with the fewest", n, got)
		}
	}
}
