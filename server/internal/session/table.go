package session

import (
	"context"
	"encoding/binary"
	"errors"
	"sync"
	"sync/atomic"

	"github.com/mooring-mcp/mooring/mcp"
	"github.com/mooring-mcp/mooring/server/internal/wheel"
)

// Place names a connection. The zero Place names none.
type Place struct {
	Loop uint32 // the number of its event loop, counted from 1; 0: there is no connection
	Slot uint32 // where it is on the loop
	Gen  uint32 // distinguishes it from other connections that had the slot
}

// IsZero reports whether p names no connection.
func (p Place) IsZero() bool { return p.Loop == 0 }

// Options are the limits of a Table, and what it reports.
type Options struct {
	MaxSessions int // sessions with state
	MaxRevoked  int // deleted IDs that are remembered

	ReplayTotal  int        // bytes of events that all sessions keep
	ReplayBytes  int        // bytes of events of one stream
	ReplayEvents int        // events of one stream
	ReplayAge    wheel.Tick // how long a stream that has ended can be resumed

	AnswersTotal int        // bytes of clients' answers that wait for their calls
	Idle         wheel.Tick // a session unused for so long loses its log level and subscriptions

	// Charge is called before a session gets into the table, with the account that it will count
	// for, and may refuse that with an error. Discharge is called when it is out of the table again.
	// Both may be nil. Discharge is called with a lock held, and calls nothing of the table.
	Charge    func(Account) error
	Discharge func(Account)

	// First is called when there is something to sweep and there was nothing before. May be nil.
	First func()
	// Forgot is called with subscriptions that the table has forgotten. May be nil.
	//
	// First and Forgot are called without a lock held.
	Forgot func(Subscriptions)
}

// Why a Table refuses something.
var (
	ErrGone        = errors.New("session: the session was deleted, or has ended with its stream")
	ErrFull        = errors.New("session: too many sessions with state")
	ErrManyCalls   = errors.New("session: too many calls in flight")
	ErrManyStreams = errors.New("session: too many streams")
	ErrManyURIs    = errors.New("session: too many subscriptions")
	ErrOtherOwner  = errors.New("session: it has subscriptions with another server")
	ErrManyAnswers = errors.New("session: too many bytes of answers")
	ErrManyAsks    = errors.New("session: too many questions without an answer")
	ErrNoQuestion  = errors.New("session: no such question")
	ErrNoReplay    = errors.New("session: the stream cannot be resumed there")
)

// Table holds the sessions with state of a server. J is the type of the host's calls. Its methods
// may be called from any goroutine. They block only for the lock of a shard.
type Table[J comparable] struct {
	shards    [Shards]shard[J]
	o         Options
	count     atomic.Int64 // entries
	revoked   atomic.Int64 // IDs that were deleted and have not expired
	budget    budget
	answers   atomic.Int64  // bytes of clients' answers, as the calls count them
	streams   atomic.Uint64 // the last number of a stream
	questions atomic.Uint64 // the last number of a question
}

// New returns an empty Table.
func New[J comparable](o Options) *Table[J] {
	t := &Table[J]{o: o}
	t.budget.max = int64(o.ReplayTotal)
	return t
}

// Stats are counters of a Table.
type Stats struct {
	Sessions    int64 // with state
	Revoked     int64 // IDs that were deleted and have not expired
	ReplayBytes int64 // of events to replay
	AnswerBytes int64 // of answers that wait for others of their call
}

// Stats returns the counters.
func (t *Table[J]) Stats() Stats {
	return Stats{t.count.Load(), t.revoked.Load(), t.budget.used.Load(), t.answers.Load()}
}

// Audit returns what Stats would, and the calls in flight, counted entry by entry. It is for
// tests.
func (t *Table[J]) Audit() (s Stats, calls int) {
	for i := range t.shards {
		n := t.shards[i].audit(&s)
		calls += n
	}
	return s, calls
}

func (sh *shard[J]) audit(sum *Stats) (calls int) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	sum.Sessions += int64(len(sh.m))
	sum.Revoked += int64(len(sh.gone))
	for _, s := range sh.m {
		if s.details == nil {
			continue
		}
		sum.ReplayBytes += s.held()
		calls += len(s.calls)
		for i := range s.calls {
			sum.AnswerBytes += s.calls[i].answers
		}
	}
	return calls
}

// entry is the state of one session. The lock of its shard guards it. Most sessions have an open
// stream and nothing else, so what is rare is apart.
type entry[J comparable] struct {
	key      Key
	lastUsed wheel.Tick
	stream   Place // the stream of server messages: of GET, or of HTTP+SSE

	*details[J] // nil while there is nothing in it, but never in a func given to with
}

type details[J comparable] struct {
	info    mcp.SessionInfo // over HTTP+SSE, where the ID is issued before initialize
	level   mcp.LoggingLevel
	subs    Subscriptions
	calls   []call[J]
	asks    []ask[J]
	replays []*replay
}

// call is a call in flight. A batch has one without an ID for the whole, and one for the request
// that is served.
type call[J comparable] struct {
	id        string                   // JSON text; not unique
	job       J                        // may have been reused, if its generation is not gen
	stop      *context.CancelCauseFunc // of a request in a batch, which has a context of its own
	answers   int64                    // bytes of its client's answers
	gen       uint32
	cancelled bool // by its client, so the next cancellation is for another call with that ID
}

