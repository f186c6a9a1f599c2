package server

import (
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/mooring-mcp/mooring/httpparse"
	"github.com/mooring-mcp/mooring/server/internal/engine"
	"github.com/mooring-mcp/mooring/server/internal/wheel"
)

// # Vocabulary
//
// A loop serves its connections one event after another, in turns. A conn is a connection. An
// exchange is one request and its response. A job is one MCP message, from its content to its
// response. A worker is a goroutine that runs a job whose handler may wait. A stream is a response
// of type text/event-stream that stays open, such as that of subscriptions/listen. A notice reports
// to streams that something has changed. A tick is the unit of deadlines.
//
// # Ownership
//
// Every method of loop, conn, exchange and the lists of streams runs on its loop, so no method
// needs a lock. The functions that other goroutines may call have names that begin with post
// (loop_post.go), or are methods of job that implement mcp.Sink. Workers name a connection by its
// handle, never by a pointer.
//
// # Ends
//
// A FIN is final. A response made on the loop has been written before the FIN is seen. On revision
// 2026-07-28 a disconnect cancels a worker's call: its context ends, and its response is dropped.
// The turn that reads the FIN frees everything that belonged to the client. Only the descriptor may
// take a few turns longer, when thousands disconnect at once.

// loop is one event loop and everything that it owns. Its methods run on it, except those whose
// names begin with post (loop_post.go).
type loop struct {
	srv  *Server
	idx  int
	base engine.Loop // the event loop below it
	m    loopMetrics

	now   tick          // when the latest tick ran or the loop was stirred: see present
	quiet int           // ticks since the loop was stirred
	retry tick          // time between two checks of a peer that does not take what waits for it
	rest  atomic.Uint32 // the tick until which the loop rests: see restsUntil; written by the loop
	wheel *wheel.Wheel
	slots []*conn  // by slot number; nil when free
	free  []uint32 // free slot numbers
	gen   uint32   // the generation of the newest connection

	peers    map[uint32]peer // by slot; nil if no option needs it
	places   *places         // whose the connections are; nil if no client has limits of its own
	stalls   stalls          // the clocks of slow peers
	main     berth           // that of the default service
	holders  holders
	memo     *authMemo // nil until a request brings a token
	fans     fanQueue
	node     func(slot uint32) *streamNode
	rng      *rand.Rand
	draining bool
	drain    drainWalk
	revokes  []*revokeWalk // in progress, the first one first

	farewells []*farewell // in progress, the first one first

	// Scratch space for the current turn. None of it is used from one turn to the next.
	serving *conn             // the connection that a panic would belong to
	req     httpparse.Request // the head of the request that is being served
	out     []byte            // bytes for the connection being served
	msg     []byte            // one encoded message
	event   []byte            // one encoded event
	page    []byte            // immutable bytes to be sent between out[:pageAt] and the rest
	pageAt  int
	pieces  [3][]byte // the pieces of one write
	inline  inlineSink

	exchanges []*exchange     // free exchanges
	requests  []*requestState // free request states
	jobs      []*job          // free jobs
	conns     []*conn         // free conns of gates
	workers   workers[*job]
	handed    int64     // how many calls workers have been handed
	gave      bool      // a worker got one since the loop last gave up its processor
	lendAfter time.Time // the sockets go first until then
	detached  []jobRef  // calls of earlier revisions that continue without their connection
	swept     int       // the shard of the sessions that was swept last
	sweptAt   tick      // when it was swept
	sliced    []handle  // connections whose requests continue in the next turn
	spare     []item    // the next backing array for the inbox
	backlog   []item    // items taken from the inbox and not served yet

	in          inbox
	runInbox    engine.Task
	runTick     engine.Task
	runContinue engine.Task
	runRelief   engine.Task
	relieving   atomic.Bool // runRelief has been posted and has not run yet
	yieldAsked  atomic.Bool // a yieldRequest has been posted and has not been served yet
	yieldAt     int         // the next slot to check for a yieldRequest
	relief      bool        // serveContinue has to continue the relief
	kicked      bool        // runContinue has been requested
	more        bool        // runContinue will be requested at the end of the task

	_     [64]byte     // other goroutines write what follows
	begun atomic.Int64 // how many calls workers have begun
	_     [64]byte
}

func newLoop(s *Server, idx int, base engine.Loop) *loop {
	l := &loop{
		srv:   s,
		idx:   idx,
		base:  base,
		now:   s.tick(),
		rng:   rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64())),
		retry: wheel.Ticks(retryTime),
	}
	l.wheel = wheel.New(l.now)
	l.workers.begin = func(j *job) { j.loop.begun.Add(1) }
	l.workers.end = (*job).handBack
	l.in.wake, l.in.max = func() { l.execute(l.runInbox) }, int64(s.opts.MaxInbox)
	l.stalls.total = &s.unsent
	if s.opts.needsPeers() {
		l.peers = make(map[uint32]peer)
	}
	if s.quotas != nil {
		l.places = new(places)
	}
	l.node = func(slot uint32) *streamNode { return &l.slots[slot].streamNode }
	l.main.init(l, s.main)
	l.runInbox = l.guard(l.serveInbox)
	l.runTick = l.guard(l.serveTick)
	l.runContinue = l.guard(l.serveContinue)
	l.runRelief = l.guard(l.serveRelief)
	return l
}

