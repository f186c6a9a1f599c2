package server

import (
	"errors"
	"fmt"
	"net"

	"github.com/mooring-mcp/mooring/server/internal/engine"
)

// Serve accepts connections on l, which it owns and closes, until Shutdown; then it returns
// ErrServerClosed. l may be inherited, for example from systemd; its connections must be
// *net.TCPConn or *net.UnixConn. Several Serve calls may run at once.
func (s *Server) Serve(l net.Listener) error {
	defer l.Close()
	if err := s.ensureStarted(); err != nil {
		return err
	}
	a, err := s.engine.NewAcceptor(l)
	if err != nil {
		return fmt.Errorf("server: %w", err)
	}
	return s.accept(a)
}

// accept has a accept connections until Shutdown, and closes it.
func (s *Server) accept(a engine.Acceptor) error {
	defer a.Close()
	s.mu.Lock()
	if s.draining.Load() {
		s.mu.Unlock()
		return ErrServerClosed
	}
	if _, ok := a.(*tlsAcceptor); ok {
		s.startTLS()
	}
	s.acceptors[a] = struct{}{}
	s.accepting.Add(1)
	s.mu.Unlock()
	defer s.accepting.Done()
	defer func() {
		s.mu.Lock()
		delete(s.acceptors, a)
		s.mu.Unlock()
	}()
	err := s.admission.Serve(a)
	if errors.Is(err, engine.ErrClosed) {
		return ErrServerClosed
	}
	return fmt.Errorf("server: %w", err)
}
