package quota

import (
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"
)

const second = Time(time.Second)

// limited returns a table with every limit.
func limited(t testing.TB, most int64) *Table {
	t.Helper()
	l := Limits{Most: [NumKinds]uint32{3, 2, 1, 2}}
	l.Rates[CallRate], l.Rates[ListRate] = RateOf(2, 4), RateOf(0.5, 1)
	return New(l, most, func() {})
}

func (t *Table) wantEntries(tb interface {
	Helper()
	Errorf(string, ...any)
}, why string, n int64) {
	tb.Helper()
	if got := t.Entries(); got != n {
		tb.Errorf("%s: %d entries, want %d", why, got, n)
	}
}

// A client has its share of each kind, and an entry only while it holds something.
func TestTake(t *testing.T) {
	table := limited(t, 10)
	for k, most := range table.limits.Most {
		k := Kind(k)
		for range most {
			if o := table.Take(7, k, 0); o != OK {
				t.Fatalf("kind %d: %d within the limit", k, o)
			}
		}
		if o := table.Take(7, k, 0); o != Above {
			t.Errorf("kind %d: %d above the limit", k, o)
		}
		if o := table.Take(8, k, 0); o != OK {
			t.Errorf("kind %d: another client gets %d", k, o)
		}
		if !table.Force(7, k, 0) || table.Held(7, k) != int(most)+1 {
			t.Errorf("kind %d: %d after Force", k, table.Held(7, k))
		}
	}
	table.wantEntries(t, "two clients", 2)
	for k, most := range table.limits.Most {
		for range most + 1 {
			table.Release(7, Kind(k), 0)
		}
		table.Release(8, Kind(k), 0)
	}
	table.wantEntries(t, "all is released", 0)
	func() {
		defer func() {
			if recover() == nil {
				t.Error("what was not counted can be released")
			}
		}()
		table.Release(7, Streams, 0)
	}()
}

// What has no limit is not counted, and what must be counted nevertheless is nothing either.
func TestNoLimit(t *testing.T) {
	table := New(Limits{}, 10, func() { t.Error("there is nothing to sweep") })
	for k := range NumKinds {
		if table.Take(1, k, 0) != OK || table.Force(1, k, 0) || table.Counts(k) {
			t.Errorf("kind %d is counted", k)
		}
		table.Release(1, k, 0)
	}
	if wait, o := table.Spend(1, CallRate, 0); wait != 0 || o != OK || table.Rated() {
		t.Errorf("a call has to wait for %v, %d", wait, o)
	}
	table.wantEntries(t, "nothing is limited", 0)
}

// A budget is a token bucket, and each has its own.
func TestSpend(t *testing.T) {
	table := limited(t, 10)
	spend := func(why string, b Budget, now Time, want time.Duration) {
		t.Helper()
		before := table.Wait(1, b, now)
		wait, o := table.Spend(1, b, now)
		if wait != want || before != want || (o == OK) != (want == 0) {
			t.Errorf("%s: waits for %v, before %v, outcome %d, want %v", why, wait, before, o, want)
		}
	}
	for range 4 {
		spend("the burst", CallRate, 0, 0)
	}
	spend("one more", CallRate, 0, time.Second/2)
	spend("a list meanwhile", ListRate, 0, 0)
	spend("one more list", ListRate, second, time.Second)
	spend("a little later", CallRate, second/4, time.Second/4)
	spend("when there is one again", CallRate, second/2, 0)
	spend("and none", CallRate, second/2, time.Second/2)
	for range 4 {
		spend("after a long time", CallRate, 1000*second, 0)
	}
	spend("it has not become more", CallRate, 1000*second, time.Second/2)
}

func TestRateOf(t *testing.T) {
	for _, tt := range []struct {
		perSecond float64
		burst     int
		want      Rate
	}{
		{0, 5, Rate{}}, {-1, 5, Rate{}}, {10, 5, Rate{second / 10, second / 2}}, {10, 0, Rate{second / 10, second / 10}},
		{1e12, 3, Rate{1, 3}}, {1e-300, 9, Rate{longest, longest}}, {1, 1 << 62, Rate{second, longest / second * second}},
	} {
		if got := RateOf(tt.perSecond, tt.burst); got != tt.want {
			t.Errorf("%v in a second, %d at once: %+v, want %+v", tt.perSecond, tt.burst, got, tt.want)
		}
	}
}

// An entry that holds nothing stays until its budgets are full, and a sweep is asked for once.
func TestSweep(t *testing.T) {
	begun := 0
	l := Limits{Most: [NumKinds]uint32{Calls: 1}}
	l.Rates[CallRate] = RateOf(1, 2)
	table := New(l, 10, func() { begun++ })
	table.Take(1, Calls, 0)
	table.Spend(1, CallRate, 0)
	if begun != 0 {
		t.Errorf("asked for %d sweeps, although the client holds something", begun)
	}
	table.Release(1, Calls, 0)
	table.Spend(2, CallRate, 0)
	if begun != 1 {
		t.Errorf("asked for %d sweeps, want 1", begun)
	}
	if !table.Sweep(second / 2) {
		t.Error("nothing is left to sweep")
	}
	table.wantEntries(t, "half way", 2)
	if table.Sweep(second) {
		t.Error("there is something left to sweep")
	}
	table.wantEntries(t, "the budgets are full", 0)
	table.Spend(2, CallRate, second)
	if begun != 2 {
		t.Errorf("asked for %d sweeps, want 2", begun)
	}
	table.Take(2, Calls, 5*second)
	table.Release(2, Calls, 5*second)
	table.wantEntries(t, "released with full budgets", 0)
}

