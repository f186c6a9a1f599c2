package gnetengine

import (
	"context"
	"errors"
	"net"

	"github.com/panjf2000/gnet/v2"

	"github.com/mooring-mcp/mooring/server/internal/engine"
)

// acceptor accepts the connections of a listener and enrols them with gnet.
type acceptor struct {
	engine.Listener
	engine *gnetEngine
}

var _ engine.Acceptor = (*acceptor)(nil)

func (e *gnetEngine) NewAcceptor(l net.Listener) (engine.Acceptor, error) {
	return &acceptor{e.adm.NewListener(l), e}, nil
}

func (a *acceptor) Accept() (n int, err error) {
	nc, err := a.Listener.Accept()
	if err != nil {
		return 0, err
	}
	if !a.Inherits {
		_ = a.engine.adm.Sockets.Tune(nc)
	}
	a.engine.admit(nc, &a.Listener)
	return 1, nil
}

// CheckOpen implements engine.Acceptor: the acceptor holds nothing of the listener.
func (a *acceptor) CheckOpen() error { return nil }

func (e *gnetEngine) OpenAccepting(n int) error {
	if err := e.spares.open(n); err != nil {
		return err
	}
	e.share = int32(max(1, n/(2*len(e.loops))))
	e.enrolments = make([]chan *spare, len(e.loops))
	e.adoptions = make([]chan struct{}, len(e.loops))
	for i := range e.enrolments {
		e.adoptions[i] = make(chan struct{}, e.share)
		ch := make(chan *spare, n)
		e.enrolments[i] = ch
		e.enroller.Go(func() { e.runEnrolments(ch) })
	}
	return nil
}

// EndAccepting implements engine.Engine. An enrolment that races the engine's end leaks a
// descriptor.
func (e *gnetEngine) EndAccepting(ctx context.Context) error {
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
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// admit gives nc to a loop, or refuses it above the limit. It waits while all spares are in use.
func (e *gnetEngine) admit(nc net.Conn, from *engine.Listener) {
	e.admitting.RLock()
	defer e.admitting.RUnlock()
	if e.ended {
		_ = nc.Close()
		return
	}
	beyond, ok := e.adm.Reserve(from.Local())
	if !ok {
		e.adm.Refuse(nc)
		return
	}
	sp, ok := e.takeSpare()
	if !ok {
		_ = nc.Close()
		e.adm.Released()
		return
	}
	if err := sp.occupy(nc); err != nil {
		_ = nc.Close()
		e.enrolFailed(sp, err)
		return
	}
	sp.loop = e.adm.NextLoop(e.share)
	e.adm.Coming(sp.loop, 1)
	sp.handler = e.adm.Host.NewConn(sp.loop, from.From, beyond)
	e.enrol(sp, nc)
	e.enrolments[sp.loop] <- sp // never blocks: there are no more than spares
}

// enrol gives nc, which sp holds too, to sp's loop. It takes ownership of nc.
func (e *gnetEngine) enrol(sp *spare, nc net.Conn) {
	sp.opened = false
	sp.result, sp.err = e.loops[sp.loop].el.Enroll(gnet.NewContext(context.Background(), sp), nc)
	if sp.err != nil {
		_ = nc.Close()
	}
}

// await returns nil when the loop has the connection. Otherwise the descriptor that was to be
// enrolled is closed, and the handler was never called.
func (e *gnetEngine) await(sp *spare) error {
	if sp.err != nil {
		return sp.err
	}
	select {
	case r := <-sp.result:
		if r.Err != nil {
			return r.Err
		}
	case <-e.stopped: // the loop has ended without a look at it
		return engine.ErrClosed
	}
	if !sp.opened {
		// gnet reports no error when epoll refuses the descriptor, and closes it. OnOpen has not
		// run then, and neither it nor OnClose will.
		return errNotOpened
	}
	return nil
}

// runEnrolments sees the enrolments of one loop through: a loop that is held delays only its own.
func (e *gnetEngine) runEnrolments(of <-chan *spare) {
	for sp := range of {
		err := e.await(sp)
		e.adm.Coming(sp.loop, -1)
		switch {
		case err == nil:
			e.spares.put(sp)
		case engine.IsExhausted(err):
			e.enroller.Go(func() { e.enrolLater(sp, err) })
		default:
			e.enrolFailed(sp, err)
		}
	}
}

// enrolLater enrols a connection for which there was no descriptor. As many may wait here as there
// are spares; then accepting waits too.
func (e *gnetEngine) enrolLater(sp *spare, err error) {
	if err = e.enrolAgain(sp, err); err != nil {
		e.enrolFailed(sp, err)
		return
	}
	e.spares.put(sp)
}

// enrolAgain enrols what sp holds as soon as there is a descriptor for it. err says that there was
// none.
func (e *gnetEngine) enrolAgain(sp *spare, err error) error {
	e.adm.Fail("no descriptor to enrol a connection, waiting", err)
	for pause := engine.MinPause; engine.IsExhausted(err); pause = min(2*pause, engine.MaxPause) {
		if !e.adm.WaitForRoom(pause, nil) {
			break
		}
		var nc net.Conn
		if nc, err = sp.conn(); err != nil {
			continue
		}
		e.enrol(sp, nc)
		err = e.await(sp)
	}
	return err
}

var errNotOpened = errors.New("gnetengine: the event loop did not take the connection")

// enrolFailed counts a connection that was accepted and is lost.
func (e *gnetEngine) enrolFailed(sp *spare, err error) {
	e.spares.put(sp)
	e.adm.Fail("connection lost on its way to an event loop", err)
	e.adm.Released()
}
