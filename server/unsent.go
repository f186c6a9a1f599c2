package server

import "math/bits"

// This file bounds the bytes that all peers together leave unread (Options.UnsentTotal). Only stalled connections have such bytes, and each is in one of its loop's lists by how much it holds, in powers
// of two: who holds most is found without looking at the others.
//
// What is counted for a connection is what it held when it was last looked at, at the latest write. Peers read without a word to the loop, so a connection is looked at again before it is reset, and some
// others at each tick.

// holders are the slots of a loop's stalled connections, by the size of what they hold.
type holders [holderSizes][]uint32

const (
	holderSizes  = 17   // none, up to 1 KiB, 2 KiB and so on; the last is for all beyond
	refreshSlice = 64   // connections that are looked at in a tick
	reliefSlice  = 4096 // and before one is reset
	slackPart    = 8    // buffers have room for this part more than what is in them, about
)

// heldBy returns what left bytes take, where it once were peak: the first of gnet's buffers keeps its size until it is empty.
func heldBy(left, peak int) int {
	if left == 0 {
		return 0
	}
	return left + left/slackPart + min(peak, writeBufferSize)
}

// holderSize returns the list for a connection that holds so much, 0 if it is in none.
func holderSize(held int) uint8 {
	if held == 0 {
		return 0
	}
	return uint8(min(1+bits.Len(uint(held-1)>>10), holderSizes-1))
}

// hold notes that left bytes wait for the connection of a slot, whose clock is st.
func (l *loop) hold(slot uint32, st *stall, left int) {
	st.peak = max(st.peak, left)
	held := heldBy(left, st.peak)
	if held == st.held {
		return
	}
	l.srv.unsent.Add(int64(held - st.held))
	st.held = held
	size := holderSize(held)
	if size == st.size {
		return
	}
	if st.size > 0 {
		l.unlist(st)
	}
	if st.size = size; size > 0 {
		st.at = uint32(len(l.holders[size]))
		l.holders[size] = append(l.holders[size], slot)
	}
	l.noteHeaviest()
}

// unlist takes the slot of st out of its list; the last of the list gets its place.
func (l *loop) unlist(st *stall) {
	of := l.holders[st.size]
	last := len(of) - 1
	if slot := of[last]; int(st.at) != last {
		moved := l.stalls[slot]
		moved.at = st.at
		l.stalls[slot] = moved
		of[st.at] = slot
	}
	if l.holders[st.size] = of[:last]; last == 0 {
		l.holders[st.size] = nil
	}
}

// noteHeaviest publishes in which list the loop's heaviest connection is.
func (l *loop) noteHeaviest() {
	size := holderSizes - 1
	for size > 0 && len(l.holders[size]) == 0 {
		size--
	}
	l.heaviest.Store(int32(size))
}

// refresh notes what waits for c now.
func (c *conn) refresh() {
	st := c.loop.stalls[c.slot]
	c.loop.hold(c.slot, &st, c.sk.OutboundBuffered())
	c.loop.stalls[c.slot] = st
}

// refreshSome looks at some of the stalled connections, others each time.
func (l *loop) refreshSome() {
	n := 0
	for slot := range l.stalls {
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
		if l.heaviest.Load() > 0 && (with == nil || l.heaviest.Load() > with.heaviest.Load()) {
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
	limit, size := int64(s.opts.UnsentTotal), l.heaviest.Load()
	l.refreshHeaviest(limit)
	for n := 0; n < sliceLimit && size > 0 && l.heaviest.Load() == size && s.unsent.Load() > limit; n++ {
		of := l.holders[size]
		c := l.slots[of[len(of)-1]]
		l.serving = c
		if c.refresh(); l.stalls[c.slot].size == uint8(size) {
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
	for size := int(l.heaviest.Load()); size > 0; size-- {
		for i := 0; i < len(l.holders[size]); n++ {
			if n == reliefSlice || l.srv.unsent.Load() <= limit {
				return
			}
			slot := l.holders[size][i]
			if l.slots[slot].refresh(); l.stalls[slot].size == uint8(size) {
				i++ // otherwise another has its place
			}
		}
	}
}
