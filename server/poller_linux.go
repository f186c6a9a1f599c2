package server

import (
	"errors"
	"os"
	"runtime"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// poller is the event loop below a loop: an epoll instance, level-triggered, and one goroutine. Its methods run on the loop, but for execute and add.
//
// The goroutine does not wait in epoll_wait: a thread that sleeps in a system call keeps a processor of Go's from other goroutines until Go's monitor, which looks every 20 µs as long as
// there are such threads, takes it away, and a thread has to be found and woken each time. It waits as any goroutine does that reads from a socket, until Go's own poller finds the epoll
// instance readable.
type poller struct {
	srv  *Server
	file *os.File // the epoll instance
	raw  syscall.RawConn
	fd   int

	events   []unix.EpollEvent
	n        int       // events of this turn
	lingered bool      // others went first since there were events
	busy     int       // work without a pause, since others had their turn
	loaded   bool      // there was maxBusy of it, and no pause since
	told     time.Time // when Go's monitor was last made to look
	ended    bool

	socks   []*sock // by slot
	leaving []int32 // descriptors to close, of sockets that are closed for all others
	left    int     // of leaving, those that are

	in  []byte // what was read for the socket being served
	buf []byte

	// Scratch of a turn.
	tasks []task
	come  []*sock
	freed []uint32 // slots

	mu     sync.Mutex // guards what follows
	posted []task
	added  []*sock
	free   []uint32 // slots
	slots  uint32   // that were ever given
	gen    uint32   // of the newest sock
	asleep bool     // the goroutine waits, or is about to
	woken  bool     // the deadline has passed that it waits with
	closed bool     // nothing is added any more
}

const (
	eventsSize = 256 // events of a turn
	closesSize = 32  // descriptors that are closed in a turn, beside as many as there are new ones
	maxBusy    = 16  // without a pause, until other goroutines of the processor get their turn: turns, of which a large one counts as one more for each busySize events and closes
	busySize   = 32

	// tellMonitor is how often Go's monitor is made to look, while workers or this loop itself could keep all processors: it sleeps when all were idle, and only a system call that tells the scheduler
	// of itself, or a timer, makes it see to it that others get their turn.
	tellMonitor = 50 * time.Millisecond
)

func newPoller(s *Server) (*poller, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	if err := unix.SetNonblock(fd, true); err != nil { // it is for os.NewFile, which asks
		_ = unix.Close(fd)
		return nil, os.NewSyscallError("fcntl", err)
	}
	p := &poller{srv: s, file: os.NewFile(uintptr(fd), "epoll"), fd: fd, events: make([]unix.EpollEvent, eventsSize), buf: make([]byte, readSize)}
	if p.raw, err = p.file.SyscallConn(); err == nil {
		err = p.file.SetReadDeadline(time.Time{}) // fails where Go's poller does not take it
	}
	if err != nil {
		_ = p.file.Close()
		return nil, err
	}
	return p, nil
}

func (p *poller) close() { _ = p.file.Close() }

// past is a time that is over.
var past = time.Unix(1, 0)

// execute implements reactor. Tasks run in the order of the calls.
func (p *poller) execute(t task) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.posted = append(p.posted, t)
	if p.asleep && !p.woken {
		p.woken = true
		_ = p.file.SetReadDeadline(past) // cheaper than a descriptor to write to: it makes the goroutine runnable and no system call
	}
}

// again implements reactor. Tasks that are posted in a turn run at the end of the next.
func (p *poller) again(t task) { p.execute(t) }

// add gives the loop a connection, whose descriptor it owns from here on unless there is an error. It may be called from any goroutine.
//
// The loop is not woken for it, but by what the client sends, or by the next tick: see loop.visit.
func (p *poller) add(fd int, c *conn) error {
	p.mu.Lock()
	defer p.mu.Unlock() // until it is among those added: its first event may be there before
	if p.closed {
		return ErrServerClosed
	}
	slot := p.slots
	if n := len(p.free); n > 0 {
		slot = p.free[n-1]
	}
	ev := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(slot), Pad: int32(p.gen + 1)}
	if err := unix.EpollCtl(p.fd, unix.EPOLL_CTL_ADD, fd, &ev); err != nil {
		return os.NewSyscallError("epoll_ctl", err)
	}
	if n := len(p.free); n > 0 {
		p.free = p.free[:n-1]
	} else {
		p.slots++
	}
	p.gen++
	p.added = append(p.added, &sock{poller: p, conn: c, fd: int32(fd), slot: slot, gen: p.gen})
	return nil
}

