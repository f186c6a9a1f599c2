package server

import (
	"math/bits"
	"sync/atomic"
	"time"
)

// stall is the clock of a peer that does not take what waits for it.
type stall struct {
	due  tick // when the peer must have taken something
	own  tick // the deadline that the connection's state has meanwhile
	left int  // bytes that would wait if it had taken none since the clock was set
	full bool // MaxUnsent is reached: there is less time
	seen int  // ticks since then at which the peer had taken nothing

	held, peak int    // bytes that what waits takes, and the most that has waited
	size       uint8  // its list of stalls.holders
	at         uint32 // where in it the slot stands
}

// stallVerdict says what becomes of a stalled connection.
type stallVerdict uint8

const (
	stallGoesOn stallVerdict = iota // there is time left
	stallEnded                      // nothing waits any more
	stallUnsent                     // the peer took nothing although MaxUnsent is reached
	stallLate                       // the peer took nothing in time
)

// unsentTicks is at how many ticks a peer may have taken nothing once MaxUnsent is reached. They are
// counted, because a loop that was late has ticks behind it before the peer had the time.
const unsentTicks = int(time.Second / tickUnit)

// check looks at the clock when left bytes wait. A peer that has taken something gets write more
// ticks.
func (st *stall) check(now tick, left int, write tick) stallVerdict {
	switch {
	case left == 0:
		return stallEnded
	case now < st.due:
	case left < st.left:
		st.due, st.left, st.full = now+write, left, false
	case st.full && st.seen < unsentTicks:
		st.due, st.seen = now+1, st.seen+1
	case st.full:
		return stallUnsent
	default:
		return stallLate
	}
	return stallGoesOn
}

// stalls are the clocks of a loop's stalled connections, by slot, and lists of them by how much they
// hold, in powers of two: the one that holds most is found without looking at the others.
//
// The bytes that are counted for a connection are those of its latest write or look.
type stalls struct {
	clocks   map[uint32]stall
	holders  [holderSizes][]uint32
	heaviest atomic.Int32  // the last of holders that is not empty; read by any goroutine
	total    *atomic.Int64 // bytes held by the connections of all loops
}

const (
	holderSizes = 17 // none, up to 1 KiB, 2 KiB and so on; the last is for all beyond
	slackPart   = 8  // buffers have room for about this part more than what is in them
)

// heldBy returns how much memory left bytes take when peak bytes once waited: the first of gnet's
// buffers keeps its size until it is empty.
func heldBy(left, peak int) int {
	if left == 0 {
		return 0
	}
	return left + left/slackPart + min(peak, writeBufferSize)
}

// holderSize returns the list for a connection that holds so much, or 0 if it is in none.
func holderSize(held int) uint8 {
	if held == 0 {
		return 0
	}
	return uint8(min(1+bits.Len(uint(held-1)>>10), holderSizes-1))
}

// set sets the clock of a slot, for which left bytes wait.
func (s *stalls) set(slot uint32, st stall, left int) {
	if s.clocks == nil {
		s.clocks = make(map[uint32]stall)
	}
	s.hold(slot, &st, left)
	s.clocks[slot] = st
}

// remove removes the clock of a slot.
func (s *stalls) remove(slot uint32) {
	st := s.clocks[slot]
	s.hold(slot, &st, 0)
	delete(s.clocks, slot)
}

// hold notes that left bytes wait for the connection of a slot.
func (s *stalls) hold(slot uint32, st *stall, left int) {
	st.peak = max(st.peak, left)
	held := heldBy(left, st.peak)
	if held == st.held {
		return
	}
	s.total.Add(int64(held - st.held))
	st.held = held
	size := holderSize(held)
	if size == st.size {
		return
	}
	if st.size > 0 {
		s.unlist(st)
	}
	if st.size = size; size > 0 {
		st.at = uint32(len(s.holders[size]))
		s.holders[size] = append(s.holders[size], slot)
	}
	top := holderSizes - 1
	for top > 0 && len(s.holders[top]) == 0 {
		top--
	}
	s.heaviest.Store(int32(top))
}

// unlist takes the slot of st out of its list; the last of the list gets its place.
func (s *stalls) unlist(st *stall) {
	of := s.holders[st.size]
	last := len(of) - 1
	if slot := of[last]; int(st.at) != last {
		moved := s.clocks[slot]
		moved.at = st.at
		s.clocks[slot] = moved
		of[st.at] = slot
	}
	if s.holders[st.size] = of[:last]; last == 0 {
		s.holders[st.size] = nil
	}
}
