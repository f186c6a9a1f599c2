package child

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mooring-mcp/mooring/gateway/internal/link"
)

// A Server is one configured command, of which there is a child for each link. Its methods may be
// called from any goroutine.
type Server struct {
	opts    Options
	nursery *Nursery
	turn    chan struct{} // the link whose child starts has put an element in
	kill    chan struct{} // closed when a Shutdown has run out of time
	counters

	mu       sync.Mutex          // locked before child.mu, if both are
	children map[*child]struct{} // every link until its last goroutine ends
	closed   bool
	empty    chan struct{} // closed when children is empty and closed is true
	killing  bool          // kill is closed
	backoff  backoff
	isDown   bool   // there was no start since the last crash
	exit     string // how the last child ended
	exitTime time.Time
	tail     *tail // stderr of the child that started last

	strays strays
	longs  strays // lines that are too long and respond to nothing
}

type counters struct {
	starts, restarts, crashes          atomic.Uint64
	strayLines, tooLong, late, dropped atomic.Uint64
	bytesIn, bytesOut, bytesErr        atomic.Uint64
	killed, left                       atomic.Uint64
}

var (
	errClosed       = errors.New("child: the server is shut down")
	errStillThere   = errors.New("child: processes are left")
	errStartTimeout = errors.New("child: no message within the start timeout")
	errNoPlace      = errors.New("child: too many children")
	errQueueFull    = errors.New("child: the queue is full")
	errStdout       = errors.New("child: standard output was closed")
	errStdin        = errors.New("child: standard input was closed")
	errBackoff      = errors.New("child: too many crashes in a row")
	errLine         = errors.New("child: the line of the response is too long")
)

// NewServer returns a Server within the limits of n. It starts no child.
func NewServer(n *Nursery, opts Options) (*Server, error) {
	if err := opts.setDefaults(); err != nil {
		return nil, err
	}
	s := &Server{
		opts:     opts,
		nursery:  n,
		turn:     make(chan struct{}, 1),
		kill:     make(chan struct{}),
		children: map[*child]struct{}{},
		empty:    make(chan struct{}),
		tail:     new(tail),
	}
	if !n.add(s) {
		return nil, errClosed
	}
	return s, nil
}

// Open returns a link with a child of its own, which is started in the background. What is sent
// meanwhile waits. If a child cannot be started, the requests fail and r gets Lost: with Down after
// five crashes in a row until the next start is due, and with Busy if there is no place for another
// child. After that, or after Shutdown, requests still fail one by one.
func (s *Server) Open(r link.Receiver) link.Link {
	c := newChild(s, r)
	s.mu.Lock()
	closed := s.closed
	if !closed {
		s.children[c] = struct{}{}
	}
	s.mu.Unlock()
	if closed {
		c.finish(&link.Error{Reason: link.Closed, Unsent: true, Err: errClosed}, true)
		return c
	}
	go c.run()
	return c
}

// Shutdown closes all links and waits until nothing of their children is left. When ctx is done, it
// kills what is left and waits for its end, which takes milliseconds, at most 6 s. The error is nil
// if everything has ended.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	if !s.closed {
		s.closed = true
		if len(s.children) == 0 {
			close(s.empty)
		}
	}
	children := make([]*child, 0, len(s.children))
	for c := range s.children {
		children = append(children, c)
	}
	s.mu.Unlock()
	for _, c := range children {
		c.Close()
	}
	select {
	case <-s.empty:
	case <-ctx.Done():
		s.killAll()
		moment := time.NewTimer(killGrace + time.Second)
		defer moment.Stop()
		select {
		case <-s.empty:
		case <-moment.C:
			return errors.Join(errStillThere, ctx.Err())
		}
	}
	s.nursery.remove(s)
	if s.left.Load() > 0 {
		return errStillThere
	}
	return nil
}

func (s *Server) killAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.killing {
		s.killing = true
		close(s.kill)
	}
}

// remove is the last act of a child.
func (s *Server) remove(c *child) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.children, c)
	if s.closed && len(s.children) == 0 {
		close(s.empty)
	}
}