// run serves the loop until its end.
func (p *poller) run() {
	poll := p.poll // made anew each turn it would be allocated
	for !p.ended {
		// The error tells that the deadline has passed, which is how execute wakes.
		p.n = 0
		err := p.raw.Read(poll)
		p.take(err != nil)
		p.serve()
		p.busy += 1 + (p.n+p.leave(closesSize+len(p.come)))/busySize
		if p.busy >= maxBusy {
			p.busy, p.loaded = 0, true
			runtime.Gosched()
		}
	}
}

// poll looks for events and reports whether the turn begins. Otherwise the goroutine waits until the epoll instance is readable, or its deadline has passed, and it is called again.
func (p *poller) poll(uintptr) bool {
	if p.n = p.look(); p.n > 0 || len(p.leaving) > 0 {
		return true
	}
	if !p.lingered {
		p.linger()
	}
	return p.n > 0 || !p.sleep()
}

// linger lets others go first, once between two turns: on a busy machine they have something for this loop when it looks again, and one turn for many events is cheaper than many. Where
// nobody else has anything to do it takes no time.
func (p *poller) linger() {
	p.lingered = true
	runtime.Gosched()
	// Not the thread, if there may be goroutines that need it.
	if p.n = p.look(); p.n == 0 && p.srv.calls.Load() == 0 {
		sysYield()
		p.n = p.look()
	}
}

// look returns how many events there are.
func (p *poller) look() int {
	if p.loaded || p.srv.calls.Load() > 0 {
		if now := p.srv.clock(); now.Sub(p.told) >= tellMonitor {
			p.told = now
			n, _ := unix.EpollWait(p.fd, p.events, 0)
			return max(n, 0)
		}
	}
	return sysEvents(p.fd, p.events)
}

// sleep reports whether there is nothing to do. From then on execute wakes the loop.
func (p *poller) sleep() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.posted) > 0 || len(p.added) > 0 { // the loop may be about to rest: then nothing else would open them
		return false
	}
	p.asleep = true
	p.busy, p.loaded = 0, false
	return true
}

// take takes what others have left for this turn.
func (p *poller) take(failed bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asleep = false
	if p.woken || failed {
		p.woken = false
		_ = p.file.SetReadDeadline(time.Time{})
	}
	p.tasks, p.posted = p.posted, p.tasks[:0]
	p.come, p.added = p.added, p.come[:0]
	p.free = append(p.free, p.freed...)
	p.freed = p.freed[:0]
}

// serve is one turn.
func (p *poller) serve() {
	for i, s := range p.come {
		p.come[i] = nil
		if n := int(s.slot) + 1; n > len(p.socks) {
			p.socks = append(p.socks, make([]*sock, n-len(p.socks))...)
		}
		p.socks[s.slot] = s
		s.opened()
	}
	p.lingered = p.lingered && p.n == 0
	for i := range p.n {
		ev := &p.events[i]
		// A socket that was closed earlier in this turn may have had an event: its slot is empty, or has one of another generation.
		if slot := int(ev.Fd); slot < len(p.socks) {
			if s := p.socks[slot]; s != nil && s.gen == uint32(ev.Pad) {
				s.ready(ev.Events)
			}
		}
	}
	for i, t := range p.tasks {
		p.tasks[i] = nil
		t()
	}
}

// end closes all sockets. It is the loop's last task.
func (p *poller) end() {
	p.ended = true
	for _, s := range p.socks {
		if s != nil {
			s.close(nil)
		}
	}
	p.leave(len(p.leaving))
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for _, s := range p.added { // by an acceptor that did not end with the others
		sysClose(s.fd)
		p.srv.released()
	}
}

// leave closes descriptors, n at most, in the order in which their sockets were closed, and returns how many. To close one takes longer than all else that the end of a connection does: when thousands go
// at once, those who stay are served in between. With each turn that closes more than have come there are fewer descriptors, whatever load there is.
func (p *poller) leave(n int) int {
	n = min(n, len(p.leaving)-p.left)
	for _, fd := range p.leaving[p.left : p.left+n] {
		sysClose(fd)
		p.srv.released()
	}
	switch p.left += n; {
	case p.left == len(p.leaving):
		p.left = 0
		if p.leaving = p.leaving[:0]; cap(p.leaving) > keepLeaving {
			p.leaving = nil
		}
	case p.left > len(p.leaving)/2:
		p.leaving = p.leaving[:copy(p.leaving, p.leaving[p.left:])]
		p.left = 0
	}
	return n
}

// keepLeaving is how many descriptors there is room for at rest.
const keepLeaving = 1024

// closeSocket implements reactor.
func (p *poller) closeSocket(sk socket) { sk.(*sock).close(nil) }

// closeWrite implements reactor.
func (p *poller) closeWrite(sk socket) error {
	s := sk.(*sock)
	if s.closed {
		return errSockClosed
	}
	return shutdownWrite(int(s.fd))
}

// tells implements reactor.
func (p *poller) tells() bool { return true }

var errSockClosed = errors.New("server: the socket is closed")
