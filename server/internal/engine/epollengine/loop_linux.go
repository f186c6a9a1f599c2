package epollengine

import (
	"errors"
	"os"
	"runtime"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mooring-mcp/mooring/server/internal/engine"
)

// loop is an event loop: an epoll instance, level-triggered, and one goroutine. Its methods run on
// the loop, except Execute and add.
//
// The goroutine does not wait in epoll_wait: a thread that sleeps in a system call keeps a
// processor of Go's from other goroutines until Go's monitor, which looks every 20 µs as long as
// there are such threads, takes it away, and a thread has to be found and woken each time. It
// waits as any goroutine does that reads from a socket, until Go's own poller finds the epoll
// instance readable.
type loop struct {
	adm  *engine.Admission
	file *os.File // the epoll instance
	raw  syscall.RawConn
	fd   int

	events      []unix.EpollEvent
	n           int       // events of this turn
	yielded     bool      // others went first since there were events
	busy        int       // work without a pause, since others had their turn
	loaded      bool      // there was maxBusy of it, and no pause since
	lastSyscall time.Time // when Go's monitor was last made to look
	ended       bool

	sockets     []*socket // by slot
	closing     []int32   // descriptors to close, of sockets that are closed in all other respects
	closedCount int       // how many of closing are closed already

	in  []byte // what was read for the socket being served
	buf []byte

	// Scratch of a turn.
	tasks    []engine.Task
	arrivals []*socket
	freed    []uint32 // slots

	mu     sync.Mutex // guards what follows
	posted []engine.Task
	added  []*socket
	free   []uint32 // slots
	slots  uint32   // how many there have ever been
	gen    uint32   // of the newest socket
	asleep bool     // the goroutine waits, or is about to
	woken  bool     // the deadline with which it waits has passed
	closed bool     // nothing is added any more
}

var _ engine.Loop = (*loop)(nil)

const (
	eventsSize = 256 // events of a turn
	closesSize = 32  // descriptors that are closed in a turn, and as many more as have arrived

	// maxBusy is how much a loop does without a pause until other goroutines of the processor get
	// their turn. It counts turns; a large one counts as one more for each busySize events and
	// closes.
	maxBusy  = 16
	busySize = 32

	// tellMonitor is how often Go's monitor is made to look, while workers or this loop itself
	// could keep all processors. The monitor sleeps after all were idle. Only a timer, or a system
	// call that the scheduler knows of, wakes it, so that it sees to it that others get their
	// turn.
	tellMonitor = 50 * time.Millisecond

	// keepClosing is how many descriptors loop.closing has room for at rest.
	keepClosing = 1024
)

func newLoop(adm *engine.Admission) (*loop, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	if err := unix.SetNonblock(fd, true); err != nil { // os.NewFile asks for it
		_ = unix.Close(fd)
		return nil, os.NewSyscallError("fcntl", err)
	}
	l := &loop{adm: adm, file: os.NewFile(uintptr(fd), "epoll"), fd: fd, events: make([]unix.EpollEvent, eventsSize), buf: make([]byte, engine.ReadSize)}
	if l.raw, err = l.file.SyscallConn(); err == nil {
		err = l.file.SetReadDeadline(time.Time{}) // fails where Go's poller does not take it
	}
	if err != nil {
		_ = l.file.Close()
		return nil, err
	}
	return l, nil
}

func (l *loop) close() { _ = l.file.Close() }

// past is a time that is over.
var past = time.Unix(1, 0)

// Execute implements engine.Loop. Tasks run in the order of the calls.
func (l *loop) Execute(t engine.Task) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.posted = append(l.posted, t)
	if l.asleep && !l.woken {
		l.woken = true
		// Cheaper than a descriptor to write to: it makes the goroutine runnable without a system
		// call.
		_ = l.file.SetReadDeadline(past)
	}
}

// Again implements engine.Loop. Tasks that are posted in a turn run at the end of the next.
func (l *loop) Again(t engine.Task) { l.Execute(t) }

// add gives the loop a connection. The loop owns the descriptor from then on, unless add fails. It
// may be called from any goroutine.
//
// add does not wake the loop, which opens the connection when the client sends something, or at
// its next task: see engine.Host.Visit. The handler of an adopted connection learns if that is
// never.
func (l *loop) add(fd int, h engine.Handler, adopted bool) error {
	l.mu.Lock()
	defer l.mu.Unlock() // until it is among those added: its first event may be there before
	if l.closed {
		return engine.ErrClosed
	}
	slot := l.slots
	if n := len(l.free); n > 0 {
		slot = l.free[n-1]
	}
	ev := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(slot), Pad: int32(l.gen + 1)}
	if err := unix.EpollCtl(l.fd, unix.EPOLL_CTL_ADD, fd, &ev); err != nil {
		return os.NewSyscallError("epoll_ctl", err)
	}
	if n := len(l.free); n > 0 {
		l.free = l.free[:n-1]
	} else {
		l.slots++
	}
	l.gen++
	l.added = append(l.added, &socket{loop: l, handler: h, fd: int32(fd), slot: slot, gen: l.gen, adopted: adopted})
	return nil
}

