package server

import "time"

// This file drops verdicts that are out of date. Adding one drops a few others (see makeRoom), but
// callers who have begun their streams may not come again for hours.

// sweepVerdicts is the time between two sweeps while verdicts are kept.
const sweepVerdicts = 10 * time.Second

// wake makes sure that there will be a sweep.
func (c *authCache) wake() {
	if c.clock != nil && c.awake.CompareAndSwap(false, true) {
		time.AfterFunc(c.every, c.sweep)
	}
}

// sweep drops what is out of date. There will be another sweep if something is still kept.
func (c *authCache) sweep() {
	now := c.clock()
	for i := range c.shards {
		c.shards[i].sweep(now)
	}
	c.awake.Store(false)
	if !c.stopped() && c.holds() {
		c.wake()
	}
}

// holds reports whether a verdict is kept.
func (c *authCache) holds() bool {
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		n := len(s.good) + len(s.bad)
		s.mu.Unlock()
		if n > 0 {
			return true
		}
	}
	return false
}

func (s *authShard) sweep(now tick) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.good = swept(s.good, now)
	s.bad = swept(s.bad, now)
}

// swept returns m without what is out of date. Maps do not shrink by themselves: if most of it has
// gone, it is another map.
func swept(m map[authKey]verdict, now tick) map[authKey]verdict {
	before := len(m)
	for k, v := range m {
		if v.until <= now {
			delete(m, k)
		}
	}
	switch left := len(m); {
	case left == 0:
		return nil
	case left < before/4:
		other := make(map[authKey]verdict, left)
		for k, v := range m {
			other[k] = v
		}
		return other
	}
	return m
}
