package server

import (
	"fmt"
	"net"
	"time"

	"github.com/mooring-mcp/mooring/server/internal/endpoint"
	"github.com/mooring-mcp/mooring/server/internal/engine"
	"github.com/mooring-mcp/mooring/server/internal/engine/epollengine"
	"github.com/mooring-mcp/mooring/server/internal/engine/gnetengine"
	"github.com/mooring-mcp/mooring/server/internal/wheel"
)

// This file is what the engine below the loops sees of the server: its host, and a handler for
// each connection.

// newEngine returns what Options.Engine names.
func (s *Server) newEngine() (engine.Engine, error) {
	switch s.opts.Engine {
	case EngineGnet:
		return gnetengine.New(s.admission), nil
	case EngineEpoll:
		return epollengine.New(s.admission)
	}
	return nil, fmt.Errorf("there is no engine %q", s.opts.Engine)
}

// startEngine starts the event loops.
func (s *Server) startEngine() error {
	e, err := s.newEngine()
	if err != nil {
		return fmt.Errorf("server: %w", err)
	}
	bases, err := e.Start()
	if err != nil {
		return fmt.Errorf("server: start the event loops: %w", err)
	}
	loops := make([]*loop, len(bases))
	for i, b := range bases {
		loops[i] = newLoop(s, i, b)
		if b.ReportsCaughtUp() {
			loops[i].retry = wheel.Ticks(retryTold)
		}
	}
	s.engine, s.loops = e, loops
	return nil
}

// openAccepting has the engine prepare for as many connections as the descriptor limit allows.
func (s *Server) openAccepting() error {
	enrolling := s.admission.SetDescriptors(engine.Descriptors())
	if err := s.engine.OpenAccepting(enrolling); err != nil {
		return fmt.Errorf("server: %w", err)
	}
	return nil
}

// host is a Server as the engine's host. It is a type of its own because Server's methods are
// public.
type host struct{ srv *Server }

var _ engine.Host = host{}

func (h host) NewConn(loop int, from net.Addr, beyond bool) engine.Handler {
	return newConn(h.srv.loops[loop], trustOf(from), beyond)
}

func (h host) Refusal() []byte {
	s := h.srv
	s.refreshDate(s.clock()) // the loops may rest
	r := endpoint.ResponseHead{Status: 503, Date: s.date(), Close: true, RetryAfter: 1}
	return endpoint.AppendRefusal(nil, &r, tooManyConnections)
}

const tooManyConnections = "too many connections"

func (h host) Busy() bool { return h.srv.calls.Load() > 0 }

func (h host) Held(loop int) bool {
	posted := h.srv.loops[loop].m.tickPosted.Load()
	return posted != 0 && h.srv.clock().UnixNano()-posted >= int64(heldAfter)
}

// heldAfter is how long a tick waits for a loop that is given no more connections.
const heldAfter = 250 * time.Millisecond

func (h host) Visit(loop int) { h.srv.loops[loop].visit() }

func (h host) MakeRoom(most int64) { h.srv.makeRoom(most) }

// newConn returns a connection for a loop.
func newConn(l *loop, from endpoint.Trust, beyond bool) *conn {
	c := &conn{berth: &l.main, trust: from}
	if beyond {
		c.flags = flagBeyond
	}
	return c
}

// trustOf returns what a listener at a lets pass by default.
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

var _ engine.Handler = (*conn)(nil)

// Opened implements engine.Handler.
func (c *conn) Opened(sk engine.Socket) {
	defer c.loop.srv.recoverConn(c)
	now := c.loop.present()
	if c.has(flagGate) {
		c.arrive(sk)
		return
	}
	c.open(sk, now)
}

// Received implements engine.Handler.
func (c *conn) Received() {
	c.receive()
	if l := c.loop; l.gave {
		l.lend()
	}
}

func (c *conn) receive() {
	defer c.loop.srv.recoverConn(c)
	c.recv(c.loop.present())
}

// CaughtUp implements engine.Handler.
func (c *conn) CaughtUp() {
	defer c.loop.srv.recoverConn(c)
	c.caughtUp(c.loop.present())
}

// Closed implements engine.Handler.
func (c *conn) Closed(err error) {
	defer c.loop.srv.recoverConn(c)
	if g := c.gate(); g != nil { // the engine has stopped while the connection was on its way
		g.close(err)
		return
	}
	c.closed(err)
}
