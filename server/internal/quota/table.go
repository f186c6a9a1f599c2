package quota

import (
	"math/bits"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// Outcome is what a Table says to one more of something.
type Outcome uint8

const (
	OK    Outcome = iota
	Above         // the client has its share
	Full          // the table has no room for the client
)

// A Table counts for the clients of one kind, each by its key.
type Table struct {
	limits Limits
	most   int64
	begin  func()
	seed   uint64
	rated  bool
	count  atomic.Int64 // entries
	due    atomic.Bool  // there will be a sweep
	shards [shards]shard
}

const (
	shards    = 64
	leastRoom = 8   // of a shard that has an entry
	evictLook = 128 // slots that are looked at for an entry to give up
)

// An entry is what is known of a client.
type entry struct {
	full [NumBudgets]Time // when the budget is full again
	held [NumKinds]uint32
}

// A shard is a hash table with linear probing. Keys are apart from the entries, so that few cache
// lines are touched on the way to one.
type shard struct {
	mu      sync.Mutex // guards the rest
	keys    []uint64   // 0 for a slot that is free
	entries []entry
	n       int // entries
	idle    int // entries that hold nothing
	_       [64]byte
}

// New returns a Table for clients with these limits, which has at most so many entries. begin is
// called when there is something to sweep and there was nothing before.
func New(l Limits, most int64, begin func()) *Table {
	t := &Table{limits: l, most: most, begin: begin, seed: rand.Uint64()}
	for _, r := range l.Rates {
		t.rated = t.rated || r.limits()
	}
	return t
}

// Counts reports whether things of a kind have a limit.
func (t *Table) Counts(k Kind) bool { return t.limits.Most[k] > 0 }

// Rated reports whether there is a budget with a limit. Otherwise no method looks at the time.
func (t *Table) Rated() bool { return t.rated }

// Entries returns how many clients have an entry.
func (t *Table) Entries() int64 { return t.count.Load() }

// Take counts one more of a kind for a client, unless that would be too many. Release takes it
// back. It is OK, and nothing is counted, if the kind has no limit.
func (t *Table) Take(key uint64, k Kind, now Time) Outcome {
	return t.take(key, k, t.limits.Most[k], now)
}

// Force is Take for something that is there already and cannot be refused. It reports whether it is
// counted.
func (t *Table) Force(key uint64, k Kind, now Time) bool {
	return t.Counts(k) && t.take(key, k, 1<<32-1, now) == OK
}

func (t *Table) take(key uint64, k Kind, most uint32, now Time) Outcome {
	if t.limits.Most[k] == 0 {
		return OK
	}
	key, sh := t.shard(key)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	e := t.enter(sh, key, now)
	if e == nil {
		return Full
	}
	if e.held[k] >= most {
		return Above // it holds something, so the entry is not new
	}
	if !e.holds() {
		sh.idle--
	}
	e.held[k]++
	return OK
}

// Release takes back what Take or Force has counted.
func (t *Table) Release(key uint64, k Kind, now Time) {
	if t.limits.Most[k] == 0 {
		return
	}
	key, sh := t.shard(key)
	sh.mu.Lock()
	i, ok := t.find(sh, key)
	if !ok || sh.entries[i].held[k] == 0 {
		sh.mu.Unlock()
		panic("quota: something is released that was not counted")
	}
	e := &sh.entries[i]
	e.held[k]--
	idle := false
	if !e.holds() {
		sh.idle++
		if idle = e.owes(now); !idle {
			t.remove(sh, i)
		}
	}
	sh.mu.Unlock()
	if idle {
		t.sweepLater()
	}
}

// Spend takes one from a budget of a client. If the budget is empty, it takes nothing, and wait is
// the time until there is one again.
func (t *Table) Spend(key uint64, b Budget, now Time) (wait time.Duration, o Outcome) {
	r := t.limits.Rates[b]
	if !r.limits() {
		return 0, OK
	}
	key, sh := t.shard(key)
	sh.mu.Lock()
	e := t.enter(sh, key, now)
	if e == nil {
		sh.mu.Unlock()
		return 0, Full
	}
	next, wait := r.after(e.full[b], now)
	if wait == 0 {
		e.full[b] = next
	}
	idle := !e.holds()
	sh.mu.Unlock()
	if idle {
		t.sweepLater()
	}
	if wait > 0 {
		return wait, Above
	}
	return 0, OK
}

// Wait returns how long it takes until there is something in a budget of a client, without taking
// it. It is 0 if there is something.
func (t *Table) Wait(key uint64, b Budget, now Time) time.Duration {
	r := t.limits.Rates[b]
	if !r.limits() {
		return 0
	}
	key, sh := t.shard(key)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	i, ok := t.find(sh, key)
	if !ok {
		return 0
	}
	_, wait := r.after(sh.entries[i].full[b], now)
	return wait
}

// Held returns how many of a kind a client holds.
func (t *Table) Held(key uint64, k Kind) int {
	key, sh := t.shard(key)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if i, ok := t.find(sh, key); ok {
		return int(sh.entries[i].held[k])
	}
	return 0
}

// holds reports whether the client holds something.
func (e *entry) holds() bool { return e.held != [NumKinds]uint32{} }

// owes reports whether a budget of the client is not full.
func (e *entry) owes(now Time) bool {
	for _, full := range e.full {
		if full > now {
			return true
		}
	}
	return false
}

// shard returns the shard of a client, and its key, which is never 0.
func (t *Table) shard(key uint64) (uint64, *shard) {
	if key == 0 {
		key = 1
	}
	return key, &t.shards[t.hash(key)%shards]
}

// hash mixes a key with the seed, so that a client cannot choose keys that collide.
func (t *Table) hash(key uint64) uint64 {
	key ^= t.seed
	key = (key ^ key>>33) * 0xff51afd7ed558ccd
	key = (key ^ key>>33) * 0xc4ceb9fe1a85ec53
	return key ^ key>>33
}

// home returns the slot from which a key is looked for.
func (t *Table) home(sh *shard, key uint64) int {
	hi, _ := bits.Mul64(t.hash(key), uint64(len(sh.keys)))
	return int(hi)
}

// find returns the slot of a key, or the one that is free for it if there is any.
func (t *Table) find(sh *shard, key uint64) (slot int, ok bool) {
	if len(sh.keys) == 0 {
		return 0, false
	}
	for i := t.home(sh, key); ; {
		switch sh.keys[i] {
		case key:
			return i, true
		case 0:
			return i, false
		}
		if i++; i == len(sh.keys) {
			i = 0
		}
	}
}

// Total returns how many of a kind all clients hold together, counted entry by entry. It is for
// tests.
func (t *Table) Total(k Kind) (n int) {
	for i := range t.shards {
		sh := &t.shards[i]
		sh.mu.Lock()
		for slot, key := range sh.keys {
			if key != 0 {
				n += int(sh.entries[slot].held[k])
			}
		}
		sh.mu.Unlock()
	}
	return n
}