func (l *loop) execute(t engine.Task) { l.base.Execute(t) }

// guard returns a task that runs f. A panic in f ends the connection that was being served, but not
// the process.
func (l *loop) guard(f func()) engine.Task {
	return func() {
		l.serving = nil
		defer func() {
			if r := recover(); r != nil {
				l.srv.logPanic(l, r)
				l.contain()
			}
			if l.gave {
				l.gave = false
				l.in.call()
			}
			l.kickOnce()
		}()
		f()
	}
}

// contain ends the connection that was being served when the server panicked. No byte that was
// meant for it may reach another connection. What else the turn had to do is done later.
func (l *loop) contain() {
	defer func() {
		if r := recover(); r != nil {
			l.srv.logPanic(l, r)
		}
	}()
	l.out, l.page = l.out[:0], nil
	l.continueLater()
	if c := l.serving; c != nil {
		c.abort(closePanic)
	}
}

// recoverConn ends c if the server panicked while serving it. It must be deferred directly.
func (s *Server) recoverConn(c *conn) {
	if r := recover(); r != nil {
		s.logPanic(c.loop, r)
		c.loop.serving = c
		c.loop.contain()
		c.loop.kickOnce()
	}
}

// attach gives c a slot.
func (l *loop) attach(c *conn) {
	if n := len(l.free); n > 0 {
		c.slot = l.free[n-1]
		l.free = l.free[:n-1]
	} else {
		c.slot = uint32(len(l.slots))
		l.slots = append(l.slots, nil)
		l.wheel.Grow(c.slot)
	}
	l.gen++
	c.gen = l.gen
	l.slots[c.slot] = c
	l.m.connections.Add(1)
}

// detach frees c's slot.
func (l *loop) detach(c *conn) {
	l.wheel.Disarm(c.slot)
	l.slots[c.slot] = nil
	l.leavePeer(c)
	if l.places != nil {
		l.leavePlace(c)
	}
	l.free = append(l.free, c.slot)
	l.m.connections.Add(-1)
}

// lookup returns the connection that h names, or nil if it has closed.
func (l *loop) lookup(h handle) *conn {
	if int(h.slot) < len(l.slots) {
		if c := l.slots[h.slot]; c != nil && c.gen == h.gen {
			return c
		}
	}
	return nil
}

// serveTick advances the time of the loop and does what is due.
func (l *loop) serveTick() {
	now := l.srv.clock()
	l.now = l.srv.tickAt(now)
	l.m.lag(l.now, now.UnixNano()-l.m.tickPosted.Swap(0))
	l.rest.Store(uint32(awake))
	l.onTick()
	l.settle()
}

// onTick does what is due at a tick.
func (l *loop) onTick() {
	l.workers.retire(l.now)
	l.expireDetached()
	l.sweepSessions()
	if l.memo != nil {
		l.memo.sweep(l.now)
	}
	l.refreshSome()
	l.expire()
}

// expire handles a slice of the deadlines that have passed.
func (l *loop) expire() {
	if l.wheel.Advance(l.now, sliceLimit, l.fire) {
		l.continueLater()
	}
}

func (l *loop) fire(slot uint32) {
	if c := l.slots[slot]; c != nil {
		l.serving = c
		c.expire(l.now)
	}
}

// continueLater makes serveContinue run after other input has had its turn.
func (l *loop) continueLater() { l.more = true }

// kickOnce requests serveContinue if it is needed and has not been requested yet. It is called at
// the end of a task.
func (l *loop) kickOnce() {
	if l.more && !l.kicked {
		l.more, l.kicked = false, true
		l.base.Again(l.runContinue)
	}
}

// serveContinue continues work that was cut into slices, and serves what was posted meanwhile.
func (l *loop) serveContinue() {
	l.kicked, l.more = false, false
	l.present()
	l.expire()
	l.serveSliced()
	l.serveFanout()
	l.serveDrain()
	l.serveRevokes()
	l.serveFarewells()
	if l.relief {
		l.relief = false
		l.serveRelief()
	}
	l.serveInbox()
}

// keepScratch takes the buffer of the turn back for the next one, unless it has grown too large.
func (l *loop) keepScratch(out []byte) {
	if cap(out) > keepOut {
		out = nil
	}
	l.out = out[:0]
}
