package hop

import "time"

// A BreakerState is the state of a circuit breaker.
type BreakerState uint8

const (
	BreakerClosed   BreakerState = iota // requests pass
	BreakerHalfOpen                     // one request, the probe, may pass every BreakerWait
	BreakerOpen                         // no request passes
)

func (s BreakerState) String() string {
	return [...]string{"closed", "half-open", "open"}[s]
}

// A breaker keeps requests from an upstream that has failed several times in a row. It has no lock
// of its own.
type breaker struct {
	after     int // failures in a row until it opens
	wait, max time.Duration

	failures int       // in a row
	openings int       // in a row, without a success between
	until    time.Time // when a probe may pass; zero while the breaker is closed
	probing  bool      // a probe is in flight
	next     time.Time // when another may pass although one is
}

// admit reports whether a request may pass, and whether it is the probe. If it may not, wait is
// when to try again.
func (b *breaker) admit(now time.Time) (wait time.Duration, probe, ok bool) {
	switch {
	case b.until.IsZero():
		return 0, false, true
	case now.Before(b.until):
		return b.until.Sub(now), false, false
	case b.probing && now.Before(b.next):
		return b.next.Sub(now), false, false
	}
	// The probe may be a call that takes long, so another follows after a while.
	b.probing, b.next = true, now.Add(b.wait)
	return 0, true, true
}

// report says how a request has ended, and reports whether the breaker opens by it. A success
// closes an open breaker only if it is that of the probe.
func (b *breaker) report(now time.Time, success, probe bool) (opens bool) {
	if success {
		b.failures = 0
		if probe {
			b.until, b.openings, b.probing = time.Time{}, 0, false
		}
		return false
	}
	b.failures++
	if !probe && (!b.until.IsZero() || b.failures < b.after) {
		return false
	}
	wait := b.max
	if b.openings < 16 {
		wait = min(b.wait<<b.openings, b.max)
	}
	b.openings++
	b.until, b.failures, b.probing = now.Add(wait), 0, false
	return true
}

// giveUp says that the probe ended without showing anything.
func (b *breaker) giveUp() { b.probing = false }

func (b *breaker) state(now time.Time) BreakerState {
	switch {
	case b.until.IsZero():
		return BreakerClosed
	case now.Before(b.until):
		return BreakerOpen
	}
	return BreakerHalfOpen
}
