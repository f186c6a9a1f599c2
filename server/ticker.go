package server

import (
	"time"

	"github.com/mooring-mcp/mooring/server/internal/wheel"
)

// A loop gets a tick every tickUnit while it has work that depends on time. A loop that has had none for a while rests: it publishes when its next tick is due, and the ticker leaves it alone until
// then. The ticker itself parks while all loops rest, so that an idle server sleeps.
//
// Whoever runs on a loop that rests calls loop.present first: the time of the loop has stood still, and what it is about to do may need ticks again. Only the loop arms deadlines, so it cannot lose a
// wake-up of its own; the ticker publishes that it parks before it looks at the loops for the last time.

const (
	awake tick = 0 // the loop gets every tick

	restAfter = 10 // ticks without a reason to wake, until a loop rests
	restLeast = 5  // ticks: for a shorter rest it is not worth while
	sweepRest = 10 // ticks between two sweeps of the sessions while the loops rest
)

// runTicker gives the loops their time. Ticks never stack: a loop that has not served one gets no other.
func (s *Server) runTicker() {
	t := time.NewTicker(tickUnit)
	defer t.Stop()
	var swept tick // when all loops last had a tick for the sessions
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

// park returns how long the ticker may wait beyond the usual: 0 if not at all, noRest if until the alarm.
func (s *Server) park(at, swept tick) time.Duration {
	if s.nextTick(swept) <= at+1 {
		return 0
	}
	s.parked.Store(true)
	next := s.nextTick(swept) // again: a loop that was stirred before it could see that the ticker is parked sounds no alarm
	switch {
	case next <= at+1:
		s.parked.Store(false)
		return 0
	case next == wheel.Never:
		return noRest
	}
	return max(s.start.Add(time.Duration(next)*tickUnit).Sub(s.clock()), 1)
}

// nextTick returns when the first of the loops needs a tick.
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

// rouse ends the rest of the ticker. It may be called from any goroutine.
func (s *Server) rouse() {
	if s.parked.Load() && s.parked.CompareAndSwap(true, false) {
		select {
		case s.alarm <- struct{}{}:
		default: // it is on its way
		}
	}
}

// postTick gives the loop a tick, unless one waits for it. It may be called from any goroutine.
func (l *loop) postTick(now time.Time) {
	if l.m.tickPosted.CompareAndSwap(0, now.UnixNano()) {
		l.execute(l.runTick)
	}
}

// visit has a loop that rests look at what was left for it. It may be called from any goroutine.
func (l *loop) visit() {
	if l.restsUntil() != awake {
		l.postTick(l.srv.clock())
	}
}

// restsUntil returns when the loop needs its next tick. It may be called from any goroutine.
func (l *loop) restsUntil() tick { return tick(l.rest.Load()) }

// present returns the time of the loop, after a rest too. What runs on the loop calls it before it uses the time or arms a deadline.
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

// settle ends a tick: it lets the loop rest until the next that it needs.
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

// nextTick returns when the loop needs a tick: at the next at once if what it waits for has no time of its own.
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
