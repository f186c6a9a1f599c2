package server

import (
	"context"
	"sync"
	"time"
)

// Streams end over a part of the drain, so that their clients do not all reconnect at once.
const (
	drainPerStream = 40 * time.Microsecond
	drainPart      = 0.75 // the largest part of the drain for this
	drainPoll      = 5 * time.Millisecond
	drainHead      = time.Second // for the rest of a request that has begun to arrive
)

// Shutdown ends the server gracefully, in this order: /readyz returns 503; listeners close; idle
// connections close; listen streams end with the result of their request, spread over part of the
// drain; and calls finish. At the end of the drain, or of ctx, whatever is left is cancelled and
// closed.
//
// Shutdown returns when no connection and no event loop is left. It returns nil after a graceful
// end, and context.DeadlineExceeded or the error of ctx otherwise. Whatever does not end within
// half a second after that is left behind, such as an event loop that an inline handler holds. The
// error is then a *LeftError.
//
// Shutdown may be called from any goroutine except that of a loop. A second call waits for the
// first.
func (s *Server) Shutdown(ctx context.Context) error {
	s.shutdown.Do(func() {
		s.drainErr = s.drainAndStop(ctx)
		close(s.stopped)
	})
	<-s.stopped
	return s.drainErr
}

func (s *Server) drainAndStop(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, s.opts.DrainTimeout)
	defer cancel()
	s.mu.Lock()
	s.draining.Store(true)
	s.admission.End()
	started := s.started && s.startErr == nil
	accepted := s.closeListeners()
	s.mu.Unlock()
	select {
	case <-accepted:
	case <-ctx.Done():
	case <-time.After(stopGrace):
		s.logger().Warn("a listener does not close; the drain continues without it")
	}
	defer s.leaveMCP()
	if !started {
		s.cancel(errShutdown)
		return nil
	}
	arriving, stop := context.WithTimeout(ctx, stopGrace)
	if err := s.engine.EndAccepting(arriving); err != nil && ctx.Err() == nil {
		s.logger().Warn("a connection does not reach its event loop; the drain continues without it")
	}
	stop()
	limit := s.opts.DrainTimeout
	if deadline, ok := ctx.Deadline(); ok {
		limit = min(limit, time.Until(deadline))
	}
	order := &drainOrder{spread: s.drainSpread(limit)}
	s.homes.close()
	endOther, endTLS := s.drainOther(ctx), s.drainTLS(ctx)
	for _, l := range s.loops {
		l.postDrain(order)
	}
	err := s.awaitEmpty(ctx)
	s.cancel(errShutdown)
	s.cancelForwards(errShutdown)
	grace, cancelGrace := context.WithTimeout(context.Background(), stopGrace)
	defer cancelGrace()
	held := s.callRoll()
	if err != nil {
		_ = s.awaitEmpty(grace)
	}
	endOther()
	endTLS()
	return s.stopEngine(grace, held, err)
}

// drainSpread returns over how many ticks streams end in a drain that is limited to d.
func (s *Server) drainSpread(d time.Duration) tick {
	part := time.Duration(drainPart * float64(max(d, 0)))
	return tick(min(part, time.Duration(s.streams.Load())*drainPerStream) / tickUnit)
}

// leaveMCP detaches s from its mcp.Servers, which may outlive s or be served again: s collects no
// more changes, and subscriptions of its sessions no longer count as listeners.
func (s *Server) leaveMCP() {
	for _, svc := range s.endpoints.Load().services {
		svc.leave()
	}
	s.guests.leave()
	s.sessions.Clear()
}

// closeListeners begins to close the listeners. It returns a channel that is closed when all of
// them are and nothing accepts any more. That may take until another client connects: a listener
// that its host has made blocking waits in accept, and its Close waits for that. The caller holds
// s.mu.
func (s *Server) closeListeners() <-chan struct{} {
	var closing sync.WaitGroup
	for l := range s.acceptors {
		closing.Go(func() { _ = l.Close() })
	}
	ended := make(chan struct{})
	go func() {
		closing.Wait()
		s.accepting.Wait()
		close(ended)
	}()
	return ended
}

// awaitEmpty waits until no connection is left and no call runs, or until ctx ends.
func (s *Server) awaitEmpty(ctx context.Context) error {
	t := time.NewTicker(drainPoll)
	defer t.Stop()
	for s.admission.Connections() > 0 || s.calls.Load() > 0 {
		select {
		case <-t.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}
