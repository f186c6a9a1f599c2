package session

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/mooring-mcp/mooring/mcp"
)

// charged returns a table that counts sessions for accounts, at most so many for each, and what it
// has counted. The counts are read when nothing runs.
func charged(most int) (*Table[*host], map[Account]int) {
	var mu sync.Mutex
	counts := map[Account]int{}
	return New[*host](Options{
		MaxSessions: 10, MaxRevoked: 10, Idle: 5,
		Charge: func(a Account) error {
			mu.Lock()
			defer mu.Unlock()
			if counts[a] == most {
				return errors.New("too many")
			}
			counts[a]++
			return nil
		},
		Discharge: func(a Account) {
			mu.Lock()
			defer mu.Unlock()
			if counts[a]--; counts[a] == 0 {
				delete(counts, a)
			}
		},
	}), counts
}

var ann, bob = Account{1, 2}, Account{3, 2}

// A session counts from when it gets state until that is gone, however that happens.
func TestCharge(t *testing.T) {
	table, counts := charged(2)
	want := func(why string, of Account, n int) {
		t.Helper()
		if counts[of] != n {
			t.Errorf("%s: %d sessions count, want %d", why, counts[of], n)
		}
	}
	charge := func(k int, a Account, state bool) {
		t.Helper()
		settle, err := table.Charge(keyOf(k), a)
		if err != nil {
			t.Fatal(err)
		}
		if state {
			if err := table.SetLevel(keyOf(k), "error", false, 0); err != nil {
				t.Fatal(err)
			}
		}
		if settle {
			table.Settle(keyOf(k))
		}
	}
	charge(1, ann, false)
	want("no state", ann, 0)
	charge(1, ann, true)
	charge(1, bob, true)
	want("its first account has it", ann, 1)
	want("another account", bob, 0)
	charge(2, ann, true)
	if _, err := table.Charge(keyOf(3), ann); err == nil {
		t.Error("a third session is not refused")
	}
	if settle, err := table.Charge(keyOf(2), ann); err != nil || !settle {
		t.Errorf("a session that has state: %v, %v", settle, err)
	}
	_ = table.SetLevel(keyOf(2), "", false, 0)
	want("about to get state again", ann, 2)
	table.Settle(keyOf(2))
	want("it has not", ann, 1)
	table.Delete(keyOf(1), 100)
	want("deleted", ann, 0)
	charge(4, bob, true)
	table.Sweep(shardOf(keyOf(4)), 5, 1)
	want("swept", bob, 0)
	charge(4, bob, true)
	table.Clear()
	want("cleared", bob, 0)
	charge(5, Account{}, true)
	charge(5, ann, true)
	want("it began as nobody's", ann, 0)
	table.Clear()
	for i := range table.shards {
		if len(table.shards[i].charges) != 0 {
			t.Errorf("shard %d: %d charges are left", i, len(table.shards[i].charges))
		}
	}
}

// Requests of one session on several goroutines leave nothing counted.
func TestChargeRace(t *testing.T) {
	table, counts := charged(1 << 30)
	var all sync.WaitGroup
	for g := range 4 {
		all.Go(func() {
			for n := range 3000 {
				k := keyOf(n % 3)
				settle, err := table.Charge(k, Account{uint64(g + 1)})
				if err != nil {
					t.Error(err)
				}
				if level := []string{"error", ""}[(n+g)%2]; n%5 != 0 {
					_ = table.SetLevel(k, mcp.LoggingLevel(level), false, 0)
				}
				if settle {
					table.Settle(k)
				}
			}
		})
	}
	all.Wait()
	table.Clear()
	if len(counts) != 0 {
		t.Errorf("left: %s", fmt.Sprint(counts))
	}
}
