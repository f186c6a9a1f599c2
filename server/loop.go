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
// Every method of loop, conn, exchange and the lists of streams runs on its loop, so no method needs
// a lock. What other goroutines may call has a name that begins with post and is in inbox.go, or is
// a method of job that implements mcp.Sink. Workers name a connection by its handle, never by a
// pointer.
//
// # Ends
//
// A FIN is final. An answer that was made on the loop has been written before the FIN is seen. The
// context of a worker's call ends, because on revision 2026-07-28 a disconnect is the cancellation,
// and its answer goes nowhere. The turn that reads the FIN frees all that belonged to the client;
// only the descriptor may take some turns more when thousands disconnect at once.

// loop is one event loop and all that it owns. Its methods run on it, but for those that begin with post (inbox.go).
type loop struct {
	srv  *Server
	idx  int
	base engine.Loop // below it
	m    loopMetrics

	now   tick          // when the newest tick ran, or the loop was stirred: see present
	quiet int           // ticks since the loop was stirred
	retry tick          // between two looks at a peer that does not take what waits for it
	rest  atomic.Uint32 // a tick: see restsUntil; written by the loop
	wheel *wheel.Wheel
	slots []*conn  // by slot number; nil when free
	free  []uint32 // free slot numbers
	gen   uint32

	stalls   stalls // of slow peers only
	streams  streamList
	fan      fanout
	told     uint64 // number of the newest change that all streams were told, or have noted
	rng      *rand.Rand
	draining bool
	drain    drainWalk

	// Scratch for the turn under way; nothing of it is held between two turns.
	serving *conn             // where a panic would come from
	req     httpparse.Request // the head of the request that is being served
	out     []byte            // bytes for the connection being served
	event   []byte            // one encoded message
	frame   []byte            // one encoded event
	page    []byte            // for the same connection: what goes between out[:pageAt] and the rest, and is never changed
	pageAt  int
	pieces  [3][]byte // of one write
	inline  inlineSink

	exchanges []*exchange     // free ones
	requests  []*requestState // free ones
	jobs      []*job          // free ones
	workers   workers[*job]
	handed    int64     // calls that workers were handed
	gave      bool      // some of them since the loop last let go of its processor: see lend
	lendAfter time.Time // until then sockets go first
	detached  []jobRef  // calls of earlier revisions that go on without their connection
	swept     int       // the newest shard of the sessions that was swept
	sweptAt   tick      // when that was
	sliced    []handle  // connections whose requests go on in the next turn
	spare     []item
	backlog   []item // items taken from the inbox and not served yet

	in          inbox
	runInbox    engine.Task
	runTick     engine.Task
	runContinue engine.Task
	runRelief   engine.Task
	relieving   atomic.Bool // runRelief is on its way
	yieldAsked  atomic.Bool // a yieldRequest is on its way
	yieldAt     int         // the next slot to look at for one
	relief      bool        // serveContinue is to go on with it
	kicked      bool        // runContinue has been asked for
	more        bool        // it will be, at the end of the task

	_     [64]byte     // what follows is written by others
	begun atomic.Int64 // calls that workers have begun
	_     [64]byte
}

func newLoop(s *Server, idx int, base engine.Loop) *loop {
	l := &loop{srv: s, idx: idx, base: base, now: s.tick(), told: s.notices.log.base, rng: rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64())), retry: wheel.Ticks(retryTime)}
	l.wheel = wheel.New(l.now)
	l.workers.begin = func(j *job) { j.loop.begun.Add(1) }
	l.workers.end = (*job).end
	l.in.wake, l.in.max = func() { l.execute(l.runInbox) }, int64(s.opts.MaxInbox)
	l.stalls.total = &s.unsent
	l.streams.init(func(slot uint32) *streamNode { return &l.slots[slot].streamNode }, s.mcp)
	l.runInbox = l.guard(l.serveInbox)
	l.runTick = l.guard(l.serveTick)
	l.runContinue = l.guard(l.serveContinue)
	l.runRelief = l.guard(l.serveRelief)
	return l
}

func (l *loop) execute(t engine.Task) { l.base.Execute(t) }

// guard keeps a panic in f from ending the process, or anything but the connection that was being served.
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

// contain ends the connection at whose service the server panicked. No byte that was meant for it may reach another, and what else the turn had to do is done later.
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

// recoverConn ends the connection at whose service the server panicked; it must be deferred itself.
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

// detach takes c's slot back.
func (l *loop) detach(c *conn) {
	l.wheel.Disarm(c.slot)
	l.slots[c.slot] = nil
	l.free = append(l.free, c.slot)
	l.m.connections.Add(-1)
}

// lookup returns the connection that h names, or nil when it is gone.
func (l *loop) lookup(h handle) *conn {
	if int(h.slot) < len(l.slots) {
		if c := l.slots[h.slot]; c != nil && c.gen == h.gen {
			return c
		}
	}
	return nil
}

// serveTick advances the time of the loop.
func (l *loop) serveTick() {
	now := l.srv.clock()
	l.now = l.srv.tickAt(now)
	l.m.lag(l.now, now.UnixNano()-l.m.tickPosted.Swap(0))
	l.rest.Store(uint32(awake))
	l.turn()
	l.settle()
}

// turn does what is due at a tick.
func (l *loop) turn() {
	l.workers.retire(l.now)
	l.expireDetached()
	l.sweepSessions()
	l.refreshSome()
	l.expire()
}

// expire serves a slice of the deadlines that have come.
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

// continueLater has serveContinue run after other input got its turn.
func (l *loop) continueLater() { l.more = true }

// kickOnce asks for serveContinue at the end of a task.
func (l *loop) kickOnce() {
	if l.more && !l.kicked {
		l.more, l.kicked = false, true
		l.base.Again(l.runContinue)
	}
}

// serveContinue goes on with what was sliced, and with what was posted meanwhile.
func (l *loop) serveContinue() {
	l.kicked, l.more = false, false
	l.present()
	l.expire()
	l.serveSliced()
	l.serveFanout()
	l.serveDrain()
	if l.relief {
		l.relief = false
		l.serveRelief()
	}
	l.serveInbox()
}

// keepScratch gives the buffer of the turn back, grown as it may be.
func (l *loop) keepScratch(out []byte) {
	if cap(out) > keepOut {
		out = nil
	}
	l.out = out[:0]
}
