package child

import "time"

// A request is one that waits for its response.
type request struct {
	id       int64
	deadline time.Time // zero for none
	place    uint64    // in the queue
	index    int       // in requests.heap, or -1
}

// requests are those in flight, by id and by deadline.
type requests struct {
	byID map[int64]*request
	heap []*request // those with a deadline; the first is at 0
}

func (s *requests) init() { *s = requests{byID: map[int64]*request{}} }

func (s *requests) len() int { return len(s.byID) }

func (s *requests) all() map[int64]*request { return s.byID }

func (s *requests) add(id int64, deadline time.Time, place uint64) {
	r := &request{id: id, deadline: deadline, place: place, index: -1}
	s.byID[id] = r
	if !deadline.IsZero() {
		r.index = len(s.heap)
		s.heap = append(s.heap, r)
		s.up(r.index)
	}
}

// first returns the request with the first deadline, or nil.
func (s *requests) first() *request {
	if len(s.heap) == 0 {
		return nil
	}
	return s.heap[0]
}

// remove removes the request with the id and returns it, or nil if there is none.
func (s *requests) remove(id int64) *request {
	r := s.byID[id]
	if r == nil {
		return nil
	}
	delete(s.byID, id)
	if i := r.index; i >= 0 {
		last := len(s.heap) - 1
		s.swap(i, last)
		s.heap[last] = nil
		s.heap = s.heap[:last]
		if i < last {
			s.down(i)
			s.up(i)
		}
	}
	return r
}

func (s *requests) swap(i, j int) {
	s.heap[i], s.heap[j] = s.heap[j], s.heap[i]
	s.heap[i].index, s.heap[j].index = i, j
}

func (s *requests) before(i, j int) bool { return s.heap[i].deadline.Before(s.heap[j].deadline) }

func (s *requests) up(i int) {
	for i > 0 && s.before(i, (i-1)/2) {
		s.swap(i, (i-1)/2)
		i = (i - 1) / 2
	}
}

func (s *requests) down(i int) {
	for {
		child := 2*i + 1
		if child+1 < len(s.heap) && s.before(child+1, child) {
			child++
		}
		if child >= len(s.heap) || !s.before(child, i) {
			return
		}
		s.swap(i, child)
		i = child
	}
}
