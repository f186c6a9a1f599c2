package server

import (
	"sync"
)

// epollEngine is an epoll instance for each loop. This file, poller_linux.go, sock_linux.go and accept_linux.go alone know epoll.
type epollEngine struct {
	srv     *Server
	pollers []*poller // by loop index
	running sync.WaitGroup
}

// epollOf returns an epoll engine for s.
func epollOf(s *Server) (engine, error) { return &epollEngine{srv: s}, nil }

// start implements engine.
func (e *epollEngine) start() ([]reactor, error) {
	for range e.srv.opts.Loops {
		p, err := newPoller(e.srv)
		if err != nil {
			for _, p := range e.pollers {
				p.close()
			}
			return nil, err
		}
		e.pollers = append(e.pollers, p)
	}
	loops := make([]reactor, len(e.pollers))
	for i, p := range e.pollers {
		loops[i] = p
		e.running.Go(func() {
			defer p.close()
			p.run()
		})
	}
	return loops, nil
}

// stop implements engine.
func (e *epollEngine) stop() {
	for _, p := range e.pollers {
		p.execute(p.end)
	}
	e.running.Wait()
}
