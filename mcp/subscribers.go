package mcp

import "sync"

// subscribers counts the listeners of each resource URI. It calls the host's hooks when the first
// listener of a URI comes and when the last one goes, on one goroutine and in that order. It has no
// queue of events: at most one entry for each URI waits for the hooks.
type subscribers struct {
	first, last func(uri string)        // the hooks; either may be nil
	listed      func(key string) string // returns the URI with the key as the host lists it

	mu      sync.Mutex // guards the rest
	counts  map[string]int
	told    map[string]struct{} // URIs whose first subscriber has been reported to the hooks
	waiting []string            // URIs whose state may differ from told, the oldest first
	queued  map[string]struct{} // the URIs in waiting
	wake    chan struct{}       // holds a value while waiting is not empty; nil without the goroutine
	done    chan struct{}
	closed  bool

	// spelled has the subscriber's spelling of URIs where it is not the key: of those that are
	// subscribed to, and of some that are about to be.
	spelled map[string]string
}

// maxSpelled is the number of spellings above which spell drops them all.
const maxSpelled = 4096

// spell notes how a client that is about to subscribe spells the URI with the key. The first
// spelling stays as long as the URI has subscribers.
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

// spelling returns the spelling that spell has noted for the key.
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
		return // the goroutine will see the state of that time
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

// run calls the hooks until close. A hook that ends its goroutine ends only itself.
func (s *subscribers) run(wake <-chan struct{}) {
	closed := false
	defer func() {
		if !closed {
			go s.run(wake)
		}
	}()
	for {
		for {
			hook, uri, ok := s.next()
			if !ok {
				break
			}
			if hook != nil {
				hook(uri)
			}
		}
		select {
		case <-s.done:
			closed = true
			return
		case <-wake:
		}
	}
}

// next takes the oldest waiting URI and returns the hook to call for it, or nil if nothing needs
// to be reported. It returns false if no URI waits.
func (s *subscribers) next() (hook func(string), uri string, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.waiting) == 0 || s.closed {
		s.waiting = nil // a burst may have grown it
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

// shown returns the URI with the key in the spelling that the hooks see.
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
