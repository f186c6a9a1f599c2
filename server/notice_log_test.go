package server

import (
	"fmt"
	"testing"
)

// B18, C7: a client that reconnects is notified of exactly what changed since its last ID, and of
// all that may have changed if it comes from elsewhere.
func TestChangeLog(t *testing.T) {
	var g changeLog
	g.base, g.seq = 1000, 1000
	uri := func(u ...string) map[string]struct{} {
		set := make(map[string]struct{})
		for _, u := range u {
			set[u] = struct{}{}
		}
		return set
	}
	g.add(1, nil)           // 1001
	g.add(0, uri("a"))      // 1002
	g.add(2, nil)           // 1003
	g.add(0, uri("b", "a")) // 1004
	for _, w := range []struct {
		n      uint64
		topics uint8
		a, b   bool
	}{
		{1000, 3, true, true}, {1001, 2, true, true}, {1002, 2, true, true}, {1003, 0, true, true}, {1004, 0, false, false},
		{999, 0xff, true, true}, // of a process before this one
		{0, 0xff, true, true}, {1005, 0xff, true, true}, {^uint64(0), 0xff, true, true},
	} {
		if got := uint8(g.since(w.n)); got != w.topics {
			t.Errorf("since %d: lists %b, want %b", w.n, got, w.topics)
		}
		if a, b := g.updatedSince("a", w.n), g.updatedSince("b", w.n); a != w.a || b != w.b {
			t.Errorf("since %d: a %v, b %v", w.n, a, b)
		}
	}
	if g.updatedSince("c", 1000) {
		t.Error("a resource that was never updated was")
	}
	for i := range 3 * maxLoggedURIs {
		g.add(0, uri(fmt.Sprint("u", i)))
	}
	if len(g.uris) > maxLoggedURIs {
		t.Errorf("%d resources are remembered", len(g.uris))
	}
	if !g.updatedSince("c", 1000) || !g.updatedSince("a", 1003) {
		t.Error("a client that was away for too long is not notified of what it may have missed")
	}
	if g.updatedSince("c", g.seq) {
		t.Error("a client that missed nothing is notified of something")
	}
	many := make([]string, maxLoggedURIs+10)
	for i := range many {
		many[i] = fmt.Sprint("v", i)
	}
	before := g.seq
	g.add(0, uri(many...))
	if len(g.uris) > maxLoggedURIs || !g.updatedSince("v1", before) || !g.updatedSince(many[len(many)-1], before) {
		t.Errorf("%d resources of one change are remembered", len(g.uris))
	}
}
