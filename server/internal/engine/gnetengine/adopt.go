package gnetengine

import (
	"errors"
	"net"
	"net/netip"
	"syscall"

	"github.com/panjf2000/gnet/v2"

	"github.com/mooring-mcp/mooring/server/internal/engine"
)

// Adopt implements engine.Engine. It waits until the loop has the connection. A loop that is held
// has at most its share of the spares meanwhile.
func (e *gnetEngine) Adopt(loop int, nc net.Conn, h engine.Handler) error {
	bare, err := engine.BareConn(nc)
	if err != nil {
		return err
	}
	if bare.RemoteAddr() == nil {
		return syscall.ENOTCONN // gnet would look at the address
	}
	if !e.beginAdoption() {
		return engine.ErrClosed
	}
	defer e.enroller.Done()
	select {
	case e.adoptions[loop] <- struct{}{}:
	case <-e.adm.Ended():
		return engine.ErrClosed
	}
	defer func() { <-e.adoptions[loop] }()
	sp, ok := e.takeSpare()
	if !ok {
		return engine.ErrClosed
	}
	defer e.spares.put(sp)
	if err := sp.occupy(bare); err != nil {
		return err
	}
	sp.loop, sp.handler = loop, h
	e.adm.Coming(loop, 1)
	defer e.adm.Coming(loop, -1)
	if err := e.adopt(sp, bare); err != nil {
		if e.adm.HasEnded() && !errors.Is(err, engine.ErrClosed) {
			err = errors.Join(engine.ErrClosed, err)
		}
		return err
	}
	_ = nc.Close()
	return nil
}

// beginAdoption adds to enroller, unless accepting has ended.
func (e *gnetEngine) beginAdoption() bool {
	e.admitting.RLock()
	defer e.admitting.RUnlock()
	if e.ended || e.adm.HasEnded() {
		return false
	}
	e.enroller.Add(1)
	return true
}

// adopt gives what sp holds to its loop. gnet closes bare.
func (e *gnetEngine) adopt(sp *spare, bare net.Conn) (err error) {
	if _, ok := bare.(*net.UnixConn); ok {
		// gnet writes into the local address, which others have who have seen the connection.
		bare, err = sp.conn()
	} else {
		_ = e.adm.Sockets.Tune(bare)
	}
	if err == nil {
		e.enrol(sp, bare)
		err = e.await(sp)
	}
	if engine.IsExhausted(err) {
		err = e.enrolAgain(sp, err)
	}
	return err
}

// Peer implements engine.Loop.
func (l *loop) Peer(sk engine.Socket) netip.AddrPort {
	if gc := sk.(gnet.Conn); gc.RemoteAddr() != nil { // it has none once it is closed
		return engine.PeerOf(gc.Fd())
	}
	return netip.AddrPort{}
}

// Duplicate implements engine.Loop.
func (l *loop) Duplicate(sk engine.Socket) (net.Conn, error) {
	gc := sk.(gnet.Conn)
	switch {
	case gc.RemoteAddr() == nil:
		return nil, net.ErrClosed
	case gc.OutboundBuffered() > 0:
		return nil, engine.ErrUnsent
	}
	return engine.DuplicateConn(gc.Fd())
}
