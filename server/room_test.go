package server

import (
	"sync"
	"testing"
	"time"
)

// A connection that goes wakes all listeners that wait for a place, and one that looks at that
// moment does not wait.
func TestRoomWakesAll(t *testing.T) {
	s := newListening(nil)
	s.fdLimit = 3
	for round := range 200 {
		s.conns.Store(3)
		var waiting sync.WaitGroup
		full := func() bool { return s.conns.Load() >= s.fdLimit }
		begun := time.Now()
		for range 5 {
			waiting.Go(func() {
				for full() {
					s.rest(10*time.Second, full)
				}
			})
		}
		if round%2 == 0 {
			for s.room.waiting.Load() < 5 {
				time.Sleep(10 * time.Microsecond)
			}
		}
		s.released()
		waiting.Wait()
		if d := time.Since(begun); d > 5*time.Second {
			t.Fatalf("round %d: somebody waited for %v", round, d)
		}
	}
	if n := s.room.waiting.Load(); n != 0 {
		t.Errorf("%d wait", n)
	}
}