// A table that is full gives up who holds nothing, and refuses newcomers if all hold something.
func TestFull(t *testing.T) {
	const most = 50
	table := limited(t, most)
	for key := range uint64(most) {
		if o := table.Take(key+1, Streams, 0); o != OK {
			t.Fatal(key, o)
		}
	}
	for key := uint64(100); key < 200; key++ {
		if o := table.Take(key, Streams, 0); o != Full {
			t.Errorf("a newcomer gets %d", o)
		}
		if _, o := table.Spend(key, CallRate, 0); o != Full {
			t.Errorf("a newcomer may spend: %d", o)
		}
		if table.Force(key, Streams, 0) {
			t.Error("a newcomer has been counted by force")
		}
	}
	if _, o := table.Spend(1, CallRate, 0); o != OK {
		t.Errorf("who is known gets %d", o)
	}
	for key := range uint64(most) {
		table.Release(key+1, Streams, 0)
	}
	table.wantEntries(t, "one has spent something", 1)
	for key := range uint64(10 * most) {
		table.Spend(key, CallRate, 0)
	}
	if n := table.Entries(); n > most {
		t.Errorf("%d entries of at most %d", n, most)
	}
}

// Whatever happens, a table counts as a simple map does, and forgets what it need not know.
func TestTableModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		table := limited(t, 1<<20)
		type client struct {
			held [NumKinds]uint32
			full [NumBudgets]Time
		}
		model := map[uint64]*client{}
		at := func(key uint64) *client {
			if model[key] == nil {
				model[key] = new(client)
			}
			return model[key]
		}
		// Few keys, so that things meet, or many, so that shards grow.
		keys := rapid.Uint64Range(1, rapid.SampledFrom([]uint64{3, 40, 5000}).Draw(rt, "keys"))
		now := Time(0)
		for range rapid.IntRange(1, 600).Draw(rt, "steps") {
			key, k := keys.Draw(rt, "key"), Kind(rapid.IntRange(0, int(NumKinds)-1).Draw(rt, "kind"))
			switch rapid.IntRange(0, 6).Draw(rt, "what") {
			case 0, 1, 2:
				want := at(key).held[k] < table.limits.Most[k]
				if got := table.Take(key, k, now) == OK; got != want {
					rt.Fatalf("take: %v, want %v", got, want)
				}
				if want {
					at(key).held[k]++
				}
			case 3:
				if at(key).held[k] > 0 {
					table.Release(key, k, now)
					at(key).held[k]--
				}
			case 4:
				b := Budget(int(k) % int(NumBudgets))
				r, c := table.limits.Rates[b], at(key)
				next := max(c.full[b], now) + r.every
				wait, _ := table.Spend(key, b, now)
				if want := max(0, next-now-r.burst); Time(wait) != want {
					rt.Fatalf("spend: wait %v, want %v", wait, want)
				}
				if wait == 0 {
					c.full[b] = next
				}
			case 5:
				now += Time(rapid.Int64Range(0, int64(second)).Draw(rt, "time"))
			case 6:
				table.Sweep(now)
				n := int64(0)
				for _, c := range model {
					if c.held != [NumKinds]uint32{} || c.full[0] > now || c.full[1] > now {
						n++
					}
				}
				table.wantEntries(rt, "after a sweep", n)
			}
		}
		for key, c := range model {
			for k, n := range c.held {
				if got := table.Held(key, Kind(k)); got != int(n) {
					rt.Fatalf("client %d holds %d of kind %d, want %d", key, got, k, n)
				}
				for range n {
					table.Release(key, Kind(k), now)
				}
			}
		}
		if table.Sweep(now + 100*second) {
			rt.Fatal("something is left to sweep")
		}
		table.wantEntries(rt, "at the end", 0)
		for i := range table.shards {
			if sh := &table.shards[i]; sh.n != 0 || sh.idle != 0 {
				rt.Fatalf("shard %d: %d entries, %d idle", i, sh.n, sh.idle)
			}
		}
	})
}

// Goroutines that take and give back at the same time leave nothing behind.
func TestTableRace(t *testing.T) {
	var sweeps sync.WaitGroup
	l := Limits{Most: [NumKinds]uint32{3, 2, 1, 2}}
	l.Rates[CallRate] = RateOf(1e6, 2)
	var table *Table
	table = New(l, 64, func() {
		sweeps.Go(func() {
			for table.Sweep(second) {
			}
		})
	})
	var all sync.WaitGroup
	for g := range uint64(4) {
		all.Go(func() {
			for n := range uint64(20_000) {
				key, k := (n*7+g)%96, Kind(n%uint64(NumKinds))
				table.Spend(key, CallRate, 0)
				if table.Take(key, k, 0) == OK {
					table.Release(key, k, 0)
				}
			}
		})
	}
	all.Wait()
	sweeps.Wait()
	for table.Sweep(second) {
	}
	table.wantEntries(t, "all have ended", 0)
}

func TestNoAllocations(t *testing.T) {
	table := limited(t, 10)
	now := Time(0)
	if n := testing.AllocsPerRun(1000, func() {
		now += second
		table.Spend(1, CallRate, now)
		table.Take(1, Calls, now)
		table.Release(1, Calls, now)
	}); n != 0 {
		t.Errorf("a call allocates %v times", n)
	}
}

func BenchmarkCall(b *testing.B) {
	l := Limits{Most: [NumKinds]uint32{Calls: 10}}
	l.Rates[CallRate] = RateOf(1e9, 1)
	table := New(l, 1<<20, func() {})
	for key := range uint64(8000) {
		table.Take(key, Calls, 0)
	}
	b.ReportAllocs()
	for n := range uint64(b.N) {
		key := n * 7919 % 8000
		table.Spend(key, CallRate, Time(n))
		table.Take(key, Calls, Time(n))
		table.Release(key, Calls, Time(n))
	}
}
