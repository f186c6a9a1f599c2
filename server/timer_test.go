package server

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestWheelFiresAtDeadline compares the wheel with the plainest model: a map of deadlines.
func TestWheelFiresAtDeadline(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const entries = 20
		start := tick(rapid.Uint32Range(0, 5000).Draw(t, "start"))
		w := newWheel(start)
		w.grow(entries - 1)
		model := map[uint32]tick{}
		now := start
		fire := func(i uint32) {
			due, ok := model[i]
			if !ok {
				t.Fatalf("entry %d fired and has no deadline", i)
			}
			if due > w.now {
				t.Fatalf("entry %d fired at %d, before its deadline %d", i, w.now, due)
			}
			delete(model, i)
		}
		t.Repeat(map[string]func(*rapid.T){
			"arm": func(t *rapid.T) {
				i := rapid.Uint32Range(0, entries-1).Draw(t, "i")
				due := now + tick(rapid.Uint32Range(0, 3*wheelSize).Draw(t, "in"))
				w.arm(i, due)
				model[i] = due
			},
			"disarm": func(t *rapid.T) {
				i := rapid.Uint32Range(0, entries-1).Draw(t, "i")
				w.disarm(i)
				delete(model, i)
			},
			"advance": func(t *rapid.T) {
				now += tick(rapid.Uint32Range(0, 2*wheelSize).Draw(t, "by"))
				limit := rapid.IntRange(1, 10).Draw(t, "limit")
				for w.advance(now, limit, fire) {
				}
				for i, due := range model {
					if due <= now && due > start {
						// What was armed with a deadline already past fires at the next tick, which may not have come yet.
						if at, armed := w.due(i); armed && at <= now && w.now == now && due < now {
							t.Fatalf("entry %d with deadline %d has not fired at %d", i, due, now)
						}
					}
				}
			},
			"skip": func(t *rapid.T) { // a rest of any length ends; the wheel may be empty or not
				if len(model) == 0 && !w.pending {
					now += tick(rapid.Uint32Range(0, 1<<24).Draw(t, "by"))
				}
				w.skip(now)
			},
			"": func(t *rapid.T) {
				next := w.next()
				if (next == noTick) != (len(model) == 0) {
					t.Fatalf("next = %d with %d deadlines", next, len(model))
				}
				for i, due := range model {
					if next > max(due, w.now+1) && !w.pending {
						t.Fatalf("next = %d, after the deadline %d of entry %d at %d", next, due, i, w.now)
					}
				}
				if w.armed != len(model) {
					t.Fatalf("armed = %d, want %d", w.armed, len(model))
				}
				for i, want := range model {
					if got, armed := w.due(i); !armed || got != want {
						t.Fatalf("due(%d) = %d, %v, want %d", i, got, armed, want)
					}
				}
			},
		})
	})
}

func TestWheelPastDeadlineFiresAtNextTick(t *testing.T) {
	w := newWheel(100)
	w.grow(0)
	w.arm(0, 50)
	var fired []uint32
	w.advance(101, 10, func(i uint32) { fired = append(fired, i) })
	if !slices.Equal(fired, []uint32{0}) {
		t.Errorf("fired = %v, want [0]", fired)
	}
}

// TestWheelLimit checks that work is sliced and none of it is lost.
func TestWheelLimit(t *testing.T) {
	const n = 1000
	w := newWheel(0)
	w.grow(n - 1)
	for i := range uint32(n) {
		w.arm(i, 10)
	}
	seen := 0
	for calls := 1; ; calls++ {
		before := seen
		more := w.advance(10, 64, func(uint32) { seen++ })
		if seen-before > 64 {
			t.Fatalf("one advance fired %d, limit 64", seen-before)
		}
		if !more {
			break
		}
		if calls > n {
			t.Fatal("advance does not end")
		}
	}
	if seen != n || w.armed != 0 {
		t.Errorf("fired %d, armed %d, want %d, 0", seen, w.armed, n)
	}
}

// TestWheelJumps checks that an empty wheel passes a long time at once: a server may have slept for years.
func TestWheelJumps(t *testing.T) {
	w := newWheel(0)
	w.grow(0)
	begun := time.Now()
	for i := range tick(1000) {
		w.advance(i*4_000_000, 10, nil)
	}
	if took := time.Since(begun); took > time.Second || w.now != 999*4_000_000 {
		t.Errorf("a thousand long rests took %v, the wheel is at %d", took, w.now)
	}
	w.arm(0, w.now+7)
	if n := w.next(); n != w.now+7 {
		t.Errorf("next = %d, want %d", n, w.now+7)
	}
}

// TestWheelLaterIsOneStore checks the lazy way: a deadline that moves later does not move the entry.
func TestWheelLaterIsOneStore(t *testing.T) {
	w := newWheel(0)
	w.grow(0)
	w.arm(0, 5)
	fired := tick(0)
	for now := tick(1); now <= 100; now++ {
		w.arm(0, max(now, 80))
		for w.advance(now, 1, func(uint32) { fired = now }) {
		}
		if fired != 0 {
			break
		}
	}
	if fired < 80 || fired > 81 {
		t.Errorf("fired at %d, want 80 or 81", fired)
	}
}

func TestWheelAllocs(t *testing.T) {
	w := newWheel(0)
	w.grow(99)
	now := tick(0)
	if n := testing.AllocsPerRun(1000, func() {
		now++
		w.arm(uint32(now)%100, now+150)
		w.advance(now, 100, func(i uint32) { w.arm(i, now+150) })
	}); n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
}

func BenchmarkWheelMillion(b *testing.B) {
	const n, period = 1_000_000, 150
	w := newWheel(0)
	w.grow(n - 1)
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range uint32(n) {
		w.arm(i, 1+tick(rng.Uint32N(period)))
	}
	now, fired := tick(0), 0
	b.ResetTimer()
	for range b.N {
		now++
		for w.advance(now, sliceLimit, func(i uint32) { fired++; w.arm(i, now+period) }) {
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(max(1, fired)), "ns/heartbeat")
}
