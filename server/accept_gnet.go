package server

import (
	"context"
	"errors"
	"net"

	"github.com/mooring-mcp/mooring/server/internal/endpoint"
	"github.com/panjf2000/gnet/v2"
)

// gnetAcceptor accepts the connections of a listener and enrols them with gnet.
type gnetAcceptor struct {
	net.Listener
	engine   *gnetEngine
	trust    endpoint.Trust
	inherits bool // connections have their options from the listener
}

// newAcceptor implements engine.
func (e *gnetEngine) newAcceptor(l net.Listener) (acceptor, error) {
	return &gnetAcceptor{Listener: l, engine: e, trust: trustOf(l.Addr()), inherits: e.srv.tuneListener(l)}, nil
}

// accept implements acceptor.
func (a *gnetAcceptor) accept() (n int, err error) {
	nc, err := a.Accept()
	if err != nil {
		return 0, err
	}
	if !a.inherits {
		_ = a.engine.srv.tune(nc)
	}
	a.engine.admit(nc, a.trust)
	return 1, nil
}

// from implements acceptor.
func (a *gnetAcceptor) from() endpoint.Trust { return a.trust }

// waiting implements acceptor.
func (a *gnetAcceptor) waiting() bool { return clientWaits(a.Listener) }

// look implements acceptor. Nothing of the listener is kept.
func (a *gnetAcceptor) look() error { return nil }

// openAccepting implements engine.
func (e *gnetEngine) openAccepting(n int) error {
	if err := e.openSpares(n); err != nil {
		return err
	}
	e.share = int32(max(1, n/(2*len(e.loops))))
	e.enrolments = make([]chan enrolment, len(e.loops))
	for i := range e.enrolments {
		ch := make(chan enrolment, maxEnrolling)
		e.enrolments[i] = ch
		e.enroller.Go(func() { e.runEnrolments(ch) })
	}
	return nil
}

// endAccepting implements engine. An enrolment that races the engine's end leaks a descriptor.
func (e *gnetEngine) endAccepting(ctx context.Context) error {
	e.admitting.Lock()
	e.ended = true
	e.admitting.Unlock()
	for _, ch := range e.enrolments {
		close(ch)
	}
	done := make(chan struct{})
	go func() {
		e.enroller.Wait()
		e.spares.close()
		close(done)
	}()
	return await(ctx, done)
}

// admit gives nc to a loop, or refuses it above MaxConnections. It waits while all spares are in use.
func (e *gnetEngine) admit(nc net.Conn, from endpoint.Trust) {
	s := e.srv
	e.admitting.RLock()
	defer e.admitting.RUnlock()
	if e.ended {
		_ = nc.Close()
		return
	}
	beyond, ok := s.reserve(from)
	if !ok {
		s.refuseConn(nc)
		return
	}
	spare, ok := e.takeSpare()
	if !ok {
		_ = nc.Close()
		s.released()
		return
	}
	if err := e.spares.occupy(spare, nc); err != nil {
		_ = nc.Close()
		e.enrolFailed(spare, err)
		return
	}
	l := s.nextLoop(e.share)
	l.coming.Add(1)
	en := enrolment{c: newConn(l, from, beyond), spare: spare}
	if en.result, en.err = e.enrol(l, en.c, nc); en.err != nil {
		_ = nc.Close()
	}
	e.enrolments[l.idx] <- en // never blocks: there are no more than spares
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

// runEnrolments sees the enrolments of one loop through: a loop that is held keeps only its own waiting.
func (e *gnetEngine) runEnrolments(of <-chan enrolment) {
	for en := range of {
		err := en.await()
		en.c.loop.coming.Add(-1)
		switch {
		case err == nil:
			e.spares.vacate(en.spare)
		case isExhausted(err):
			e.enroller.Go(func() { e.enrolLater(&en, err) })
		default:
			e.enrolFailed(en.spare, err)
		}
	}
}

// enrolLater enrols a connection for which there was no descriptor. As many may wait here as there are spares; then accepting waits too.
func (e *gnetEngine) enrolLater(en *enrolment, err error) {
	s := e.srv
	s.acceptErrors.Add(1)
	s.logger().Warn("no descriptor to enrol a connection, waiting", "err", err)
	for pause := acceptPause; isExhausted(err); pause = min(2*pause, acceptRest) {
		if !s.rest(pause, nil) {
			break
		}
		var nc net.Conn
		if nc, err = connOf(en.spare); err != nil {
			continue
		}
		if en.result, en.err = e.enrol(en.c.loop, en.c, nc); en.err != nil {
			_ = nc.Close()
		}
		err = en.await()
	}
	if err != nil {
		e.enrolFailed(en.spare, err)
		return
	}
	e.spares.vacate(en.spare)
}

var errNotOpened = errors.New("server: the event loop did not take the connection")

// enrolFailed counts a connection that was accepted and is lost.
func (e *gnetEngine) enrolFailed(spare int, err error) {
	e.spares.vacate(spare)
	e.srv.acceptErrors.Add(1)
	e.srv.released()
	e.srv.logger().Warn("connection lost on its way to an event loop", "err", err)
}
