package server

// This file bounds the bytes that all peers together leave unread (Options.UnsentTotal).
//
// What is counted for a connection is what it held when it was last looked at, at the latest write.
// Peers read without the loop noticing, so a connection is looked at again before it is reset, and
// some others at each tick.

const (
	refreshSlice = 64   // connections that are looked at in a tick
	reliefSlice  = 4096 // and before one is reset
)

// refreshSome looks at some of the stalled connections, others each time.
func (l *loop) refreshSome() {
	n := 0
	for slot := range l.stalls.clocks {
		if n++; n > refreshSlice {
			return
		}
		l.slots[slot].refresh()
	}
}

// checkTotal sees to it that room is made when all peers together leave too much unread. While that takes its time, a connection that gets yet more is reset itself: whatever a turn writes, there is an end.
func (c *conn) checkTotal() {
	s := c.loop.srv
	limit := int64(s.opts.UnsentTotal)
	total := s.unsent.Load()
	if total <= limit {
		return
	}
	s.relieve()
	if total-limit > limit/4 {
		c.abort(closeUnsentTotal)
	}
}

// relieve asks the loop of the connection that holds most to reset it. It may be called from any goroutine.
func (s *Server) relieve() {
	if l := s.heaviestLoop(); l != nil {
		l.postRelief()
	}
}

// heaviestLoop returns the loop of the connection that holds most; nil if none holds anything.
func (s *Server) heaviestLoop() (with *loop) {
	for _, l := range s.loops {
		if l.stalls.heaviest.Load() > 0 && (with == nil || l.stalls.heaviest.Load() > with.stalls.heaviest.Load()) {
			with = l
		}
	}
	return with
}

// serveRelief resets the loop's connections that hold most, until all hold little enough or another loop's hold more.
func (l *loop) serveRelief() {
	l.relieving.Store(false)
	l.present()
	s := l.srv
	limit, size := int64(s.opts.UnsentTotal), l.stalls.heaviest.Load()
	l.refreshHeaviest(limit)
	for n := 0; n < sliceLimit && size > 0 && l.stalls.heaviest.Load() == size && s.unsent.Load() > limit; n++ {
		of := l.stalls.holders[size]
		c := l.slots[of[len(of)-1]]
		l.serving = c
		if c.refresh(); l.stalls.clocks[c.slot].size == uint8(size) {
			c.abort(closeUnsentTotal)
		}
	}
	if s.unsent.Load() <= limit {
		return
	}
	if with := s.heaviestLoop(); with == l {
		l.relief = true // a task that posts itself would keep the loop from its sockets
		l.continueLater()
	} else if with != nil {
		with.postRelief()
	}
}

// refreshHeaviest looks at connections, those that hold most first, until all hold no more than limit or many have been looked at: what has been read already is nobody's fault.
func (l *loop) refreshHeaviest(limit int64) {
	n := 0
	for size := int(l.stalls.heaviest.Load()); size > 0; size-- {
		for i := 0; i < len(l.stalls.holders[size]); n++ {
			if n == reliefSlice || l.srv.unsent.Load() <= limit {
				return
			}
			slot := l.stalls.holders[size][i]
			if l.slots[slot].refresh(); l.stalls.clocks[slot].size == uint8(size) {
				i++ // otherwise another has its place
			}
		}
	}
}
