package hop

import (
	"sync/atomic"
	"time"
)

// Stats are the figures of an upstream at one moment. The first group are levels, the second are
// totals since New.
type Stats struct {
	Sockets   int // connections, idle ones included
	InFlight  int // requests that occupy one of the Concurrency places
	Queued    int // messages that wait for one
	Streams   int // streams of sessions and of endless requests
	Abandoned int // requests that were given up and are still read
	Parked    int // requests whose stream will be taken up again
	Links     int
	Breaker   BreakerState

	Dials, DialErrors uint64
	Requests          uint64 // HTTP requests, those to take up streams included
	BytesIn, BytesOut uint64 // below TLS
	HungUp            uint64 // responses whose connection was closed before they ended
	Busy, Down        uint64 // requests that were not sent: queue, and breaker
	Opened            uint64 // how often the breaker opened
	Strays            uint64 // messages that were not valid, or that nobody waited for
	Dropped           uint64 // notifications and responses that could not be sent
}

type counters struct {
	sockets                                     atomic.Int64
	dials, dialErrors, requests                 atomic.Uint64
	bytesIn, bytesOut                           atomic.Uint64
	hungUp, busy, down, opened, strays, dropped atomic.Uint64
}

// Stats returns the figures of this moment.
func (u *Upstream) Stats() Stats {
	c := &u.stats
	s := Stats{
		Sockets: int(c.sockets.Load()),
		Dials:   c.dials.Load(), DialErrors: c.dialErrors.Load(), Requests: c.requests.Load(),
		BytesIn: c.bytesIn.Load(), BytesOut: c.bytesOut.Load(),
		HungUp: c.hungUp.Load(), Busy: c.busy.Load(), Down: c.down.Load(), Opened: c.opened.Load(),
		Strays: c.strays.Load(), Dropped: c.dropped.Load(),
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	s.InFlight, s.Queued = u.active, u.waiting.len+u.control.len
	s.Streams, s.Abandoned, s.Parked, s.Links = u.open, u.abandoned, u.parked, len(u.links)
	s.Breaker = u.breaker.state(time.Now())
	return s
}
