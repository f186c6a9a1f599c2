package session

import "github.com/mooring-mcp/mooring/server/internal/wheel"

// This file has the ways in which a session leaves the table: for another, by DELETE, after a time
// without use, or with the server.

// makeRoom drops a session that holds only what its client can ask for again: one of shard first
// or, if all there are in use, of another.
func (t *Table[J]) makeRoom(first int) bool {
	for i := range Shards {
		if s := t.takeOldest(&t.shards[(first+i)%Shards]); s != nil {
			t.forgot(s.subs)
			return true
		}
	}
	return false
}

// takeOldest drops the least recently used of a small sample of sessions that are not in use. It
// returns nil if there is none.
func (t *Table[J]) takeOldest(sh *shard[J]) *entry[J] {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	var oldest *entry[J]
	seen := 0
	for _, s := range sh.m {
		if seen++; seen > 32 {
			break
		}
		if s.details != nil && s.stream.IsZero() && len(s.calls) == 0 && !s.carried() && (oldest == nil || s.lastUsed < oldest.lastUsed) {
			oldest = s
		}
	}
	if oldest != nil {
		oldest.forgetReplays(&t.budget)
		t.drop(sh, oldest)
	}
	return oldest
}

// Deleted reports whether session k was deleted.
func (t *Table[J]) Deleted(k Key) bool {
	if t.revoked.Load() == 0 {
		return false
	}
	sh := t.shard(k)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	_, gone := sh.gone[k]
	return gone
}

// Held is what a session held when it was deleted, for the caller to end.
type Held[J comparable] struct {
	Streams []Place // its own, and those on which calls were resumed
	Calls   []Call[J]
	Subscriptions
}

// Delete deletes session k. Its ID is refused until it would expire anyway, at the end of the Unix
// second expires.
func (t *Table[J]) Delete(k Key, expires uint32) Held[J] {
	s := t.revoke(k, expires)
	h := Held[J]{Calls: callsOf(s.calls), Subscriptions: s.subs}
	if !s.stream.IsZero() {
		h.Streams = append(h.Streams, s.stream)
	}
	for _, r := range s.replays {
		if !r.carrier.IsZero() {
			h.Streams = append(h.Streams, r.carrier)
		}
	}
	return h
}

// revoke takes the entry of session k out of the table, refuses its ID, and returns what it held.
func (t *Table[J]) revoke(k Key, expires uint32) (held entry[J]) {
	held, first := t.revokeLocked(t.shard(k), k, expires)
	if first {
		t.begin()
	}
	return held
}

func (t *Table[J]) revokeLocked(sh *shard[J], k Key, expires uint32) (held entry[J], first bool) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	held.details = new(details[J])
	if s := sh.m[k]; s != nil {
		held.key, held.stream = k, s.stream
		if s.details != nil {
			*held.details = *s.details
			for i := range s.calls {
				t.answers.Add(-s.calls[i].answers)
			}
			s.forgetReplays(&t.budget)
		}
		t.drop(sh, s)
	}
	if _, again := sh.gone[k]; again {
		return held, false
	}
	if sh.gone == nil {
		sh.gone = make(map[Key]uint32)
	}
	if len(sh.gone) >= max(1, t.o.MaxRevoked/Shards) {
		t.dropRevoked(sh)
	}
	sh.gone[k] = expires
	return held, t.revoked.Add(1) == 1
}

// dropRevoked forgets the deletion of a sample that expires first: it has the least to lose.
func (t *Table[J]) dropRevoked(sh *shard[J]) {
	var first Key
	least, seen := ^uint32(0), 0
	for key, at := range sh.gone {
		if seen++; at <= least {
			first, least = key, at
		}
		if seen >= 64 {
			break
		}
	}
	delete(sh.gone, first)
	t.revoked.Add(-1)
}

// Sweep forgets what has expired in shard i. unix is the current Unix second.
func (t *Table[J]) Sweep(i int, now wheel.Tick, unix uint32) {
	for _, subs := range t.sweepLocked(&t.shards[i], now, unix) {
		t.forgot(subs)
	}
}

func (t *Table[J]) sweepLocked(sh *shard[J], now wheel.Tick, unix uint32) (forgot []Subscriptions) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	for k, at := range sh.gone {
		if at < unix {
			delete(sh.gone, k)
			t.revoked.Add(-1)
		}
	}
	for _, s := range sh.m {
		if s.details == nil {
			continue // it has its stream
		}
		s.expireReplays(now, &t.budget)
		if s.stream.IsZero() && len(s.calls) == 0 && s.lastUsed+t.o.Idle <= now {
			if len(s.subs.URIs) > 0 {
				forgot = append(forgot, s.subs)
			}
			s.level, s.subs = "", Subscriptions{} // its client has not been seen for so long that it is gone
		}
		sh.takeBack(s)
		if s.empty() {
			t.drop(sh, s)
		}
	}
	return forgot
}

// Clear empties the table. Deleted IDs stay known.
func (t *Table[J]) Clear() {
	for i := range t.shards {
		for _, subs := range t.clearLocked(&t.shards[i]) {
			t.forgot(subs)
		}
	}
}

func (t *Table[J]) clearLocked(sh *shard[J]) (forgot []Subscriptions) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	for _, s := range sh.m {
		if s.details != nil {
			forgot = append(forgot, s.subs)
			s.forgetReplays(&t.budget)
		}
		t.drop(sh, s)
	}
	return forgot
}
