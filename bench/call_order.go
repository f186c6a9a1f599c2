package bench

// Which idle connection of the open loop gets the next request.
const (
	lastFirst = "last" // that which was used last: few connections are busy, and the others are quiet
	inTurn    = "turn" // that which has been idle for longest: all are used alike
)

// free are the callers of a lane that wait for a request, in a ring that holds them all.
type free struct {
	turn bool // the first to come is the first to go
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
