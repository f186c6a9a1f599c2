package session

import (
	"errors"
	"strings"
	"testing"

	"github.com/mooring-mcp/mooring/mcp"
)

var elsewhere = Place{Loop: 2, Slot: 3, Gen: 4}

// owner and other are servers that share a table.
const owner, other = "a server", "another server"

// The newer stream wins, also where there is no room for another.
func TestTakeOver(t *testing.T) {
	table := tableOf(2, 10)
	if _, _, err := table.TakeOver(keyOf(1), owner, somewhere, true, 0); !errors.Is(err, ErrManyStreams) {
		t.Errorf("no room: %v", err)
	}
	table.wantExact(t, 0, 0)
	if _, _, err := table.Subscribe(keyOf(1), owner, "a", false, 0); err != nil {
		t.Fatal(err)
	}
	old, uris, err := table.TakeOver(keyOf(1), owner, somewhere, false, 0)
	if !old.IsZero() || strings.Join(uris, " ") != "a" || err != nil {
		t.Errorf("the first stream: in place of %+v, %q, %v", old, uris, err)
	}
	if old, _, err = table.TakeOver(keyOf(1), owner, elsewhere, true, 0); old != somewhere || err != nil {
		t.Errorf("the second stream: in place of %+v, %v", old, err)
	}
	table.Leave(keyOf(1), somewhere, false, 0)
	if at := table.Stream(keyOf(1), 0); at != elsewhere {
		t.Errorf("the first stream took %+v with it", at)
	}
	table.Leave(keyOf(1), elsewhere, false, 0)
	if at := table.Stream(keyOf(1), 0); !at.IsZero() || !table.Subscribed(keyOf(1), owner, "a", 0) {
		t.Errorf("left are the stream %+v and the subscription, %v", at, table.Subscribed(keyOf(1), owner, "a", 0))
	}
	table.Delete(keyOf(1), 100)
	if _, _, err := table.TakeOver(keyOf(1), owner, somewhere, false, 0); !errors.Is(err, ErrGone) {
		t.Errorf("a stream of a deleted session: %v", err)
	}
}

// A session over HTTP+SSE ends with its stream.
func TestLeaveEndsTheSession(t *testing.T) {
	table := tableOf(2, 10)
	info := mcp.SessionInfo{Revision: "2025-03-26"}
	if table.Agree(keyOf(1), info, 0); table.Held() {
		t.Error("something is held for a session without a stream")
	}
	if _, _, err := table.TakeOver(keyOf(1), owner, somewhere, false, 0); err != nil {
		t.Fatal(err)
	}
	table.Agree(keyOf(1), info, 0)
	_, _, err1 := table.Subscribe(keyOf(1), owner, "a", true, 0)
	err2 := table.SetLevel(keyOf(1), "error", true, 0)
	j := &host{1}
	if err := errors.Join(err1, err2, table.Register(keyOf(1), "1", j, 7, true, 0)); err != nil {
		t.Fatal(err)
	}
	info.LogLevel = "error"
	if got, at := table.Agreed(keyOf(1), 0); got != info || at != somewhere {
		t.Errorf("agreed on %+v, at %+v", got, at)
	}
	calls, subs := table.Leave(keyOf(1), somewhere, true, 0)
	if len(calls) != 1 || calls[0].Job != j || len(subs.URIs) != 1 || subs.Owner != owner {
		t.Errorf("left with %+v, %v", calls, subs)
	}
	if got, at := table.Agreed(keyOf(1), 0); got != (mcp.SessionInfo{}) || !at.IsZero() {
		t.Errorf("agreed on %+v, at %+v, after its end", got, at)
	}
	if _, added, err := table.Subscribe(keyOf(1), owner, "b", true, 0); added || err != nil {
		t.Errorf("a subscription after its end: %v, %v", added, err)
	}
	if err := table.SetLevel(keyOf(1), "info", true, 0); err != nil || table.Level(keyOf(1), 0) != "" {
		t.Errorf("a level after its end: %v", err)
	}
	table.Unregister(keyOf(1), j, 0)
	table.wantExact(t, 0, 0)
}

func TestSubscribe(t *testing.T) {
	table := tableOf(2, 10)
	for i := range maxURIs {
		if _, added, err := table.Subscribe(keyOf(1), owner, string(rune('a'+i)), false, 0); !added || err != nil {
			t.Fatal(i, added, err)
		}
	}
	if _, added, err := table.Subscribe(keyOf(1), owner, "a", false, 0); added || err != nil {
		t.Errorf("again: %v, %v", added, err)
	}
	if _, added, err := table.Subscribe(keyOf(1), owner, "more", false, 0); added || !errors.Is(err, ErrManyURIs) {
		t.Errorf("one too many: %v, %v", added, err)
	}
	if _, removed := table.Unsubscribe(keyOf(1), owner, "more", 0); removed || table.Subscribed(keyOf(1), owner, "more", 0) {
		t.Error("a subscription that was refused is there")
	}
	if _, removed := table.Unsubscribe(keyOf(1), owner, "a", 0); !removed || table.Subscribed(keyOf(1), owner, "a", 0) {
		t.Error("a subscription does not end")
	}
}

