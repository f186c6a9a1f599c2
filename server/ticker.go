package server

import (
	"time"

	"github.com/mooring-mcp/mooring/server/internal/wheel"
)

// A loop gets a tick every tickUnit while it has work that depends on time. A loop that has had
// none for a while rests: it publishes when its next tick is due, and gets no tick until then. The
// ticker itself parks while all loops rest, so that an idle server sleeps.
//
// What runs on a resting loop calls loop.present first, because the loop's time has stood still,
// and because the loop may now need ticks again. Only the loop arms its deadlines, so it cannot
// miss a wake-up of its own. The ticker publishes that it parks before it checks the loops for the
// last time.

const (
	awake tick = 0 // the loop gets every tick

	restAfter = 10 // ticks without work after which a loop rests
	restLeast = 5  // ticks that a rest must last to be worthwhile
	sweepRest = 10 // ticks between two sweeps of the sessions while the loops rest
)

// runTicker sends ticks to the loops. Ticks do not pile up: a loop that has not yet handled one
// gets no other.
func (s *Server) runTicker() {
	t := time.NewTicker(tickUnit)
	defer t.Stop()
	var swept tick // when all loops last got a tick for the sessions
	slow := false
	for {
		select {
		case <-s.halt:
			return
		case <-s.alarm:
			s.parked.Store(false)
			t.Reset(tickUnit)
			slow = false
			continue
		case <-t.C:
		}
		s.parked.Store(false)
		now := s.clock()
		at := s.tickAt(now)
		s.refreshDate(now)
		sweep := s.sessions.Held() && at-swept >= sweepRest
		if sweep {
			swept = at
		}
		for _, l := range s.loops {
			if sweep || l.restsUntil() <= at {
				l.postTick(now)
			}
		}
		switch d := s.park(at, swept); {
		case d == noRest:
			t.Stop()
			slow = true
		case d > 0:
			t.Reset(d)
			slow = true
		case slow:
			t.Reset(tickUnit)
			slow = false
		}
	}
}

// noRest is the result of park when there is no next tick.
const noRest = time.Duration(-1)

// park returns how long the ticker may wait for its next tick: 0 means the usual period, and noRest
// means until the alarm.
func (s *Server) park(at, swept tick) time.Duration {
	if s.nextTick(swept) <= at+1 {
		return 0
	}
	s.parked.Store(true)
	// The loops are checked again: a loop that was stirred before it could see that the ticker is
	// parked does not sound the alarm.
	next := s.nextTick(swept)
	switch {
	case next <= at+1:
		s.parked.Store(false)
		return 0
	case next == wheel.Never:
		return noRest
	}
	return max(s.start.Add(time.Duration(next)*tickUnit).Sub(s.clock()), 1)
}

// nextTick returns the earliest tick that any of the loops needs.
func (s *Server) nextTick(swept tick) tick {
	next := wheel.Never
	for _, l := range s.loops {
		next = min(next, l.restsUntil())
	}
	if s.sessions.Held() {
		next = min(next, swept+sweepRest)
	}
	return next
}

// rouse wakes the ticker if it is parked. It may be called from any goroutine.
func (s *Server) rouse() {
	if s.parked.Load() && s.parked.CompareAndSwap(true, false) {
		select {
		case s.alarm <- struct{}{}:
		default: // an alarm is on its way
		}
	}
}

// postTick sends the loop a tick, unless one is waiting for it. It may be called from any
// goroutine.
func (l *loop) postTick(now time.Time) {
	if l.m.tickPosted.CompareAndSwap(0, now.UnixNano()) {
		l.execute(l.runTick)
	}
}

// visit makes a resting loop look at what was left for it. It may be called from any goroutine.
func (l *loop) visit() {
	if l.restsUntil() != awake {
		l.postTick(l.srv.clock())
	}
}

// restsUntil returns when the loop needs its next tick. It may be called from any goroutine.
func (l *loop) restsUntil() tick { return tick(l.rest.Load()) }

// present returns the time of the loop, and ends its rest first if it rests. What runs on the loop
// calls it before it uses the time or arms a deadline.
func (l *loop) present() tick {
	if l.restsUntil() != awake {
		l.stir()
	}
	return l.now
}

// stir ends the rest of the loop.
func (l *loop) stir() {
	l.quiet = 0
	l.rest.Store(uint32(awake)) // before the ticker is roused: see park
	now := l.srv.clock()
	l.now = max(l.now, l.srv.tickAt(now))
	l.wheel.Skip(l.now)
	l.srv.refreshDate(now)
	l.srv.rouse()
}

// settle ends a tick. A loop that has been quiet for long enough rests until the next tick that it
// needs.
func (l *loop) settle() {
	next := awake
	if l.quiet++; l.quiet >= restAfter {
		l.quiet = restAfter
		if at := l.nextTick(); at > l.now+restLeast {
			next = at
		}
	}
	l.rest.Store(uint32(next))
}

// nextTick returns when the loop needs its next tick. This is now if the loop waits for something
// that has no time of its own.
func (l *loop) nextTick() tick {
	if l.more || l.kicked || len(l.backlog) > 0 || len(l.detached) > 0 || len(l.stalls.clocks) > 0 {
		return l.now
	}
	next := l.wheel.Next()
	if len(l.workers.idle) > 0 {
		next = min(next, l.workers.until)
	}
	return next
}
