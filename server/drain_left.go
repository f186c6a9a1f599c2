package server

import (
	"context"
	"fmt"
)

// LeftError is the error of a Shutdown that returned before everything had ended. What is left ends
// when the handlers that hold it return.
type LeftError struct {
	Loops       []int // event loops that an inline handler holds, by index
	Connections int   // connections that are not closed, which those loops own
	Calls       int   // calls whose handlers have not returned
	Err         error // why the drain ended early; nil if only the loops failed to end
}

// Error implements error.
func (e *LeftError) Error() string {
	return fmt.Sprintf("server: shutdown left %d held event loops, %d connections, %d calls",
		len(e.Loops), e.Connections, e.Calls)
}

// Unwrap returns why the drain ended.
func (e *LeftError) Unwrap() error { return e.Err }

// callRoll asks each loop to answer by closing its channel. A loop that is held does not answer.
func (s *Server) callRoll() []chan struct{} {
	roll := make([]chan struct{}, len(s.loops))
	for i, l := range s.loops {
		here := make(chan struct{})
		roll[i] = here
		l.execute(func() { close(here) })
	}
	return roll
}

// stopEngine closes what is left and ends the loops. It leaves loops behind that have not answered
// the roll by the end of grace. cause is why the drain ended.
func (s *Server) stopEngine(grace context.Context, roll []chan struct{}, cause error) error {
	close(s.halt)
	s.helper.Wait()
	var held []int
	for i, here := range roll {
		select {
		case <-here:
			continue
		default:
		}
		if await(grace, here) != nil {
			held = append(held, i)
		}
	}
	if len(held) > 0 {
		// engine.stop waits for all loops. The others need not wait with it: they stop their
		// workers themselves.
		for i, l := range s.loops {
			select {
			case <-roll[i]:
				l.execute(l.stopWorkers)
			default:
			}
		}
	}
	ended := make(chan struct{})
	go func() {
		s.engine.Stop()
		for _, l := range s.loops {
			l.stopWorkers()
		}
		close(ended)
	}()
	if len(held) == 0 {
		late, stop := context.WithTimeout(context.Background(), stopGrace)
		defer stop()
		if await(late, ended) == nil {
			return cause
		}
	}
	left := &LeftError{
		Loops:       held,
		Connections: int(s.admission.Connections()),
		Calls:       int(s.calls.Load()),
		Err:         cause,
	}
	s.logger().Error("shutdown does not wait for event loops that are held",
		"loops", held, "connections", left.Connections, "calls", left.Calls)
	return left
}

// await waits for done, or until ctx ends.
func await(ctx context.Context, done <-chan struct{}) error {
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// stopWorkers ends the workers of a loop that has ended: the idle ones, and those whose job the
// loop did not take back. The others end with their job.
func (l *loop) stopWorkers() {
	left := append(l.backlog, l.in.close()...)
	l.closeGates()
	for _, it := range left {
		switch it.kind {
		case itemOpen:
			it.gate.released()
			it.gate.finish(gateCut)
		case itemReturn, itemPrepared, itemPark:
			if w := it.job.worker; w != nil {
				w.stop()
			}
		}
	}
	l.backlog = nil
	l.workers.stop()
}
