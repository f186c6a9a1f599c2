package server

import (
	"testing"
	"time"
)

// A loop that does not come to its ticks is held: it gets no more connections.
func TestHeldIsBehindOnTicks(t *testing.T) {
	r := newRig(t, nil)
	h := host{r.s}
	for _, tt := range []struct {
		late time.Duration
		held bool
	}{{0, false}, {heldAfter / 4, false}, {2 * heldAfter, true}} {
		r.l.m.tickPosted.Store(0)
		if tt.late > 0 {
			r.l.m.tickPosted.Store(r.s.clock().Add(-tt.late).UnixNano())
		}
		if h.Held(0) != tt.held {
			t.Errorf("a tick waits for %v: held %v, want %v", tt.late, !tt.held, tt.held)
		}
	}
	r.l.m.tickPosted.Store(0)
}
