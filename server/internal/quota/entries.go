package quota

// enter returns the entry of a key, and makes it if there is none. It returns nil if there is no
// room. The entry is valid until the next call.
func (t *Table) enter(sh *shard, key uint64, now Time) *entry {
	i, ok := t.find(sh, key)
	if ok {
		return &sh.entries[i]
	}
	if t.count.Add(1) > t.most {
		t.count.Add(-1)
		if !t.evict(sh, t.home(sh, key), now) {
			return nil
		}
		t.count.Add(1)
	}
	if 8*(sh.n+1) > 7*len(sh.keys) {
		t.resize(sh, max(leastRoom, len(sh.keys)+len(sh.keys)/2))
	}
	i, _ = t.find(sh, key)
	sh.keys[i], sh.entries[i] = key, entry{}
	sh.n++
	sh.idle++
	return &sh.entries[i]
}

// evict gives up an entry that holds nothing, the one whose budgets are full first of those that it
// looks at. It reports false if it finds none.
func (t *Table) evict(sh *shard, from int, now Time) bool {
	if sh.idle == 0 {
		return false
	}
	best, soonest := -1, Time(0)
	for n := range min(evictLook, len(sh.keys)) {
		i := (from + n) % len(sh.keys)
		e := &sh.entries[i]
		if sh.keys[i] == 0 || e.holds() {
			continue
		}
		left := Time(0)
		for _, full := range e.full {
			left = max(left, full-now)
		}
		if best < 0 || left < soonest {
			best, soonest = i, left
		}
	}
	if best < 0 {
		return false
	}
	t.remove(sh, best)
	return true
}

// remove removes the entry in a slot, which holds nothing. Entries behind it move up.
func (t *Table) remove(sh *shard, slot int) {
	t.clear(sh, slot)
	if n := len(sh.keys); n > leastRoom && 4*sh.n < n {
		t.resize(sh, max(leastRoom, sh.n+sh.n/2))
	}
}

// clear is remove without a change of the size.
func (t *Table) clear(sh *shard, slot int) {
	n := len(sh.keys)
	for i := slot; ; {
		if i++; i == n {
			i = 0
		}
		key := sh.keys[i]
		if key == 0 {
			break
		}
		// An entry must not move before its home.
		if (i-t.home(sh, key)+n)%n >= (i-slot+n)%n {
			sh.keys[slot], sh.entries[slot] = key, sh.entries[i]
			slot = i
		}
	}
	sh.keys[slot] = 0
	sh.n--
	sh.idle--
	t.count.Add(-1)
}

// resize gives a shard another number of slots, none if it is empty.
func (t *Table) resize(sh *shard, n int) {
	keys, entries := sh.keys, sh.entries
	sh.keys, sh.entries = make([]uint64, n), make([]entry, n)
	for i, key := range keys {
		if key != 0 {
			to, _ := t.find(sh, key)
			sh.keys[to], sh.entries[to] = key, entries[i]
		}
	}
}

// sweepLater has the host sweep, unless it will do so anyway.
func (t *Table) sweepLater() {
	if !t.due.Load() && t.due.CompareAndSwap(false, true) {
		t.begin()
	}
}

// Sweep removes the entries that hold nothing and whose budgets are full. It reports whether there
// is to be another sweep; if not, the host is told when there is.
func (t *Table) Sweep(now Time) (again bool) {
	if t.sweep(now) {
		return true
	}
	t.due.Store(false)
	// An entry may have become idle meanwhile, and found that there would be a sweep.
	return t.idles() && t.due.CompareAndSwap(false, true)
}

func (t *Table) sweep(now Time) (again bool) {
	for i := range t.shards {
		sh := &t.shards[i]
		sh.mu.Lock()
		if sh.idle > 0 {
			for slot := 0; slot < len(sh.keys); {
				if e := &sh.entries[slot]; sh.keys[slot] != 0 && !e.holds() && !e.owes(now) {
					t.clear(sh, slot)
					continue // another entry may be there now
				}
				slot++
			}
			if n := len(sh.keys); sh.n == 0 {
				sh.keys, sh.entries = nil, nil
			} else if n > leastRoom && 4*sh.n < n {
				t.resize(sh, max(leastRoom, sh.n+sh.n/2))
			}
		}
		again = again || sh.idle > 0
		sh.mu.Unlock()
	}
	return again
}

// idles reports whether there is an entry that holds nothing.
func (t *Table) idles() bool {
	for i := range t.shards {
		sh := &t.shards[i]
		sh.mu.Lock()
		idle := sh.idle
		sh.mu.Unlock()
		if idle > 0 {
			return true
		}
	}
	return false
}
