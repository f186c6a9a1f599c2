package server

// Census is what the loops hold at one moment.
type Census struct {
	Connections int // slots in use
	Armed       int // armed deadlines
	Stalls      int // stall clocks of slow peers
	Streams     int // connections in the lists of streams
	Resources   int // lists of resources that have a listener
	Exchanges   int // connections with a request in progress, or part of one
	FreeJobs    int // jobs in the free lists
	Idle        int // idle workers
	TwiceFree   int // jobs that are in the free list more than once
}

// Census counts what each loop holds, on the loop.
func (s *Server) Census() Census {
	var sum Census
	s.mu.Lock()
	loops := s.loops
	s.mu.Unlock()
	for _, l := range loops {
		done := make(chan Census)
		l.execute(func() { done <- l.census() })
		c := <-done
		sum.Connections += c.Connections
		sum.Armed += c.Armed
		sum.Stalls += c.Stalls
		sum.Streams += c.Streams
		sum.Resources += c.Resources
		sum.Exchanges += c.Exchanges
		sum.FreeJobs += c.FreeJobs
		sum.Idle += c.Idle
		sum.TwiceFree += c.TwiceFree
	}
	return sum
}

func (l *loop) census() Census {
	c := Census{
		Armed:    l.wheel.Armed(),
		Stalls:   len(l.stalls.clocks),
		FreeJobs: len(l.jobs),
		Idle:     len(l.workers.idle),
	}
	for _, conn := range l.slots {
		if conn == nil {
			continue
		}
		c.Connections++
		if conn.x != nil {
			c.Exchanges++
		}
	}
	l.eachBerth(func(b *berth) {
		c.Resources += len(b.streams.byURI)
		for slot := b.streams.head; slot != noSlot; slot = l.slots[slot].streamNode.next {
			c.Streams++
		}
	})
	seen := make(map[*job]bool)
	for _, j := range l.jobs {
		if seen[j] {
			c.TwiceFree++
		}
		seen[j] = true
	}
	return c
}

// DescriptorBound returns the number of connections above which accepting pauses.
func (s *Server) DescriptorBound() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.admission.Limit()
}

// DefaultEngine is the engine that the tests run on.
const DefaultEngine = defaultEngine
