package server

import (
	"math/bits"
	"sync/atomic"
	"time"
)

// stall is the clock of a peer that does not take what waits for it.
type stall struct {
	due  tick // when the peer must have taken something
	own  tick // the deadline of the connection's state
	left int  // bytes that would wait if the peer had taken none since the clock was set
	full bool // MaxUnsent is reached, so the peer has less time
	seen int  // ticks since then at which the peer had taken nothing

	held, peak int    // memory held by the waiting bytes, and the most bytes that have waited
	size       uint8  // the index of its list in stalls.holders
	at         uint32 // the index of the slot in that list
}

// stallVerdict says what happens to a stalled connection.
type stallVerdict uint8

const (
	stallGoesOn stallVerdict = iota // there is time left
	stallEnded                      // nothing waits any more
	stallUnsent                     // the peer took nothing although MaxUnsent is reached
	stallLate                       // the peer took nothing in time
)

// unsentTicks is the number of ticks at which a peer may have taken nothing once MaxUnsent is
// reached. Ticks are counted, because a loop that is late may have several behind it before the
// peer has had the time.
const unsentTicks = int(time.Second / tickUnit)

// check decides what happens if left bytes wait at now. A peer that has taken something gets write
// more ticks.
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

// stalls holds the clocks of a loop's stalled connections, by slot. It also lists the connections
// by how much they hold, in powers of two, so that the one that holds the most is found without
// checking the others.
//
// The bytes that count for a connection are from its latest write or check.
type stalls struct {
	clocks   map[uint32]stall
	holders  [holderSizes][]uint32
	heaviest atomic.Int32  // the last index of holders with a list; read by any goroutine
	total    *atomic.Int64 // bytes held by the connections of all loops
}

const (
	holderSizes = 17 // nothing, up to 1 KiB, up to 2 KiB and so on; the last has no upper end
	slackPart   = 8  // a buffer has room for about one part in slackPart more than it holds
)

// heldBy returns how much memory left bytes take if at most peak bytes have waited. gnet's first
// buffer keeps its size until it is empty.
func heldBy(left, peak int) int {
	if left == 0 {
		return 0
	}
	return left + left/slackPart + min(peak, writeBufferSize)
}

// holderSize returns the index of the list for a connection that holds so many bytes, or 0 if it is
// in none.
func holderSize(held int) uint8 {
	if held == 0 {
		return 0
	}
	return uint8(min(1+bits.Len(uint(held-1)>>10), holderSizes-1))
}

// set sets the clock of a slot for which left bytes wait.
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

// hold records that left bytes wait for the connection of a slot.
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

// unlist removes the slot of st from its list. The last slot of the list takes its place.
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
