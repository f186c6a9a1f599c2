package mcp

import "sync"

// subscribers counts the listeners of each resource URI and calls the host's hooks
// when the first comes and the last goes, on one goroutine, in the order of the edges.
// It holds no queue of events: what waits to be told is at most one entry for each
// URI.
type subscribers struct {
	first, last func(uri string)        // nil: not told
	listed      func(key string) string // how the host lists the URI of the key

	mu      sync.Mutex // guards the rest
	counts  map[string]int
	told    map[string]struct{} // URIs whose first subscriber the hooks know of
	waiting []string            // URIs that may differ from told, the oldest first
	queued  map[string]struct{} // those of waiting
	wake    chan struct{}       // holds one while waiting is not empty; nil before the goroutine starts
	done    chan struct{}
	closed  bool

	// spelled is how a subscriber spells a URI where that is not the key. It holds those
	// that are subscribed to, and some that are about to be.
	spelled map[string]string
}

// maxSpelled bounds the spellings that are kept.
const maxSpelled = 4096

// spell notes how a client that is about to subscribe spells the URI of the key. The
// first spelling stays as long as the URI has subscribers.
func (s *subscribers) spell(key, spelling string) {
	if key == spelling {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.counts[key] > 0 {
		return
	}
	if s.spelled == nil || len(s.spelled) >= maxSpelled {
		s.spelled = make(map[string]string)
	}
	s.spelled[key] = spelling
}

// spelling returns what spell has noted for the key.
func (s *subscribers) spelling(key string) (string, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	spelling, ok := s.spelled[key]
	return spelling, ok
}

func (s *subscribers) init(first, last func(string), listed func(string) string) {
	s.first, s.last, s.listed = first, last, listed
	s.counts = make(map[string]int)
	s.told = make(map[string]struct{})
	s.queued = make(map[string]struct{})
	s.done = make(chan struct{})
}

// has reports whether uri has a subscriber.
func (s *subscribers) has(uri string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.counts[uri] > 0
}

// add adds n, 1 or -1, to the count of uri.
func (s *subscribers) add(uri string, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.counts[uri]
	after := max(before+n, 0)
	if after == 0 {
		delete(s.counts, uri)
		if before > 0 && s.first == nil && s.last == nil {
			delete(s.spelled, uri)
		}
	} else {
		s.counts[uri] = after
	}
	if (before == 0) == (after == 0) || s.first == nil && s.last == nil || s.closed {
		return
	}
	if _, ok := s.queued[uri]; ok {
		return // the goroutine will see the state as it is then
	}
	s.queued[uri] = struct{}{}
	s.waiting = append(s.waiting, uri)
	if s.wake == nil {
		s.wake = make(chan struct{}, 1)
		go s.run(s.wake)
	}
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// run calls the hooks until close.
func (s *subscribers) run(wake <-chan struct{}) {
	for {
		select {
		case <-s.done:
			return
		case <-wake:
		}
		for {
			hook, uri, ok := s.next()
			if !ok {
				break
			}
			if hook != nil {
				hook(uri)
			}
		}
	}
}

// next takes the oldest URI that waits and returns the hook that is to be called for
// it, nil if there is nothing to tell. It reports false when none waits.
func (s *subscribers) next() (hook func(string), uri string, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.waiting) == 0 || s.closed {
		s.waiting = nil // let go of what a burst has grown
		return nil, "", false
	}
	uri = s.waiting[0]
	s.waiting = s.waiting[1:]
	delete(s.queued, uri)
	_, told := s.told[uri]
	switch subscribed := s.counts[uri] > 0; {
	case subscribed && !told:
		s.told[uri] = struct{}{}
		return s.first, s.shown(uri), true
	case !subscribed && told:
		delete(s.told, uri)
		spelling := s.shown(uri)
		delete(s.spelled, uri)
		return s.last, spelling, true
	}
	return nil, uri, true
}

// shown returns the URI as the hooks see it.
func (s *subscribers) shown(key string) string {
	if spelling, ok := s.spelled[key]; ok {
		return spelling
	}
	return s.listed(key)
}

// close ends the goroutine.
func (s *subscribers) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.closed = true
		close(s.done)
	}
}
