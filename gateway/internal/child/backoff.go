package child

import "time"

// A backoff says when a Server may start a child again. The zero backoff allows it at once.
type backoff struct {
	crashes int       // in a row
	last    time.Time // the last of them
	until   time.Time // no start before
}

// crashed counts a crash and returns for how long there is no other start: base, doubled with each
// crash in a row up to most, times a factor between 0.8 and 1.2 by random, which is in [0, 1). If
// stable is true, a child lives or lived for long enough to begin with base.
func (b *backoff) crashed(now time.Time, stable bool, base, most time.Duration, random float64) time.Duration {
	if stable {
		b.crashes = 0
	}
	wait := base
	for range b.crashes {
		if wait >= most {
			break
		}
		wait *= 2
	}
	wait = min(time.Duration(float64(min(wait, most))*(0.8+0.4*random)), most)
	b.crashes++
	b.last = now
	b.until = now.Add(wait)
	return wait
}

// wait returns for how long there is no start, and whether links should fail instead of waiting.
func (b *backoff) wait(now time.Time) (d time.Duration, down bool) {
	d = max(b.until.Sub(now), 0)
	return d, d > 0 && b.crashes >= failFast
}
