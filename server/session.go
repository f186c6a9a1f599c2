package server

import (
	"context"
	"encoding/binary"
	"sync"
	"sync/atomic"

	"github.com/mooring-mcp/mooring/mcp"
)

// A session of an earlier revision is its ticket (sealed.go). This file holds what a session has besides, while it has it: an open stream, a log level, subscriptions, calls in
// flight, questions to its client, events to replay. A session is in the table as long as one of them is there.
//
// The requests of a session arrive on any loop, so this is the one place of the package where loops share memory: sixty-four shards, each behind a lock that is held for
// some map operations and never while another is. design/ says why it is not a loop's.

// target is a connection as another loop names it.
type target struct {
	loop *loop // nil: none
	h    handle
}

// session is the state of one session. The lock of its shard guards it. Most have an open stream and no more, so what is rare is apart.
type session struct {
	key      sessionKey
	lastUsed tick
	stream   target // the stream of server messages: of GET, or of HTTP+SSE

	*sessionRest // nil while there is nothing in it, but never in what with calls
}

type sessionRest struct {
	info    mcp.SessionInfo // of a session over HTTP+SSE, whose id was issued before it was initialized
	level   mcp.LoggingLevel
	uris    map[string]struct{}
	calls   []callRef
	asks    []ask
	replays []*replay
}

// idle reports whether r has only what is not worth to keep a session for.
func (r *sessionRest) idle() bool {
	return r == nil || r.level == "" && len(r.uris) == 0 && len(r.calls) == 0 && len(r.asks) == 0 && len(r.replays) == 0
}

// blank reports whether there is nothing in r.
func (r *sessionRest) blank() bool { return r.idle() && (r == nil || r.info == mcp.SessionInfo{}) }

// callRef is a call in flight. The job may have been reused when its generation is another. Of a batch there is one without an id for the whole, and one for the request that is served.
type callRef struct {
	id        string // JSON text; not unique
	job       *job
	gen       uint32
	cancelled bool                     // by its client, so that the next cancellation is for another call of that id
	answers   int64                    // bytes of its client's answers
	stop      *context.CancelCauseFunc // of a request in a batch, whose context is its own; may be called from any goroutine
}

// ask is a question to the client that waits for its answer.
type ask struct {
	id  string // JSON text of the server's request id
	key string // under which the handler wants the answer
	job *job
	gen uint32
}

func (s *session) empty() bool { return s.stream.loop == nil && s.idle() }

// sessions is the table of sessions with state. Its methods may be called from any goroutine.
type sessions struct {
	shards  [numShards]sessionShard
	count   atomic.Int64 // sessions in the table
	revoked atomic.Int64 // ids that were deleted and have not expired
	max     int64        // bound on count
	maxGone int64        // bound on revoked
	budget  replayBudget
	answers atomic.Int64  // bytes of clients' answers, as the callRefs count them
	streams atomic.Uint64 // the last stream id
	askIDs  atomic.Uint64 // the last request id
	// first is called, maybe with a lock held, when there is something to sweep and was nothing before.
	first func()
	// forgot is told which subscriptions were forgotten, without a lock held.
	forgot func(uris map[string]struct{})
}

// sessionShard is a part of the table.
type sessionShard struct {
	mu    sync.Mutex // guards the rest, and the sessions
	m     map[sessionKey]*session
	gone  map[sessionKey]uint32 // deleted ids, and the Unix second in which they expire anyway
	peak  int                   // the most entries of m since it was made
	spare *sessionRest          // a blank rest, for the next session that needs one; may be nil
	_     [64]byte
}

// lend gives s a rest to look at and to fill, if it has none.
func (sh *sessionShard) lend(s *session) {
	if s.sessionRest != nil {
		return
	}
	if s.sessionRest, sh.spare = sh.spare, nil; s.sessionRest == nil {
		s.sessionRest = new(sessionRest)
	}
}

