package engine

import (
	"sync"
	"testing"
	"time"
)

// A connection that is closed wakes all listeners that wait for room, and one that looks at that
// moment does not wait.
func TestRoomWakesAll(t *testing.T) {
	a, _ := newAdmission(1)
	a.limit = 3
	for round := range 200 {
		a.count.Store(3)
		var waiting sync.WaitGroup
		full := func() bool { return a.Connections() >= a.limit }
		begun := time.Now()
		for range 5 {
			waiting.Go(func() {
				for full() {
					a.WaitForRoom(10*time.Second, full)
				}
			})
		}
		if round%2 == 0 {
			for a.room.waiting.Load() < 5 {
				time.Sleep(10 * time.Microsecond)
			}
		}
		a.Released()
		waiting.Wait()
		if d := time.Since(begun); d > 5*time.Second {
			t.Fatalf("round %d: one of them waited for %v", round, d)
		}
	}
	if n := a.room.waiting.Load(); n != 0 {
		t.Errorf("%d wait", n)
	}
}