// A call's stream goes to the connection that resumed it last. When it is done, it can be resumed
// for some time from any position.
func TestResume(t *testing.T) {
	table := New[*host](Options{MaxSessions: 10, MaxRevoked: 10, ReplayTotal: 1 << 20, ReplayBytes: 1 << 10, ReplayEvents: 3, ReplayAge: 10})
	stream := table.OpenReplay(keyOf(1), somewhere, 0)
	if stream == 0 {
		t.Fatal("no room")
	}
	remember := func(msg string, final bool, at Place) {
		t.Helper()
		if _, carrier, kept := table.Remember(keyOf(1), stream, []byte(msg), final, 5); carrier != at || !kept {
			t.Errorf("%q: carried by %+v, kept %v, want %+v", msg, carrier, kept, at)
		}
	}
	resume := func(why string, n uint64, to Place, full bool, want string, old Place, wantErr error) {
		t.Helper()
		from, err := table.Resume(keyOf(1), stream, n, to, full, 5)
		if !errors.Is(err, wantErr) || strings.Join(texts(from.Events), " ") != want || from.Old != old {
			t.Errorf("%s: %q, from %+v, %v, want %q, from %+v, %v", why, from.Events, from.Old, err, want, old, wantErr)
		}
	}
	remember("e1", false, somewhere)
	remember("e2", false, somewhere)
	resume("while it seems to be there", 1, elsewhere, true, "e2", somewhere, nil)
	table.LeaveReplay(keyOf(1), stream, somewhere, 5)
	remember("e3", false, elsewhere)
	table.LeaveReplay(keyOf(1), stream, elsewhere, 5)
	remember("", false, Place{})
	resume("no room", 1, somewhere, true, "", Place{}, ErrManyStreams)
	resume("never reached", 4, somewhere, false, "", Place{}, ErrNoReplay)
	remember("e4", true, Place{})
	resume("forgotten", 0, somewhere, false, "", Place{}, ErrNoReplay)
	resume("done", 2, somewhere, true, "e3 e4", Place{}, nil)
	if at := table.Carrier(keyOf(1), stream, 5); !at.IsZero() {
		t.Errorf("%+v carries a stream that is done", at)
	}
	if _, err := table.Resume(keyOf(2), stream, 2, somewhere, false, 5); !errors.Is(err, ErrNoReplay) {
		t.Errorf("another session: %v", err)
	}
	table.Sweep(shardOf(keyOf(1)), 14, 1)
	resume("in time", 3, somewhere, false, "e4", Place{}, nil)
	table.Sweep(shardOf(keyOf(1)), 15, 1)
	resume("late", 3, somewhere, false, "", Place{}, ErrNoReplay)
	if _, _, kept := table.Remember(keyOf(1), stream, []byte("e5"), false, 15); kept {
		t.Error("an event of a stream that was forgotten is kept")
	}
	table.wantExact(t, 0, 0)
}

func TestEndedSessionEndsResumedStreams(t *testing.T) {
	table := tableOf(10, 10)
	stream := table.OpenReplay(keyOf(1), elsewhere, 0)
	held := table.Delete(keyOf(1), 100)
	if len(held.Streams) != 1 || held.Streams[0] != elsewhere {
		t.Errorf("held %+v", held)
	}
	if _, _, kept := table.Remember(keyOf(1), stream, []byte("x"), false, 0); kept || table.OpenReplay(keyOf(1), elsewhere, 0) != 0 {
		t.Error("events of a deleted session are kept")
	}
	table.wantExact(t, 0, 1)
}

// The subscriptions of a session belong to one server, and no other sees them.
func TestSubscriptionsHaveOneOwner(t *testing.T) {
	table := tableOf(2, 10)
	subscribe := func(who any, uri string, want error) {
		t.Helper()
		if _, added, err := table.Subscribe(keyOf(1), who, uri, false, 0); !errors.Is(err, want) || added != (want == nil) {
			t.Fatalf("%v, %s: added %v, %v; want %v", who, uri, added, err, want)
		}
	}
	subscribe(owner, "a", nil)
	subscribe(other, "a", ErrOtherOwner)
	subscribe(other, "b", ErrOtherOwner)
	if _, removed := table.Unsubscribe(keyOf(1), other, "a", 0); removed || table.Subscribed(keyOf(1), other, "a", 0) {
		t.Error("another server has the subscription")
	}
	if _, uris, err := table.TakeOver(keyOf(1), other, somewhere, false, 0); len(uris) > 0 || err != nil {
		t.Errorf("a stream of another server gets %q, %v", uris, err)
	}
	if _, uris, err := table.TakeOver(keyOf(1), owner, elsewhere, false, 0); len(uris) != 1 || err != nil {
		t.Errorf("a stream of the server gets %q, %v", uris, err)
	}
	if _, removed := table.Unsubscribe(keyOf(1), owner, "a", 0); !removed {
		t.Error("the subscription does not end")
	}
	subscribe(other, "b", nil) // the last one is gone, and its owner with it
	if held := table.Delete(keyOf(1), 100); held.Owner != other || len(held.URIs) != 1 {
		t.Errorf("deleted with %+v", held.Subscriptions)
	}
	table.wantExact(t, 0, 1)
}
