package server

// Engine names what waits for the sockets below the event loops. Both do the same, and are held by
// the same tests.
type Engine string

const (
	// EngineGnet is gnet, on every system.
	EngineGnet Engine = "gnet"
	// EngineEpoll is a loop of our own, for Linux: an idle stream needs a third of the memory, and
	// a client that comes, calls and goes about half of the processor time.
	EngineEpoll Engine = "epoll"
)
