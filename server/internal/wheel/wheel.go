// Package wheel keeps the deadlines of an event loop. It reads no clock, has no goroutine, and
// allocates only when it grows. Its methods run on the loop that owns it.
package wheel

import "time"

// Tick is the unit of all deadlines. Ticks are Unit long and count from a start that the caller
// chooses. They do not wrap within 13 years.
type Tick uint32

const (
	Unit       = 100 * time.Millisecond
	Never Tick = ^Tick(0) // later than any deadline
)

// Ticks returns d in ticks, rounded up. The result is at least 1.
func Ticks(d time.Duration) Tick {
	return Tick(max(1, (d+Unit-1)/Unit))
}

const (
	size    = 512 // buckets; a deadline further than size ticks ahead goes round more than once
	unarmed = -1
)

// Wheel is a hashed timing wheel. It has one optional deadline for each entry 0, 1, 2, …, which
// costs 12 bytes and holds no pointer. It reads no clock.
//
// Moving a deadline later costs one store: the entry stays in its bucket and is filed again when
// the bucket comes round. The zero wheel is not ready to use: see New.
type Wheel struct {
	now     Tick
	armed   int
	nodes   []node // first the heads of the buckets, then the head of due, then the entries
	pending bool   // due is not empty: Advance has more to do for the current tick
}

// node is an element of a circular doubly linked list. The heads of the lists are nodes
// themselves, so that unlinking a node does not need its list.
type node struct {
	next, prev int32 // unarmed when the entry is in no list
	due        Tick
}

const (
	dueHead    = size
	firstEntry = size + 1
)

// New returns an empty wheel whose time is now.
func New(now Tick) *Wheel {
	w := &Wheel{now: now, nodes: make([]node, firstEntry)}
	for i := range w.nodes {
		w.nodes[i].next, w.nodes[i].prev = int32(i), int32(i)
	}
	return w
}

// Grow makes room for entry i.
func (w *Wheel) Grow(i uint32) {
	for len(w.nodes) <= firstEntry+int(i) {
		w.nodes = append(w.nodes, node{next: unarmed, prev: unarmed})
	}
}

// Arm sets the deadline of entry i, in place of an earlier one. A deadline in the past fires at the
// next tick.
func (w *Wheel) Arm(i uint32, due Tick) {
	n := int32(firstEntry + i)
	nd := &w.nodes[n]
	if nd.next != unarmed {
		if due >= nd.due {
			nd.due = due
			return
		}
		w.unlink(n)
		w.armed--
	}
	nd.due = due
	w.file(n)
	w.armed++
}

// Disarm removes the deadline of entry i, if it has one.
func (w *Wheel) Disarm(i uint32) {
	if n := int32(firstEntry + i); w.nodes[n].next != unarmed {
		w.unlink(n)
		w.armed--
	}
}

// Due returns the deadline of entry i.
func (w *Wheel) Due(i uint32) (due Tick, armed bool) {
	nd := w.nodes[firstEntry+i]
	return nd.due, nd.next != unarmed
}

// Armed returns the number of entries that have a deadline.
func (w *Wheel) Armed() int { return w.armed }

// Advance moves the wheel to now and calls fire for at most limit entries whose deadline has
// passed. Each entry is disarmed before its call, and fire may arm and disarm entries. Advance
// reports whether there is more to do; if so, call it again with the same now or a later one.
func (w *Wheel) Advance(now Tick, limit int, fire func(i uint32)) (more bool) {
	for {
		for w.pending {
			n := w.nodes[dueHead].next
			if n == dueHead {
				w.pending = false
				break
			}
			if limit == 0 {
				return true
			}
			w.unlink(n)
			limit--
			if w.nodes[n].due > w.now {
				w.file(n)
				continue
			}
			w.armed--
			fire(uint32(n - firstEntry))
		}
		if w.now >= now {
			return false
		}
		if w.armed == 0 {
			w.now = now
			return false
		}
		w.now++
		w.splice(int32(w.now % size))
	}
}

// Skip moves the wheel to now if it is empty. After a long rest, the next Advance then need not
// step through all the time in between.
func (w *Wheel) Skip(now Tick) {
	if w.armed == 0 && !w.pending {
		w.now = max(w.now, now)
	}
}

// Next returns a tick before which Advance has nothing to do, or Never if nothing is armed. It is
// the latest such tick that the buckets show. An entry whose deadline has moved later, or is more
// than size ticks away, is in an earlier bucket.
func (w *Wheel) Next() Tick {
	if w.armed == 0 {
		return Never
	}
	for i := Tick(1); i < size; i++ {
		if b := int32((w.now + i) % size); w.nodes[b].next != b {
			return w.now + i
		}
	}
	return w.now + size
}

// file puts an unlinked node in the bucket of its deadline, or in the next bucket if the deadline
// has passed.
func (w *Wheel) file(n int32) {
	due := max(w.nodes[n].due, w.now+1)
	w.insert(int32(due%size), n)
}

func (w *Wheel) insert(head, n int32) {
	last := w.nodes[head].prev
	w.nodes[n].next, w.nodes[n].prev = head, last
	w.nodes[last].next = n
	w.nodes[head].prev = n
}

func (w *Wheel) unlink(n int32) {
	nd := &w.nodes[n]
	w.nodes[nd.prev].next = nd.next
	w.nodes[nd.next].prev = nd.prev
	nd.next, nd.prev = unarmed, unarmed
}

// splice moves all entries of the bucket to the list of entries that are due.
func (w *Wheel) splice(bucket int32) {
	b := &w.nodes[bucket]
	if b.next == bucket {
		return
	}
	d := &w.nodes[dueHead]
	w.nodes[d.prev].next = b.next
	w.nodes[b.next].prev = d.prev
	w.nodes[b.prev].next = dueHead
	d.prev = b.prev
	b.next, b.prev = bucket, bucket
	w.pending = true
}
