//go:build !linux || !epoll

package server

import (
	"errors"
	"net"

	"github.com/panjf2000/gnet/v2"
)

// acceptor accepts the connections of a listener and enrols them with gnet.
type acceptor struct {
	net.Listener
	srv      *Server
	trust    trust
	inherits bool // connections have their options from the listener
}

func (s *Server) newAcceptor(l net.Listener) (*acceptor, error) {
	return &acceptor{Listener: l, srv: s, trust: trustOf(l.Addr()), inherits: tuneListener(l)}, nil
}

// accept accepts a connection, or returns an error.
func (a *acceptor) accept() (n int, err error) {
	nc, err := a.Accept()
	if err != nil {
		return 0, err
	}
	if !a.inherits {
		_ = tune(nc)
	}
	a.srv.admit(nc, a.trust)
	return 1, nil
}

// openAccepting prepares n enrolments at a time.
func (s *Server) openAccepting(n int) error {
	if err := s.openSpares(n); err != nil {
		return err
	}
	s.engine.enrolments = make(chan enrolment, maxEnrolling)
	s.engine.enroller.Go(s.runEnrolments)
	return nil
}

// endAccepting returns when no enrolment is under way: one that races the engine's end leaks a descriptor.
func (s *Server) endAccepting() {
	close(s.engine.enrolments)
	s.engine.enroller.Wait()
	s.spares().close()
}

func (s *Server) spares() *spares { return &s.engine.spares }

// admit gives nc to a loop, or refuses it above MaxConnections. It waits while all spares are in use.
func (s *Server) admit(nc net.Conn, from trust) {
	if !s.reserve() {
		s.refuseConn(nc)
		return
	}
	spare, ok := s.takeSpare()
	if !ok {
		_ = nc.Close()
		s.released()
		return
	}
	if err := s.spares().occupy(spare, nc); err != nil {
		_ = nc.Close()
		s.enrolFailed(spare, err)
		return
	}
	l := s.nextLoop()
	e := enrolment{c: &conn{loop: l, trust: from}, spare: spare}
	if e.result, e.err = s.enrol(l, e.c, nc); e.err != nil {
		_ = nc.Close()
	}
	s.engine.enrolments <- e
}

// enrolment is a connection on its way to its loop.
type enrolment struct {
	c      *conn
	spare  int // holds the connection too
	result <-chan gnet.RegisteredResult
	err    error // then there is no result
}

// await returns nil when the loop has the connection. Otherwise the descriptor that was to be enrolled is closed.
func (e *enrolment) await() error {
	if e.err != nil {
		return e.err
	}
	if r := <-e.result; r.Err != nil {
		return r.Err
	}
	if !e.c.opened {
		// gnet reports no error when epoll refuses the descriptor, and closes it; OnOpen has then not run, nor will OnClose.
		return errNotOpened
	}
	return nil
}

// runEnrolments sees enrolments through.
func (s *Server) runEnrolments() {
	for e := range s.engine.enrolments {
		switch err := e.await(); {
		case err == nil:
			s.spares().vacate(e.spare)
		case isExhausted(err):
			s.engine.enroller.Go(func() { s.enrolLater(&e, err) })
		default:
			s.enrolFailed(e.spare, err)
		}
	}
}

// enrolLater enrols a connection for which there was no descriptor. As many may wait here as there are spares; then accepting waits too.
func (s *Server) enrolLater(e *enrolment, err error) {
	s.acceptErrors.Add(1)
	s.logger().Warn("no descriptor to enrol a connection, waiting", "err", err)
	for pause := acceptPause; isExhausted(err); pause = min(2*pause, acceptRest) {
		if !s.rest(pause) {
			break
		}
		var nc net.Conn
		if nc, err = connOf(e.spare); err != nil {
			continue
		}
		if e.result, e.err = s.enrol(e.c.loop, e.c, nc); e.err != nil {
			_ = nc.Close()
		}
		err = e.await()
	}
	if err != nil {
		s.enrolFailed(e.spare, err)
		return
	}
	s.spares().vacate(e.spare)
}

var errNotOpened = errors.New("server: the event loop did not take the connection")

// enrolFailed counts a connection that was accepted and is lost.
func (s *Server) enrolFailed(spare int, err error) {
	s.spares().vacate(spare)
	s.acceptErrors.Add(1)
	s.released()
	s.logger().Warn("connection lost on its way to an event loop", "err", err)
}