// run serves the loop until its end.
func (l *loop) run() {
	await := l.await // made anew each turn it would be allocated
	for !l.ended {
		// An error means that the deadline has passed, which is how Execute wakes the loop.
		l.n = 0
		err := l.raw.Read(await)
		l.take(err != nil)
		l.serve()
		l.busy += 1 + (l.n+l.closeSome(closesSize+len(l.arrivals)))/busySize
		if l.busy >= maxBusy {
			l.busy, l.loaded = 0, true
			runtime.Gosched()
		}
	}
}

// await looks for events and reports whether the turn begins. Otherwise the goroutine waits until
// the epoll instance is readable, or its deadline has passed, and await is called again.
func (l *loop) await(uintptr) bool {
	if l.n = l.poll(); l.n > 0 || len(l.closing) > 0 {
		return true
	}
	if !l.yielded {
		l.yield()
	}
	return l.n > 0 || !l.sleep()
}

// yield lets others go first, once between two turns: on a busy machine they have something for
// this loop when it looks again, and one turn for many events is cheaper than many. Where nobody
// else has anything to do it takes no time.
func (l *loop) yield() {
	l.yielded = true
	runtime.Gosched()
	// The thread itself yields only if no goroutine may need it.
	if l.n = l.poll(); l.n == 0 && !l.adm.Host.Busy() {
		sysYield()
		l.n = l.poll()
	}
}

// poll returns how many events there are.
func (l *loop) poll() int {
	if l.loaded || l.adm.Host.Busy() {
		if now := time.Now(); now.Sub(l.lastSyscall) >= tellMonitor {
			l.lastSyscall = now
			n, _ := unix.EpollWait(l.fd, l.events, 0)
			return max(n, 0)
		}
	}
	return sysEvents(l.fd, l.events)
}

// sleep reports whether there is nothing to do. From then on Execute wakes the loop.
func (l *loop) sleep() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	// What was added counts too: the host may post no more tasks, and nothing else would open it.
	if len(l.posted) > 0 || len(l.added) > 0 {
		return false
	}
	l.asleep = true
	l.busy, l.loaded = 0, false
	return true
}

// take takes what others have left for this turn.
func (l *loop) take(failed bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.asleep = false
	if l.woken || failed {
		l.woken = false
		_ = l.file.SetReadDeadline(time.Time{})
	}
	l.tasks, l.posted = l.posted, l.tasks[:0]
	l.arrivals, l.added = l.added, l.arrivals[:0]
	l.free = append(l.free, l.freed...)
	l.freed = l.freed[:0]
}

// serve is one turn.
func (l *loop) serve() {
	for i, s := range l.arrivals {
		l.arrivals[i] = nil
		if n := int(s.slot) + 1; n > len(l.sockets) {
			l.sockets = append(l.sockets, make([]*socket, n-len(l.sockets))...)
		}
		l.sockets[s.slot] = s
		s.handler.Opened(s)
	}
	l.yielded = l.yielded && l.n == 0
	for i := range l.n {
		ev := &l.events[i]
		// A socket that was closed earlier in this turn may have had an event: its slot is empty,
		// or has a socket of another generation.
		if slot := int(ev.Fd); slot < len(l.sockets) {
			if s := l.sockets[slot]; s != nil && s.gen == uint32(ev.Pad) {
				s.ready(ev.Events)
			}
		}
	}
	for i, t := range l.tasks {
		l.tasks[i] = nil
		t()
	}
}

// end closes all sockets. It is the loop's last task.
func (l *loop) end() {
	l.ended = true
	for _, s := range l.sockets {
		if s != nil {
			s.close(nil)
		}
	}
	l.closeSome(len(l.closing))
	l.mu.Lock()
	l.closed = true
	added := l.added
	l.added = nil
	l.mu.Unlock()
	for _, s := range added { // by an acceptor that did not end with the others
		if s.closed = true; s.adopted {
			s.handler.Closed(engine.ErrClosed)
		}
		sysClose(s.fd)
		l.adm.Released()
	}
}

// closeSome closes at most n descriptors, in the order in which their sockets were closed, and
// returns how many. Closing one takes longer than everything else that the end of a connection
// needs: when thousands of clients leave at once, those that stay are served in between. Each turn
// that closes more than have arrived leaves fewer descriptors, whatever the load.
func (l *loop) closeSome(n int) int {
	n = min(n, len(l.closing)-l.closedCount)
	for _, fd := range l.closing[l.closedCount : l.closedCount+n] {
		sysClose(fd)
		l.adm.Released()
	}
	switch l.closedCount += n; {
	case l.closedCount == len(l.closing):
		l.closedCount = 0
		if l.closing = l.closing[:0]; cap(l.closing) > keepClosing {
			l.closing = nil
		}
	case l.closedCount > len(l.closing)/2:
		l.closing = l.closing[:copy(l.closing, l.closing[l.closedCount:])]
		l.closedCount = 0
	}
	return n
}

func (l *loop) CloseSocket(sk engine.Socket) { sk.(*socket).close(nil) }

func (l *loop) CloseWrite(sk engine.Socket) error {
	s := sk.(*socket)
	if s.closed {
		return errSocketClosed
	}
	return engine.ShutdownWrite(int(s.fd))
}

func (l *loop) ReportsCaughtUp() bool { return true }

var errSocketClosed = errors.New("epollengine: the socket is closed")
