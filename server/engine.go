package server

import (
	"context"
	"fmt"
	"net"

	"github.com/mooring-mcp/mooring/server/internal/endpoint"
	"github.com/mooring-mcp/mooring/server/internal/wheel"
)

// Engine names what waits for the sockets below the event loops. Both do the same, and are held by the same tests.
type Engine string

const (
	// EngineGnet is gnet, on every system.
	EngineGnet Engine = "gnet"
	// EngineEpoll is a loop of this package's own, for Linux: an idle stream needs a third of the memory, and a client that comes, calls and goes about half of the processor time.
	EngineEpoll Engine = "epoll"
)

// readSize is how many bytes are read from a socket in a turn. It bounds how long one connection has a loop: the requests of a client that pipelines without end take some 100 µs, and what
// it has sent besides waits in the kernel, where it holds up the client, until the other sockets have been served.
const readSize = 8 << 10

// engine is what is below the event loops, and accepts for them.
type engine interface {
	start() ([]reactor, error) // the loops, which run
	openAccepting(n int) error // before the first acceptor; n connections may be on their way to a loop at a time
	newAcceptor(l net.Listener) (acceptor, error)
	endAccepting(ctx context.Context) error // waits until no connection is on its way to a loop; an acceptor that is still there drops who comes
	stop()                                  // closes what is left and ends the loops; waits for one that is held
}

// acceptor accepts the connections of a listener and gives each to a loop, or refuses it above MaxConnections.
type acceptor interface {
	accept() (n int, err error) // waits for some; with an error too there may be some, and without one there may be none
	from() endpoint.Trust
	waiting() bool // whether a client waits; true where it cannot be told
	look() error   // of a listener that its host has closed, and of which the acceptor keeps something
	Close() error  // may be called more than once
}

// newEngine returns what Options.Engine names.
func (s *Server) newEngine() (engine, error) {
	switch s.opts.Engine {
	case EngineGnet:
		return &gnetEngine{srv: s}, nil
	case EngineEpoll:
		return epollOf(s)
	}
	return nil, fmt.Errorf("there is no engine %q", s.opts.Engine)
}

// startEngine starts the event loops.
func (s *Server) startEngine() error {
	e, err := s.newEngine()
	if err != nil {
		return fmt.Errorf("server: %w", err)
	}
	reactors, err := e.start()
	if err != nil {
		return fmt.Errorf("server: start the event loops: %w", err)
	}
	loops := make([]*loop, len(reactors))
	for i, r := range reactors {
		loops[i] = newLoop(s, i, r)
		if r.tells() {
			loops[i].retry = wheel.Ticks(retryTold)
		}
	}
	s.engine, s.loops = e, loops
	return nil
}
