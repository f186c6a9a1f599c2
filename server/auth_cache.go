package server

import (
	"crypto/sha256"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mooring-mcp/mooring/httpparse"
	"github.com/mooring-mcp/mooring/server/internal/wheel"
)

// This file keeps the verdicts on tokens, and the flights that find out about others. All loops
// share it, and the goroutines of net/http. Its methods may be called from any goroutine.

// An authKey names a credential at a path. It holds no secret that could be used.
type authKey struct {
	sum  [sha256.Size]byte
	path string // of the endpoint: a token may be for one of them only; "" for users of proxies
	key  bool   // the credential came in KeyHeader
	user bool   // it is what a proxy says of a user
}

// authKeyOf returns the key of a credential.
func authKeyOf(credential []byte, path string, isKey bool) authKey {
	return authKey{sum: sha256.Sum256(credential), path: path, key: isKey}
}

// A verdict is what is known of a credential.
type verdict struct {
	outcome authOutcome
	who     *identity // nil unless the outcome is authOK
	until   tick      // it is not to be used from then on
}

// An authFlight is the verification of one credential, which any number of requests may wait for.
type authFlight struct {
	key    authKey
	token  string
	req    *http.Request // of net/http; nil if a loop serves the request: then there is its head
	head   []byte
	peer   string // the remote address
	due    time.Time
	epoch  uint64            // of the shard when the flight began
	limits *httpparse.Limits // with which head was accepted

	waiting []authWaiter  // guarded by the shard's mu
	done    chan struct{} // closed when found is set
	found   verdict
}

// An authWaiter is a request on a loop that waits for a flight.
type authWaiter struct {
	loop *loop
	h    handle
}

// authShards is the number of parts of the cache. Each has a lock, so that loops seldom meet.
const authShards = 64

type authShard struct {
	mu      sync.Mutex // guards the rest
	good    map[authKey]verdict
	bad     map[authKey]verdict
	flights map[authKey]*authFlight
	epoch   uint64   // counts the calls of forget
	_       [64]byte // keeps the next shard's lock off this cache line
}

// authCache holds the verdicts.
type authCache struct {
	shards [authShards]authShard
	most   int           // the maximum of good, and of bad, in a shard
	epoch  atomic.Uint64 // counts the calls of forget that have ended, for the memos of loops

	clock   func() tick // nil if nothing is swept
	stopped func() bool
	every   time.Duration
	awake   atomic.Bool // there will be a sweep
}

func (c *authCache) shard(k *authKey) *authShard { return &c.shards[k.sum[0]%authShards] }

// find returns the verdict on k, if one is kept.
func (c *authCache) find(k *authKey, now tick) (v verdict, ok bool) {
	s := c.shard(k)
	s.mu.Lock()
	v, ok = s.find(k, now)
	s.mu.Unlock()
	return v, ok
}

func (s *authShard) find(k *authKey, now tick) (verdict, bool) {
	if v, ok := s.good[*k]; ok && now < v.until {
		return v, true
	}
	v, ok := s.bad[*k]
	return v, ok && now < v.until
}

// join returns the verdict on k, or the flight that finds it out. If there is none, it makes one
// and reports that the caller must start it. w waits for the flight unless its loop is nil.
func (c *authCache) join(k *authKey, now tick, w authWaiter) (v verdict, f *authFlight, first bool) {
	s := c.shard(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	if v, ok := s.find(k, now); ok { // the flight has just ended
		return v, nil, false
	}
	if f = s.flights[*k]; f == nil {
		f, first = &authFlight{key: *k, done: make(chan struct{}), epoch: s.epoch}, true
		if s.flights == nil {
			s.flights = map[authKey]*authFlight{}
		}
		s.flights[*k] = f
	}
	if w.loop != nil {
		f.waiting = append(f.waiting, w)
	}
	return verdict{}, f, first
}

// land ends a flight with a verdict, which is kept for a time. The requests that wait learn it.
func (c *authCache) land(f *authFlight, v verdict, now tick, keep time.Duration) {
	s := c.shard(&f.key)
	s.mu.Lock()
	delete(s.flights, f.key)
	f.found = v
	waiting := f.waiting
	f.waiting = nil
	if v.until = now + wheel.Ticks(keep); keep > 0 && f.epoch == s.epoch {
		s.put(&f.key, v, now, c.most)
		defer c.wake()
	}
	s.mu.Unlock()
	close(f.done)
	for _, w := range waiting {
		w.loop.postItem(item{kind: itemVerified, h: w.h, flight: f})
	}
}

// keep keeps a verdict that needed no flight.
func (c *authCache) keep(k *authKey, v verdict, now tick, keep time.Duration) {
	if v.until = now + wheel.Ticks(keep); keep <= 0 {
		return
	}
	s := c.shard(k)
	s.mu.Lock()
	s.put(k, v, now, c.most)
	s.mu.Unlock()
}

// put keeps a verdict. Verdicts on valid tokens and on others do not displace each other.
func (s *authShard) put(k *authKey, v verdict, now tick, most int) {
	m, other := &s.good, s.bad
	if v.outcome != authOK {
		m, other = &s.bad, s.good
	}
	delete(other, *k)
	if *m == nil {
		*m = map[authKey]verdict{}
	}
	if _, known := (*m)[*k]; !known {
		makeRoom(*m, now, most)
	}
	(*m)[*k] = v
}

// roomLook is how many verdicts are looked at when one is added. All that are out of date go, so
// that a map does not stay full of them.
const roomLook = 4

// makeRoom makes room for a verdict more. If all that it looks at are in use and m is full, the one
// that ends first goes.
func makeRoom(m map[authKey]verdict, now tick, most int) {
	var first *authKey
	var until tick
	n := 0
	for k, v := range m {
		switch {
		case v.until <= now:
			delete(m, k)
		case first == nil || v.until < until:
			first, until = &k, v.until
		}
		if n++; n == roomLook {
			break
		}
	}
	if len(m) >= most && first != nil {
		delete(m, *first)
	}
}

// forget drops the verdicts on the tokens of whom match accepts, also those that are being found
// out.
func (c *authCache) forget(match func(*identity) bool) {
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		s.epoch++
		for k, v := range s.good {
			if match(v.who) {
				delete(s.good, k)
			}
		}
		s.mu.Unlock()
	}
	c.epoch.Add(1) // last: what a loop reads from then on no longer has what was dropped
}
