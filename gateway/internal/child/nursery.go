package child

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// NurseryOptions are the limits that Servers share. Zero and negative values are defaults.
type NurseryOptions struct {
	// MaxChildren is the maximum number of children, including those that are being stopped. A link
	// waits PlaceTimeout for a place, and then fails with Busy. Defaults: 64 and 5 s.
	MaxChildren  int
	PlaceTimeout time.Duration
	// Full is called when a link begins to wait for a place, so that the caller can close another
	// one. It must not block.
	Full func()

	// MaxStarting is the maximum number of children that start at the same time. A child that takes
	// longer than SlowStart does not count any more, so that it does not hold up the others.
	// Defaults: 4 and 10 s.
	MaxStarting int
	SlowStart   time.Duration

	// MaxLineBytes limits the memory of lines that are too long for the usual buffers of 64 KiB, for
	// all children. A reader waits LineTimeout for memory, and then discards the line as too long.
	// Defaults: 256 MiB and 5 s.
	MaxLineBytes int
	LineTimeout  time.Duration

	orphansEvery time.Duration // see reapOrphans; default: 5 min
}

// A Nursery holds the limits that several Servers share. Its methods may be called from any
// goroutine.
type Nursery struct {
	opts     NurseryOptions
	places   chan struct{} // a child has put an element in
	starting chan struct{} // a child that starts has put an element in
	spawner  spawner

	lineBytes atomic.Int64
	pauses    atomic.Uint64 // readers that waited for memory

	mu      sync.Mutex
	servers []*Server
	closed  bool
}

// NewNursery returns a Nursery.
func NewNursery(opts NurseryOptions) *Nursery {
	opts.MaxChildren = orDefault(opts.MaxChildren, 64)
	opts.PlaceTimeout = orDefault(opts.PlaceTimeout, 5*time.Second)
	opts.MaxStarting = orDefault(opts.MaxStarting, 4)
	opts.SlowStart = orDefault(opts.SlowStart, 10*time.Second)
	opts.MaxLineBytes = orDefault(opts.MaxLineBytes, 256<<20)
	opts.LineTimeout = orDefault(opts.LineTimeout, 5*time.Second)
	return &Nursery{
		opts:     opts,
		spawner:  spawner{orphansEvery: orDefault(opts.orphansEvery, 5*time.Minute)},
		places:   make(chan struct{}, opts.MaxChildren),
		starting: make(chan struct{}, opts.MaxStarting),
	}
}

// Shutdown shuts all Servers down at once, as [Server.Shutdown] does. There are no new ones.
func (n *Nursery) Shutdown(ctx context.Context) error {
	n.mu.Lock()
	n.closed = true
	servers := slices.Clone(n.servers)
	n.mu.Unlock()
	errs := make(chan error, len(servers))
	for _, s := range servers {
		go func() { errs <- s.Shutdown(ctx) }()
	}
	var first error
	for range servers {
		if err := <-errs; first == nil {
			first = err
		}
	}
	n.spawner.stop()
	return first
}

// NurseryStats are the figures of a Nursery.
type NurseryStats struct {
	Children  int    // that exist
	Starting  int    // of them, those that count as starting
	LineBytes int64  // in buffers of long lines
	Pauses    uint64 // how often a reader has waited for such a buffer
}

// Stats returns the current figures.
func (n *Nursery) Stats() NurseryStats {
	return NurseryStats{
		Children:  len(n.places),
		Starting:  len(n.starting),
		LineBytes: n.lineBytes.Load(),
		Pauses:    n.pauses.Load(),
	}
}

// add adds s, and reports false after Shutdown.
func (n *Nursery) add(s *Server) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return false
	}
	n.servers = append(n.servers, s)
	return true
}

func (n *Nursery) remove(s *Server) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.servers = slices.DeleteFunc(n.servers, func(other *Server) bool { return other == s })
}

// reserve takes size bytes for a long line, and reports false if there are none within
// LineTimeout or until stop is closed. It waits where the reader of a child calls it.
func (n *Nursery) reserve(size int, stop <-chan struct{}) bool {
	if n.tryReserve(size) {
		return true
	}
	n.pauses.Add(1)
	timeout := time.NewTimer(n.opts.LineTimeout)
	defer timeout.Stop()
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for {
		select {
		case <-again.C:
			if n.tryReserve(size) {
				return true
			}
		case <-timeout.C:
			return false
		case <-stop:
			return false
		}
	}
}

func (n *Nursery) tryReserve(size int) bool {
	if n.lineBytes.Add(int64(size)) <= int64(n.opts.MaxLineBytes) {
		return true
	}
	n.lineBytes.Add(-int64(size))
	return false
}

func (n *Nursery) release(size int) { n.lineBytes.Add(-int64(size)) }
