package session

import (
	"testing"

	"github.com/mooring-mcp/mooring/mcp"
	"github.com/mooring-mcp/mooring/server/internal/wheel"
)

// B17, B19: at the limit, the table evicts a session that holds only what its client can ask for
// again: the least recently used of a sample, in any shard. Sessions with a stream or a call
// stay. A new session is refused only if no other can be evicted.
func TestSessionCap(t *testing.T) {
	table := tableOf(8, 100)
	for i := range 8 {
		table.with(keyOf(i), true, wheel.Tick(i), func(s *entry[*host]) {
			switch i {
			case 0:
				s.stream = somewhere
			case 1:
				s.calls = []call[*host]{{}}
			case 2:
				s.replays = []*replay{{carrier: somewhere}}
			default:
				s.level = mcp.LoggingLevel("info")
			}
		})
	}
	for i := range 5 {
		if table.with(keyOf(100+i), true, 100, func(s *entry[*host]) { s.calls = []call[*host]{{}} }) != nil {
			t.Fatalf("newcomer %d is refused", i)
		}
	}
	if n := table.count.Load(); n != 8 {
		t.Errorf("%d sessions", n)
	}
	if table.with(keyOf(200), true, 100, func(*entry[*host]) { t.Error("called") }) != ErrFull {
		t.Error("there is room where everything is in use")
	}
	for _, i := range []int{0, 1, 2} {
		found := false
		table.with(keyOf(i), false, 100, func(*entry[*host]) { found = true })
		if !found {
			t.Errorf("session %d was forgotten, though it is in use", i)
		}
	}
	// A session that leaves nothing takes no room, and sessions with an entry are served.
	table.with(keyOf(0), true, 100, func(s *entry[*host]) { s.stream = Place{} })
	if table.with(keyOf(200), true, 100, func(*entry[*host]) {}) != nil || table.count.Load() != 7 {
		t.Errorf("%d sessions", table.count.Load())
	}
}

// At the limit on remembered deletions, those that expire first are dropped.
func TestRevocationCap(t *testing.T) {
	table := tableOf(100, 4*Shards)
	for i := range 10 {
		table.revoke(keyOf(i*Shards), uint32(1000-i))
	}
	table.wantExact(t, 0, 4)
	for i := range 3 {
		if !table.Deleted(keyOf(i * Shards)) {
			t.Errorf("%d, which expires late, was forgotten", i)
		}
	}
	table.revoke(keyOf(0), 1000)
	if !table.Deleted(keyOf(Shards)) || table.revoked.Load() != 4 {
		t.Error("to delete again costs another its place")
	}
	for i := range Shards {
		table.Sweep(i, 0, 1001)
	}
	if table.revoked.Load() != 0 {
		t.Error("revocations are remembered for ever")
	}
}

// A session that is deleted while another of its requests is in progress leaves nothing behind:
// nothing can enter the table after the deletion.
func TestNothingIsHeldForADeletedSession(t *testing.T) {
	table := tableOf(100, 100)
	table.revoke(keyOf(1), 1000)
	if table.with(keyOf(1), true, 0, func(*entry[*host]) { t.Error("called") }) != ErrGone || table.count.Load() != 0 {
		t.Error("a deleted session has state")
	}
}

// What a session held when it was deleted is not reused: the next session of the shard finds none
// of it.
func TestRevokedSessionKeepsItsOwn(t *testing.T) {
	table := tableOf(100, 100)
	fill := func(s *entry[*host]) {
		s.level, s.subs.URIs, s.calls = "info", map[string]struct{}{"file:///a": {}}, []call[*host]{{id: "1"}}
		s.addReplay(7, Place{}, &table.budget)
	}
	table.with(keyOf(1), true, 0, fill)
	held := table.revoke(keyOf(1), 1000)
	other := keyOf(1 + Shards) // of the same shard
	table.with(other, true, 0, func(s *entry[*host]) {
		if !s.blank() {
			t.Errorf("another session begins with %+v", s.details)
		}
		s.calls = append(s.calls, call[*host]{id: "2"})
	})
	if held.level != "info" || len(held.subs.URIs) != 1 || len(held.calls) != 1 || held.calls[0].id != "1" || len(held.replays) != 1 {
		t.Errorf("it held %+v", held.details)
	}
	if table.budget.used.Load() != 0 {
		t.Error("its replays are paid for")
	}
}

// First is called when there is something to sweep and there was nothing before. Forgot is called
// for subscriptions that end in any way other than Unsubscribe. Neither is called with a lock
// held.
func TestFirstAndForgot(t *testing.T) {
	var table *Table[*host]
	first, forgot := 0, 0
	table = New[*host](Options{
		MaxSessions: 2, MaxRevoked: 10, Idle: 5,
		First:  func() { first++; table.Audit() },
		Forgot: func(subs Subscriptions) { forgot += len(subs.URIs); table.Audit() },
	})
	subscribe := func(n int, uris ...string) {
		t.Helper()
		for _, uri := range uris {
			if _, added, err := table.Subscribe(keyOf(n), owner, uri, false, 1); !added || err != nil {
				t.Fatalf("session %d, %s: added %v, %v", n, uri, added, err)
			}
		}
	}
	want := func(why string, calls, uris int) {
		t.Helper()
		if first != calls || forgot != uris {
			t.Errorf("%s: First was called %d times, %d subscriptions are forgotten, want %d and %d", why, first, forgot, calls, uris)
		}
	}
	subscribe(1, "a", "b")
	subscribe(2, "a")
	want("two sessions", 1, 0)
	if _, _, err := table.TakeOver(keyOf(2), owner, somewhere, false, 2); err != nil {
		t.Fatal(err)
	}
	subscribe(3, "c")
	want("one is evicted", 1, 2)
	for i := range Shards {
		table.Sweep(i, 100, 1)
	}
	want("one was unused for long", 1, 3)
	table.Clear()
	want("the end", 1, 4)
	table.Delete(keyOf(4), 10)
	want("a deletion to remember", 2, 4)
}
