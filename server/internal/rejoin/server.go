package rejoin

import (
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

// Options say what happens to connections that are away when the http.Server ends.
type Options struct {
	// Drain is called once, on a goroutine of its own, when the http.Server shuts down or is
	// closed. It begins to close the connections that are away, the idle ones at once.
	Drain func()
	// Cut is called when there is no more time. It begins to close the busy ones too.
	Cut func()
	// Patience is the time from Drain to Cut. Close of the http.Server cuts at once.
	Patience time.Duration
	// WriteStall limits the time in which the peer of a connection takes nothing of what is written.
	// Zero means no limit.
	WriteStall time.Duration
	// Logger receives why connections cannot return.
	Logger *slog.Logger
}

const (
	// restTime is how long the stand-in stays after the last connection has become idle: often the
	// next one is busy soon.
	restTime = 50 * time.Millisecond
	// closeTime is how long the http.Server waits for connections that are being closed.
	closeTime = time.Second
)

// Server is an http.Server that gets connections back.
type Server struct {
	opts   Options
	ln     listener
	served chan struct{} // closed when the http.Server no longer serves ln
	latest *Conn         // that the http.Server has accepted; on the goroutine that serves

	mu     sync.Mutex // guards what follows
	more   sync.Cond  // there is something to accept, or it has ended
	back   []*Conn    // that the http.Server has not accepted yet
	away   int        // connections
	busy   int        // those of them that are busy
	stand  *standIn   // nil while no connection is busy
	rest   *time.Timer
	ended  bool          // the http.Server, or Close, has closed ln
	closed bool          // by Close
	empty  chan struct{} // closed when it has ended and nothing is away
}

// Join has hs serve the connections that return. local is the local address of one of them.
//
// It ends when hs shuts down or is closed, or with Close. hs keeps no reference to it then.
func Join(hs *http.Server, local net.Addr, o Options) *Server {
	s := &Server{opts: o, served: make(chan struct{}), empty: make(chan struct{})}
	s.ln = listener{s, local}
	s.more.L = &s.mu
	go s.serve(hs)
	return s
}

// serve has hs serve ln. A hook of hs that does not accept a Conn, and panics, ends it: then no
// connection leaves hs any more.
func (s *Server) serve(hs *http.Server) {
	defer close(s.served)
	defer s.clear()
	defer s.end(false)
	defer func() {
		if r := recover(); r != nil {
			if s.latest != nil {
				_ = s.latest.Close()
			}
			s.opts.Logger.Error("a hook of the http.Server does not accept connections that return; its connections do not move to event loops",
				"panic", fmt.Sprint(r))
		}
	}()
	_ = hs.Serve(&s.ln)
}

// clear closes what the http.Server will not accept any more.
func (s *Server) clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.back {
		if _ = c.Close(); c.returns {
			s.gone()
		}
	}
	s.back = nil
}

// Done returns a channel that is closed when no connection can leave or return any more, because
// the http.Server has ended.
func (s *Server) Done() <-chan struct{} { return s.served }

// Leave counts a connection that leaves the http.Server, busy. It reports false if the http.Server
// has ended, or cannot take connections back: then the connection must stay.
func (s *Server) Leave() bool {
	s.mu.Lock()
	if s.ended {
		s.mu.Unlock()
		return false
	}
	s.away++
	s.busy++
	if s.stand == nil || s.stand.isClosed() {
		s.stand = newStandIn(s)
		s.back = append(s.back, &Conn{Conn: s.stand})
		s.more.Broadcast()
	}
	if s.rest != nil {
		s.rest.Stop()
	}
	st := s.stand
	s.mu.Unlock()
	select {
	case <-st.begun:
		return true
	case <-s.served:
	case <-st.closed:
	}
	s.Gone(true)
	return false
}

// Idle says that a busy connection is idle now.
func (s *Server) Idle() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.idle()
}

