package bench

// Which idle connection of the open loop gets the next request.
const (
	lastFirst = "last" // most recently used: few connections are busy, and the others are quiet
	inTurn    = "turn" // idle for longest: all connections are used equally
)

// free holds the idle callers of a lane, in a ring that has room for all of them.
type free struct {
	turn bool // first in, first out
	ring []*caller
	head int
	n    int
}

// fill makes all callers idle.
func (q *free) fill(turn bool, all []*caller) {
	q.turn, q.ring, q.head, q.n = turn, append(q.ring[:0], all...), 0, len(all)
}

// put makes c idle.
func (q *free) put(c *caller) {
	if q.n == len(q.ring) {
		q.ring = append(append(q.ring[q.head:len(q.ring):len(q.ring)], q.ring[:q.head]...), c)
		q.head, q.n = 0, q.n+1
		return
	}
	q.ring[(q.head+q.n)%len(q.ring)] = c
	q.n++
}

// take returns the caller for the next request, or nil if none is idle.
func (q *free) take() *caller {
	if q.n == 0 {
		return nil
	}
	q.n--
	if !q.turn {
		return q.ring[(q.head+q.n)%len(q.ring)]
	}
	c := q.ring[q.head]
	q.head = (q.head + 1) % len(q.ring)
	return c
}
