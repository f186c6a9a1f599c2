package epollengine

import (
	"context"
	"sync"

	"github.com/mooring-mcp/mooring/server/internal/engine"
)

// epollEngine is an epoll instance for each loop.
type epollEngine struct {
	adm     *engine.Admission
	loops   []*loop
	running sync.WaitGroup
}

var _ engine.Engine = (*epollEngine)(nil)

// New returns an engine with adm.Loops loops.
func New(adm *engine.Admission) (engine.Engine, error) { return &epollEngine{adm: adm}, nil }

func (e *epollEngine) Start() ([]engine.Loop, error) {
	for range e.adm.Loops {
		l, err := newLoop(e.adm)
		if err != nil {
			for _, l := range e.loops {
				l.close()
			}
			return nil, err
		}
		e.loops = append(e.loops, l)
	}
	loops := make([]engine.Loop, len(e.loops))
	for i, l := range e.loops {
		loops[i] = l
		e.running.Go(func() {
			defer l.close()
			l.run()
		})
	}
	return loops, nil
}

// OpenAccepting has nothing to prepare: a connection has one descriptor from accept to its end.
func (e *epollEngine) OpenAccepting(int) error { return nil }

// EndAccepting waits for a turn of each loop: it opens what it was given before it runs the tasks.
func (e *epollEngine) EndAccepting(ctx context.Context) error {
	turns := make(chan struct{}, len(e.loops))
	for _, l := range e.loops {
		l.Execute(func() { turns <- struct{}{} })
	}
	for range e.loops {
		select {
		case <-turns:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

func (e *epollEngine) Stop() {
	for _, l := range e.loops {
		l.Execute(l.end)
	}
	e.running.Wait()
}
