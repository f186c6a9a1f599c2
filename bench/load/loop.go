package load

import (
	"container/heap"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mooring-mcp/mooring/sse"
)

const (
	pageSize  = 256       // connections allocated at once
	readSize  = 256 << 10 // size of one read
	maxEvents = 512       // events of one wait
)

// A Loop drives its connections.
type Loop struct {
	client *Client
	idx    int
	poll   poller
	now    int64

	pages  []*[pageSize]Conn
	free   []uint32
	source int

	timers timers
	buf    []byte
	body   []byte // scratch: content without chunk framing
	dec    sse.Decoder
	resp   Response
	parts  []*part // free ones

	mu      sync.Mutex
	posted  []func()
	closing bool
	spare   []func()
	done    chan struct{}

	open atomic.Int64
}

func newLoop(c *Client, idx int) (*Loop, error) {
	p, err := newPoller()
	if err != nil {
		return nil, err
	}
	l := &Loop{client: c, idx: idx, poll: p, buf: make([]byte, readSize), done: make(chan struct{}), source: idx}
	l.dec = newDecoder()
	return l, nil
}

// Index returns the loop's index among the client's loops.
func (l *Loop) Index() int { return l.idx }

// Now returns when the loop last read the clock; see the function Now.
func (l *Loop) Now() int64 { return l.now }

// Count returns how many connections the loop has. It may be called from any goroutine.
func (l *Loop) Count() int { return int(l.open.Load()) }

// Do runs f on the loop, later. It may be called from any goroutine. It fails after Close.
func (l *Loop) Do(f func()) error {
	l.mu.Lock()
	if l.closing {
		l.mu.Unlock()
		return ErrClosed
	}
	l.posted = append(l.posted, f)
	first := len(l.posted) == 1
	l.mu.Unlock()
	if first {
		l.poll.wake()
	}
	return nil
}

// Call runs f on the loop and returns when it has run. It must not be called on a loop.
func (l *Loop) Call(f func()) error {
	ran := make(chan struct{})
	if err := l.Do(func() { f(); close(ran) }); err != nil {
		return err
	}
	select {
	case <-ran:
		return nil
	case <-l.done:
		return ErrClosed
	}
}

// At runs f on the loop when Now has reached t, some 100 µs later (a millisecond on kernels before
// 5.11), or as soon as the loop gets to it. Only the loop may call it.
func (l *Loop) At(t int64, f func()) { heap.Push(&l.timers, timer{t, f}) }

// After is At for d from now.
func (l *Loop) After(d time.Duration, f func()) { l.At(Now()+int64(d), f) }

func (l *Loop) stop() {
	l.mu.Lock()
	was := l.closing
	l.closing = true
	l.mu.Unlock()
	if !was {
		l.poll.wake()
	}
	<-l.done
}

func (l *Loop) run() {
	defer close(l.done)
	defer l.poll.close()
	ready := make([]readiness, maxEvents)
	for {
		n, err := l.poll.wait(ready, l.timeout())
		if err != nil {
			panic(err) // a bug: the descriptor is ours and the buffer is valid
		}
		l.now = Now()
		for _, r := range ready[:n] {
			if c := l.conn(r.slot); c.gen == r.gen && c.fd >= 0 {
				c.ready(r)
			}
		}
		if !l.runPosted() {
			l.bury()
			return
		}
		l.runTimers()
		if n == len(ready) {
			runtime.Gosched()
		}
	}
}

// timeout returns how long to wait; negative: forever.
func (l *Loop) timeout() time.Duration {
	if len(l.timers) == 0 {
		return -1
	}
	return time.Duration(max(0, l.timers[0].at-Now()))
}

func (l *Loop) runPosted() (goOn bool) {
	l.mu.Lock()
	fs := l.posted
	l.posted = l.spare
	closing := l.closing
	l.mu.Unlock()
	for i, f := range fs {
		fs[i] = nil
		f()
	}
	l.spare = fs[:0]
	return !closing
}

func (l *Loop) runTimers() {
	for len(l.timers) > 0 && l.timers[0].at <= l.now {
		heap.Pop(&l.timers).(timer).f()
	}
}

// bury closes the open connections.
func (l *Loop) bury() {
	for _, p := range l.pages {
		for i := range p {
			if c := &p[i]; c.fd >= 0 && c.loop != nil {
				sysClose(int(c.fd))
				c.fd = -1
			}
		}
	}
	l.open.Store(0)
}

func (l *Loop) conn(slot uint32) *Conn { return &l.pages[slot/pageSize][slot%pageSize] }

// take returns a free record.
func (l *Loop) take() *Conn {
	if len(l.free) == 0 {
		p := new([pageSize]Conn)
		first := uint32(len(l.pages) * pageSize)
		l.pages = append(l.pages, p)
		for i := uint32(pageSize); i > 0; i-- {
			p[i-1].fd = -1
			l.free = append(l.free, first+i-1)
		}
	}
	slot := l.free[len(l.free)-1]
	l.free = l.free[:len(l.free)-1]
	c := l.conn(slot)
	*c = Conn{loop: l, slot: slot, gen: c.gen + 1, fd: -1}
	return c
}

// give takes a record back.
func (l *Loop) give(c *Conn) {
	l.putPart(c.part)
	c.part, c.out, c.driver = nil, nil, nil
	l.free = append(l.free, c.slot)
}

// Open begins a connection for d. Opened or Closed is called later. The driver can identify the
// connection by its tag. Only the loop may call Open. The error means that no connection could be
// begun: there is no descriptor, or no free port on any source.
func (l *Loop) Open(d Driver, tag uint64, o *Dial) (*Conn, error) {
	if o == nil {
		o = &Dial{}
	}
	src := l.client.opts.Sources
	for try := 0; ; try++ {
		c, err := l.dial(d, tag, o)
		l.source++
		// An address has a few ten thousand ports, and each is kept for a minute after use.
		if err == nil || !errors.Is(err, errNoPort) || try >= len(src) {
			return c, err
		}
	}
}

// Dial says how to connect.
type Dial struct {
	RecvBuf int // SO_RCVBUF in bytes, for a client that reads slowly; 0: the system's choice
	// MSS is the largest segment that the server may send, in bytes; its send buffer is a multiple
	// of it. 0: the system's choice, 64 KiB on loopback.
	MSS int
}

func (l *Loop) dial(d Driver, tag uint64, o *Dial) (*Conn, error) {
	var fd int
	var err error
	if src := l.client.opts.Sources; len(src) > 0 {
		fd, err = sysConnect(l.client.opts.Addr, src[(l.source*len(l.client.loops)+l.idx)%len(src)], o)
	} else {
		fd, err = sysConnect(l.client.opts.Addr, l.client.opts.Addr.Addr(), o)
	}
	if err != nil {
		return nil, err
	}
	c := l.take()
	c.fd, c.driver, c.tag, c.began = int32(fd), d, tag, Now()
	if err := l.poll.add(fd, c.slot, c.gen); err != nil {
		sysClose(fd)
		c.fd = -1
		l.give(c)
		return nil, err
	}
	l.open.Add(1)
	return c, nil
}

type timer struct {
	at int64
	f  func()
}

type timers []timer

func (t timers) Len() int           { return len(t) }
func (t timers) Less(i, j int) bool { return t[i].at < t[j].at }
func (t timers) Swap(i, j int)      { t[i], t[j] = t[j], t[i] }
func (t *timers) Push(x any)        { *t = append(*t, x.(timer)) }
func (t *timers) Pop() any {
	old := *t
	x := old[len(old)-1]
	old[len(old)-1] = timer{}
	*t = old[:len(old)-1]
	return x
}
