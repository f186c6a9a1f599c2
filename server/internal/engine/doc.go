// Package engine is what lies below the event loops of package server. It accepts connections,
// admits or refuses them, and gives each to a loop, which then waits for its socket. It knows
// nothing of HTTP or MCP.
//
// # Vocabulary
//
// An [Engine] waits for sockets. There are two, each in a package of its own: gnetengine alone
// knows gnet, and epollengine alone knows epoll. A [Loop] is one of the engine's event loops: a
// goroutine that serves its sockets and tasks in turns. A [Socket] is a connected socket of a
// loop.
//
// The [Host] is the server above. It makes a [Handler] for each connection, which the loop calls
// when something has happened to the socket.
//
// [Admission] counts the connections and decides which to admit: it holds the limits, the accept
// loop and its pauses, and the refusals. Both engines share one.
//
// # Ownership
//
// The methods of Handler and Socket run on their loop, and so do those of Loop except Execute. The
// methods of Host and Admission, and Engine.Adopt, may be called from any goroutine.
//
// # Life of a connection
//
// An acceptor reserves a place for it (Admission.Reserve), picks a loop (Admission.NextLoop), asks
// the host for its handler (Host.NewConn) and hands it to the loop, which calls Handler.Opened.
// The place is free again when the engine calls Admission.Released, after Handler.Closed and when
// the descriptor is closed or about to be. The host counts nothing.
//
// A connection that the host has taken from net/http comes by Engine.Adopt instead, with a place
// that the host has reserved. Loop.Duplicate is the way back.
package engine
