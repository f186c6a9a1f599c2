package server

import "time"

// tick is the unit of all deadlines: tickUnit long, counted from the start of the server. It does not wrap within 13 years.
type tick uint32

const tickUnit = 100 * time.Millisecond

// ticks returns d in ticks, rounded up, at least one.
func ticks(d time.Duration) tick {
	return tick(max(1, (d+tickUnit-1)/tickUnit))
}

const (
	wheelSize = 512 // buckets; a deadline further away than wheelSize ticks goes round more than once
	unarmed   = -1
)

// wheel is a hashed timing wheel: one optional deadline for each entry 0, 1, 2, …, which costs 12 bytes and holds no pointer. It reads no clock.
//
// A deadline that moves later costs one store: the entry stays in its bucket and is filed anew when the bucket comes round. The zero wheel is not ready: use newWheel.
type wheel struct {
	now     tick
	armed   int
	nodes   []wheelNode // first the heads of the buckets, then the head of due, then the entries
	pending bool        // due is not empty: advance has more to do for the current tick
}

// wheelNode is an element of a circular doubly linked list. The heads of the lists are nodes themselves, so that unlinking needs no list.
type wheelNode struct {
	next, prev int32 // unarmed when the entry is in no list
	due        tick
}

const (
	dueHead    = wheelSize
	firstEntry = wheelSize + 1
)

func newWheel(now tick) *wheel {
	w := &wheel{now: now, nodes: make([]wheelNode, firstEntry)}
	for i := range w.nodes {
		w.nodes[i].next, w.nodes[i].prev = int32(i), int32(i)
	}
	return w
}

// grow makes room for entry i.
func (w *wheel) grow(i uint32) {
	for len(w.nodes) <= firstEntry+int(i) {
		w.nodes = append(w.nodes, wheelNode{next: unarmed, prev: unarmed})
	}
}

// arm sets the deadline of entry i, in place of an earlier one. A deadline that is past fires at the next advance.
func (w *wheel) arm(i uint32, due tick) {
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

// disarm takes the deadline of entry i away, if it has one.
func (w *wheel) disarm(i uint32) {
	if n := int32(firstEntry + i); w.nodes[n].next != unarmed {
		w.unlink(n)
		w.armed--
	}
}

// due returns the deadline of entry i.
func (w *wheel) due(i uint32) (due tick, armed bool) {
	nd := w.nodes[firstEntry+i]
	return nd.due, nd.next != unarmed
}

// advance moves the wheel to now and calls fire for at most limit entries whose deadline has come, each disarmed before its call; fire may arm and disarm entries.
// It reports whether there is more to do: then call it again, with the same now or a later one.
func (w *wheel) advance(now tick, limit int, fire func(i uint32)) (more bool) {
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
		w.splice(int32(w.now % wheelSize))
	}
}

// skip moves the wheel to now if it is empty, so that after a long rest the next advance does not pass all the time in between, step by step.
func (w *wheel) skip(now tick) {
	if w.armed == 0 && !w.pending {
		w.now = max(w.now, now)
	}
}

// next returns a tick before which advance has nothing to do, the latest that can be told from the buckets; noTick if nothing is armed. An entry whose deadline moved later, or is further away than
// wheelSize ticks, is in an earlier bucket.
func (w *wheel) next() tick {
	if w.armed == 0 {
		return noTick
	}
	for i := tick(1); i < wheelSize; i++ {
		if b := int32((w.now + i) % wheelSize); w.nodes[b].next != b {
			return w.now + i
		}
	}
	return w.now + wheelSize
}

// file puts an unlinked node in the bucket of its deadline; what is due already goes in the next bucket to come.
func (w *wheel) file(n int32) {
	due := max(w.nodes[n].due, w.now+1)
	w.insert(int32(due%wheelSize), n)
}

func (w *wheel) insert(head, n int32) {
	last := w.nodes[head].prev
	w.nodes[n].next, w.nodes[n].prev = head, last
	w.nodes[last].next = n
	w.nodes[head].prev = n
}

func (w *wheel) unlink(n int32) {
	nd := &w.nodes[n]
	w.nodes[nd.prev].next = nd.next
	w.nodes[nd.next].prev = nd.prev
	nd.next, nd.prev = unarmed, unarmed
}

// splice moves the whole bucket to due.
func (w *wheel) splice(bucket int32) {
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
