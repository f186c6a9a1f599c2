package server

import (
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
	"time"

	"github.com/mooring-mcp/mooring/server/internal/endpoint"
)

const (
	maxEnrolling = 64 // connections between accept and their loop that may have two descriptors each
	maxRefusing  = 32 // connections that are told there is no place
	fdOthers     = 64 // descriptors left to the rest of the process

	refuseTime  = 500 * time.Millisecond // for a refused client to read its answer
	acceptPause = 5 * time.Millisecond   // after an accept error, doubling
	acceptRest  = time.Second            // up to this
)

// Serve accepts connections on l, which it owns and closes, until Shutdown; then it returns ErrServerClosed. l may be inherited, for example from systemd; its
// connections must be *net.TCPConn or *net.UnixConn. Several Serve calls may run at once.
func (s *Server) Serve(l net.Listener) error {
	defer l.Close()
	if err := s.ensureStarted(); err != nil {
		return err
	}
	a, err := s.engine.newAcceptor(l)
	if err != nil {
		return fmt.Errorf("server: %w", err)
	}
	defer a.Close()
	s.mu.Lock()
	if s.draining.Load() {
		s.mu.Unlock()
		return ErrServerClosed
	}
	s.listeners[a] = struct{}{}
	s.accepting.Add(1)
	s.mu.Unlock()
	defer s.accepting.Done()
	defer func() {
		s.mu.Lock()
		delete(s.listeners, a)
		s.mu.Unlock()
	}()
	return s.acceptFrom(a)
}

// acceptFrom accepts until Shutdown, or until a cannot go on.
func (s *Server) acceptFrom(a acceptor) error {
	pause := acceptPause
	for {
		n, err := 0, s.awaitRoom(a)
		if err == nil {
			n, err = a.accept()
		}
		if n > 0 {
			pause = acceptPause
		}
		if err == nil {
			continue
		}
		if s.draining.Load() {
			return ErrServerClosed
		}
		if !isTransient(err) {
			return fmt.Errorf("server: accept: %w", err)
		}
		// The kernel keeps who is waiting: the listener rests until descriptors or memory are free.
		s.acceptErrors.Add(1)
		s.logger().Warn("accept failed, pausing", "err", err, "pause", pause)
		if !s.rest(pause, nil) {
			return ErrServerClosed
		}
		pause = min(2*pause, acceptRest)
	}
}

// setDescriptorBounds derives how many connections the descriptor limit allows: what enrolments, refusals and the rest of the process may hold is kept free of them.
func (s *Server) setDescriptorBounds(limit int64) error {
	enrolling := int(min(maxEnrolling, max(1, limit/32)))
	refusing := int(min(maxRefusing, max(1, limit/32)))
	s.refusing = make(chan struct{}, refusing)
	others := min(fdOthers, limit/4)
	s.fdLimit = max(1, limit-int64(2*enrolling+refusing)-others)
	s.fdBeyond = min(maxBeyond, max(1, others/8))
	return s.engine.openAccepting(enrolling)
}

// reserve counts a connection more, unless there are MaxConnections, or as many as a listener of its trust takes at the descriptor limit. It reports whether the connection is
// beyond that limit. May wait for others to give way.
func (s *Server) reserve(from endpoint.Trust) (beyond, ok bool) {
	for {
		n := s.conns.Load()
		beyond = from != endpoint.TrustRemote && n >= s.fdLimit
		if n >= int64(s.opts.MaxConnections) || beyond && n >= s.fdLimit+s.fdBeyond {
			return false, false
		}
		if s.conns.CompareAndSwap(n, n+1) {
			break
		}
	}
	if beyond {
		s.makeRoom(s.fdLimit)
		beyond = s.conns.Load() > s.fdLimit
	}
	return beyond, true
}

// newConn returns a connection for a loop.
func newConn(l *loop, from endpoint.Trust, beyond bool) *conn {
	c := &conn{loop: l, trust: from}
	if beyond {
		c.flags = flagBeyond
	}
	return c
}

// nextLoop returns the loop whose turn it is, or one after it: a loop that does not come to its ticks gets no connection more to keep waiting.
//
// Nor does one to which share connections or more are on their way, as long as there is another. If there is none, the loop with the fewest is next.
func (s *Server) nextLoop(share int32) *loop {
	now := s.clock().UnixNano()
	var least *loop
	for range s.loops {
		l := s.loops[s.turn.Add(1)%uint32(len(s.loops))]
		n := l.coming.Load()
		if least == nil || n < least.coming.Load() {
			least = l
		}
		if n >= share {
			continue
		}
		if posted := l.m.tickPosted.Load(); posted == 0 || now-posted < int64(stuckAfter) {
			return l
		}
	}
	return least
}

// stuckAfter is how long a tick waits for a loop that is given no more connections.
const stuckAfter = 250 * time.Millisecond

// refuseConn answers a connection above MaxConnections, without a loop, and closes it in stages so that the answer arrives.
func (s *Server) refuseConn(nc net.Conn) {
	s.acceptRefused.Add(1)
	select {
	case s.refusing <- struct{}{}:
	default:
		_ = nc.Close()
		return
	}
	msg := s.refusal()
	go func() {
		defer func() { <-s.refusing }()
		defer nc.Close()
		_ = nc.SetDeadline(s.clock().Add(refuseTime))
		if _, err := nc.Write(msg); err != nil {
			return
		}
		if w, ok := nc.(interface{ CloseWrite() error }); ok {
			_ = w.CloseWrite()
		}
		_, _ = io.CopyN(io.Discard, nc, lingerBytes)
	}()
}

// refusal returns what a connection above MaxConnections is told.
func (s *Server) refusal() []byte {
	s.refreshDate(s.clock()) // the loops may rest
	h := endpoint.ResponseHead{Status: 503, Date: s.date(), Close: true, RetryAfter: true}
	return endpoint.AppendRefusal(nil, &h, tooManyConnections)
}

const tooManyConnections = "too many connections"

// isTransient reports whether accept may work again later.
func isTransient(err error) bool {
	for _, e := range []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.ENOSPC, syscall.EPERM, syscall.ECONNABORTED, syscall.ECONNRESET, syscall.EINTR, syscall.EAGAIN} {
		if errors.Is(err, e) {
			return true
		}
	}
	var ne net.Error
	return errors.As(err, &ne) && ne.Timeout()
}

// trustOf tells what a listener at a lets pass by default.
func trustOf(a net.Addr) endpoint.Trust {
	switch a := a.(type) {
	case *net.TCPAddr:
		if a.IP.IsLoopback() {
			return endpoint.TrustLoopback
		}
	case *net.UnixAddr:
		return endpoint.TrustUnix
	}
	return endpoint.TrustRemote
}

// descriptorLimit returns how many descriptors the process may have.
func descriptorLimit() int64 {
	var r syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &r); err != nil || r.Cur > uint64(maxInt) {
		return int64(maxInt)
	}
	return int64(r.Cur)
}