// takeBack takes the rest of s if there is nothing in it. Short lists keep their room: most calls of a session are its only one.
func (sh *sessionShard) takeBack(s *session) {
	r := s.sessionRest
	if r == nil || !r.blank() {
		return
	}
	s.sessionRest = nil
	r.uris, r.replays = nil, nil
	r.calls, r.asks = reuse(r.calls), reuse(r.asks)
	sh.spare = r
}

// reuse returns a list without entries, in the room of s if that is not large.
func reuse[E any](s []E) []E {
	if cap(s) > 4 {
		return nil
	}
	clear(s[:cap(s)])
	return s[:0]
}

func (t *sessions) shard(k sessionKey) *sessionShard {
	return &t.shards[shardOf(k)]
}

func shardOf(k sessionKey) int { return int(binary.BigEndian.Uint16(k[:]) % numShards) }

// with calls f with the state of session k, under the lock, and forgets the session if f leaves nothing in it. Without create f is not called when there is no state. With create it
// reports false, and f is not called, when the session was deleted (see isRevoked) or when there is no room for another.
func (t *sessions) with(k sessionKey, create bool, now tick, f func(*session)) bool {
	for range evictTries {
		switch t.try(k, create, now, f) {
		case tryDone:
			return true
		case tryGone:
			return false
		}
		if !t.makeRoom(shardOf(k)) {
			return false
		}
	}
	return false
}

// evictTries bounds how often the room that was made may be lost to another loop.
const evictTries = 8

type tryResult uint8

const (
	tryDone tryResult = iota
	tryGone           // the session was deleted
	tryFull           // there is no room
)

func (t *sessions) try(k sessionKey, create bool, now tick, f func(*session)) tryResult {
	sh := t.shard(k)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	s := sh.m[k]
	if s == nil {
		if !create {
			return tryDone
		}
		if _, gone := sh.gone[k]; gone {
			return tryGone // a request that was let in before the session was deleted leaves nothing behind
		}
		n := t.count.Add(1)
		if n > t.max {
			t.count.Add(-1)
			return tryFull
		}
		if n == 1 {
			t.begin()
		}
		s = &session{key: k}
		if sh.m == nil {
			sh.m = make(map[sessionKey]*session)
		}
		sh.m[k] = s
		sh.peak = max(sh.peak, len(sh.m))
	}
	s.lastUsed = max(s.lastUsed, now) // the clocks of loops differ by some ticks
	sh.lend(s)
	defer func() { // f may panic
		sh.takeBack(s)
		if s.empty() {
			t.drop(sh, s)
		}
	}()
	f(s)
	return tryDone
}

// drop takes a session out of its shard, whose lock is held. A map never gives back what it once needed: that of a shard which was large is made anew when it is empty.
func (t *sessions) drop(sh *sessionShard, s *session) {
	delete(sh.m, s.key)
	t.count.Add(-1)
	if len(sh.m) == 0 && sh.peak > keepEntries {
		sh.m, sh.peak = nil, 0
	}
}

const (
	numShards   = 64
	keepEntries = 64
)

// makeRoom forgets a session that holds only what its client can ask for again, of shard first or, if all there are in use, of another.
func (t *sessions) makeRoom(first int) bool {
	for i := range numShards {
		if sh := &t.shards[(first+i)%numShards]; sh.evict(t) {
			return true
		}
	}
	return false
}

// evict forgets, of some sessions that come to hand, the one unused for the longest.
func (sh *sessionShard) evict(t *sessions) bool {
	s := sh.takeOldest(t)
	if s == nil {
		return false
	}
	t.forgot(s.uris)
	return true
}

func (sh *sessionShard) takeOldest(t *sessions) *session {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	var oldest *session
	seen := 0
	for _, s := range sh.m {
		if seen++; seen > 32 {
			break
		}
		if s.sessionRest != nil && s.stream.loop == nil && len(s.calls) == 0 && !s.carried() && (oldest == nil || s.lastUsed < oldest.lastUsed) {
			oldest = s
		}
	}
	if oldest != nil {
		oldest.forgetReplays(t)
		t.drop(sh, oldest)
	}
	return oldest
}

