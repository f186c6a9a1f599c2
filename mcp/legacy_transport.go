package mcp

// Legacy reports whether the message is of a legacy revision: it belongs to a session, or opens one.
func (c *Call) Legacy() bool {
	return c.rev != nil && c.rev.tag != 0 || c.kind == CallAnswer
}

// ClaimsModern reports whether the request says in its body that it is of a modern revision, served or not.
func (c *Call) ClaimsModern() bool { return c.env.version != nil }

// Primes reports whether sessions of the revision expect a first event without a message on the stream of a call, which gives them a position to come back to (SEP-1699).
func Primes(revision string) bool { return revision == "2025-11-25" }

// Batches reports whether sessions of the revision may send arrays of messages.
func Batches(revision string) bool { return revision == "2025-03-26" }

// Topics returns what the server tells of its changes: those of a session's stream.
func (s *Server) Topics() Topic { return s.topics(s.reg.Load()) }
