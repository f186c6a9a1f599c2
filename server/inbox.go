package server

import (
	"sync"
	"sync/atomic"
)

// Everything that another goroutine may ask of a loop is in this file.

// handle names a connection from outside its loop. The generation tells a connection from a later one in the same slot.
type handle struct {
	slot, gen uint32
}

type itemKind uint8

const (
	itemNotify   itemKind = iota // a notification of a call: buf
	itemPrepared                 // a worker has prepared the message
	itemFull                     // notifications of a call are refused for MaxUnsent
	itemReturn                   // the worker has let go of the call, whose answer is in the job: its last item

	// Of earlier revisions, from any loop.
	itemPark        // the worker has let go of a call that asked its client
	itemAnswer      // the client's answer: buf
	itemCancel      // the client has cancelled the call, or is gone if end
	itemCarry       // events for a stream: buf, end; arg: carryOpened
	itemCloseStream // the handler gives the connection of its call back: arg, nanoseconds
	itemEndStream   // another stream takes over, or the session is deleted, or the handler of a resumed call closes it: arg, nanoseconds
	itemMoved       // the stream of a call, arg, was resumed elsewhere
	itemSubscribe   // the stream's session listens to a resource, or no longer: uri
)

// item is one message to a loop.
type item struct {
	kind itemKind
	end  bool
	gen  uint32 // of the job, where it may have been reused
	job  *job
	buf  *buffer // owned by the item; nil where there is none
	h    handle
	arg  uint64
	uri  string
}

// inbox holds what was posted to a loop and not yet served, in the order of the posts.
type inbox struct {
	mu      sync.Mutex
	items   []item
	bytes   atomic.Int64 // of all items that are not served yet; read without the lock
	changes changes
	drain   *drainOrder
	posted  bool // the loop has been asked to serve the inbox, and has not come to its end
	dead    bool // the loop has ended: nothing is served any more
}

// drainOrder tells a loop to let go of its connections.
type drainOrder struct {
	spread tick // streams end within so many ticks
}

// postItem hands it to the loop. It reports false when the loop has ended. It may be called from any goroutine.
func (l *loop) postItem(it item) bool {
	l.in.mu.Lock()
	if l.in.dead {
		l.in.mu.Unlock()
		return false
	}
	l.in.items = append(l.in.items, it)
	l.in.bytes.Add(it.cost())
	l.wakeLocked()
	return true
}

// itemCost is what an item costs besides its bytes.
const itemCost = 96

// cost returns what it counts for in its inbox.
func (it *item) cost() int64 {
	n := itemCost + len(it.uri)
	if it.buf != nil {
		n += len(it.buf.B)
	}
	return int64(n)
}

// flooded reports whether so many bytes wait for the loop that what is meant for it has to be refused. It may be called from any goroutine.
func (l *loop) flooded() bool { return l.in.bytes.Load() > int64(l.srv.opts.MaxInbox) }

// bury ends the workers of a loop that runs no more: the idle ones, and those whose job it did not take back. Others end with their job.
func (l *loop) bury() {
	l.in.mu.Lock()
	l.in.dead = true
	items := append(l.backlog, l.in.items...)
	l.in.items = nil
	l.in.mu.Unlock()
	for _, it := range items {
		switch it.kind {
		case itemReturn, itemPrepared, itemPark:
			if w := it.job.worker; w != nil {
				close(w.work)
			}
		}
	}
	for _, w := range l.workers.idle {
		close(w.work)
	}
	l.backlog, l.workers.idle = nil, nil
}

// postChanges tells the loop that a list or a resource changed. Changes that were not served yet become one. It may be called from any goroutine.
func (l *loop) postChanges(c *changes) {
	l.in.mu.Lock()
	if l.in.dead {
		l.in.mu.Unlock()
		return // nobody would serve them
	}
	l.in.changes.merge(c)
	l.wakeLocked()
}

// postRelief has the loop reset those of its connections that hold most unsent bytes. It may be called from any goroutine.
func (l *loop) postRelief() {
	if l.relieving.CompareAndSwap(false, true) {
		l.execute(l.runRelief)
	}
}

// postYield asks for connections to give way, unless an earlier request has not been served yet: the loop is held. It may be called from any goroutine.
func (l *loop) postYield(r *yieldRequest) {
	if l.yieldAsked.CompareAndSwap(false, true) {
		r.loops.Add(1)
		l.execute(l.guard(func() { l.serveYield(r) }))
	}
}

// postDrain starts the drain. It may be called from any goroutine.
func (l *loop) postDrain(d *drainOrder) {
	l.in.mu.Lock()
	l.in.drain = d
	l.wakeLocked()
}

// wakeLocked unlocks the inbox and wakes the loop, once for many posts.
func (l *loop) wakeLocked() {
	first := !l.in.posted
	l.in.posted = true
	l.in.mu.Unlock()
	if first {
		l.execute(l.runInbox)
	}
}

// callInbox has the loop serve its inbox, whether something was posted or not.
func (l *loop) callInbox() {
	l.in.mu.Lock()
	l.wakeLocked()
}

// takeInbox returns what was posted and leaves the inbox empty. spare becomes the next backing array.
func (l *loop) takeInbox(spare []item) (items []item, c changes, d *drainOrder) {
	l.in.mu.Lock()
	items, c, d = l.in.items, l.in.changes, l.in.drain
	l.in.items, l.in.changes, l.in.drain = spare[:0], changes{}, nil
	l.in.mu.Unlock()
	return items, c, d
}

// hasPosted reports whether something waits in the inbox.
func (l *loop) hasPosted() bool {
	l.in.mu.Lock()
	defer l.in.mu.Unlock()
	return l.in.waiting()
}

// waiting reports whether there is something to serve. The lock is held.
func (in *inbox) waiting() bool {
	return len(in.items) > 0 || !in.changes.empty() || in.drain != nil
}

// settleInbox ends the service of the inbox: from now on a post wakes the loop, unless it will look itself, because there is more to serve already or a worker has still to begin.
func (l *loop) settleInbox() {
	l.in.mu.Lock()
	defer l.in.mu.Unlock()
	if l.in.waiting() || l.gave {
		l.continueLater()
		return
	}
	l.in.posted = false
}