// ask is a question to the client that waits for its answer.
type ask[J comparable] struct {
	id  string // JSON text of the server's request ID
	key string // under which the handler wants the answer
	job J
	gen uint32

	// reply is given the answer where a handler waits for it; otherwise it is nil.
	reply Reply
}

// A Reply takes the answer to a question, the JSON of its result, or the reason why there is none.
// It does not block and may be called from any goroutine.
type Reply func(result []byte, err error)

// idle reports whether d holds nothing that keeps its session in the table.
func (d *details[J]) idle() bool {
	return d == nil || d.level == "" && len(d.subs.URIs) == 0 && len(d.calls) == 0 && len(d.asks) == 0 && len(d.replays) == 0
}

// blank reports whether there is nothing in d.
func (d *details[J]) blank() bool {
	return d.idle() && (d == nil || d.info == mcp.SessionInfo{})
}

func (s *entry[J]) empty() bool { return s.stream.IsZero() && s.idle() }

// shard is a part of a table.
type shard[J comparable] struct {
	mu   sync.Mutex // guards the rest, and the entries
	m    map[Key]*entry[J]
	gone map[Key]uint32 // deleted IDs, and the Unix second in which they expire anyway
	peak int            // the most entries of m since it was made
	free *details[J]    // blank, for the next session that needs them; may be nil

	charges map[Key]charge // whom the sessions of m count for; nil unless Options.Charge is set

	_ [64]byte
}

const (
	// Shards is the number of shards of a Table.
	Shards = 64

	keepEntries = 64 // the map of a shard that had more is replaced when it is empty
)

// lend gives s details to look at and to fill, if it has none.
func (sh *shard[J]) lend(s *entry[J]) {
	if s.details != nil {
		return
	}
	if s.details, sh.free = sh.free, nil; s.details == nil {
		s.details = new(details[J])
	}
}

// takeBack takes the details of s if there is nothing in them. Short lists keep their room,
// because most calls of a session are its only one.
func (sh *shard[J]) takeBack(s *entry[J]) {
	d := s.details
	if d == nil || !d.blank() {
		return
	}
	s.details = nil
	d.subs, d.replays = Subscriptions{}, nil
	d.calls, d.asks = reuse(d.calls), reuse(d.asks)
	sh.free = d
}

// reuse returns a list without entries, in the room of s if that is not large.
func reuse[E any](s []E) []E {
	if cap(s) > 4 {
		return nil
	}
	clear(s[:cap(s)])
	return s[:0]
}

func (t *Table[J]) shard(k Key) *shard[J] { return &t.shards[shardOf(k)] }

func shardOf(k Key) int { return int(binary.BigEndian.Uint16(k[:]) % Shards) }

// look calls f with the entry of session k, under the lock, if there is one, and drops the entry
// if f leaves nothing in it.
func (t *Table[J]) look(k Key, now wheel.Tick, f func(*entry[J])) {
	_ = t.with(k, false, now, f)
}

// with calls f with the entry of session k, under the lock, and drops the entry if f leaves
// nothing in it. Without create, f is not called if there is no entry, and with returns nil. With
// create it returns ErrGone if the session was deleted, and ErrFull if there is no room for
// another; then f is not called.
func (t *Table[J]) with(k Key, create bool, now wheel.Tick, f func(*entry[J])) error {
	for range evictTries {
		res, first := t.try(k, create, now, f)
		if first {
			t.begin()
		}
		switch res {
		case tryDone:
			return nil
		case tryGone:
			return ErrGone
		}
		if !t.makeRoom(shardOf(k)) {
			break
		}
	}
	return ErrFull
}

// evictTries limits how often another goroutine may take the room that was made.
const evictTries = 8

type tryResult uint8

const (
	tryDone tryResult = iota
	tryGone           // the session was deleted
	tryFull           // there is no room
)

// try is one attempt of with. first reports whether the table was empty.
func (t *Table[J]) try(k Key, create bool, now wheel.Tick, f func(*entry[J])) (res tryResult, first bool) {
	sh := t.shard(k)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	s := sh.m[k]
	if s == nil {
		if !create {
			return tryDone, false
		}
		if _, gone := sh.gone[k]; gone {
			return tryGone, false // a request from before the deletion leaves nothing behind
		}
		n := t.count.Add(1)
		if n > int64(t.o.MaxSessions) {
			t.count.Add(-1)
			return tryFull, false
		}
		first = n == 1
		s = &entry[J]{key: k}
		if sh.m == nil {
			sh.m = make(map[Key]*entry[J])
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
	return tryDone, first
}

// drop takes s out of its shard, whose lock is held. A map never shrinks, so that of a shard which
// was large is replaced when it is empty.
func (t *Table[J]) drop(sh *shard[J], s *entry[J]) {
	delete(sh.m, s.key)
	t.count.Add(-1)
	t.discharge(sh, s.key)
	if len(sh.m) == 0 && sh.peak > keepEntries {
		sh.m, sh.peak = nil, 0
	}
}

// Held reports whether there is something to sweep.
func (t *Table[J]) Held() bool { return t.count.Load() > 0 || t.revoked.Load() > 0 }

func (t *Table[J]) begin() {
	if t.o.First != nil {
		t.o.First()
	}
}

func (t *Table[J]) forgot(subs Subscriptions) {
	if t.o.Forgot != nil && len(subs.URIs) > 0 {
		t.o.Forgot(subs)
	}
}
