package wheel

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestFiresAtDeadline compares the wheel with the simplest model, a map of deadlines.
func TestFiresAtDeadline(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const entries = 20
		start := Tick(rapid.Uint32Range(0, 5000).Draw(t, "start"))
		w := New(start)
		w.Grow(entries - 1)
		model := map[uint32]Tick{}
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
				due := now + Tick(rapid.Uint32Range(0, 3*size).Draw(t, "in"))
				w.Arm(i, due)
				model[i] = due
			},
			"disarm": func(t *rapid.T) {
				i := rapid.Uint32Range(0, entries-1).Draw(t, "i")
				w.Disarm(i)
				delete(model, i)
			},
			"advance": func(t *rapid.T) {
				now += Tick(rapid.Uint32Range(0, 2*size).Draw(t, "by"))
				limit := rapid.IntRange(1, 10).Draw(t, "limit")
				for w.Advance(now, limit, fire) {
				}
				for i, due := range model {
					if due <= now && due > start {
						// An entry that was armed with a past deadline fires at the next tick,
						// which may not have come yet.
						if at, armed := w.Due(i); armed && at <= now && w.now == now && due < now {
							t.Fatalf("entry %d with deadline %d has not fired at %d", i, due, now)
						}
					}
				}
			},
			"skip": func(t *rapid.T) { // a rest of any length ends; the wheel may be empty or not
				if len(model) == 0 && !w.pending {
					now += Tick(rapid.Uint32Range(0, 1<<24).Draw(t, "by"))
				}
				w.Skip(now)
			},
			"": func(t *rapid.T) {
				next := w.Next()
				if (next == Never) != (len(model) == 0) {
					t.Fatalf("next = %d with %d deadlines", next, len(model))
				}
				for i, due := range model {
					if next > max(due, w.now+1) && !w.pending {
						t.Fatalf("next = %d, after the deadline %d of entry %d at %d", next, due, i, w.now)
					}
				}
				if w.Armed() != len(model) {
					t.Fatalf("armed = %d, want %d", w.Armed(), len(model))
				}
				for i, want := range model {
					if got, armed := w.Due(i); !armed || got != want {
						t.Fatalf("due(%d) = %d, %v, want %d", i, got, armed, want)
					}
				}
			},
		})
	})
}

func TestPastDeadlineFiresAtNextTick(t *testing.T) {
	w := New(100)
	w.Grow(0)
	w.Arm(0, 50)
	var fired []uint32
	w.Advance(101, 10, func(i uint32) { fired = append(fired, i) })
	if !slices.Equal(fired, []uint32{0}) {
		t.Errorf("fired = %v, want [0]", fired)
	}
}

// TestLimit checks that the work is sliced and that none of it is lost.
func TestLimit(t *testing.T) {
	const n = 1000
	w := New(0)
	w.Grow(n - 1)
	for i := range uint32(n) {
		w.Arm(i, 10)
	}
	seen := 0
	for calls := 1; ; calls++ {
		before := seen
		more := w.Advance(10, 64, func(uint32) { seen++ })
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
	if seen != n || w.Armed() != 0 {
		t.Errorf("fired %d, armed %d, want %d, 0", seen, w.Armed(), n)
	}
}

// TestJumps checks that an empty wheel skips a long time at once, because a server may have slept
// for years.
func TestJumps(t *testing.T) {
	w := New(0)
	w.Grow(0)
	begun := time.Now()
	for i := range Tick(1000) {
		w.Advance(i*4_000_000, 10, nil)
	}
	if took := time.Since(begun); took > time.Second || w.now != 999*4_000_000 {
		t.Errorf("a thousand long rests took %v, the wheel is at %d", took, w.now)
	}
	w.Arm(0, w.now+7)
	if n := w.Next(); n != w.now+7 {
		t.Errorf("next = %d, want %d", n, w.now+7)
	}
}

// TestLaterIsOneStore checks that a deadline that moves later does not move its entry.
func TestLaterIsOneStore(t *testing.T) {
	w := New(0)
	w.Grow(0)
	w.Arm(0, 5)
	fired := Tick(0)
	for now := Tick(1); now <= 100; now++ {
		w.Arm(0, max(now, 80))
		for w.Advance(now, 1, func(uint32) { fired = now }) {
		}
		if fired != 0 {
			break
		}
	}
	if fired < 80 || fired > 81 {
		t.Errorf("fired at %d, want 80 or 81", fired)
	}
}

func TestAllocs(t *testing.T) {
	w := New(0)
	w.Grow(99)
	now := Tick(0)
	if n := testing.AllocsPerRun(1000, func() {
		now++
		w.Arm(uint32(now)%100, now+150)
		w.Advance(now, 100, func(i uint32) { w.Arm(i, now+150) })
	}); n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
}

func BenchmarkMillion(b *testing.B) {
	const n, period = 1_000_000, 150
	w := New(0)
	w.Grow(n - 1)
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range uint32(n) {
		w.Arm(i, 1+Tick(rng.Uint32N(period)))
	}
	now, fired := Tick(0), 0
	b.ResetTimer()
	for range b.N {
		now++
		for w.Advance(now, 256, func(i uint32) { fired++; w.Arm(i, now+period) }) {
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(max(1, fired)), "ns/heartbeat")
}
