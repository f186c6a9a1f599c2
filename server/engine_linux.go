//go:build epoll

package server

import (
	"fmt"
	"sync"
)

// engine is the event loops below the server: an epoll instance for each. This file, poller_linux.go, sock_linux.go and accept_linux.go alone know epoll; elsewhere the loops are gnet's.
type engine struct {
	srv     *Server
	pollers []*poller // by loop index
	running sync.WaitGroup
}

// startEngine starts the loops.
func (s *Server) startEngine() error {
	e := &s.engine
	e.srv = s
	for range s.opts.Loops {
		p, err := newPoller(e)
		if err != nil {
			for _, p := range e.pollers {
				p.close()
			}
			return fmt.Errorf("server: start the event loops: %w", err)
		}
		e.pollers = append(e.pollers, p)
	}
	loops := make([]*loop, len(e.pollers))
	for i, p := range e.pollers {
		loops[i] = newLoop(s, i, p)
		e.running.Go(p.run)
	}
	s.loops = loops
	return nil
}

// stop closes what is left and ends the loops.
func (e *engine) stop() {
	for _, p := range e.pollers {
		p.execute(p.end)
	}
	e.running.Wait()
	for _, p := range e.pollers {
		p.close()
	}
}