// startIn returns how long a start has to wait, and whether links fail instead.
func (s *Server) startIn(now time.Time) (d time.Duration, down bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.backoff.wait(now)
}

// started counts the start of c, whose stderr goes to t.
func (s *Server) started(t *tail) {
	s.starts.Add(1)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.isDown {
		s.isDown = false
		s.restarts.Add(1)
	}
	s.tail = t
}

// crashed counts a crash and returns for how long there is no other start.
func (s *Server) crashed(now time.Time, cause error) time.Duration {
	s.crashes.Add(1)
	s.mu.Lock()
	stable := false
	for c := range s.children {
		began := c.startTime()
		stable = stable || !began.IsZero() && now.Sub(began) >= s.opts.Stable && now.Sub(s.backoff.last) >= s.opts.Stable
	}
	wait := s.backoff.crashed(now, stable, s.opts.Backoff, s.opts.MaxBackoff, rand.Float64())
	crashes := s.backoff.crashes
	s.isDown = true
	s.exit, s.exitTime = cause.Error(), now
	s.mu.Unlock()
	s.opts.Logger.Warn("gateway: a child has crashed", "server", s.opts.Name, "cause", cause, "in a row", crashes, "next start in", wait.Round(time.Millisecond))
	return wait
}

// exited records how a child ended that was asked to.
func (s *Server) exited(now time.Time, status error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.exit, s.exitTime = status.Error(), now
}

// stray counts a line that is not a message, and logs one of them each minute.
func (s *Server) stray(line []byte) {
	s.strayLines.Add(1)
	if n, ok := s.strays.log(time.Now()); ok {
		s.opts.Logger.Warn("gateway: output that is not a message was skipped", "server", s.opts.Name, "lines", n, "last", string(line[:min(len(line), 200)]))
	}
}

// long logs one of the lines that are too long each minute.
func (s *Server) long(l *longLine) {
	if n, ok := s.longs.log(time.Now()); ok {
		s.opts.Logger.Warn("gateway: output that is too long was discarded", "server", s.opts.Name, "lines", n, "last", string(l.head[:min(len(l.head), 200)]))
	}
}

// strays decides which lines are logged. It may be used from any goroutine.
type strays struct {
	mu    sync.Mutex
	last  time.Time
	since int // not logged
}

// log counts a line and reports whether it should be logged, as the last of n.
func (s *strays) log(now time.Time) (n int, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.since++
	if !s.last.IsZero() && now.Sub(s.last) < time.Minute {
		return 0, false
	}
	n = s.since
	s.last, s.since = now, 0
	return n, true
}

// Stderr returns the end of what the child that started last has written to its standard error, at
// most 64 KiB.
func (s *Server) Stderr() string {
	s.mu.Lock()
	t := s.tail
	s.mu.Unlock()
	return t.last(maxTail)
}

// Stats returns the current figures.
func (s *Server) Stats() Stats {
	st := Stats{
		Starts:     s.starts.Load(),
		Restarts:   s.restarts.Load(),
		Crashes:    s.crashes.Load(),
		Killed:     s.killed.Load(),
		Left:       s.left.Load(),
		StrayLines: s.strayLines.Load(),
		TooLong:    s.tooLong.Load(),
		Late:       s.late.Load(),
		Dropped:    s.dropped.Load(),
		BytesIn:    s.bytesIn.Load(),
		BytesOut:   s.bytesOut.Load(),
		BytesErr:   s.bytesErr.Load(),
	}
	s.mu.Lock()
	st.CrashesInARow = s.backoff.crashes
	st.NextStart = s.backoff.until
	st.LastExit, st.LastExitTime = s.exit, s.exitTime
	children := make([]*child, 0, len(s.children))
	for c := range s.children {
		children = append(children, c)
	}
	s.mu.Unlock()
	for _, c := range children {
		st.Children = append(st.Children, c.stats())
	}
	slices.SortFunc(st.Children, func(a, b Stat) int { return a.Opened.Compare(b.Opened) })
	return st
}
