package server

// Engine names the kind of event loop that waits for the sockets. The server behaves the same on
// both, and the same tests hold them.
type Engine string

const (
	// EngineGnet is gnet, for every system.
	EngineGnet Engine = "gnet"
	// EngineEpoll is an event loop of this module, for Linux. An idle stream takes an eighth of
	// the memory that it takes on gnet, and a client that connects, calls and disconnects takes
	// three fifths of the CPU time: see docs/benchmarks.md.
	EngineEpoll Engine = "epoll"
)
