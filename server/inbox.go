package server

import (
	"sync"
	"sync/atomic"
)

// inbox holds what other goroutines have posted to a loop and the loop has not served yet, in the
// order of the posts. The first post after the loop has settled the inbox wakes the loop, so that
// many posts cause one wake-up. The methods of inbox may be called from any goroutine unless they
// say otherwise.
type inbox struct {
	wake func() // asks the loop to serve the inbox
	max  int64  // bytes beyond which the inbox is flooded

	bytes atomic.Int64 // the bytes of all items that are not served yet

	mu      sync.Mutex // guards what follows
	items   []item
	changed []*berth // those with pending changes
	drain   *drainOrder
	posted  bool // the loop has been woken and has not settled the inbox since
	dead    bool // the loop has ended

	spare []*berth // the next backing array of changed; the loop's
}

// post adds an item. It returns false when the loop has ended.
func (in *inbox) post(it item) bool {
	in.mu.Lock()
	if in.dead {
		in.mu.Unlock()
		return false
	}
	in.items = append(in.items, it)
	in.bytes.Add(it.cost())
	in.wakeLocked()
	return true
}

// postChanges adds changes of lists and resources for a berth. Those that are not served yet become
// one set.
func (in *inbox) postChanges(b *berth, c *changes) {
	in.mu.Lock()
	if in.dead {
		in.mu.Unlock()
		return // nobody would serve them
	}
	if b.pending.empty() && !c.empty() {
		in.changed = append(in.changed, b)
	}
	b.pending.merge(c)
	in.wakeLocked()
}

// postDrain adds the order to drain.
func (in *inbox) postDrain(d *drainOrder) {
	in.mu.Lock()
	in.drain = d
	in.wakeLocked()
}

// call makes the loop serve the inbox, whether or not something was posted.
func (in *inbox) call() {
	in.mu.Lock()
	in.wakeLocked()
}

// wakeLocked unlocks the inbox, and wakes the loop if it has not been woken since it settled the
// inbox.
func (in *inbox) wakeLocked() {
	first := !in.posted
	in.posted = true
	in.mu.Unlock()
	if first {
		in.wake()
	}
}

// flooded reports whether so many bytes wait that what would add to them has to be refused.
func (in *inbox) flooded() bool { return in.bytes.Load() > in.max }

// attend marks the inbox as about to be served, so that posts need not wake the loop. Only the loop
// calls it.
func (in *inbox) attend() {
	in.mu.Lock()
	in.posted = true
	in.mu.Unlock()
}

// take returns what was posted and leaves the inbox empty, with spare as its next backing array.
// The berths that it returns have their changes in news. Only the loop calls it. It calls served
// for each item later, and gives the list of berths back as in.spare.
func (in *inbox) take(spare []item) (items []item, changed []*berth, d *drainOrder) {
	in.mu.Lock()
	defer in.mu.Unlock()
	items, d = in.items, in.drain
	in.items, in.drain = spare[:0], nil
	if len(in.changed) > 0 {
		changed, in.changed, in.spare = in.changed, in.spare, nil
	}
	for _, b := range changed {
		b.news, b.pending = b.pending, changes{}
	}
	return items, changed, d
}

// served subtracts an item from the count of bytes.
func (in *inbox) served(it *item) { in.bytes.Add(-it.cost()) }

// waiting reports whether something was posted.
func (in *inbox) waiting() bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.waitingLocked()
}

func (in *inbox) waitingLocked() bool {
	return len(in.items) > 0 || len(in.changed) > 0 || in.drain != nil
}

// settle ends the service of the inbox: from now on a post wakes the loop. If the loop will look
// again by itself, or if something waits, settle does nothing and returns false. Only the loop
// calls it.
func (in *inbox) settle(again bool) bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	if again || in.waitingLocked() {
		return false
	}
	in.posted = false
	return true
}

// close makes the inbox refuse further items, and returns those that were not taken.
func (in *inbox) close() []item {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.dead = true
	items := in.items
	in.items = nil
	return items
}
