package bench

import (
	"fmt"
	"math"
	"time"
)

// Limits of the parameters. A schedule of more than maxRate requests a second could not be kept,
// and requests that are due but cannot be sent take memory.
const (
	maxRate  = 1e6
	maxCount = 1e8
	maxTime  = 7 * 24 * time.Hour
)

// check returns an error for a parameter that no scenario can use: one that is negative, not a
// number, or absurdly large.
func (p *Params) check() error {
	for _, c := range []struct {
		name string
		n    int
	}{
		{"streams", p.Streams}, {"clients", p.Clients}, {"rounds", p.Rounds}, {"concurrency", p.Concurrency}, {"stalled", p.Stalled}, {"large-bytes", p.LargeBytes},
	} {
		if c.n < 0 || c.n > maxCount {
			return fmt.Errorf("bench: %s is %d, not a number between 0 and %.0f", c.name, c.n, maxCount)
		}
	}
	for _, c := range []struct {
		name string
		v    float64
	}{{"rate", p.Rate}, {"open-rate", p.OpenRate}} {
		if math.IsNaN(c.v) || c.v < 0 || c.v > maxRate {
			return fmt.Errorf("bench: %s is %v, not a number between 0 and %.0f", c.name, c.v, maxRate)
		}
	}
	for _, c := range []struct {
		name string
		d    time.Duration
	}{{"duration", p.Duration}, {"wait", p.Wait}, {"silence", p.Silence}} {
		if c.d < 0 || c.d > maxTime {
			return fmt.Errorf("bench: %s is %v, not a time between 0 and %v", c.name, c.d, maxTime)
		}
	}
	if p.Order != "" && p.Order != lastFirst && p.Order != inTurn {
		return fmt.Errorf("bench: order is %.20q, neither %s nor %s", p.Order, lastFirst, inTurn)
	}
	return nil
}
