package upstream

// CloseIdle closes the session that has been idle longest, so that its link makes room for another
// upstream's. It reports whether there was one. The home session stays.
func (s *Server) CloseIdle() bool {
	s.mu.Lock()
	defer s.unlock()
	return s.evict()
}