// carried reports whether a connection waits for the rest of a call's stream.
func (r *sessionRest) carried() bool {
	for _, r := range r.replays {
		if r.carrier.loop != nil {
			return true
		}
	}
	return false
}

func (r *sessionRest) forgetReplays(t *sessions) {
	for _, r := range r.replays {
		r.release(&t.budget)
	}
	r.replays = nil
}

// isRevoked reports whether k was deleted.
func (t *sessions) isRevoked(k sessionKey) bool {
	if t.revoked.Load() == 0 {
		return false
	}
	sh := t.shard(k)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	_, gone := sh.gone[k]
	return gone
}

// revoke deletes session k: its id is refused until it would expire anyway, at the end of the Unix second expires. It returns what the session held, for the caller to end.
func (t *sessions) revoke(k sessionKey, expires uint32) (held session) {
	sh := t.shard(k)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	held.sessionRest = new(sessionRest)
	if s := sh.m[k]; s != nil {
		held.key, held.stream = k, s.stream
		if s.sessionRest != nil {
			*held.sessionRest = *s.sessionRest
			for i := range s.calls {
				t.answers.Add(-s.calls[i].answers)
			}
			s.forgetReplays(t)
		}
		t.drop(sh, s)
	}
	if _, again := sh.gone[k]; again {
		return held
	}
	if sh.gone == nil {
		sh.gone = make(map[sessionKey]uint32)
	}
	if int64(len(sh.gone)) >= max(1, t.maxGone/numShards) {
		// At the bound the one that expires first of some goes: it has the least to lose.
		var first sessionKey
		least, seen := ^uint32(0), 0
		for key, at := range sh.gone {
			if seen++; at <= least {
				first, least = key, at
			}
			if seen >= 64 {
				break
			}
		}
		delete(sh.gone, first)
		t.revoked.Add(-1)
	}
	sh.gone[k] = expires
	if t.revoked.Add(1) == 1 {
		t.begin()
	}
	return held
}

// sweep forgets what has expired in shard i.
func (t *sessions) sweep(i int, now tick, unix uint32, idle tick) {
	for _, uris := range t.sweepLocked(&t.shards[i], now, unix, idle) {
		t.forgot(uris)
	}
}

func (t *sessions) sweepLocked(sh *sessionShard, now tick, unix uint32, idle tick) (forgot []map[string]struct{}) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	for k, at := range sh.gone {
		if at < unix {
			delete(sh.gone, k)
			t.revoked.Add(-1)
		}
	}
	for _, s := range sh.m {
		if s.sessionRest == nil {
			continue // it has its stream
		}
		kept := s.replays[:0]
		for _, r := range s.replays {
			if r.done && r.expires <= now {
				r.release(&t.budget)
				continue
			}
			kept = append(kept, r)
		}
		clear(s.replays[len(kept):])
		s.replays = kept
		if s.stream.loop == nil && len(s.calls) == 0 && s.lastUsed+idle <= now {
			if len(s.uris) > 0 {
				forgot = append(forgot, s.uris)
			}
			s.level, s.uris = "", nil // its client has not been seen for so long that it is gone
		}
		sh.takeBack(s)
		if s.empty() {
			t.drop(sh, s)
		}
	}
	return forgot
}

// forgetAll empties the table. Deleted ids stay known.
func (t *sessions) forgetAll() {
	for i := range t.shards {
		sh := &t.shards[i]
		sh.mu.Lock()
		var uris []map[string]struct{}
		for _, s := range sh.m {
			if s.sessionRest != nil {
				uris = append(uris, s.uris)
				s.forgetReplays(t)
			}
			t.drop(sh, s)
		}
		sh.mu.Unlock()
		for _, u := range uris {
			t.forgot(u)
		}
	}
}

// held reports whether there is something to sweep.
func (t *sessions) held() bool { return t.count.Load() > 0 || t.revoked.Load() > 0 }

func (t *sessions) begin() {
	if t.first != nil {
		t.first()
	}
}