// idle is Idle under the lock.
func (s *Server) idle() {
	if s.busy--; s.busy > 0 || s.ended || s.stand == nil {
		return
	}
	if s.rest == nil {
		s.rest = time.AfterFunc(restTime, s.restOver)
		return
	}
	s.rest.Reset(restTime)
}

// restOver ends the stand-in, unless a connection is busy again.
func (s *Server) restOver() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.busy == 0 && !s.ended && s.stand != nil {
		s.stand.release()
		s.stand = nil
	}
}

// Gone says that a connection that was away is closed. It was busy, or idle.
func (s *Server) Gone(busy bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if busy {
		s.idle()
	}
	s.gone()
}

// gone counts a connection that is no longer away, under the lock.
func (s *Server) gone() {
	if s.away--; s.away == 0 && s.ended {
		close(s.empty)
	}
}

// Return gives an idle connection back to the http.Server, which reads input first and then from
// nc. It takes ownership of both. closed, if it is not nil, is called once when the http.Server or
// whoever takes the connection from it has closed it. After the end Return closes nc.
func (s *Server) Return(nc net.Conn, input []byte, closed func()) {
	s.give(&Conn{Conn: nc, input: input, onClose: closed, returns: true})
}

// Give is Return for a connection that the http.Server has never had.
func (s *Server) Give(nc net.Conn, input []byte, closed func()) {
	s.give(&Conn{Conn: nc, input: input, onClose: closed})
}

func (s *Server) give(c *Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		if _ = c.Close(); c.returns {
			s.gone()
		}
		return
	}
	c.stall = s.opts.WriteStall
	s.back = append(s.back, c)
	s.more.Broadcast()
}

// Forgotten reports whether the http.Server has ended, and nothing of it is away.
func (s *Server) Forgotten() bool {
	select {
	case <-s.served:
	default:
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.away == 0
}

// Close ends the service: connections that return from now on are closed. The http.Server is not
// affected, and no longer waits for connections that are away. Close waits for the http.Server's
// hooks.
func (s *Server) Close() {
	s.end(true)
	<-s.served
}

// end closes ln. closed says that Close has done it, and not the http.Server.
func (s *Server) end(closed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if closed && !s.closed {
		s.closed = true
		if s.stand != nil {
			s.stand.release()
		}
	}
	if s.ended {
		return
	}
	s.ended = true
	if s.away == 0 {
		close(s.empty)
	}
	s.more.Broadcast()
	if s.rest != nil {
		s.rest.Stop()
	}
	if closed {
		return
	}
	if s.stand != nil {
		go s.stand.see(s.opts.Patience)
	}
	go s.opts.Drain()
}

// accept returns the next connection for the http.Server. After the end it returns those that have
// returned before, and then an error, when connections that were idle are closed.
func (s *Server) accept() (net.Conn, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.back) == 0 && !s.ended {
		s.more.Wait()
	}
	if len(s.back) > 0 {
		c := s.back[0]
		s.back[0] = nil
		if s.back = s.back[1:]; c.returns {
			s.gone()
		}
		s.latest = c
		return c, nil
	}
	if s.stand == nil && !s.closed { // nobody else waits for them
		s.mu.Unlock()
		waitFor(s.empty, closeTime)
		s.mu.Lock()
	}
	return nil, net.ErrClosed
}

// waitFor waits until ch is closed, for at most d. It reports whether it is closed.
func waitFor(ch <-chan struct{}, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ch:
		return true
	case <-t.C:
		return false
	}
}

// listener is where the http.Server accepts the connections of a Server.
type listener struct {
	s    *Server
	addr net.Addr
}

// Accept implements net.Listener.
func (l *listener) Accept() (net.Conn, error) { return l.s.accept() }

// Close implements net.Listener. The http.Server holds locks when it calls it.
func (l *listener) Close() error {
	l.s.end(false)
	return nil
}

// Addr implements net.Listener.
func (l *listener) Addr() net.Addr { return l.addr }
