package server

// This file limits the bytes that all peers together leave unread (Options.UnsentTotal).
//
// The number that counts for a connection is from its latest write or its latest check. Peers read
// without the loop noticing, so a connection is checked again before it is reset, and some others
// are checked at each tick.

const (
	refreshSlice = 64   // connections that are checked in a tick
	reliefSlice  = 4096 // connections that are checked before one is reset
)

// refreshSome checks some of the stalled connections, different ones each time.
func (l *loop) refreshSome() {
	n := 0
	for slot := range l.stalls.clocks {
		if n++; n > refreshSlice {
			return
		}
		l.slots[slot].refresh()
	}
}

// checkTotal asks for relief if all peers together leave too much unread. Relief takes time, so if
// the total is far above the limit, checkTotal resets c itself. This bounds what a turn can write.
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

// relieve asks the loop of the connection that holds the most to reset it. It may be called from
// any goroutine.
func (s *Server) relieve() {
	if l := s.heaviestLoop(); l != nil {
		l.postRelief()
	}
}

// heaviestLoop returns the loop of the connection that holds the most, or nil if none holds
// anything.
func (s *Server) heaviestLoop() (with *loop) {
	for _, l := range s.loops {
		if l.stalls.heaviest.Load() > 0 && (with == nil || l.stalls.heaviest.Load() > with.stalls.heaviest.Load()) {
			with = l
		}
	}
	return with
}

// serveRelief resets those of the loop's connections that hold the most, until the total is within
// its limit or another loop's connections hold more.
func (l *loop) serveRelief() {
	l.relieving.Store(false)
	l.present()
	s := l.srv
	limit, size := int64(s.opts.UnsentTotal), l.stalls.heaviest.Load()
	l.refreshHeaviest(limit)
	for n := 0; n < sliceLimit && size > 0 &&
		l.stalls.heaviest.Load() == size && s.unsent.Load() > limit; n++ {
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

// refreshHeaviest checks connections, those that hold the most first, until the total is within
// limit or many have been checked. No client may be reset because of bytes that have been read
// already.
func (l *loop) refreshHeaviest(limit int64) {
	n := 0
	for size := int(l.stalls.heaviest.Load()); size > 0; size-- {
		for i := 0; i < len(l.stalls.holders[size]); n++ {
			if n == reliefSlice || l.srv.unsent.Load() <= limit {
				return
			}
			slot := l.stalls.holders[size][i]
			if l.slots[slot].refresh(); l.stalls.clocks[slot].size == uint8(size) {
				i++ // otherwise another connection has its place now
			}
		}
	}
}
