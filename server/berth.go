package server

import "github.com/mooring-mcp/mooring/mcp"

// A berth is what a loop keeps for a service: its streams, and the changes that they have not been
// notified of. A connection lies at the berth of the service that its request or its stream belongs
// to, and otherwise at its loop's main berth, that of the default service. The loop makes the
// others when they are first needed.
type berth struct {
	loop    *loop
	svc     *service
	streams streamList
	fan     fanout
	told    uint64 // the newest change that all streams know of, or have as missed

	behind  *berth  // the next in loop.fans
	queued  bool    // the berth is in loop.fans
	news    changes // what the inbox has just given
	pending changes // what it will give; guarded by the mutex of the inbox
}

// init makes b the berth of svc on l.
func (b *berth) init(l *loop, svc *service) {
	*b = berth{loop: l, svc: svc, told: svc.notices.log.base}
	b.streams.init(l.node, svc.mcp)
	svc.berths[l.idx].Store(b)
}

// berth returns the berth of svc, and makes it if there is none.
func (l *loop) berth(svc *service) *berth {
	if b := svc.berths[l.idx].Load(); b != nil {
		return b
	}
	b := new(berth)
	b.init(l, svc)
	return b
}

// postChanges reports changes of lists and resources to the berth's streams. It may be called from
// any goroutine.
func (b *berth) postChanges(c *changes) { b.loop.in.postChanges(b, c) }

// moor takes c from its loop's main berth to that of svc, for the request that begins and what
// follows from it. The caller holds svc, and c holds it until unmoor.
func (c *conn) moor(svc *service) { c.berth = c.loop.berth(svc.hold()) }

// unmoor takes c back to its loop's main berth, when its request or its stream is over.
func (c *conn) unmoor() {
	if main := &c.loop.main; c.berth != main {
		svc := c.svc
		c.berth = main
		svc.release()
	}
}

// offered returns the lists whose changes the streams of sessions are notified of.
func (b *berth) offered() mcp.Topic { return b.svc.mcp.Topics() &^ mcp.TopicResource }

// fanQueue has the berths whose streams have yet to be notified of something.
type fanQueue struct{ first, last *berth }

// push puts b behind the others, unless it is in the queue.
func (q *fanQueue) push(b *berth) {
	if b.queued {
		return
	}
	if b.queued = true; q.first == nil {
		q.first = b
	} else {
		q.last.behind = b
	}
	q.last = b
}

// pop takes the first berth out.
func (q *fanQueue) pop() {
	b := q.first
	q.first, b.behind, b.queued = b.behind, nil, false
	if q.first == nil {
		q.last = nil
	}
}
