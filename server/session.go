package server

import (
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

// session is the state of one session. The lock of its shard guards it.
type session struct {
	key      sessionKey
	info     mcp.SessionInfo // of a session over HTTP+SSE, whose id was issued before it was initialized
	stream   target          // the stream of server messages: of GET, or of HTTP+SSE
	level    mcp.LoggingLevel
	uris     map[string]struct{}
	calls    []callRef
	asks     []ask
	replays  []*replay
	lastUsed tick
}

// callRef is a call in flight. The job may have been reused when its generation is another.
type callRef struct {
	id  string // JSON text
	job *job
	gen uint32
}

// ask is a question to the client that waits for its answer.
type ask struct {
	id  string // JSON text of the server's request id
	key string // under which the handler wants the answer
	job *job
	gen uint32
}

func (s *session) empty() bool {
	return s.stream.loop == nil && s.level == "" && len(s.uris) == 0 && len(s.calls) == 0 && len(s.asks) == 0 && len(s.replays) == 0
}

// sessions is the table of sessions with state. Its methods may be called from any goroutine.
type sessions struct {
	shards  [64]sessionShard
	count   atomic.Int64 // sessions in the table
	revoked atomic.Int64 // ids that were deleted and have not expired
	max     int64        // bound on count
	maxGone int64        // bound on revoked
	budget  replayBudget
	streams atomic.Uint64 // the last stream id
	askIDs  atomic.Uint64 // the last request id
}

// sessionShard is a part of the table.
type sessionShard struct {
	mu   sync.Mutex // guards the rest, and the sessions
	m    map[sessionKey]*session
	gone map[sessionKey]uint32 // deleted ids, and the Unix second in which they expire anyway
	_    [64]byte
}

func (t *sessions) shard(k sessionKey) *sessionShard {
	return &t.shards[binary.BigEndian.Uint16(k[:])%uint16(len(t.shards))]
}

// with calls f with the state of session k, under the lock, and forgets the session if f leaves nothing in it. Without create f is not called when there is no state. It reports
// false when there is no room for another session.
func (t *sessions) with(k sessionKey, create bool, now tick, f func(*session)) bool {
	sh := t.shard(k)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	s := sh.m[k]
	if s == nil {
		if !create {
			return true
		}
		if t.count.Load() >= t.max && !sh.evict(t) {
			return false
		}
		s = &session{key: k}
	}
	s.lastUsed = now
	f(s)
	switch _, known := sh.m[k]; {
	case s.empty() && known:
		delete(sh.m, k)
		t.count.Add(-1)
	case !s.empty() && !known:
		if sh.m == nil {
			sh.m = make(map[sessionKey]*session)
		}
		sh.m[k] = s
		t.count.Add(1)
	}
	return true
}

// evict makes room by forgetting a session that holds only what its client can ask for again: of some that come to hand, the one unused for the longest.
func (sh *sessionShard) evict(t *sessions) bool {
	var oldest *session
	seen := 0
	for _, s := range sh.m {
		if seen++; seen > 32 {
			break
		}
		if s.stream.loop == nil && len(s.calls) == 0 && (oldest == nil || s.lastUsed < oldest.lastUsed) {
			oldest = s
		}
	}
	if oldest == nil {
		return false
	}
	oldest.forgetReplays(t)
	delete(sh.m, oldest.key)
	t.count.Add(-1)
	return true
}

func (s *session) forgetReplays(t *sessions) {
	for _, r := range s.replays {
		r.release(&t.budget)
	}
	s.replays = nil
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

// revoke deletes session k: its id is refused until it would expire anyway, at the Unix second expires. It returns what the session held, for the caller to end.
func (t *sessions) revoke(k sessionKey, expires uint32) (held session) {
	sh := t.shard(k)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if s := sh.m[k]; s != nil {
		held = *s
		s.forgetReplays(t)
		delete(sh.m, k)
		t.count.Add(-1)
	}
	if sh.gone == nil {
		sh.gone = make(map[sessionKey]uint32)
	}
	if int64(len(sh.gone)) >= max(1, t.maxGone/int64(len(t.shards))) {
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
	if _, again := sh.gone[k]; !again {
		t.revoked.Add(1)
	}
	sh.gone[k] = expires
	return held
}

// sweep forgets what has expired. It is called now and then, for one shard a time.
func (t *sessions) sweep(i int, now tick, unix uint32, idle tick) {
	sh := &t.shards[i%len(t.shards)]
	sh.mu.Lock()
	defer sh.mu.Unlock()
	for k, at := range sh.gone {
		if at <= unix {
			delete(sh.gone, k)
			t.revoked.Add(-1)
		}
	}
	for k, s := range sh.m {
		kept := s.replays[:0]
		for _, r := range s.replays {
			if r.expires != 0 && r.expires <= now {
				r.release(&t.budget)
				continue
			}
			kept = append(kept, r)
		}
		clear(s.replays[len(kept):])
		s.replays = kept
		if s.stream.loop == nil && len(s.calls) == 0 && now-s.lastUsed >= idle {
			s.level, s.uris = "", nil // its client has not been seen for so long that it is gone
		}
		if s.empty() {
			delete(sh.m, k)
			t.count.Add(-1)
		}
	}
}
